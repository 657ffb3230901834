//! STATE: what is remembered, where, and whose it is.

mod cached_for_others;
mod forked_master;
mod growing_state;
mod instance_memory;
mod many_connections;
mod no_rebuild;
mod no_way_back;
mod replay_differs;
mod stale_projection;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use crate::catalog::Behaviour;
use crate::id::Id;
use crate::pointer::Pointer;
use crate::validate::Rule;
use crate::validate::design::{Design, EdgeIx, NodeIx};
use crate::validate::facts::Facts;
use crate::value::Value;

/// The rules of the family, by code.
pub(super) const RULES: &[Rule] = &[
    instance_memory::RULE,
    cached_for_others::RULE,
    many_connections::RULE,
    growing_state::RULE,
    stale_projection::RULE,
    replay_differs::RULE,
    forked_master::RULE,
    no_rebuild::RULE,
    no_way_back::RULE,
];

/// Fields that code was declared to look at; none when it may be all of them.
fn read_by(design: &Design, node: NodeIx) -> Vec<Pointer> {
    let reads = design.declared(node, "reads").and_then(Value::as_array);
    let reads = reads.unwrap_or_default().iter();
    reads
        .filter_map(|field| Pointer::parse(field.as_str()?).ok())
        .collect()
}

/// The node that a declaration names by its id or title.
fn named(design: &Design, name: &str) -> Option<NodeIx> {
    let by_id = design.find(&Id::from(name));
    by_id.or_else(|| {
        let mut nodes = 0..design.nodes.len();
        nodes.find(|node| !design.nodes[*node].gone && design.title(*node) == name)
    })
}

/// The table or view that a node was declared to decide on.
fn looks_into(design: &Design, node: NodeIx) -> Option<NodeIx> {
    named(design, design.declared_text(node, "reads_from")?)
}

/// Nodes that are looked at to find who notices something.
const SEARCH_MAX: usize = 4096;

/// The nearest place behind a node where somebody or something notices what it sends, with the wires
/// that lead there.
fn noticed_by(design: &Design, node: NodeIx) -> Option<(NodeIx, Vec<EdgeIx>)> {
    nearest(design, node, |at| {
        matches!(
            design.behaviour(at),
            Some(
                Behaviour::Effect { .. }
                    | Behaviour::Table { .. }
                    | Behaviour::Observe { .. }
                    | Behaviour::Bucket { .. }
            )
        )
    })
}

/// The nearest effect behind a node that nothing keeps from happening twice.
fn noticed_effect(facts: &Facts, node: NodeIx) -> Option<(NodeIx, Vec<EdgeIx>)> {
    let design = &*facts.design;
    nearest(design, node, |at| match design.behaviour(at) {
        Some(Behaviour::Effect { key }) => {
            let key = design.expr(at, key).zip(facts.input(at));
            let keyed = key.is_some_and(|(key, port)| facts.stable(key, port));
            !keyed && !design.assumed(at, "idempotent")
        }
        _ => false,
    })
}

/// The nearest node behind one that is `wanted`, with the wires that lead there; what was given up
/// does not count.
fn nearest(
    design: &Design,
    node: NodeIx,
    wanted: impl Fn(NodeIx) -> bool,
) -> Option<(NodeIx, Vec<EdgeIx>)> {
    let mut came: FxHashMap<NodeIx, EdgeIx> = FxHashMap::default();
    let mut open = VecDeque::from([node]);
    while let Some(at) = open.pop_front() {
        if at != node && wanted(at) {
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
