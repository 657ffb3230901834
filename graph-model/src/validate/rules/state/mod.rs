//! STATE: what is remembered, where, and whose it is.

mod cached_for_others;
mod instance_memory;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use crate::catalog::Behaviour;
use crate::pointer::Pointer;
use crate::validate::Rule;
use crate::validate::design::{Design, EdgeIx, NodeIx};
use crate::value::Value;

/// The rules of the family, by code.
pub(super) const RULES: &[Rule] = &[instance_memory::RULE, cached_for_others::RULE];

/// Fields that code was declared to look at; none when it may be all of them.
fn read_by(design: &Design, node: NodeIx) -> Vec<Pointer> {
    let reads = design.declared(node, "reads").and_then(Value::as_array);
    let reads = reads.unwrap_or_default().iter();
    reads
        .filter_map(|field| Pointer::parse(field.as_str()?).ok())
        .collect()
}

/// Nodes that are looked at to find who notices something.
const SEARCH_MAX: usize = 4096;

/// The nearest place behind a node where somebody or something notices what it sends, with the wires
/// that lead there; what it gave up does not count.
fn noticed_by(design: &Design, node: NodeIx) -> Option<(NodeIx, Vec<EdgeIx>)> {
    let mut came: FxHashMap<NodeIx, EdgeIx> = FxHashMap::default();
    let mut open = VecDeque::from([node]);
    while let Some(at) = open.pop_front() {
        let notices = matches!(
            design.behaviour(at),
            Some(
                Behaviour::Effect { .. }
                    | Behaviour::Table { .. }
                    | Behaviour::Observe { .. }
                    | Behaviour::Bucket { .. }
            )
        );
        if notices && at != node {
            let mut way = Vec::new();
            let mut back = at;
            while back != node {
                let edge = came[&back];
                way.push(edge);
                back = design.edges[edge].from;
            }
            way.reverse();
            return Some((at, way));
        }
        for edge in &design.nodes[at].outs {
            let to = design.edges[*edge].to;
            if design.is_failure(*edge) || to == node || came.len() > SEARCH_MAX {
                continue;
            }
            if let std::collections::hash_map::Entry::Vacant(entry) = came.entry(to) {
                entry.insert(*edge);
                open.push_back(to);
            }
        }
    }
    None
}
