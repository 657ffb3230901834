//! R1: what comes can be done.

use std::collections::{BTreeMap, BTreeSet};

use graph_model::id::NodeId;
use graph_model::value::Object;
use smol_str::SmolStr;

use super::lineage::steps;
use super::load::Pace;
use super::{Context, Finding, Oracle};
use crate::simulate::{Call, Outcome, What};

/// Events that are enough to see it.
const FEW: usize = 8;
/// Events after which chance counts for little: their mean is within a twelfth of what it should be.
const MANY: usize = 400;
/// By how much more has to come then than can be done.
const MARGIN: f64 = 1.2;
/// Rates of floats differ by less.
const SLACK: f64 = 1.0 + 1e-9;

/// Finds nodes and partitions that more comes to than they can do, however long they go on.
pub(super) fn judge(run: &Outcome, _reference: &Outcome, context: &Context) -> Vec<Finding> {
    let said = &context.said;
    let mut findings = Vec::new();
    for (node, load) in &run.loads {
        let known = said.workers(node).zip(said.paces.get(node));
        let Some((workers, pace)) = known else {
            continue;
        };
        let (Some(first), Some(last)) = (
            load.calls.iter().map(|call| call.came_us).min(),
            load.calls.iter().map(|call| call.came_us).max(),
        ) else {
            continue;
        };
        // What came first of each source came at the beginning, not within the time.
        let source = |call: &Call| Some(&run.facts.get(call.fact? as usize)?.source);
        let mut firsts: BTreeMap<Option<&NodeId>, u64> = BTreeMap::new();
        for call in &load.calls {
            let first = firsts.entry(source(call)).or_insert(call.came_us);
            *first = call.came_us.min(*first);
        }
        let later = load.calls.iter();
        let later = later.filter(|call| firsts[&source(call)] < call.came_us);
        let later: Vec<Call> = later.copied().collect();
        if is_too_much(&later, last - first, workers, *pace) {
            let done = load.calls.iter().filter(|call| call.ends_us() <= last);
            let (came, done) = (load.calls.len(), done.count());
            let mut observed = Object::with_capacity(3);
            observed.insert("came", came as i64);
            observed.insert("done", done as i64);
            observed.insert("wait", (came - done) as i64);
            let wanted = "as much is done as comes";
            findings.push(Finding::new(Oracle::R1, node.as_str(), observed, wanted));
        }
    }
    findings.extend(crowded(run, context));
    findings
}

/// Whether more work came within a time than the workers could have done, had they never stood idle.
fn is_too_much(calls: &[Call], within_us: u64, workers: u64, pace: Pace) -> bool {
    let work_us: u64 = calls.iter().map(|call| call.takes_us).sum();
    match pace {
        Pace::Even => {
            let longest_us = calls.iter().map(|call| call.takes_us).max();
            let room_us = workers.saturating_mul(within_us + longest_us.unwrap_or_default());
            calls.len() >= FEW && work_us > room_us
        }
        Pace::Chance => {
            let room_us = workers as f64 * within_us as f64;
            calls.len() >= MANY && work_us as f64 > MARGIN * room_us
        }
    }
}

/// What came to a partition.
#[derive(Default)]
struct Came<'o> {
    events: BTreeSet<&'o SmolStr>,
    facts: BTreeSet<Option<u32>>,
    sources: BTreeSet<Option<&'o NodeId>>,
    first_us: u64,
    last_us: u64,
}

