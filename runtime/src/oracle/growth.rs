//! B1: what follows from one fact ends, and is no more than was said.

use graph_model::document::{Document, Section};
use graph_model::event::extension;
use graph_model::id::NodeId;
use graph_model::value::{Object, Value};
use rustc_hash::{FxHashMap, FxHashSet};
use smol_str::SmolStr;

use super::{Context, Finding, Oracle};
use crate::simulate::{Ended, Outcome, Step, What};

/// How much may follow from one fact.
pub(super) struct Bounds {
    /// Events that come to an end.
    descendants: u64,
    /// Times that it comes back to one node, and to one that hears of a store.
    rounds: u32,
    heard: u32,
}

/// Where nothing is said, much more than any flow without a storm needs.
const DESCENDANTS_MAX: u64 = 10_000;
const ROUNDS_MAX: u32 = 1_000;
/// Rounds through a store: names and rows stop many a loop long before it has gone round so often.
const HEARD_MAX: u32 = 12;

impl Bounds {
    pub(super) fn of(document: &Document) -> Bounds {
        let budgets = document.sections.get(&Section::Budgets);
        let said = budgets.and_then(|budgets| budgets.get("descendants"));
        let said = said.and_then(Value::as_i64);
        Bounds {
            descendants: said.map_or(DESCENDANTS_MAX, i64::unsigned_abs),
            rounds: ROUNDS_MAX,
            heard: HEARD_MAX,
        }
    }
}

/// Finds facts that more follows from than may, and runs that were cut off.
pub(super) fn judge(run: &Outcome, _reference: &Outcome, context: &Context) -> Vec<Finding> {
    let bounds = &context.bounds;
    let mut findings = Vec::new();
    let mut descendants = vec![0_u64; run.facts.len()];
    let mut known: FxHashSet<(&NodeId, &SmolStr)> = FxHashSet::default();
    for step in run.trace.iter().filter(|step| step.what == What::Written) {
        let count = step
            .fact
            .and_then(|fact| descendants.get_mut(fact as usize));
        // A copy is no further one.
        if let Some(count) = count.filter(|_| known.insert((&step.node, &step.event))) {
            *count += 1;
        }
    }
    let most = (0..descendants.len()).max_by_key(|fact| (descendants[*fact], usize::MAX - fact));
    if let Some(fact) = most.filter(|fact| descendants[*fact] > bounds.descendants) {
        let written = |step: &&Step| step.what == What::Written && step.fact == Some(fact as u32);
        let last = run.trace.iter().rev().find(written);
        let at = last.map_or("", |step| step.node.as_str());
        let (count, at_most) = (descendants[fact], bounds.descendants);
        findings.push(finding(
            at,
            "descendants",
            count,
            at_most,
            Some(fact as u32),
        ));
    }
    let [wired, heard] = deepest(run);
    let too_deep = |deep: Option<Deep<'_>>, at_most: u32| {
        let deep = deep.filter(|deep| deep.rounds > at_most)?;
        let (rounds, at_most) = (u64::from(deep.rounds), u64::from(at_most));
        Some(finding(
            deep.node.as_str(),
            "rounds",
            rounds,
            at_most,
            deep.fact,
        ))
    };
    findings.extend(too_deep(heard, bounds.heard).or_else(|| too_deep(wired, bounds.rounds)));
    if let Ended::Limit { node, .. } = &run.ended
        && findings.is_empty()
    {
        let at = node.as_ref().or(wired.map(|deep| deep.node));
        let at = at.map_or("", |node| node.as_str());
        let fact = wired.and_then(|deep| deep.fact);
        findings.push(finding(
            at,
            "steps",
            run.steps,
            run.facts.len() as u64,
            fact,
        ));
    }
    findings
}

/// The node that was gone round most often because of one event.
#[derive(Clone, Copy)]
struct Deep<'o> {
    node: &'o NodeId,
    rounds: u32,
    fact: Option<u32>,
}

/// Follows each event back along those that caused it, and counts how often they passed a node; apart
/// for nodes that hear of a store.
fn deepest(run: &Outcome) -> [Option<Deep<'_>>; 2] {
    let mut rounds: FxHashMap<(&NodeId, &SmolStr), u32> = FxHashMap::default();
    // The event whose write a source heard of.
    let mut behind: FxHashMap<&SmolStr, &SmolStr> = FxHashMap::default();
    let mut causes: FxHashMap<&SmolStr, &SmolStr> = FxHashMap::default();
    let mut written: FxHashMap<&Value, &SmolStr> = FxHashMap::default();
    let mut deepest = [None::<Deep<'_>>; 2];
    for step in &run.trace {
        let Some(event) = &step.whole else { continue };
        let id = &event.context.id;
        if let Some(cause) = event.context.extensions.get(extension::CAUSATION) {
            causes.insert(id, cause);
        }
        let heard = match step.what {
            What::Written => {
                if let Some(shown) = &step.shown {
                    written.insert(shown, id);
                }
                continue;
            }
            What::Arrived => {
                let what = event.data.get("after").unwrap_or(&event.data);
                let Some(by) = written.get(what).filter(|by| **by != id) else {
                    continue;
                };
                behind.insert(id, by);
                true
            }
            // Who only fails again goes round in no loop.
            What::Emitted => false,
            _ => continue,
        };
        let before = |rounds: &FxHashMap<(&NodeId, &SmolStr), u32>| {
            let mut id = id;
            for _ in 0..CAUSES_MAX {
                let cause = behind.get(id).copied().or_else(|| causes.get(id).copied());
                let cause = cause.filter(|cause| *cause != id)?;
                if let Some(count) = rounds.get(&(&step.node, cause)) {
                    return Some(*count);
                }
                id = cause;
            }
            None
        };
        let begun = match rounds.get(&(&step.node, id)) {
            Some(count) => *count,
            None => before(&rounds).unwrap_or(0),
        };
        rounds.insert((&step.node, id), begun + 1);
        let deepest = &mut deepest[usize::from(heard)];
        if deepest.is_none_or(|deepest| begun + 1 > deepest.rounds) {
            *deepest = Some(Deep {
                node: &step.node,
                rounds: begun + 1,
                fact: step.fact,
            });
        }
    }
    deepest
}

/// Causes that are followed back to one that passed.
const CAUSES_MAX: usize = 4;

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
    fn a_loop_through_a_store_is_told() {
        let flow = |folder: &str| {
            format!(
                "in: manual -> save: bucket(folder=photos)\nheard: file_watch(folder=photos, format=json) -> small: map(expr=.width = 100) -> store: bucket(folder={folder})"
            )
        };
        check(&flow("photos"), r#"B1 at `heard`: {"rounds":"#);
        check(&flow("thumbs"), "");
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
