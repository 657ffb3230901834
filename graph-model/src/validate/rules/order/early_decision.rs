//! ORDER-006: something is done for good before all events are there that could speak against it.

use crate::catalog::Behaviour;
use crate::expr::{Expr, Operand};
use crate::pointer::Pointer;
use crate::validate::design::NodeIx;
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::origins::OriginId;
use crate::validate::facts::{Facts, Port};
use crate::validate::rules::declare_rule;
use crate::validate::rules::delivery::way_from;
use crate::validate::rules::order::late_facts::LATENESS;
use crate::validate::{Severity, Subject, fixes};
use crate::value::Value;

declare_rule! {
    /// Finds effects, and code that sends requests to hosts, that follow from what is true only as long as
    /// no further event comes.
    /// ## Why is this bad
    /// Fewer than a hundred clicks is true for every ad at midnight. Whatever follows from it cannot be
    /// taken back when the clicks come in. Only a sign that no more events come makes such an answer
    /// certain.
    /// ## When is this fine
    /// When the events of a group are all there before the first one comes: then assume `closed`.
    /// ## Perturbation
    /// Delay: one event comes after the decision, and the effect would not have happened with it.
    /// ## Example
    /// clicks: manual -> few: decide(group=.ad, claim=fewer_than, count=100, wait=no) -> pause: effect(action=pause ad)
    /// ## Use instead
    /// clicks: manual -> few: decide(group=.ad, claim=fewer_than, count=100, wait=window, size=1d) -> pause: effect(action=pause ad)
    /// ## Near miss
    /// clicks: manual -> per: aggregate(group=.ad, aggregates=[{"name": "clicks", "function": "count"}]) -> many: filter(when=.clicks >= 100) -> thank: effect(action=thank)
    /// many.dropped -> few: table(table=few, key=.key)
    /// ## Source
    /// J. M. Hellerstein, P. Alvaro: Keeping CALM, 2020; P. Alvaro et al.: Blazes, 2014
    code = "ORDER-006", name = "early-decision", severity = Error, since = "0.1.0",
    check = Node(check),
}

/// Why an answer about a group comes before all of its events.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::validate) enum Early {
    /// The first event makes it answer.
    First,
    /// It waits for seals, and nothing is wired to where they come.
    NoSeal,
    /// A seal is not about one group.
    OtherSeal,
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let (Some((view, behaviour)), Some(port)) = (design.acting(node), facts.input(node)) else {
        return;
    };
    let declared = design
        .declared(node, "irrevocable")
        .and_then(Value::as_bool);
    // Nobody can see what code asks for.
    let asks = declared.is_none() && design.calls_out(node);
    let for_good = declared.unwrap_or(asks || matches!(behaviour, Behaviour::Effect { .. }));
    let Some(by) = port.doubts.hasty.filter(|_| for_good) else {
        return;
    };
    if facts.assumed(by, "closed") || facts.assumed(node, "closed") {
        return;
    }
    let (title, at) = (design.title(node), design.title(by));
    let at_node = Subject::Node(design.nodes[by].id.clone());
    let effect = "cannot be taken back when more events come".to_owned();
    let mut found = if let Some(Behaviour::Decide {
        group,
        seal_key,
        wait,
        ..
    }) = design.behaviour(by)
    {
        let group = design.text(by, group).unwrap_or("null");
        let cause = match early(facts, by) {
            Some(Early::NoSeal) => {
                format!("waits for a seal of each `{group}`, and nothing sends one")
            }
            Some(Early::OtherSeal) => {
                let seal = design.text(by, seal_key).unwrap_or("null");
                format!("takes a seal of `{seal}` for one of `{group}`")
            }
            _ => format!("answers at the first event of a `{group}`"),
        };
        let message = format!(
            "{at} {cause}, while more events may come, and {title} cannot be taken back; wait until they are all there"
        );
        Found::at(at_node, message)
            .path(way_from(facts, by, cause, node, effect))
            .fixes([fixes::wait_for_window(
                facts,
                by,
                (wait, "window"),
                LATENESS,
            )])
    } else {
        let Some((field, maker)) = result(facts, by) else {
            return;
        };
        let makes = design.title(maker);
        let message = format!(
            "{at} takes `{field}` of {makes} for the last one, while more events may change it, and {title} cannot be taken back; wait until they are all there"
        );
        let mut path = way_from(
            facts,
            maker,
            "sends a new result with each event".to_owned(),
            by,
            String::new(),
        );
        path.pop();
        let cause = format!("takes `{field}` for the last one");
        path.extend(way_from(facts, by, cause, node, effect));
        let mut found = Found::at(at_node, message).path(path);
        if let Some(Behaviour::Aggregate { window, .. }) = design.behaviour(maker) {
            let fix = fixes::wait_for_window(facts, maker, (window, "time"), LATENESS);
            found = found.fixes([fix]);
        }
        found
    };
    if asks {
        found = found
            .assuming("that its requests change something for good")
            .severity(Severity::Warning);
    }
    findings.add(found.affecting([view.id.clone()]));
}

