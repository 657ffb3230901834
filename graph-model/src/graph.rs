//! The graph of a document: who feeds whom. The only file that names petgraph.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};

use crate::catalog::{Catalog, PortRole};
use crate::document::Document;
use crate::id::{EdgeId, NodeId};

/// Nodes and the edges that carry events between them. Edges to missing nodes are left out, and so
/// are edges into reply ports: a reply ends at the source that asked and triggers nothing there.
pub struct FlowGraph {
    graph: DiGraph<NodeId, EdgeId>,
    index: BTreeMap<NodeId, NodeIndex>,
}

impl FlowGraph {
    pub fn new(document: &Document, catalog: &Catalog) -> FlowGraph {
        let mut graph = DiGraph::with_capacity(document.nodes.len(), document.edges.len());
        let index: BTreeMap<NodeId, NodeIndex> = document
            .nodes
            .keys()
            .map(|id| (id.clone(), graph.add_node(id.clone())))
            .collect();
        for (id, edge) in &document.edges {
            let (Some(from), Some(to)) = (index.get(&edge.from.node), index.get(&edge.to.node))
            else {
                continue;
            };
            let replies = catalog
                .get(&document.nodes[&edge.to.node].kind)
                .is_some_and(|kind| {
                    kind.inputs
                        .iter()
                        .any(|port| port.name == edge.to.port && port.role == PortRole::Reply)
                });
            if !replies {
                graph.add_edge(*from, *to, id.clone());
            }
        }
        FlowGraph { graph, index }
    }

    /// Groups of nodes that can reach each other, in topological order: feeders first.
    pub fn components(&self) -> Vec<Vec<NodeId>> {
        let mut components = petgraph::algo::tarjan_scc(&self.graph);
        components.reverse();
        components
            .into_iter()
            .map(|component| {
                let mut ids: Vec<NodeId> = component
                    .into_iter()
                    .map(|node| self.graph[node].clone())
                    .collect();
                ids.sort();
                ids
            })
            .collect()
    }

    /// Nodes on a cycle.
    pub fn cyclic(&self) -> BTreeSet<NodeId> {
        let loops = |id: &NodeId| {
            self.index
                .get(id)
                .is_some_and(|node| self.graph.contains_edge(*node, *node))
        };
        self.components()
            .into_iter()
            .filter(|component| component.len() > 1 || component.iter().any(loops))
            .flatten()
            .collect()
    }

    /// The nodes and everything that can feed them.
    pub fn upstream(&self, of: &BTreeSet<NodeId>) -> BTreeSet<NodeId> {
        self.reach(of, Direction::Incoming)
    }

    /// The nodes and everything they can feed.
    pub fn downstream(&self, of: &BTreeSet<NodeId>) -> BTreeSet<NodeId> {
        self.reach(of, Direction::Outgoing)
    }

    /// Edges into a node, in the order of their ids.
    pub fn edges_in(&self, id: &NodeId) -> Vec<&EdgeId> {
        self.edges(id, Direction::Incoming)
    }

    /// Edges out of a node, in the order of their ids.
    pub fn edges_out(&self, id: &NodeId) -> Vec<&EdgeId> {
        self.edges(id, Direction::Outgoing)
    }

    fn edges(&self, id: &NodeId, direction: Direction) -> Vec<&EdgeId> {
        let Some(node) = self.index.get(id) else {
            return Vec::new();
        };
        let mut edges: Vec<&EdgeId> = self
            .graph
            .edges_directed(*node, direction)
            .map(|edge| edge.weight())
            .collect();
        edges.sort();
        edges
    }

    fn reach(&self, of: &BTreeSet<NodeId>, direction: Direction) -> BTreeSet<NodeId> {
        let mut reached = BTreeSet::new();
        let mut open: Vec<NodeIndex> = of
            .iter()
            .filter_map(|id| self.index.get(id).copied())
            .collect();
        while let Some(node) = open.pop() {
            if reached.insert(self.graph[node].clone()) {
                open.extend(self.graph.neighbors_directed(node, direction));
            }
        }
        reached
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Node;
    use crate::edit::TransactionBuilder;
    use crate::id::PortRef;

    #[test]
    fn cycles_and_reach_are_found() {
        let mut document = Document::default();
        let mut build = TransactionBuilder::new(&document, "Build");
        for id in ["a", "b", "c", "d", "e"] {
            build.add_node(&id.into(), Node::new("map"), None);
        }
        for (from, to) in [("a", "b"), ("b", "c"), ("c", "b"), ("c", "d"), ("e", "e")] {
            build.connect(PortRef::new(from, "out"), PortRef::new(to, "in"));
        }
        build.finish().apply(&mut document);
        let graph = FlowGraph::new(&document, &Catalog::default());
        let ids = |set: BTreeSet<NodeId>| set.iter().map(NodeId::to_string).collect::<String>();
        assert_eq!(ids(graph.cyclic()), "bce");
        assert_eq!(ids(graph.downstream(&BTreeSet::from(["b".into()]))), "bcd");
        assert_eq!(ids(graph.upstream(&BTreeSet::from(["b".into()]))), "abc");
        assert_eq!(graph.edges_out(&"c".into()).len(), 2);
        let order = graph.components();
        let place = |id: &str| {
            order
                .iter()
                .position(|component| component.contains(&id.into()))
        };
        assert!(place("a") < place("b") && place("b") < place("d"));
    }
}
