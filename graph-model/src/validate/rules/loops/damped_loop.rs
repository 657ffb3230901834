//! LOOP-002: a loop ends only if the data is as hoped.

use super::{assumed, number, round_way, titles};
use crate::catalog::{Behaviour, PortRole};
use crate::validate::design::{EdgeIx, NodeIx};
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::facts::rounds::{Round, Sort};
use crate::validate::fixes;
use crate::validate::rules::declare_rule;

declare_rule! {
    /// Finds loops that die out only if the data, or somebody's estimate, is as hoped.
    /// ## Why is this bad
    /// It ends if the data behaves, and most days it does. One event that a filter never stops, or
    /// a function that answers more than it was measured to, goes round without end. A limit on the
    /// rounds turns the hope into a bound.
    /// ## When is this fine
    /// When what makes it end is sure for a reason that the design cannot say, such as a finite list
    /// that gets shorter: then accept the hazard with that reason.
    /// ## Perturbation
    /// Inputs that the damping step lets pass each time: events are still under way when the run
    /// should be quiet.
    /// ## Example
    /// in: manual -> lane: queue -> step: map(expr={state: .next, next: .then}) -> open: filter(when=.state != "done") -> lane
    /// open.dropped -> out: view
    /// ## Use instead
    /// in: manual -> lane: queue -> step: map(expr={state: .next, next: .then, turns: ((.turns // 0) + 1)}) -> open: filter(when=.state != "done" and .turns < 9) -> lane
    /// open.dropped -> out: view
    /// ## Near miss
    /// in: manual -> lane: queue -> open: filter(when=.state != "done") -> step: map(expr={state: "done", next: .then}) -> lane
    /// open.dropped -> out: view
    /// ## Source
    /// E. Baralis, S. Ceri, S. Paraboschi: Compile-time and runtime analysis of active behaviors, 1998
    /// (a cycle of rules ends only where one of its conditions is sure to become false)
    code = "LOOP-002", name = "loop-damped-by-hope", severity = Warning, since = "0.1.0",
    check = Whole(check),
}

fn check(facts: &Facts, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let rounds = facts.rounds();
    for round in rounds.iter().filter(|round| round.sort == Sort::Damped) {
        let (node, why) = damping(facts, round);
        let subject = &design.nodes[node].id;
        let message = format!(
            "events go round through {}, and only {why} ends it; limit the rounds to be sure",
            titles(design, &round.way)
        );
        let end = bound(round);
        let mut found = Found::node(subject, message)
            .path(round_way(facts, round, &end))
            .fixes(fixes::end_loop(facts, round));
        if let Some(assumed) = assumed(facts, round) {
            found = found.assuming(assumed);
        }
        findings.add(found);
    }
}

/// The node that everything depends on, and what of it.
fn damping(facts: &Facts, round: &Round) -> (NodeIx, String) {
    let design = &*facts.design;
    let from = |edge: &EdgeIx| design.edges[*edge].from;
    let estimate = round.way.iter().find_map(|edge| {
        let gain = facts.declared_gain(from(edge))?;
        (gain < 1.0).then(|| (from(edge), gain))
    });
    if let Some((node, gain)) = estimate {
        let title = design.title(node);
        let gain = number(gain);
        return (
            node,
            format!("the gain of {gain} that {title} is said to have"),
        );
    }
    let Some(hope) = round.hopes.first() else {
        let node = round.way.first().map_or(0, from);
        return (node, "what the events hold".to_owned());
    };
    let node = from(hope);
    let title = design.title(node);
    let view = &design.edges[*hope];
    let why = match design.behaviour(node) {
        _ if view.role == PortRole::Failed => format!("a try at {title} that succeeds"),
        Some(Behaviour::Filter { predicate }) => {
            let code = design.text(node, predicate).unwrap_or("true");
            let way = if view.main { "not holding" } else { "holding" };
            format!("`{code}` of {title} {way}")
        }
        Some(Behaviour::Queue { .. }) => format!("another reader of {title}"),
        Some(Behaviour::Dedupe { .. }) => format!("a key that {title} has seen"),
        _ => format!("what {title} holds back"),
    };
    (node, why)
}

/// How often an event goes round, as far as that is known.
fn bound(round: &Round) -> String {
    if round.factor < 1.0 {
        let all = number(1.0 / (1.0 - round.factor));
        format!("gets some of it again: {all} events of each in the mean, if the estimate holds")
    } else {
        "gets it again as often as the data has it".to_owned()
    }
}
