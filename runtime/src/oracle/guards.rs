//! Nodes that compare the viewer with an owner, and whom events belong to that passed there.

use std::collections::BTreeSet;

use graph_model::catalog::{Behaviour, Catalog, Family};
use graph_model::document::{Document, Node};
use graph_model::event::{Event, extension};
use graph_model::id::NodeId;
use graph_model::pointer::Pointer;
use graph_model::value::Value;
use rustc_hash::FxHashMap;
use smol_str::SmolStr;

use super::ends::reached_without;
use crate::simulate::{Outcome, What};

/// A node that compares the viewer with an owner.
#[derive(Clone)]
pub(super) struct Guard {
    node: NodeId,
    /// The owner.
    field: Pointer,
    /// Nothing comes without passing it.
    pub(super) all: bool,
    /// The sides of joins that it leads to.
    sides: BTreeSet<(NodeId, SmolStr)>,
}

/// Guards that lead to a node.
pub(super) fn guards(document: &Document, catalog: &Catalog, to: &NodeId) -> Vec<Guard> {
    let is_source = |node: &Node| {
        let kind = catalog.get(&node.kind);
        kind.is_some_and(|kind| kind.family == Family::Source)
    };
    let mut guards = Vec::new();
    for (id, node) in &document.nodes {
        let Some(Behaviour::Guard { field, .. }) =
            catalog.get(&node.kind).map(|kind| &kind.behaviour)
        else {
            continue;
        };
        let field = node.config_str(field).map(Pointer::parse);
        let Some(Ok(field)) = field else { continue };
        let sources = document.nodes.iter().filter(|(_, node)| is_source(node));
        let sources = sources.map(|(id, _)| id);
        let behind = reached_without(document, [id].into_iter(), None);
        if id != to && behind.contains(to) {
            let edges = document.edges.values();
            let sides =
                edges.filter(|edge| edge.from.node == *id || behind.contains(&edge.from.node));
            let sides = sides.map(|edge| (edge.to.node.clone(), edge.to.port.clone()));
            guards.push(Guard {
                node: id.clone(),
                field,
                sides: sides.collect(),
                all: !reached_without(document, sources, Some(id)).contains(to),
            });
        }
    }
    guards
}

impl Guard {
    pub(super) fn is(&self, node: &NodeId) -> bool {
        self.node == *node
    }
}

/// Whom events belong to that passed guards.
pub(super) struct Guarded<'o> {
    /// Pairs, by the node that made them.
    pairs: FxHashMap<SmolStr, (&'o NodeId, &'o Event)>,
    /// By guard: events, each time that they passed.
    owners: Vec<FxHashMap<SmolStr, Vec<Passed<'o>>>>,
    causes: FxHashMap<SmolStr, SmolStr>,
}

impl<'o> Guarded<'o> {
    pub(super) fn new(run: &'o Outcome, guards: &[Guard]) -> Guarded<'o> {
        let is_join = |node: &NodeId| {
            let mut sides = guards.iter().flat_map(|guard| &guard.sides);
            sides.any(|(to, port)| to == node && SIDES.contains(&port.as_str()))
        };
        let mut guarded = Guarded {
            pairs: FxHashMap::default(),
            owners: vec![FxHashMap::default(); guards.len()],
            causes: FxHashMap::default(),
        };
        let steps = run.trace.iter().enumerate();
        for (at, step) in steps.filter(|(_, step)| step.what == What::Emitted) {
            let Some(event) = &step.whole else { continue };
            let context = &event.context;
            if let Some(cause) = context.extensions.get(extension::CAUSATION) {
                guarded.causes.insert(context.id.clone(), cause.clone());
            }
            if is_join(&step.node) {
                let id = context.id.clone();
                guarded.pairs.insert(id, (&step.node, event));
            }
            for (guard, owners) in guards.iter().zip(&mut guarded.owners) {
                let passed = |_: &&Value| step.node == guard.node;
                if let Some(owner) = guard.field.get(&event.data).filter(passed) {
                    let passed = owners.entry(context.id.clone()).or_default();
                    passed.push(Passed {
                        at,
                        fact: step.fact,
                        event,
                        owner: owner.clone(),
                    });
                }
            }
        }
        guarded
    }

    /// For each guard, the owner of an event as it was before a step, or of the nearest that caused it
    /// and passed there. On a loop, the same event passes several times; and what was put into a file one
    /// after the other has one id, but not one fact behind it.
    pub(super) fn owners(
        &self,
        event: &Event,
        fact: Option<u32>,
        before: usize,
        guards: &[Guard],
    ) -> Vec<Option<Value>> {
        let owner = |(owners, guard): (&FxHashMap<SmolStr, Vec<Passed<'_>>>, &Guard)| {
            let mut id = event.context.id.clone();
            for _ in 0..CAUSES_MAX {
                // Of a pair, the side that came by the guard says whose it is.
                if let Some((join, pair)) = self.pairs.get(&id) {
                    let by_guard = |side: &&&str| {
                        let sides = &mut guard.sides.iter();
                        sides.any(|(to, port)| to == *join && port == **side)
                    };
                    let mut sides = SIDES.iter().filter(by_guard);
                    let passed = sides.find_map(|side| {
                        let side = pair.data.get(side)?;
                        let known =
                            |passed: &&Passed<'_>| passed.at < before && passed.event.data == *side;
                        owners.values().flatten().find(known)
                    });
                    if let Some(passed) = passed {
                        return Some(passed.owner.clone());
                    }
                }
                let passed = owners.get(&id).into_iter().flatten();
                let earlier = || passed.clone().rev().filter(|passed| passed.at < before);
                // One fact may pass twice as events of one id that differ; what is left of one tells which.
                let same = earlier().find(|passed| passed.event.data == event.data);
                let left = earlier().find(|passed| is_left_of(&event.data, &passed.event.data));
                let same = same.or(left);
                let own = || earlier().find(|passed| passed.fact == fact);
                if let Some(passed) = same.or_else(own).or_else(|| earlier().next()) {
                    return Some(passed.owner.clone());
                }
                id = self.causes.get(&id)?.clone();
            }
            None
        };
        self.owners.iter().zip(guards).map(owner).collect()
    }
}

/// Whether a payload may be what is left of another one when fields were taken out.
fn is_left_of(payload: &Value, whole: &Value) -> bool {
    let Some((fields, whole)) = payload.as_object().zip(whole.as_object()) else {
        return false;
    };
    let mut fields = fields.iter();
    fields.all(|(name, held)| whole.get(name) == Some(held))
}

/// That an event passed a guard.
#[derive(Clone)]
struct Passed<'o> {
    /// The number of the step.
    at: usize,
    fact: Option<u32>,
    event: &'o Event,
    owner: Value,
}

/// The inputs of joins, and where their events stand in pairs.
const SIDES: [&str; 2] = ["left", "right"];

/// Causes that are followed back.
const CAUSES_MAX: usize = 16;