/// Partitions that get more events a second than one takes.
fn crowded(run: &Outcome, context: &Context) -> Vec<Finding> {
    let limits = &context.said.partitions;
    if limits.is_empty() {
        return Vec::new();
    }
    let mut came: BTreeMap<(&NodeId, u32), Came<'_>> = BTreeMap::new();
    for (step, _) in steps(run, What::Delivered) {
        if limits.contains_key(&step.node) && !context.said.gathered.contains(&step.node) {
            let came = came.entry((&step.node, step.instance)).or_insert(Came {
                first_us: step.at_us,
                ..Came::default()
            });
            let fact = step.fact.and_then(|fact| run.facts.get(fact as usize));
            came.sources.insert(fact.map(|fact| &fact.source));
            came.events.insert(&step.event);
            came.facts.insert(step.fact);
            came.last_us = step.at_us;
        }
    }
    let mut findings = Vec::new();
    for ((node, partition), came) in came {
        let seconds = (came.last_us - came.first_us) as f64 / 1e6;
        // As many as fit between the first and the last, which are there as well: what one fact of each
        // source became.
        let facts = came.facts.len().max(1) as f64;
        let between = came.events.len() as f64 * (1.0 - came.sources.len() as f64 / facts);
        let rate = between / seconds;
        if came.events.len() >= FEW && seconds > 0.0 && rate > limits[node] * SLACK {
            let mut observed = Object::with_capacity(2);
            observed.insert("partition", i64::from(partition));
            observed.insert("events_per_s", rate.round());
            let mut wanted = Object::with_capacity(1);
            wanted.insert("events_per_s", limits[node]);
            findings.push(Finding::new(Oracle::R1, node.as_str(), observed, wanted));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::testing::Trial;
    use super::*;

    #[test]
    fn what_waits_longer_and_longer_is_told() {
        // A millisecond apart.
        let facts: String = (0..20).map(|n| format!("in {{\"n\":{n}}}\n")).collect();
        let judge = |rate: &str, workers: u32, takes: &str| {
            let flow = format!(
                "in: manual {rate} -> lane: queue(concurrency={workers}) -> work: map(expr=.) ^duration={takes} -> out: view"
            );
            Trial::new(&flow, &facts).judge(Oracle::R1)
        };
        assert_eq!(
            judge("^rate=1000", 2, "4ms"),
            r#"R1 at `work`: {"came":20,"done":6,"wait":14} instead of "as much is done as comes""#
        );
        assert_eq!(judge("^rate=1000", 4, "4ms"), "");
        assert_eq!(judge("", 2, "4ms"), "", "nobody says that it goes on");
        let windows = Trial::new(
            r#"in: manual ^rate=1000 -> lane: queue(concurrency=2) -> n: aggregate(group=.n, window=time, size=1s, aggregates=[{"name": "n"}]) -> work: map(expr=.) ^duration=4ms -> out: view"#,
            &facts,
        );
        assert_eq!(
            windows.judge(Oracle::R1),
            "",
            "all at the end of the window"
        );
        let spread = judge("^rate=1000", 2, "4ms ^spread=exponential");
        assert_eq!(spread, "", "too few to say so");
    }

    #[test]
    fn a_partition_that_gets_more_than_it_takes_is_told() {
        let facts: String = (0..10)
            .map(|n| format!("in {{\"k\":\"a\",\"n\":{n}}}\n"))
            .collect();
        let judge = |before: &str, takes: u32| {
            let flow = format!(
                "in: manual -> {before} lane: log(key=.k, partitions=4) ^partition_rate={takes} -> out: view"
            );
            Trial::new(&flow, &facts).judge(Oracle::R1)
        };
        let told = judge("", 500);
        assert!(told.contains(r#""events_per_s":1000"#), "{told}");
        assert_eq!(judge("", 1_000), "");
        let parts = "parts: split(expr=[. + {part: 1}, . + {part: 2}]) ->";
        assert_eq!(judge(parts, 2_000), "");
        assert!(judge(parts, 1_500).contains(r#""events_per_s":2000"#));
    }

    #[test]
    fn each_source_sends_one_more_than_fit_between() {
        let facts: String = (0..10)
            .map(|n| format!("a {{\"n\":{n}}}\nb {{\"n\":{n}}}\n"))
            .collect();
        let judge = |takes: u32| {
            let flow = format!(
                "a: manual -> lane: log(partitions=1) ^partition_rate={takes} -> out: view\nb: manual -> lane"
            );
            Trial::new(&flow, &facts).judge(Oracle::R1)
        };
        assert_eq!(judge(1_000), "");
        let told = judge(900);
        assert!(told.contains(r#""partition":0"#), "{told}");
    }
}
