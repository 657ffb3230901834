//! LOOP-001: events come round and nothing ends it.

use super::{assumed, round_way, series, titles};
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::facts::rounds::Sort;
use crate::validate::fixes;
use crate::validate::rules::declare_rule;

declare_rule! {
    /// Finds loops in which an event makes at least one more event of its kind.
    /// ## Why is this bad
    /// Each turn of this loop makes at least as many events as it took, so it never dies out. It
    /// fills queues and, in a cloud, it is you who pays. Platforms stop some loops after the fact;
    /// the design shows it before.
    /// ## When is this fine
    /// When something outside the design ends it: then accept the hazard and say what.
    /// ## Perturbation
    /// One event more: its descendants never end.
    /// ## Example
    /// in: manual -> lane: queue -> halve: split(expr=[., .]) -> large: filter(when=.size > 12) -> lane
    /// large.dropped -> out: view
    /// ## Use instead
    /// in: manual -> lane: queue -> halve: split(expr=[., .]) -> smaller: map(expr=.size -= 6) -> large: filter(when=.size > 12) -> lane
    /// large.dropped -> out: view
    /// ## Near miss
    /// in: manual -> lane: queue -> halve: split(expr=[{text: .text, left: (.left - 1)}, {text: .text, left: (.left - 2)}]) -> once: map(expr={t: .text, n: .left}) -> long: route(routes={"more": ".n >= 0 and .t != null"}) -> back: map(expr={text: .t, left: .n}) -> lane
    /// long.otherwise -> out: view
    /// ## Source
    /// A. Aiken, J. Widom, J. Hellerstein: Behavior of database production rules, 1992 (a rule may
    /// set itself off again unless its condition fails for what it made). T. Harris: The theory of
    /// branching processes, 1963 (what makes one or more of its kind does not die out).
    code = "LOOP-001", name = "event-storm", severity = Error, since = "0.1.0",
    check = Whole(check),
}

fn check(facts: &Facts, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let rounds = facts.rounds();
    for round in rounds.iter().filter(|round| round.sort == Sort::Storm) {
        let start = &design.nodes[design.edges[round.way[0]].from].id;
        let message = format!(
            "events go round through {} and nothing ends it: {}; limit the rounds or break the loop",
            titles(design, &round.way),
            series(round)
        );
        let mut found = Found::node(start, message)
            .path(round_way(
                facts,
                round,
                "gets it again, and so round and round",
            ))
            .fixes(fixes::end_loop(facts, round));
        if let Some(assumed) = assumed(facts, round) {
            found = found.assuming(assumed);
        }
        findings.add(found);
    }
}
