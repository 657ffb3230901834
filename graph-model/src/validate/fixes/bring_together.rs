//! Brings the events of one group to one place.

use super::{Placed, fix, insert_before, kind_that, rekey};
use crate::catalog::Behaviour;
use crate::document::Node;
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
    let view = &design.nodes[node];
    let mut fixes = Vec::new();
    let kind = kind_that(design, |does| matches!(does, Behaviour::Repartition { .. }));
    if let Some((
        kind,
        Behaviour::Repartition {
            key,
            partitions: field,
        },
    )) = kind.map(|kind| (kind, &kind.behaviour))
    {
        let grouped = design.text(node, group);
        let part = facts.input(node).map(|port| &port.part);
        let count = match grouped {
            Some(_) => part.map_or(4, partitions),
            None => 1,
        };
        let how = grouped.map_or("in one place".to_owned(), |group| format!("by `{group}`"));
        let new = Node::new(kind.id.clone())
            .with(key, grouped.unwrap_or("null"))
            .with(field, count);
        let first = |edge: &EdgeIx| design.edges[*edge].input == 0;
        let edges = view.ins.iter().copied().filter(first).collect();
        fixes.push(fix(
            design,
            format!("Repartition {how} in front of {}", design.title(node)),
            "",
            |build| {
                insert_before(
                    design,
                    build,
                    Placed { node, edges },
                    &"together".into(),
                    new,
                );
            },
        ));
    }
    fixes.extend(by.and_then(|by| rekey(facts, by, node, group)));
    fixes
}
