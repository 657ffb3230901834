//! Sends all copies of an event to the same instance.

use super::{Placed, new_node, put_before, rekey};
use crate::validate::Fix;
use crate::validate::design::NodeIx;
use crate::validate::facts::Facts;
use crate::validate::rules::delivery::partitions;

/// `by` places the events by the key that `node` has in `field`, or a repartition in front of `node`
/// does.
pub(in crate::validate) fn keep_copies_together(
    facts: &Facts,
    node: NodeIx,
    field: &str,
    by: NodeIx,
) -> Vec<Fix> {
    let design = &*facts.design;
    let (Some(key), Some(port)) = (design.expr(node, field), facts.input(node)) else {
        return Vec::new();
    };
    if !facts.stable(key, port) {
        return Vec::new();
    }
    let mut fixes: Vec<Fix> = rekey(facts, by, node, field).into_iter().collect();
    let places = partitions(&port.part);
    if let Some(new) = new_node::repartition(design, Some(key.code()), places) {
        let edges = design.nodes[node].ins.clone();
        let title = format!(
            "Repartition by `{}` in front of {}",
            key.code(),
            design.title(node)
        );
        let at = Placed { node, edges };
        fixes.push(put_before(design, at, "together", new, title, ""));
    }
    fixes
}
