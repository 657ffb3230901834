//! X1 and X2: nothing that cannot be taken back is done twice for one business fact, and nothing is
//! done for which there was no reason.

use std::collections::BTreeMap;

use graph_model::value::{Object, Value};
use rustc_hash::FxHashMap;
use smol_str::SmolStr;

use super::lineage::{twin, twins};
use super::{Context, Finding, Oracle, overlapping, premature};
use crate::simulate::{Content, Done, Outcome, What};

/// Things done once too often, and work that is done twice at a time.
pub(super) fn repeated(run: &Outcome, reference: &Outcome, context: &Context) -> Vec<Finding> {
    let mut findings = judge(run, reference, Oracle::X1);
    findings.extend(overlapping::judge(run, reference, context));
    findings
}

/// Things done that the reference never does.
pub(super) fn unfounded(run: &Outcome, reference: &Outcome, context: &Context) -> Vec<Finding> {
    let mut findings = judge(run, reference, Oracle::X2);
    findings.extend(premature::judge(run, context));
    findings
}

fn judge(run: &Outcome, reference: &Outcome, oracle: Oracle) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, content) in &run.stores {
        let (Content::Done(done), Some(Content::Done(wanted))) =
            (content, reference.stores.get(name))
        else {
            continue;
        };
        if done == wanted {
            continue;
        }
        let beyond = beyond(done.list(), wanted.list());
        if beyond.is_empty() {
            continue;
        }
        let facts = facts_of(run);
        let asked = asked(reference, wanted.list());
        let twins = twins(run, reference);
        for deed in beyond {
            let fact = facts.get(&deed.event).copied();
            let meant = twin(&twins, fact);
            let same_event =
                |(action, event, _): &&Asked<'_>| **action == deed.action && **event == deed.event;
            let same_fact = |(action, _, by): &&Asked<'_>| {
                **action == deed.action && by.is_some() && *by == meant
            };
            let done_for = done.list().iter().filter(|done| {
                fact.is_some()
                    && done.action == deed.action
                    && facts.get(&done.event) == fact.as_ref()
            });
            let wanted_for = asked.iter().filter(same_fact).count();
            let known = asked.iter().any(|asked| same_event(&asked))
                || (wanted_for > 0 && done_for.count() > wanted_for);
            let is = if known { Oracle::X1 } else { Oracle::X2 };
            if is != oracle {
                continue;
            }
            let same = |done: &&Done| done.action == deed.action && done.event == deed.event;
            let times = done.list().iter().filter(same).count();
            let expected = wanted.list().iter().filter(same).count();
            let mut observed = Object::with_capacity(3);
            observed.insert("action", deed.action.clone());
            observed.insert("data", deed.data.clone());
            observed.insert("times", times as i64);
            let expected = match oracle {
                Oracle::X1 => Value::from(expected as i64),
                _ => Value::Null,
            };
            findings.push(Finding {
                fact,
                ..Finding::new(oracle, name.clone(), observed, expected)
            });
        }
    }
    findings
}

/// Deeds beyond those of the reference: matched by what asked for them and was done, then by what was
/// done, as ids may be others, then by what asked for them.
fn beyond<'d>(done: &'d [Done], wanted: &'d [Done]) -> Vec<&'d Done> {
    let event = |deed: &Done| Value::from(deed.event.clone());
    let (rest, left) = unmatched(done.iter().collect(), wanted.iter().collect(), |deed| {
        (&deed.action, event(deed), deed.data.clone())
    });
    let (rest, left) = unmatched(rest, left, |deed| {
        (&deed.action, Value::Null, deed.data.clone())
    });
    let (rest, _) = unmatched(rest, left, |deed| (&deed.action, event(deed), Value::Null));
    rest
}

/// What has no match on the other side, on both sides.
fn unmatched<'d>(
    done: Vec<&'d Done>,
    wanted: Vec<&'d Done>,
    of: impl Fn(&'d Done) -> (&'d SmolStr, Value, Value),
) -> (Vec<&'d Done>, Vec<&'d Done>) {
    let mut left: BTreeMap<_, Vec<&Done>> = BTreeMap::new();
    for deed in wanted {
        left.entry(of(deed)).or_default().push(deed);
    }
    let mut rest = done;
    rest.retain(|deed| left.get_mut(&of(deed)).and_then(Vec::pop).is_none());
    (rest, left.into_values().flatten().collect())
}

