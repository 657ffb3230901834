//! Building transactions: the changes people make, in terms of the smallest ones.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use smol_str::SmolStr;

use crate::document::{Document, Edge, EventType, Node, Placement};
use crate::edit::{Edit, Transaction};
use crate::id::{EdgeId, Id, NodeId, PortRef};
use crate::value::Value;

/// Collects edits against a document that it does not change.
pub struct TransactionBuilder<'d> {
    document: &'d Document,
    transaction: Transaction,
    nodes: BTreeSet<NodeId>,
    edges: BTreeSet<EdgeId>,
    /// What the edits so far have made of nodes, edges and types, so that one change builds on another.
    changed: Changed,
}

#[derive(Default)]
struct Changed {
    nodes: BTreeMap<NodeId, Option<Arc<Node>>>,
    edges: BTreeMap<EdgeId, Option<Arc<Edge>>>,
    types: BTreeMap<Id, Option<Arc<EventType>>>,
}

/// A part of a document that can be put into another: nodes, the edges between them, their places.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Clip {
    pub document: Document,
}

impl<'d> TransactionBuilder<'d> {
    pub fn new(document: &'d Document, title: impl Into<String>) -> TransactionBuilder<'d> {
        TransactionBuilder {
            document,
            transaction: Transaction::new(title, Vec::new()),
            nodes: BTreeSet::new(),
            edges: BTreeSet::new(),
            changed: Changed::default(),
        }
    }

    pub fn finish(self) -> Transaction {
        self.transaction
    }

    pub fn edit(&mut self, edit: Edit) -> &mut Self {
        let changed = &mut self.changed;
        match &edit {
            Edit::Node(id, node) => drop(changed.nodes.insert(id.clone(), node.clone())),
            Edit::Edge(id, edge) => drop(changed.edges.insert(id.clone(), edge.clone())),
            Edit::Type(id, ty) => drop(changed.types.insert(id.clone(), ty.clone())),
            _ => {}
        }
        self.transaction.edits.push(edit);
        self
    }

    /// Adds a node under the wished id, or the nearest free one.
    pub fn add_node(&mut self, wished: &Id, node: Node, at: Option<(i32, i32)>) -> NodeId {
        let id =
            wished.unused(|id| self.document.nodes.contains_key(id) || self.nodes.contains(id));
        self.nodes.insert(id.clone());
        self.edit(Edit::Node(id.clone(), Some(Arc::new(node))));
        if let Some((x, y)) = at {
            self.edit(Edit::Place(
                id.clone(),
                Some(Placement { x, y, size: None }),
            ));
        }
        id
    }

    /// Adds an edge; its id says what it joins.
    pub fn connect(&mut self, from: PortRef, to: PortRef) -> EdgeId {
        self.add_edge(Edge::new(from, to))
    }

    pub fn add_edge(&mut self, edge: Edge) -> EdgeId {
        let wished = Id::new(format!(
            "{}_{}_to_{}",
            edge.from.node, edge.from.port, edge.to.node
        ));
        let id =
            wished.unused(|id| self.document.edges.contains_key(id) || self.edges.contains(id));
        self.edges.insert(id.clone());
        self.edit(Edit::Edge(id.clone(), Some(Arc::new(edge))));
        id
    }

    pub fn remove_edge(&mut self, id: &EdgeId) -> &mut Self {
        self.edit(Edit::Edge(id.clone(), None))
    }

    /// Removes nodes with the edges that touch them.
    pub fn remove_nodes(&mut self, ids: &BTreeSet<NodeId>) -> &mut Self {
        let cut: Vec<EdgeId> = self
            .document
            .edges
            .iter()
            .filter(|(_, edge)| ids.contains(&edge.from.node) || ids.contains(&edge.to.node))
            .map(|(id, _)| id.clone())
            .collect();
        for edge in &cut {
            self.remove_edge(edge);
        }
        for id in ids {
            self.edit(Edit::Node(id.clone(), None));
            if self.document.layout.contains_key(id) {
                self.edit(Edit::Place(id.clone(), None));
            }
        }
        self
    }

    /// Removes a node and joins what fed its first input with what its first output fed.
    pub fn remove_and_reconnect(&mut self, id: &NodeId) -> &mut Self {
        let document = self.document;
        let feeders: Vec<&Arc<Edge>> = document
            .edges
            .values()
            .filter(|edge| edge.to.node == *id)
            .collect();
        let first_port = document
            .edges
            .values()
            .filter(|edge| edge.from.node == *id)
            .map(|edge| &edge.from.port)
            .next();
        let fed: Vec<&Arc<Edge>> = document
            .edges
            .values()
            .filter(|edge| edge.from.node == *id && Some(&edge.from.port) == first_port)
            .collect();
        self.remove_nodes(&BTreeSet::from([id.clone()]));
        for from in &feeders {
            for to in &fed {
                if from.from.node != *id && to.to.node != *id {
                    self.connect(from.from.clone(), to.to.clone());
                }
            }
        }
        self
    }

    /// Cuts the edge and joins its ends through the node.
    pub fn insert_on_edge(
        &mut self,
        edge: &EdgeId,
        node: &NodeId,
        input: &str,
        output: &str,
    ) -> &mut Self {
        let Some(cut) = self.document.edges.get(edge) else {
            return self;
        };
        let (from, to) = (cut.from.clone(), cut.to.clone());
        let mut first = Edge::clone(cut);
        first.to = PortRef::new(node.clone(), input);
        self.edit(Edit::Edge(edge.clone(), Some(Arc::new(first))));
        debug_assert_eq!(from, cut.from, "the edge keeps its start");
        self.connect(PortRef::new(node.clone(), output), to);
        self
    }

    /// Changes a node by a function of it.
    pub fn change_node(&mut self, id: &NodeId, change: impl FnOnce(&mut Node)) -> &mut Self {
        if let Some(node) = latest(&self.changed.nodes, &self.document.nodes, id) {
            let mut changed = Node::clone(&node);
            change(&mut changed);
            if changed != *node {
                self.edit(Edit::Node(id.clone(), Some(Arc::new(changed))));
            }
        }
        self
    }

    /// Sets a config field, or takes it out.
    pub fn set_config(&mut self, id: &NodeId, field: &str, value: Option<Value>) -> &mut Self {
        self.change_node(id, |node| {
            match value {
                Some(value) => node.config.insert(field, value),
                None => node.config.remove(field),
            };
        })
    }

    /// Moves an edge's end.
    pub fn change_edge(&mut self, id: &EdgeId, change: impl FnOnce(&mut Edge)) -> &mut Self {
        if let Some(edge) = latest(&self.changed.edges, &self.document.edges, id) {
            let mut changed = Edge::clone(&edge);
            change(&mut changed);
            if changed != *edge {
                self.edit(Edit::Edge(id.clone(), Some(Arc::new(changed))));
            }
        }
        self
    }

    /// Changes what is said of an event type.
    pub fn change_type(&mut self, id: &Id, change: impl FnOnce(&mut EventType)) -> &mut Self {
        if let Some(ty) = latest(&self.changed.types, &self.document.types, id) {
            let mut changed = EventType::clone(&ty);
            change(&mut changed);
            if changed != *ty {
                self.edit(Edit::Type(id.clone(), Some(Arc::new(changed))));
            }
        }
        self
    }

    /// Places a node, zone or note; its size stays.
    pub fn place(&mut self, id: &Id, x: i32, y: i32) -> &mut Self {
        let old = self.document.layout.get(id).copied().unwrap_or_default();
        let new = Placement { x, y, ..old };
        if self.document.layout.get(id) != Some(&new) {
            self.edit(Edit::Place(id.clone(), Some(new)));
        }
        self
    }

    /// Gives a node another id; every edge follows.
    pub fn rename_id(&mut self, old: &NodeId, new: &NodeId) -> &mut Self {
        let document = self.document;
        let Some(node) = document.nodes.get(old) else {
            return self;
        };
        if old == new || document.nodes.contains_key(new) {
            return self;
        }
        self.edit(Edit::Node(old.clone(), None));
        self.edit(Edit::Node(new.clone(), Some(Arc::clone(node))));
        if let Some(place) = document.layout.get(old) {
            self.edit(Edit::Place(old.clone(), None));
            self.edit(Edit::Place(new.clone(), Some(*place)));
        }
        for (id, edge) in &document.edges {
            let mut changed = Edge::clone(edge);
            for end in [&mut changed.from, &mut changed.to] {
                if end.node == *old {
                    end.node = new.clone();
                }
            }
            if changed != **edge {
                self.edit(Edit::Edge(id.clone(), Some(Arc::new(changed))));
            }
        }
        self
    }

    /// Puts a clip in, moved by an offset, under ids that are free; answers the new nodes.
    pub fn paste(&mut self, clip: &Clip, offset: (i32, i32)) -> Vec<NodeId> {
        let mut renamed: BTreeMap<&NodeId, NodeId> = BTreeMap::new();
        for (id, node) in &clip.document.nodes {
            let at = clip
                .document
                .layout
                .get(id)
                .map(|place| (place.x + offset.0, place.y + offset.1));
            renamed.insert(id, self.add_node(id, Node::clone(node), at));
        }
        for edge in clip.document.edges.values() {
            let (Some(from), Some(to)) = (renamed.get(&edge.from.node), renamed.get(&edge.to.node))
            else {
                continue;
            };
            let mut copy = Edge::clone(edge);
            copy.from.node = from.clone();
            copy.to.node = to.clone();
            self.add_edge(copy);
        }
        for (id, ty) in &clip.document.types {
            if !self.document.types.contains_key(id) {
                self.edit(Edit::Type(id.clone(), Some(Arc::clone(ty))));
            }
        }
        renamed.into_values().collect()
    }
}

impl Clip {
    /// The chosen nodes with the edges among them and the event types they name.
    pub fn of(document: &Document, nodes: &BTreeSet<NodeId>) -> Clip {
        let mut clip = Document::default();
        for id in nodes {
            let Some(node) = document.nodes.get(id) else {
                continue;
            };
            clip.nodes.insert(id.clone(), Arc::clone(node));
            if let Some(place) = document.layout.get(id) {
                clip.layout.insert(id.clone(), *place);
            }
            for value in node.config.values() {
                let Some(name) = value.as_str() else { continue };
                if let Some((id, ty)) = document.types.get_key_value(name) {
                    clip.types.insert(id.clone(), Arc::clone(ty));
                }
            }
        }
        for (id, edge) in &document.edges {
            if nodes.contains(&edge.from.node) && nodes.contains(&edge.to.node) {
                clip.edges.insert(id.clone(), Arc::clone(edge));
            }
        }
        Clip { document: clip }
    }

