//! What depends on order, and where it was lost. Shared by the rules of order.

mod unordered_channel;
mod unordered_meeting;

use crate::catalog::Behaviour;
use crate::validate::Rule;
use crate::validate::design::NodeIx;
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::delivery::{Loss, Order, Part};
use crate::validate::facts::origins::OriginId;
use crate::validate::facts::{Facts, Port};
use crate::validate::rules::delivery::{folds_by, placing, way_from};
use crate::validate::{Subject, fixes};

/// The rules of the family, by code.
pub(super) const RULES: &[Rule] = &[unordered_channel::RULE, unordered_meeting::RULE];

/// Reports what depends on order behind the losses that `ours` names.
pub(super) fn report(
    facts: &Facts,
    node: NodeIx,
    findings: &mut RuleFindings<'_, '_>,
    ours: fn(Loss) -> bool,
) {
    let design = &*facts.design;
    let Some((view, behaviour)) = design.acting(node) else {
        return;
    };
    let Some(port) = facts.input(node) else {
        return;
    };
    let Some((key, field)) = needs_order(facts, node, behaviour, port) else {
        return;
    };
    let assumed = ["ordered", "commutative"];
    if facts.in_order(&port.order, &key) || assumed.iter().any(|what| facts.assumed(node, what)) {
        return;
    }
    let (by, loss) = match (&port.order, &port.part) {
        (Order::Lost(by, loss), _) => (*by, *loss),
        (_, Part::Hash { by, .. } | Part::Any { by, .. }) => (*by, Loss::Instances),
        _ => (node, Loss::Instances),
    };
    if !ours(loss) {
        return;
    }
    let title = design.title(node);
    let cause = match loss {
        Loss::Source => "takes events in whatever order they are sent".to_owned(),
        Loss::Channel => "delivers in any order".to_owned(),
        Loss::Meeting => "lets each stream run at its own pace".to_owned(),
        Loss::Instances => format!("keeps order only {}", placing(design, by)),
        Loss::Code => "may change what the order was by".to_owned(),
    };
    let key = design.text(node, field).unwrap_or("null");
    findings.add(Found::at(Subject::Node(view.id.clone()), format!(
                "{title} depends on who comes last for `{key}`, but {} {cause}; keep events of one `{key}` in order",
                design.title(by)
            )).path(way_from(
                facts,
                by,
                cause.clone(),
                node,
                format!("an older event for `{key}` may win over a newer one"),
            )).fixes(fixes::keep_order(facts, node, field, by)));
}

/// The key within which a node needs events as they happened, and the field that holds it.
fn needs_order<'d>(
    facts: &Facts,
    node: NodeIx,
    behaviour: &'d Behaviour,
    port: &Port,
) -> Option<(Vec<OriginId>, &'d str)> {
    let design = &*facts.design;
    let field = match behaviour {
        Behaviour::Aggregate {
            group, aggregates, ..
        } => folds_by(design, node, aggregates, &["first", "last", "list"]).then_some(group)?,
        Behaviour::Table { mode, key } => {
            (design.text(node, mode) == Some("upsert")).then_some(key)?
        }
        _ => return None,
    };
    let key = design.expr(node, field);
    let key = key.map(|key| facts.key(key, port)).unwrap_or_default();
    // Where each event has a key of its own there is nothing to overtake.
    (!facts.identifies(&key, port)).then_some((key, field))
}
