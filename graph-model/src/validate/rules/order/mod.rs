//! What depends on order, and where it was lost. Shared by the rules of order.

pub(in crate::validate) mod early_decision;
mod kept_results;
mod late_facts;
mod overtaken_events;
pub(in crate::validate) mod several_ways;
mod stale_lookup;
#[cfg(test)]
mod tests;
mod unordered_channel;
mod unordered_meeting;
mod wall_clock;

use smol_str::SmolStr;

use crate::catalog::{Behaviour, Observation};
use crate::validate::Rule;
use crate::validate::design::{Design, NodeIx};
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::delivery::{Loss, Order};
use crate::validate::facts::origins::OriginId;
use crate::validate::facts::{Facts, Port};
use crate::validate::rules::delivery::{folds_by, placing, way_from};
use crate::validate::{Fix, Severity, fixes};

pub(in crate::validate) use late_facts::IDLE;

/// The rules of the family, by code.
pub(super) const RULES: &[Rule] = &[
    unordered_channel::RULE,
    unordered_meeting::RULE,
    overtaken_events::RULE,
    late_facts::RULE,
    wall_clock::RULE,
    early_decision::RULE,
    stale_lookup::RULE,
];

/// What depends on the order of events.
struct Need<'d> {
    /// Among events with the same key.
    key: Vec<OriginId>,
    /// The key as it is written; nothing where there is one for all events, or where nobody says.
    text: Option<&'d str>,
    /// The config field of the key.
    field: Option<&'d str>,
    sort: Sort,
}

/// How it depends on the order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::validate) enum Sort {
    /// Only the first event counts.
    First,
    /// Only the last event counts.
    Last,
    /// Every event counts, each in its turn.
    Each,
    /// Code remembers something.
    Code,
}

/// Reports what depends on order behind the losses that `ours` names.
pub(super) fn report(
    facts: &Facts,
    node: NodeIx,
    findings: &mut RuleFindings<'_, '_>,
    ours: fn(Loss) -> bool,
) {
    kept_results::report(facts, node, findings, ours);
    let design = &*facts.design;
    let Some((view, behaviour)) = design.acting(node) else {
        return;
    };
    // What a look-up keeps are the rows.
    let arriving = match behaviour {
        Behaviour::Enrich { .. } => facts.input(node).and(facts.second(node)),
        _ => facts.input(node),
    };
    let Some(port) = arriving else { return };
    let order = order_at(facts, node, behaviour, port);
    let lost = match &order {
        Order::Lost(_, loss) => *loss,
        Order::Total | Order::PerKey(_) => Loss::Instances,
    };
    if !ours(lost) {
        return;
    }
    let Some(need) = needs_order(facts, node, behaviour, port) else {
        return;
    };
    let assumed = ["ordered", "commutative"];
    if facts.in_order(&order, &need.key) || assumed.iter().any(|what| facts.assumed(node, what)) {
        return;
    }
    let (by, loss) = match &order {
        Order::Lost(by, loss) => (*by, *loss),
        // Nobody says by what code keeps its state, so it may well be what the order is by.
        _ if need.sort == Sort::Code => return,
        order => (keeper(facts, node, order), Loss::Instances),
    };
    let title = design.title(node);
    let cause = match loss {
        Loss::Instances => format!("keeps order only {}", placing(design, by)),
        _ => cause(loss),
    };
    let key = need.text.unwrap_or("null");
    let (depends, effect) = match need.sort {
        Sort::First => (
            format!("depends on who comes first for `{key}`"),
            format!("a later event for `{key}` may be the first to come"),
        ),
        Sort::Last => (
            format!("depends on who comes last for `{key}`"),
            format!("an older event for `{key}` may win over a newer one"),
        ),
        Sort::Each => (
            format!("takes events of one `{key}` in the order in which they come"),
            format!("a later event of one `{key}` may come before an earlier one"),
        ),
        Sort::Code => (
            "remembers what it did with earlier events".to_owned(),
            "a later event may come before an earlier one".to_owned(),
        ),
    };
    let kept = match need.text {
        Some(_) => format!("keep events of one `{key}` in order"),
        None => "keep events in order".to_owned(),
    };
    let message = format!(
        "{title} {depends}, but {} {cause}; {kept}",
        design.title(by)
    );
    let mut found = Found::node(&view.id, message)
        .path(way_from(facts, by, cause, node, effect))
        .fixes(fixes_of(facts, node, &need, by));
    let code = [(loss == Loss::Code, by), (need.sort == Sort::Code, node)];
    if let Some((_, code)) = code.iter().find(|(is, _)| *is) {
        let title = design.title(*code);
        let asked = format!("the code of {title} was not asked whether the order matters to it");
        found = found.assuming(asked).severity(Severity::Warning);
    }
    findings.add(found);
}

/// What keeps a node from depending on an order that `by` lost.
fn fixes_of(facts: &Facts, node: NodeIx, need: &Need<'_>, by: NodeIx) -> Vec<Fix> {
    let design = &*facts.design;
    match design.behaviour(node) {
        Some(Behaviour::Enrich { as_of, .. }) => {
            vec![fixes::take_row_of_then(design, node, as_of)]
        }
        _ => fixes::keep_order(facts, node, (need.field, need.sort), by),
    }
}

