//! T1: after a crash, or when a step refuses, a fact has done all of what it does for good, or nothing.

use graph_model::value::Value;

use super::ends::{reached_by, trail};
use super::lineage::twins;
use super::{Context, Finding, Oracle};
use crate::simulate::{Outcome, Sort};

/// Finds facts of which only some of their lasting deeds were done.
pub(super) fn judge(run: &Outcome, reference: &Outcome, context: &Context) -> Vec<Finding> {
    let refused = run.faults.contains_key(&Sort::Refuse);
    if !run.ended.is_complete() || !(refused || run.faults.contains_key(&Sort::Crash)) {
        return Vec::new();
    }
    // What was refused and no wire leads on, nobody takes back.
    let left = refused && !run.dead_letters.is_empty();
    let meant = reached_by(reference, &context.ends);
    let found = reached_by(run, &context.ends);
    let twins = twins(run, reference);
    let mut findings = Vec::new();
    for (fact, done) in found.iter().enumerate() {
        let Some(other) = twins[fact] else { continue };
        let wanted = &meant[other as usize];
        let lasts = done.iter().any(|end| context.ends[*end].lasts);
        let mut missed = wanted.iter().filter(|end| !done.contains(end)).peekable();
        if !lasts || missed.peek().is_none() {
            continue;
        }
        let fact = fact as u32;
        let trail = trail(run, fact, reference, other, context);
        if (trail.given_up && !left) || trail.decided {
            continue;
        }
        let names = |ends: &[&graph_model::id::NodeId]| -> Value {
            ends.iter().map(|end| Value::from(end.as_str())).collect()
        };
        let at = missed.next().map_or("", |end| end.as_str());
        findings.push(Finding {
            fact: Some(fact),
            ..Finding::new(Oracle::T1, at, names(done), names(wanted))
        });
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::testing::Trial;
    use super::*;
    use crate::simulate::{FaultKind, Point};

    #[test]
    fn half_of_a_deed_is_told() {
        let judge = |flow: &str| {
            let facts = r#"in {"id":"a"}
                           in {"id":"b"}"#;
            let crash = FaultKind::Crash(Point::BeforeEffect);
            Trial::new(flow, facts)
                .fault(crash, "news", 1)
                .judge(Oracle::T1)
        };
        assert_eq!(
            judge(
                "in: manual -> both: map(expr=.) -> save: table(table=t, key=.id)\nboth -> news: effect(action=tell, journal=data.sqlite)"
            ),
            r#"T1 at `news`: ["save"] instead of ["news","save"]"#
        );
        assert_eq!(
            judge(
                "in: manual -> lane: queue -> both: map(expr=.) -> save: table(table=t, key=.id)\nboth -> news: effect(action=tell, journal=data.sqlite)"
            ),
            ""
        );
    }
}
