//! STATE-009: a later step refuses, and nobody takes the earlier one back.

use rustc_hash::FxHashSet;

use super::{SEARCH_MAX, named};
use crate::catalog::Behaviour;
use crate::validate::design::{Design, EdgeIx, NodeIx};
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::rules::declare_rule;
use crate::validate::{Severity, fixes};

declare_rule! {
    /// Finds effects in a row of which a later one may refuse for good while nothing takes the earlier
    /// one back.
    /// ## Why is this bad
    /// The flight is booked, the hotel refuses, and nobody cancels the flight. Trying again does not
    /// help, because the refusal is final. The first step stays done, and somebody pays for half a
    /// journey.
    /// ## When is this fine
    /// When the earlier step is good by itself: then accept the hazard.
    /// ## Perturbation
    /// The later step fails for good: the earlier one is still there when all is quiet.
    /// ## Example
    /// in: manual -> lane: queue -> flight: effect(action=book flight, key=$event.id) -> hotel: effect(action=book hotel, key=$event.id) ^can_refuse=true
    /// ## Use instead
    /// in: manual -> lane: queue -> flight: effect(action=book flight, key=$event.id) -> hotel: effect(action=book hotel, key=$event.id) ^can_refuse=true
    /// hotel.failed -> cancel: effect(action=cancel flight, key=$event.id) ^compensates=flight
    /// ## Near miss
    /// in: manual -> lane: queue -> flight: effect(action=book flight, key=$event.id) ^can_refuse=true -> hotel: effect(action=book hotel, key=$event.id)
    /// ## Source
    /// H. Garcia-Molina, K. Salem: Sagas, 1987 (each step but the last has a step that takes it back)
    code = "STATE-009", name = "no-way-back", severity = Warning, since = "0.1.0",
    check = Node(check),
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let Some((view, _)) = design.acting(node) else {
        return;
    };
    if !design.declared_flag(node, "can_refuse") {
        return;
    }
    let back = behind_failure(design, node);
    let is_effect = |at: NodeIx| {
        let effect = matches!(design.behaviour(at), Some(Behaviour::Effect { .. }));
        effect && at != node && design.declared_text(at, "compensates").is_none()
    };
    for earlier in before(design, node).into_iter().filter(|at| is_effect(*at)) {
        let taken_back = back.iter().any(|at| {
            let compensates = design.declared_text(*at, "compensates");
            compensates.and_then(|name| named(design, name)) == Some(earlier)
        });
        if taken_back {
            continue;
        }
        let (title, first) = (design.title(node), design.title(earlier));
        let elsewhere = design.active().find(|(at, _, _)| {
            let compensates = design.declared_text(*at, "compensates");
            compensates.and_then(|name| named(design, name)) == Some(earlier)
        });
        let message = match elsewhere {
            Some((undo, _, _)) => format!(
                "{title} may refuse for good after {first} is done, and {} does not hear of it; wire \
                 what fails at {title} to it",
                design.title(undo)
            ),
            None => format!(
                "{title} may refuse for good after {first} is done, and nothing takes that back; add a \
                 step that does"
            ),
        };
        let carries = |edge: EdgeIx| !design.is_failure(edge);
        let way = design.trace(node, carries, |at| at == earlier);
        let cause = "is done, and stays so".to_owned();
        let effect = "may refuse for good".to_owned();
        let grave = design.declared_flag(earlier, "irrevocable");
        let mut found = Found::node(&view.id, message)
            .detail(design.nodes[earlier].id.as_str())
            .path(design.steps((earlier, cause), &way, (node, effect)))
            .fixes(fixes::take_back(
                facts,
                earlier,
                node,
                elsewhere.map(|(undo, _, _)| undo),
            ))
            .affecting([design.nodes[earlier].id.clone()]);
        if grave {
            found = found.severity(Severity::Error);
        }
        findings.add(found);
    }
}

/// Everything before a node; what was given up does not count.
fn before(design: &Design, node: NodeIx) -> Vec<NodeIx> {
    let mut seen = FxHashSet::from_iter([node]);
    let mut open = vec![node];
    let mut found = Vec::new();
    while let Some(at) = open.pop() {
        for edge in &design.nodes[at].ins {
            let from = design.edges[*edge].from;
            if !design.is_failure(*edge) && seen.len() <= SEARCH_MAX && seen.insert(from) {
                found.push(from);
                open.push(from);
            }
        }
    }
    found.sort_by(|a, b| design.nodes[*a].id.cmp(&design.nodes[*b].id));
    found
}

/// Everything behind what a node gives up.
fn behind_failure(design: &Design, node: NodeIx) -> FxHashSet<NodeIx> {
    let mut seen = FxHashSet::default();
    let failed = design.nodes[node].outs.iter();
    let failed = failed.filter(|edge| design.is_failure(**edge));
    let mut open: Vec<NodeIx> = failed.map(|edge| design.edges[*edge].to).collect();
    while let Some(at) = open.pop() {
        if seen.len() <= SEARCH_MAX && seen.insert(at) {
            let outs = design.nodes[at].outs.iter();
            open.extend(outs.map(|edge| design.edges[*edge].to));
        }
    }
    seen
}
