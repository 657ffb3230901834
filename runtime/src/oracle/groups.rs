//! P1: what one group remembers is in one place.

use std::collections::BTreeSet;

use graph_model::id::NodeId;
use graph_model::value::{Object, Value};
use rustc_hash::FxHashMap;

use super::lineage::steps;
use super::{Context, Finding, Oracle};
use crate::simulate::{Outcome, What};

/// Finds groups of nodes that make one event of several, which more than one instance handled. A run is one epoch: the number of
/// partitions never changes while it lasts.
pub(super) fn judge(run: &Outcome, _reference: &Outcome, context: &Context) -> Vec<Finding> {
    let mut first: FxHashMap<(&NodeId, Value), u32> = FxHashMap::default();
    let mut parted: Vec<(&NodeId, Value, BTreeSet<u32>, Option<u32>)> = Vec::new();
    for (step, event) in steps(run, What::Handled) {
        // Copies that a dedupe or a guard misses are seen by what they do.
        let Some(keyed) = context.keyed.get(&step.node).filter(|keyed| keyed.folds) else {
            continue;
        };
        let Some(key) = keyed.key(step, event) else {
            continue;
        };
        let held = *first
            .entry((&step.node, key.clone()))
            .or_insert(step.instance);
        if held == step.instance {
            continue;
        }
        let known = parted
            .iter_mut()
            .find(|(node, of, ..)| **node == step.node && *of == key);
        match known {
            Some((.., instances, _)) => {
                instances.insert(step.instance);
            }
            None => parted.push((&step.node, key, [held, step.instance].into(), step.fact)),
        }
    }
    let finding = |(node, key, instances, fact): (&NodeId, Value, BTreeSet<u32>, Option<u32>)| {
        let instances: Value = instances.into_iter().map(i64::from).collect();
        let mut observed = Object::with_capacity(2);
        observed.insert("group", key);
        observed.insert("instances", instances);
        Finding {
            fact,
            ..Finding::new(Oracle::P1, node.as_str(), observed, "one instance")
        }
    };
    parted.into_iter().map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::Trial;
    use super::*;

    const COUNT: &str = r#"aggregates=[{"name": "n"}]"#;

    /// What P1 says of a flow with two groups, whose events have many keys.
    fn check(flow: &str, wanted: &str) {
        let line = |n: usize| format!(r#"in {{"id":"o-{n}","shop":"s-{}"}}"#, n % 2);
        let facts: Vec<String> = (0..8).map(line).collect();
        let trial = Trial::new(flow, &facts.join("\n")).partitions(3);
        let found = trial.judge(Oracle::P1);
        assert_eq!(found.lines().next().unwrap_or_default(), wanted, "{flow}");
    }

    #[test]
    fn a_group_in_two_partitions_is_told() {
        let flow = |key: &str, group: &str| {
            format!(
                "in: manual -> lane: log(key={key}, partitions=2) -> sums: aggregate(group={group}, {COUNT}) -> out: view"
            )
        };
        check(
            &flow(".id", ".shop"),
            r#"P1 at `sums`: {"group":"s-0","instances":[0,1,2]} instead of "one instance""#,
        );
        check(&flow(".shop", ".shop"), "");
        check(&flow(".shop", "[.shop, .id]"), "");
        check(
            &format!(
                "in: manual -> lane: log(key=.id, partitions=2) -> sums: aggregate({COUNT}) -> out: view"
            ),
            r#"P1 at `sums`: {"group":null,"instances":[0,1,2]} instead of "one instance""#,
        );
        check(
            &format!(
                "in: manual -> lane: log(key=.id, partitions=2) -> by: repartition(key=.shop) -> sums: aggregate(group=.shop, {COUNT}) -> out: view"
            ),
            "",
        );
    }
}
