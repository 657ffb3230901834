//! OBS-004: a window waits for an event that may never come.

use std::collections::BTreeSet;

use crate::catalog::Behaviour;
use crate::validate::design::{Design, NodeIx};
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::fixes;
use crate::validate::rules::declare_rule;
use crate::validate::rules::delivery::way_from;
use crate::validate::rules::order::IDLE;

declare_rule! {
    /// Finds windows that only a later event closes, where all that feeds them may fall silent.
    /// ## Why is this bad
    /// The time of a window is that of the events, so when no event comes its clock stands still. The
    /// last result before the silence is kept back, and with it the news that something is silent. An
    /// alarm for too few events is quiet exactly when there are none.
    /// ## When is this fine
    /// When nobody needs the last result before a silence: then accept it for that reason.
    /// ## Perturbation
    /// The source falls silent after one event: the result of its window does not come.
    /// ## Example
    /// sensors: manual ^silent=true -> hours: aggregate(group=.room, window=time, size=1h, aggregates=[{"name": "warmest", "function": "max", "of": ".celsius"}]) -> out: view
    /// ## Use instead
    /// sensors: manual ^silent=true -> hours: aggregate(group=.room, window=time, size=1h, idle=1h, aggregates=[{"name": "warmest", "function": "max", "of": ".celsius"}]) -> out: view
    /// ## Near miss
    /// sensors: manual ^silent=true -> all: merge -> hours: aggregate(group=.room, window=time, size=1h, aggregates=[{"name": "warmest", "function": "max", "of": ".celsius"}]) -> out: view
    /// office: manual ^rate=2 -> all
    /// ## Source
    /// Apache Flink, Generating watermarks: dealing with idle sources
    code = "OBS-004", name = "silent-stall", severity = Warning, since = "0.1.0",
    check = Node(check),
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let Some((view, _)) = design.acting(node) else {
        return;
    };
    let idle = design.ms(node, IDLE).unwrap_or(0);
    if !waits(design, node) || idle > 0 || view.outs.is_empty() {
        return;
    }
    let Some(silent) = silent_sources(design, node) else {
        return;
    };
    let Some(&first) = silent.first() else { return };
    let names: Vec<&str> = silent.iter().map(|source| design.title(*source)).collect();
    let title = design.title(node);
    let message = format!(
        "{title} closes a window only when a later event comes, and {} may fall silent; let it close when nothing comes",
        names.join(" and ")
    );
    let cause = "may send nothing for long although all is well".to_owned();
    let effect = "keeps its last windows open until something comes".to_owned();
    findings.add(
        Found::node(&view.id, message)
            .path(way_from(facts, first, cause, node, effect))
            .fixes([fixes::close_when_idle(facts, node)]),
    );
}

/// Whether a result comes only when a later event does.
fn waits(design: &Design, node: NodeIx) -> bool {
    match design.behaviour(node) {
        Some(Behaviour::Aggregate { .. }) => design.compares_times(node),
        // That so many have come is certain before the window ends.
        Some(Behaviour::Decide { claim, .. }) => {
            design.compares_times(node) && design.text(node, claim) != Some("at_least")
        }
        _ => false,
    }
}

/// The sources before a node, if each of them may fall silent.
fn silent_sources(design: &Design, node: NodeIx) -> Option<Vec<NodeIx>> {
    let (mut open, mut seen) = (vec![node], BTreeSet::from([node]));
    let mut silent = Vec::new();
    while let Some(at) = open.pop() {
        let never = design.declared_number(at, "rate") == Some(0.0);
        if design.declared_flag(at, "silent") || never {
            silent.push(at);
            continue;
        }
        let view = &design.nodes[at];
        if view.ins.is_empty() {
            return None;
        }
        let feeders = view.ins.iter().map(|edge| design.edges[*edge].from);
        open.extend(feeders.filter(|from| seen.insert(*from)));
    }
    silent.sort_by_key(|source| &design.nodes[*source].id);
    Some(silent)
}
