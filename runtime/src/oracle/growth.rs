//! B1: what follows from one fact ends, and is no more than was said.

use graph_model::document::{Document, Section};
use graph_model::id::NodeId;
use graph_model::value::{Object, Value};
use rustc_hash::FxHashMap;

use super::{Context, Finding, Oracle};
use crate::simulate::{Ended, Outcome, What};

/// How much may follow from one fact.
pub(super) struct Bounds {
    /// Events in all.
    descendants: u64,
    /// Times that one node handles something because of it.
    rounds: u32,
}

/// Where nothing is said, much more than any flow without a storm needs.
const DESCENDANTS_MAX: u64 = 10_000;
const ROUNDS_MAX: u32 = 1_000;

impl Bounds {
    pub(super) fn of(document: &Document) -> Bounds {
        let budgets = document.sections.get(&Section::Budgets);
        let said = budgets.and_then(|budgets| budgets.get("descendants"));
        let said = said.and_then(Value::as_i64);
        Bounds {
            descendants: said.map_or(DESCENDANTS_MAX, i64::unsigned_abs),
            rounds: ROUNDS_MAX,
        }
    }
}

/// Finds facts that more follows from than may, and runs that were cut off.
pub(super) fn judge(run: &Outcome, _reference: &Outcome, context: &Context) -> Vec<Finding> {
    let mut descendants = vec![0_u64; run.facts.len()];
    let mut rounds: FxHashMap<(u32, &NodeId), u32> = FxHashMap::default();
    for step in &run.trace {
        let Some(fact) = step.fact else { continue };
        match step.what {
            What::Emitted => {
                if let Some(count) = descendants.get_mut(fact as usize) {
                    *count += 1;
                }
            }
            What::Handled => *rounds.entry((fact, &step.node)).or_default() += 1,
            _ => {}
        }
    }
    let bounds = &context.bounds;
    let mut findings = Vec::new();
    let most = rounds.into_iter().max_by_key(|((fact, node), count)| {
        // The first of those that are as many.
        (*count, std::cmp::Reverse((*fact, *node)))
    });
    let cut_off = match &run.ended {
        Ended::Limit { node, .. } => Some(node.as_ref()),
        _ => None,
    };
    let worst = (0..descendants.len()).max_by_key(|fact| (descendants[*fact], usize::MAX - fact));
    if let Some(fact) = worst.filter(|fact| descendants[*fact] > bounds.descendants) {
        let at = most.as_ref().map_or("", |((_, node), _)| node.as_str());
        findings.push(finding(
            at,
            "descendants",
            descendants[fact],
            bounds.descendants,
            Some(fact as u32),
        ));
    } else if let Some(((fact, node), count)) = most
        && (count > bounds.rounds || cut_off == Some(Some(node)))
    {
        let (count, at_most) = (u64::from(count), u64::from(bounds.rounds));
        findings.push(finding(node.as_str(), "rounds", count, at_most, Some(fact)));
    } else if let Some(node) = cut_off {
        let at = node.map_or("", |node| node.as_str());
        findings.push(finding(
            at,
            "steps",
            run.steps,
            run.facts.len() as u64,
            None,
        ));
    }
    findings
}

fn finding(at: &str, what: &str, count: u64, at_most: u64, fact: Option<u32>) -> Finding {
    let told = |what: &str, count: u64| {
        let mut told = Object::with_capacity(1);
        told.insert(what, i64::try_from(count).unwrap_or(i64::MAX));
        told
    };
    Finding {
        fact,
        ..Finding::new(Oracle::B1, at, told(what, count), told("at_most", at_most))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Trial;
    use super::*;
    use crate::simulate::Limits;

    fn check(flow: &str, wanted: &str) {
        let mut trial = Trial::new(flow, r#"in {"hops":0,"list":[1,2,3,4,5,6,7,8]}"#);
        trial.scenario.limits = Limits {
            steps_max: 5_000,
            ..Limits::default()
        };
        let found = trial.judge(Oracle::B1);
        assert!(
            if wanted.is_empty() {
                found.is_empty()
            } else {
                found.starts_with(wanted)
            },
            "{found} of {flow}"
        );
    }

    #[test]
    fn a_storm_is_told() {
        let flow = |step: &str| {
            format!("in: manual -> lane: queue -> again: {step}\nagain -> lane\nlane -> out: view")
        };
        check(&flow("map(expr=.hops += 1)"), "B1 at `");
        check(&flow("filter(when=.hops > 0)"), "");
        let counted = "in: manual -> lane: queue -> more: map(expr=.hops += 1) -> few: filter(when=.hops < 20) -> lane";
        check(counted, "");
    }

    #[test]
    fn more_than_was_said_is_told() {
        let flow = "in: manual -> many: split(expr=[.list[], .list[]]) -> out: view";
        check(
            &format!("budget descendants=12\n{flow}"),
            r#"B1 at `out`: {"descendants":"#,
        );
        check(&format!("budget descendants=100\n{flow}"), "");
    }
}