/// Why a decision may come before all events of its group; nothing when it does not.
pub(in crate::validate) fn decides_early(
    facts: &Facts,
    node: NodeIx,
    events: &Port,
    seals: Option<&Port>,
) -> Option<Early> {
    let design = &*facts.design;
    let Some(Behaviour::Decide {
        group,
        seal_key,
        claim,
        wait,
    }) = design.behaviour(node)
    else {
        return None;
    };
    // That there are so many stays true.
    if design.text(node, claim) == Some("at_least") {
        return None;
    }
    match design.text(node, wait) {
        Some("no") => Some(Early::First),
        Some("seal") => {
            let Some(seals) = seals else {
                return Some(Early::NoSeal);
            };
            let (group, seal) = (design.expr(node, group)?, design.expr(node, seal_key)?);
            is_of_another(facts, (group, events), (seal, seals)).then_some(Early::OtherSeal)
        }
        _ => None,
    }
}

fn early(facts: &Facts, node: NodeIx) -> Option<Early> {
    decides_early(facts, node, facts.input(node)?, facts.second(node))
}

/// Whether seals cannot be about one group each. A seal is compared with the key of a group as a whole,
/// so one that decides the group, or is decided by it, is not enough. Fields of other names may well
/// hold the same: a seal is often told as another sort of event.
fn is_of_another(facts: &Facts, group: (&Expr, &Port), seal: (&Expr, &Port)) -> bool {
    let parts = |expr: &Expr| {
        let key = expr.analysis().key.as_ref()?;
        let varies = |part: &&Operand| !matches!(part, Operand::Constant(_));
        Some(key.parts.iter().filter(varies).count())
    };
    let (Some(in_group), Some(in_seal)) = (parts(group.0), parts(seal.0)) else {
        return false;
    };
    if in_group != in_seal {
        return true;
    }
    let (groups, seals) = (facts.keyed(group.0, group.1), facts.keyed(seal.0, seal.1));
    let misplaced = |(at, part): (usize, &OriginId)| {
        let elsewhere = groups.parts.iter().position(|held| held == part);
        elsewhere.is_some_and(|held| held != at && groups.parts.get(at) != Some(part))
    };
    groups.shape == seals.shape && seals.parts.iter().enumerate().any(misplaced)
}

/// The result that a node takes for the last one: its field there, and the node that makes it.
fn result(facts: &Facts, node: NodeIx) -> Option<(Pointer, NodeIx)> {
    let design = &*facts.design;
    let port = facts.input(node)?;
    let doubtful = |expr: &Expr| {
        let passed = facts.doubtful(expr, false, port);
        passed.or_else(|| facts.doubtful(expr, true, port))
    };
    match design.behaviour(node)? {
        Behaviour::Filter { predicate } => doubtful(design.expr(node, predicate)?),
        Behaviour::Route { routes, .. } => {
            let table = design.value(node, routes)?.as_object()?;
            let mut codes = table.iter().filter_map(|(_, code)| code.as_str());
            codes.find_map(|code| facts.doubtful(design.compiled(code)?, false, port))
        }
        _ => None,
    }
}
