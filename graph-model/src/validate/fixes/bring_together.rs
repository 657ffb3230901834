//! Brings the events of one group to one place.

use super::{Placed, new_node, put_before, rekey};
use crate::validate::Fix;
use crate::validate::design::{EdgeIx, NodeIx};
use crate::validate::facts::Facts;
use crate::validate::rules::delivery::partitions;

/// A repartition in front of a node that keeps something for each key, which `group` holds, or
/// another key for the node `by` that places events.
pub(in crate::validate) fn bring_together(
    facts: &Facts,
    node: NodeIx,
    group: &str,
    by: Option<NodeIx>,
) -> Vec<Fix> {
    let design = &*facts.design;
    let mut fixes = Vec::new();
    let grouped = design.text(node, group);
    let part = facts.input(node).map(|port| &port.part);
    let count = match grouped {
        Some(_) => part.map_or(4, partitions),
        None => 1,
    };
    if let Some(new) = new_node::repartition(design, grouped, count) {
        let how = grouped.map_or("in one place".to_owned(), |group| format!("by `{group}`"));
        let title = format!("Repartition {how} in front of {}", design.title(node));
        let first = |edge: &EdgeIx| design.edges[*edge].input == 0;
        let edges = design.nodes[node].ins.iter().copied().filter(first);
        let edges = edges.collect();
        let at = Placed { node, edges };
        fixes.push(put_before(design, at, "together", new, title, ""));
    }
    fixes.extend(by.and_then(|by| rekey(facts, by, node, group)));
    fixes
}
