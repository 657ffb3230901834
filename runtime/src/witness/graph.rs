//! Which nodes an event can come to from where, through wires and through stores.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use graph_model::catalog::{Catalog, PortRole};
use graph_model::document::Document;
use graph_model::id::{NodeId, PortRef};
use graph_model::validate::{Diagnostic, Subject};
use smol_str::SmolStr;

use super::bench::Meets;

/// Nodes by those in front of them and behind them.
pub(super) struct Graph {
    behind: BTreeMap<NodeId, BTreeSet<NodeId>>,
    in_front: BTreeMap<NodeId, BTreeSet<NodeId>>,
}

impl Graph {
    pub(super) fn of(
        document: &Document,
        catalog: &Catalog,
        stores: &BTreeMap<SmolStr, Meets>,
    ) -> Graph {
        let mut graph = Graph {
            behind: BTreeMap::new(),
            in_front: BTreeMap::new(),
        };
        for edge in document.edges.values() {
            let (from, to) = (&edge.from.node, &edge.to.node);
            graph
                .in_front
                .entry(to.clone())
                .or_default()
                .insert(from.clone());
            if !is_failed(document, catalog, &edge.from) {
                graph
                    .behind
                    .entry(from.clone())
                    .or_default()
                    .insert(to.clone());
            }
        }
        for store in stores.values() {
            for writer in &store.writers {
                let heard = store.hearers.iter().cloned();
                graph
                    .behind
                    .entry(writer.clone())
                    .or_default()
                    .extend(heard);
            }
            for hearer in &store.hearers {
                let written = store.writers.iter().cloned();
                graph
                    .in_front
                    .entry(hearer.clone())
                    .or_default()
                    .extend(written);
            }
        }
        graph
    }

    /// These nodes and all to which an event can come from them, unless it fails.
    pub(super) fn downstream(&self, from: &BTreeSet<NodeId>) -> BTreeSet<NodeId> {
        reach(&self.behind, from)
    }

    /// These nodes and all from which an event can come to them.
    pub(super) fn upstream(&self, from: &BTreeSet<NodeId>) -> BTreeSet<NodeId> {
        reach(&self.in_front, from)
    }
}

/// Whether a port sends what could not be handled.
pub(super) fn is_failed(document: &Document, catalog: &Catalog, port: &PortRef) -> bool {
    let node = document.nodes.get(&port.node);
    let role = node.and_then(|node| catalog.get(&node.kind)?.output_role(node, &port.port));
    role == Some(PortRole::Failed)
}

fn reach(next: &BTreeMap<NodeId, BTreeSet<NodeId>>, from: &BTreeSet<NodeId>) -> BTreeSet<NodeId> {
    let mut reached = from.clone();
    let mut open: Vec<&NodeId> = from.iter().collect();
    while let Some(node) = open.pop() {
        for node in next.get(node).into_iter().flatten() {
            if reached.insert(node.clone()) {
                open.push(node);
            }
        }
    }
    reached
}

/// The nodes that something is about.
pub(super) fn nodes_of(subject: &Subject, document: &Document) -> BTreeSet<NodeId> {
    match subject {
        Subject::Node(node) => [node.clone()].into(),
        Subject::Port(port) => [port.node.clone()].into(),
        Subject::Edge(edge) => {
            let edge = document.edges.get(edge);
            edge.map(|edge| edge.to.node.clone()).into_iter().collect()
        }
        Subject::Type(ty) => {
            let nodes = document.nodes.iter();
            let uses = |value: &graph_model::value::Value| value.as_str() == Some(ty.as_str());
            let using = nodes.filter(|(_, node)| node.config.values().any(uses));
            using.map(|(id, _)| id.clone()).collect()
        }
    }
}

/// The nodes of a diagnostic, its evidence left out.
pub(super) fn blamed(found: &Diagnostic, document: &Document) -> BTreeSet<NodeId> {
    let mut nodes = nodes_of(&found.subject, document);
    nodes.extend(found.affected.iter().cloned());
    nodes
}

/// The nodes on the evidence of a diagnostic.
pub(super) fn evidence(found: &Diagnostic, document: &Document) -> BTreeSet<NodeId> {
    let steps = found.path.iter();
    steps
        .flat_map(|step| nodes_of(&step.place, document))
        .collect()
}

/// The flow with these nodes and the wires between them, and without what only people look at.
pub(super) fn slice(document: &Document, keep: &BTreeSet<NodeId>) -> Document {
    let mut slice = document.clone();
    slice.nodes.retain(|id, _| keep.contains(id));
    slice
        .edges
        .retain(|_, edge| keep.contains(&edge.from.node) && keep.contains(&edge.to.node));
    slice.notes.clear();
    slice.layout.clear();
    let zones: BTreeSet<_> = slice
        .nodes
        .values()
        .filter_map(|node| node.zone.clone())
        .collect();
    slice.zones.retain(|id, _| zones.contains(id));
    let named: BTreeSet<SmolStr> = slice
        .nodes
        .values()
        .flat_map(|node| node.config.values())
        .filter_map(|value| value.as_str().map(SmolStr::from))
        .collect();
    let told: Vec<Arc<graph_model::document::EventType>> = slice.types.values().cloned().collect();
    let told: String = told
        .iter()
        .map(|ty| graph_model::value::Value::from(ty.declared.clone()).to_json())
        .collect();
    slice
        .types
        .retain(|id, _| named.contains(id.as_str()) || told.contains(&format!("\"{id}\"")));
    slice
}
