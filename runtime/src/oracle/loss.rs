//! L1: every fact comes to the places that need all of them, or is kept among the given-up events.

use graph_model::value::{Object, Value};

use super::ends::{reached_by, trail};
use super::lineage::{name, twins};
use super::{Context, Finding, Oracle};
use crate::simulate::Outcome;

/// Finds facts that vanished on their way.
pub(super) fn judge(run: &Outcome, reference: &Outcome, context: &Context) -> Vec<Finding> {
    if !run.ended.is_complete() {
        return Vec::new();
    }
    let meant = reached_by(reference, &context.ends);
    let found = reached_by(run, &context.ends);
    let twins = twins(run, reference);
    let mut findings = Vec::new();
    for (fact, ends) in found.iter().enumerate() {
        let Some(other) = twins[fact] else { continue };
        let missed = meant[other as usize]
            .iter()
            .filter(|end| context.ends[**end].needs_all && !ends.contains(end));
        for end in missed {
            let fact = fact as u32;
            let trail = trail(run, fact, reference, other, &context.late);
            if trail.given_up || trail.decided {
                continue;
            }
            let mut observed = Object::with_capacity(1);
            let last = trail.last.map(|node| Value::from(node.as_str()));
            observed.insert("last_seen_at", last.unwrap_or_default());
            findings.push(Finding {
                fact: Some(fact),
                ..Finding::new(Oracle::L1, end.as_str(), observed, name(run, fact))
            });
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::testing::Trial;
    use super::*;
    use crate::simulate::{FaultKind, Point};

    const BEFORE: FaultKind = FaultKind::Crash(Point::BeforeEffect);

    fn check(flow: &str, kind: FaultKind, place: &str, wanted: &str) {
        let facts = r#"in {"id":"a","v":1}
                       in {"id":"a","v":2}
                       in {"id":"b","v":1}"#;
        let found = Trial::new(flow, facts).fault(kind, place, 1);
        assert_eq!(found.judge(Oracle::L1), wanted, "{flow}");
    }

    #[test]
    fn what_vanishes_is_told() {
        let table = "out: table(table=t, key=.id)";
        check(
            &format!("in: manual -> {table}"),
            BEFORE,
            "out",
            r#"L1 at `out`: {"last_seen_at":"out"} instead of "f1""#,
        );
        check(
            &format!("in: manual -> pass: map(expr=.) ->? {table}"),
            FaultKind::Lose,
            "pass ->",
            r#"L1 at `out`: {"last_seen_at":"pass"} instead of "f1""#,
        );
        check(
            &format!("in: manual -> lane: queue -> {table}"),
            BEFORE,
            "out",
            "",
        );
        check("in: manual -> out: view", BEFORE, "out", "");
    }

    #[test]
    fn what_was_decided_is_no_loss() {
        let flow = "in: manual -> lane: queue -> newer: version_guard(key=.id, version=.v) -> out: table(table=t, key=.id)";
        let late = FaultKind::Delay { by_us: 60_000 };
        let facts = r#"in {"id":"a","v":1}
                       in {"id":"a","v":2}"#;
        let trial = Trial::new(flow, facts).fault(late, "lane ->", 0);
        assert_eq!(trial.judge(Oracle::L1), "");
    }
}