/// Facts behind the events that sinks wrote.
fn facts_of(run: &Outcome) -> FxHashMap<SmolStr, u32> {
    let written = run.trace.iter().filter(|step| step.what == What::Written);
    written
        .filter_map(|step| Some((step.event.clone(), step.fact?)))
        .collect()
}

/// Action, event and fact of a deed.
type Asked<'r> = (&'r SmolStr, &'r SmolStr, Option<u32>);

/// What the reference did, by which event and for which fact.
fn asked<'r>(reference: &Outcome, wanted: &'r [Done]) -> Vec<Asked<'r>> {
    let facts = facts_of(reference);
    wanted
        .iter()
        .map(|deed| {
            let fact = facts.get(&deed.event).copied();
            (&deed.action, &deed.event, fact)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::Trial;
    use super::*;
    use crate::simulate::{FaultKind, Point};

    const AGAIN: FaultKind = FaultKind::Duplicate { after_us: 1_000 };
    const TOLD_NOBODY: FaultKind = FaultKind::Crash(Point::BeforeAck);

    fn check(oracle: Oracle, flow: &str, kind: FaultKind, place: &str, wanted: &str) {
        let facts = r#"in {"id":"o-1","n":3}
                       in {"id":"o-2","n":4}"#;
        let found = Trial::new(flow, facts).fault(kind, place, 0);
        assert_eq!(found.judge(oracle), wanted, "{flow}");
    }

    #[test]
    fn a_second_charge_is_one_too_many() {
        let twice = r#"X1 at `effects data.sqlite`: {"action":"charge","data":{"id":"o-1","n":3},"times":2} instead of 1"#;
        let flow = |rest: &str| format!("in: manual -> hold: queue -> {rest}");
        let bad = flow("out: effect(action=charge, journal=data.sqlite)");
        check(Oracle::X1, &bad, AGAIN, "hold ->", twice);
        check(Oracle::X1, &bad, TOLD_NOBODY, "out", twice);
        for good in [
            flow("out: effect(action=charge, journal=data.sqlite, key=.id)"),
            flow("once: dedupe(key=.id) -> out: effect(action=charge, journal=data.sqlite)"),
        ] {
            check(Oracle::X1, &good, AGAIN, "hold ->", "");
            check(Oracle::X2, &good, AGAIN, "hold ->", "");
        }
        check(Oracle::X2, &bad, AGAIN, "hold ->", "");
    }

    #[test]
    fn a_fresh_id_is_no_new_reason() {
        let bad = "in: manual -> hold: queue -> fresh: map(expr={id: $now, n}) -> out: effect(action=charge, journal=data.sqlite, key=.id)";
        let found = Trial::new(bad, r#"in {"n":3}"#).fault(AGAIN, "hold ->", 0);
        assert!(
            found.judge(Oracle::X1).contains(r#""times":2"#),
            "{}",
            found.judge(Oracle::X1)
        );
    }

    #[test]
    fn an_alarm_without_a_reason_is_told() {
        let flow = |rest: &str| {
            format!(
                r"in: manual -> hold: queue(concurrency=2) -> few: decide(group=.k, claim=fewer_than, count=2, {rest}) -> yes: filter(when=.holds) -> out: effect(action=warn, journal=data.sqlite)
                  ends: manual -> .seal few"
            )
        };
        let facts = r#"in {"k":"a"}
                       in {"k":"a"}
                       ends {"k":"a"}"#;
        let late = FaultKind::Delay { by_us: 60_000 };
        let found = |rest: &str| {
            let trial = Trial::new(&flow(rest), facts).fault(late, "hold ->", 0);
            (trial.judge(Oracle::X1), trial.judge(Oracle::X2))
        };
        let (once, early) = found("wait=seal, seal_key=.k");
        assert_eq!(once, "");
        assert!(early.contains("warn"), "{early}");
    }
}