    /// Upper left corner of what it holds.
    pub fn origin(&self) -> (i32, i32) {
        let places = self.document.layout.values();
        let x = places.clone().map(|place| place.x).min().unwrap_or(0);
        let y = places.map(|place| place.y).min().unwrap_or(0);
        (x, y)
    }
}

/// Text of a port reference as messages show it.
impl From<PortRef> for SmolStr {
    fn from(port: PortRef) -> SmolStr {
        SmolStr::from(port.to_string())
    }
}

/// An entry as the edits so far leave it.
fn latest<T>(
    changed: &BTreeMap<Id, Option<Arc<T>>>,
    held: &BTreeMap<Id, Arc<T>>,
    id: &Id,
) -> Option<Arc<T>> {
    match changed.get(id) {
        Some(changed) => changed.clone(),
        None => held.get(id).cloned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edit::History;

    fn chain() -> Document {
        let mut document = Document::default();
        let mut build = TransactionBuilder::new(&document, "Build");
        for id in ["a", "b", "c"] {
            build.add_node(&id.into(), Node::new("map"), Some((0, 0)));
        }
        build.connect(PortRef::new("a", "out"), PortRef::new("b", "in"));
        build.connect(PortRef::new("b", "out"), PortRef::new("c", "in"));
        build.finish().apply(&mut document);
        document
    }

    fn ends(document: &Document) -> Vec<String> {
        document
            .edges
            .values()
            .map(|edge| format!("{} -> {}", edge.from, edge.to))
            .collect()
    }

    #[test]
    fn one_change_builds_on_another() {
        let mut document = Document::default();
        let id = Id::new("a");
        document
            .nodes
            .insert(id.clone(), Arc::new(Node::new("map")));
        let before = document.clone();
        let mut build = TransactionBuilder::new(&before, "Change twice");
        build.set_config(&id, "expr", Some(".".into()));
        build.change_node(&id, |node| node.title = "A".into());
        let new = build.add_node(&"b".into(), Node::new("map"), None);
        build.set_config(&new, "expr", Some(".b".into()));
        let back = build.finish().apply(&mut document);
        let node = &document.nodes[&id];
        assert_eq!(
            (&*node.title, node.config.get("expr")),
            ("A", Some(&".".into()))
        );
        assert_eq!(document.nodes[&new].config.get("expr"), Some(&".b".into()));
        back.apply(&mut document);
        assert_eq!(document, before);
    }

    #[test]
    fn every_change_is_undone_to_the_same_document() {
        let changes: [(&str, fn(&mut TransactionBuilder)); 6] = [
            ("remove", |build| {
                build.remove_nodes(&BTreeSet::from(["b".into()]));
            }),
            ("reconnect", |build| {
                build.remove_and_reconnect(&"b".into());
            }),
            ("rename", |build| {
                build.rename_id(&"b".into(), &"z".into());
            }),
            ("config", |build| {
                build.set_config(&"a".into(), "expr", Some(".x".into()));
            }),
            ("place", |build| {
                build.place(&"a".into(), 7, 8);
            }),
            ("paste", |build| {
                let clip = Clip::of(build.document, &BTreeSet::from(["a".into(), "b".into()]));
                build.paste(&clip, (20, 20));
            }),
        ];
        for (name, change) in changes {
            let before = chain();
            let mut document = before.clone();
            let mut history = History::saved();
            let mut build = TransactionBuilder::new(&before, name);
            change(&mut build);
            history.apply(&mut document, build.finish());
            assert_ne!(document, before, "{name}");
            let after = document.clone();
            history.undo(&mut document);
            assert_eq!(document, before, "{name}");
            assert!(!history.dirty(), "{name}");
            history.redo(&mut document);
            assert_eq!(document, after, "{name}");
        }
    }

    #[test]
    fn wires_follow_structure() {
        let document = chain();
        let mut build = TransactionBuilder::new(&document, "Insert");
        let node = build.add_node(&"a".into(), Node::new("filter"), None);
        assert_eq!(node, "a_2");
        build.insert_on_edge(&"a_out_to_b".into(), &node, "in", "out");
        let mut changed = document.clone();
        build.finish().apply(&mut changed);
        assert_eq!(
            ends(&changed),
            ["a_2.out -> b.in", "a.out -> a_2.in", "b.out -> c.in"]
        );

        let mut build = TransactionBuilder::new(&document, "Reconnect");
        build.remove_and_reconnect(&"b".into());
        let mut changed = document.clone();
        build.finish().apply(&mut changed);
        assert_eq!(ends(&changed), ["a.out -> c.in"]);
    }

    #[test]
    fn a_gesture_is_one_step() {
        let mut document = chain();
        let before = document.clone();
        let mut history = History::saved();
        history.begin_gesture("Move a");
        for x in 1..5 {
            let mut build = TransactionBuilder::new(&document, "Move");
            build.place(&"a".into(), x, 0);
            let step = build.finish();
            history.apply(&mut document, step);
        }
        history.end_gesture();
        assert_eq!(history.undo_title(), Some("Move a"));
        history.undo(&mut document);
        assert_eq!(document, before);
        assert_eq!(history.undo_title(), None);
    }
}
