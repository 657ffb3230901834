//! X1, attempts that overlap: nobody is given an event to work on while somebody works on it already.

use std::collections::{BTreeMap, BTreeSet};

use graph_model::catalog::{Catalog, Family};
use graph_model::document::Document;
use graph_model::id::NodeId;
use graph_model::value::Object;
use smol_str::SmolStr;

use super::{Context, Finding, Oracle};
use crate::simulate::{Outcome, Sort, Step, What};

/// Sorts of faults that hand events out once more by themselves.
const AGAIN: [Sort; 3] = [Sort::Duplicate, Sort::Replay, Sort::Crash];

/// By channel: the nodes up to the next channel that get what it hands out.
pub(super) fn workers(
    document: &Document,
    catalog: &Catalog,
) -> BTreeMap<NodeId, BTreeSet<NodeId>> {
    let is_channel = |id: &NodeId| {
        let node = document.nodes.get(id);
        let kind = node.and_then(|node| catalog.get(&node.kind));
        kind.is_some_and(|kind| kind.family == Family::Channel)
    };
    let behind = |id: &NodeId| {
        let (mut behind, mut open) = (BTreeSet::new(), vec![id.clone()]);
        while let Some(at) = open.pop() {
            let edges = document.edges.values();
            for edge in edges.filter(|edge| edge.from.node == at) {
                let to = &edge.to.node;
                if !is_channel(to) && behind.insert(to.clone()) {
                    open.push(to.clone());
                }
            }
        }
        behind
    };
    let channels = document.nodes.keys().filter(|id| is_channel(id));
    channels.map(|id| (id.clone(), behind(id))).collect()
}

/// Finds events that a channel handed out again, although none of its deliveries had failed, while a node
/// that takes time was at work on them.
pub(super) fn judge(run: &Outcome, reference: &Outcome, context: &Context) -> Vec<Finding> {
    let by_plan = |step: &Step| {
        let sorts = AGAIN.map(|sort| sort as u16);
        step.what == What::Fault && sorts.contains(&step.port)
    };
    if run.loads.is_empty() || run.trace.iter().any(by_plan) {
        return Vec::new();
    }
    let wanted = handed_out(reference);
    let failed = run.trace.iter().filter(|step| step.what == What::Nacked);
    let failed: BTreeSet<_> = failed.map(|step| (&step.node, &step.event)).collect();
    let mut findings = Vec::new();
    for ((channel, event), steps) in handed_out(run) {
        let meant = wanted.get(&(channel, event)).map_or(1, Vec::len);
        let Some(again) = steps.get(meant) else {
            continue;
        };
        if failed.contains(&(channel, event)) {
            continue;
        }
        let workers = context.workers.get(channel);
        let works = |node: &NodeId| workers.is_some_and(|workers| workers.contains(node));
        let mut loads = run.loads.iter().filter(|(node, _)| works(node));
        let at_work = loads.find(|(_, load)| {
            let mut calls = load.calls.iter();
            calls.any(|call| {
                let meanwhile = call.began_us <= again.at_us && again.at_us < call.ends_us();
                call.fact.is_some() && call.fact == again.fact && meanwhile
            })
        });
        if let Some((node, _)) = at_work {
            let mut observed = Object::with_capacity(2);
            observed.insert("event", event.clone());
            observed.insert("times_at_work", 1 + (steps.len() - meant) as i64);
            findings.push(Finding {
                fact: again.fact,
                ..Finding::new(Oracle::X1, node.as_str(), observed, 1)
            });
        }
    }
    findings
}

/// By channel and event: when it was handed out, once for each reader.
fn handed_out(run: &Outcome) -> BTreeMap<(&NodeId, &SmolStr), Vec<&Step>> {
    let mut all: BTreeMap<(&NodeId, &SmolStr), Vec<&Step>> = BTreeMap::new();
    for step in run.trace.iter().filter(|step| step.what == What::Delivered) {
        all.entry((&step.node, &step.event)).or_default().push(step);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::super::testing::Trial;
    use super::*;
    use crate::simulate::FaultKind;

    #[test]
    fn nobody_works_on_what_somebody_works_on() {
        let slow = FaultKind::Slow { times: 4 };
        let copy = FaultKind::Duplicate { after_us: 2_000 };
        let at_work = r#"X1 at `work`: {"event":"f0","times_at_work":5} instead of 1"#;
        for (visibility, fault, place, wanted) in [
            ("2s", slow, "work", at_work),
            ("10s", slow, "work", ""),
            // A copy that a channel makes is no matter of its patience.
            ("10s", copy, "hold ->", ""),
        ] {
            let flow = format!(
                "in: manual -> hold: queue(visibility={visibility}) -> work: map(expr=.) ^duration=1s -> out: view"
            );
            let trial = Trial::new(&flow, r#"in {"n":1}"#).fault(fault, place, 0);
            assert_eq!(trial.judge(Oracle::X1), wanted, "{visibility}");
        }
    }
}
