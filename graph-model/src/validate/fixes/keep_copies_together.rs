//! Sends all copies of an event to the same instance.

use super::{Placed, fix, insert_before, kind_that, rekey};
use crate::catalog::Behaviour;
use crate::document::Node;
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
    let kind = kind_that(design, |does| matches!(does, Behaviour::Repartition { .. }));
    if let Some(kind) = kind
        && let Behaviour::Repartition {
            key: own,
            partitions: count,
        } = &kind.behaviour
    {
        let new = Node::new(kind.id.clone())
            .with(own, key.code())
            .with(count, partitions(&port.part));
        let edges = design.nodes[node].ins.clone();
        let title = format!(
            "Repartition by `{}` in front of {}",
            key.code(),
            design.title(node)
        );
        fixes.push(fix(design, title, "", |build| {
            let at = Placed { node, edges };
            insert_before(design, build, at, &"together".into(), new);
        }));
    }
    fixes
}