/// What a node that lost the order does, where that is the same for all of them.
fn cause(loss: Loss) -> String {
    let cause = match loss {
        Loss::Source => "takes events in whatever order they are sent",
        Loss::Channel => "delivers in any order",
        Loss::Meeting => "lets each stream run at its own pace",
        Loss::Instances => "keeps order only within each instance",
        Loss::Names => "reads what was written since its last look by its names",
        Loss::Retry => "takes up again what was given up before",
        Loss::Code => "may change what the order was by",
    };
    cause.to_owned()
}

/// The order in which a node gets what it answers to: events and seals run at their own pace.
fn order_at(facts: &Facts, node: NodeIx, behaviour: &Behaviour, port: &Port) -> Order {
    match behaviour {
        Behaviour::Decide { .. } if facts.second(node).is_some() => {
            port.order.lost_at(node, Loss::Meeting)
        }
        _ => port.order.clone(),
    }
}

/// What a node needs as it happened; nothing when any order will do.
fn needs_order<'d>(
    facts: &'d Facts,
    node: NodeIx,
    behaviour: &'d Behaviour,
    port: &Port,
) -> Option<Need<'d>> {
    let design = &*facts.design;
    let (field, sort) = match behaviour {
        // Of what has one id the first is appended.
        Behaviour::Table { mode, .. }
            if design.text(node, mode) == Some("append")
                && facts.named(port)
                && several_ways::come_to(facts, node) =>
        {
            return Some(Need {
                key: Vec::new(),
                text: Some("$event.id"),
                field: None,
                sort: Sort::First,
            });
        }
        Behaviour::Aggregate {
            group, aggregates, ..
        } => {
            let uses = |functions| folds_by(design, node, aggregates, functions);
            let sort = uses(&["list"]).then_some(Sort::Each);
            (
                group,
                sort.or(uses(&["first", "last"]).then_some(Sort::Last))?,
            )
        }
        Behaviour::Fold { group, .. } => (group, Sort::Each),
        // The first event of a group decides.
        Behaviour::Decide {
            group, claim, wait, ..
        } if design.text(node, wait) == Some("no")
            && design.text(node, claim) != Some("at_least") =>
        {
            (group, Sort::Each)
        }
        // The row that came last counts, unless each has its time.
        Behaviour::Enrich { row_key, .. } if !design.compares_times(node) => (row_key, Sort::Last),
        // What compares versions lets no old one win.
        Behaviour::Table { mode, key, .. } if design.text(node, mode) == Some("upsert") => {
            (key, Sort::Last)
        }
        // Who looks, or takes the name for the newest object, sees the one that came last.
        Behaviour::Bucket { name } => (name, Sort::Last),
        Behaviour::Observe {
            observation: Observation::View | Observation::Metric,
        } => (shown_by(design, node)?, Sort::Last),
        // Of what has one version the first passes.
        Behaviour::Resequence { key, .. } | Behaviour::VersionGuard { key, .. }
            if several_ways::come_to(facts, node) =>
        {
            return Some(Need {
                key: Vec::new(),
                text: design.text(node, key),
                field: Some(key),
                sort: Sort::First,
            });
        }
        Behaviour::Dedupe { key, .. } if takes_the_first(facts, node, key, port) => {
            (key, Sort::First)
        }
        Behaviour::Opaque { .. } => {
            let state = design.code_state(node)?;
            return state.decides().then_some(Need {
                key: Vec::new(),
                text: None,
                field: None,
                sort: Sort::Code,
            });
        }
        _ => return None,
    };
    let key = design.expr(node, field);
    let key = key.map(|key| facts.key(key, port)).unwrap_or_default();
    // Where each event has a key of its own there is nothing to overtake, unless it comes by two ways.
    let alone = facts.identifies(&key, port) && !several_ways::come_to(facts, node);
    (!alone).then(|| Need {
        key,
        text: design.text(node, field),
        field: Some(field),
        sort,
    })
}

/// Whether a key is shared by several events, as their type says, so that the first of them passes for
/// all. Where nobody says what identifies an event, its key does.
fn takes_the_first(facts: &Facts, node: NodeIx, key: &str, port: &Port) -> bool {
    let design = &*facts.design;
    let ty = port.payload.ty.as_ref();
    let ty = ty.and_then(|ty| design.document.types.get(ty));
    let (Some(key), Some(id)) = (design.expr(node, key), ty.and_then(|ty| ty.id.as_ref())) else {
        return false;
    };
    let reads_context = !key.analysis().reads.context.is_empty();
    !reads_context && !facts.determines(&facts.key(key, port), &[facts.field(id, port)])
}

/// The field with the key by which a place shows the last event, where it has one.
pub(in crate::validate::rules) fn shown_by(design: &Design, node: NodeIx) -> Option<&SmolStr> {
    let kind = design.nodes[node].kind.as_ref()?;
    let mut fields = kind.config.iter().map(|field| &field.name);
    let key = fields.find(|name| *name == "key")?;
    design.expr(node, key).map(|_| key)
}

/// The node that keeps no other order than the one that arrives at a node.
fn keeper(facts: &Facts, node: NodeIx, order: &Order) -> NodeIx {
    let same = |port: Option<&Port>| port.is_some_and(|port| port.order == *order);
    let starts = |at: NodeIx| at != node && same(facts.output(at)) && !same(facts.input(at));
    let way = facts
        .design
        .trace(node, |edge| same(facts.edge(edge)), starts);
    way.first()
        .map_or(node, |edge| facts.design.edges[*edge].from)
}
