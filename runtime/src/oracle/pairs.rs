//! P2: what a join brings together in the reference, it brings together.

use std::collections::BTreeSet;

use graph_model::event::Event;
use graph_model::id::NodeId;
use graph_model::value::Value;

use super::lineage::steps;
use super::{Context, Finding, Oracle};
use crate::simulate::{Outcome, What};

/// Finds pairs that never met.
pub(super) fn judge(run: &Outcome, reference: &Outcome, context: &Context) -> Vec<Finding> {
    if context.joins.is_empty() || !run.ended.is_complete() {
        return Vec::new();
    }
    let found: Vec<_> = pairs(run, context).collect();
    let ids: BTreeSet<_> = found
        .iter()
        .map(|(node, event)| (node, &event.context.id))
        .collect();
    let held: BTreeSet<_> = found
        .iter()
        .map(|(node, event)| (node, &event.data))
        .collect();
    let mut told = BTreeSet::new();
    let mut findings = Vec::new();
    for (node, event) in pairs(reference, context) {
        // What was looked up for one of them may be another row, and a result may have another id.
        let met = ids.contains(&(&node, &event.context.id)) || held.contains(&(&node, &event.data));
        if !met && told.insert((node, &event.data)) {
            let pair = event.data.clone();
            findings.push(Finding::new(Oracle::P2, node.as_str(), Value::Null, pair));
        }
    }
    findings
}

/// Pairs that joins sent.
fn pairs<'o>(run: &'o Outcome, context: &Context) -> impl Iterator<Item = (&'o NodeId, &'o Event)> {
    let sent = steps(run, What::Emitted).filter(|(step, _)| step.port == 0);
    let joins = sent.filter(|(step, _)| context.joins.contains(&step.node));
    joins.map(|(step, event)| (&step.node, event))
}

#[cfg(test)]
mod tests {
    use super::super::testing::Trial;
    use super::*;

    #[test]
    fn pairs_that_never_meet_are_told() {
        let flow = |right: &str| {
            format!(
                "orders: manual -> lane: log(key=.id, partitions=2) -> both: join(left_key=.id, right_key=.order, within=1h) -> out: view
                 paid: manual -> other: log(key={right}, partitions=2) -> .right both"
            )
        };
        let mut facts = Vec::new();
        for n in 0..6 {
            facts.push(format!(r#"orders {{"id":"o-{n}"}}"#));
            facts.push(format!(r#"paid {{"by":"p-{n}","order":"o-{n}"}}"#));
        }
        let judge = |right: &str| {
            let trial = Trial::new(&flow(right), &facts.join("\n")).partitions(3);
            trial.judge(Oracle::P2)
        };
        let found = judge(".by");
        let first = found.lines().next().unwrap_or_default();
        assert!(
            first.starts_with(r#"P2 at `both`: null instead of {"left":{"id":"o-"#),
            "{found}"
        );
        assert_eq!(judge(".order"), "");
    }
}
