//! Draws the wires of a design: those of the document, and those of resources that nodes share.

use std::collections::BTreeSet;
use std::sync::Arc;

use rustc_hash::FxHashSet;
use smol_str::{SmolStr, format_smolstr};

use crate::catalog::{Access, PortRole};
use crate::document::{Edge, Node};
use crate::id::{EdgeId, NodeId, PortRef};
use crate::validate::design::{Design, EdgeIx, EdgeView, NodeIx, Sharers};

/// Pairs of writer and hearer of one resource that are looked at; more are a mistake of a program.
const PAIRS_MAX: usize = 100_000;

impl Design {
    /// Takes a wire away that the document has now, before it is another or none.
    pub(crate) fn take_wire(&mut self, id: &EdgeId) {
        self.loose.remove(id);
        let from = self.document.edges.get(id).map(|edge| &edge.from.node);
        let Some(from) = from.and_then(|from| self.find(from)) else {
            return;
        };
        let mut outs = self.nodes[from].outs.iter();
        let drawn = outs.find(|edge| !self.edges[**edge].resource && self.edges[**edge].id == *id);
        if let Some(&edge) = drawn {
            self.erase(edge);
        }
    }

    /// Draws these wires, and all that end at these nodes, as the document has them now.
    pub(crate) fn rewire(&mut self, wires: &BTreeSet<EdgeId>, nodes: &BTreeSet<NodeIx>) {
        let mut open: BTreeSet<EdgeId> = wires.clone();
        let mut shared = BTreeSet::new();
        for &node in nodes {
            let view = &self.nodes[node];
            let drawn: BTreeSet<EdgeIx> = view.ins.iter().chain(&view.outs).copied().collect();
            for edge in drawn {
                self.erase(edge);
            }
            shared.extend(self.unshare(node));
            shared.extend(self.share(node));
        }
        if !nodes.is_empty() {
            let ids: FxHashSet<&NodeId> = nodes.iter().map(|node| &self.nodes[*node].id).collect();
            let touched =
                |edge: &Edge| ids.contains(&edge.from.node) || ids.contains(&edge.to.node);
            let edges = self.document.edges.iter();
            open.extend(
                edges
                    .filter(|(_, edge)| touched(edge))
                    .map(|(id, _)| id.clone()),
            );
        }
        self.draw_wires(open.iter());
        self.draw_resources(shared);
    }

    /// Draws wires of the document that are not drawn yet.
    pub(super) fn draw_wires<'i>(&mut self, ids: impl Iterator<Item = &'i EdgeId>) {
        for id in ids {
            self.loose.remove(id);
            let Some(edge) = self.document.edges.get(id) else {
                continue;
            };
            match self.sound(id, edge) {
                Some(view) => self.draw(view),
                None => {
                    self.loose.insert(id.clone());
                }
            }
        }
    }

    /// Draws the wires of resources anew.
    pub(super) fn draw_resources(&mut self, names: BTreeSet<SmolStr>) {
        for name in names {
            let Some(sharers) = self.resources.get(&name) else {
                continue;
            };
            let pairs = pairs(sharers);
            for writer in sharers.writers.clone() {
                let outs = self.nodes[writer].outs.iter().copied();
                let drawn: Vec<EdgeIx> = outs.filter(|edge| self.edges[*edge].resource).collect();
                for edge in drawn {
                    self.erase(edge);
                }
            }
            for (writer, hearer) in pairs {
                self.draw(self.hears(writer, hearer));
            }
        }
    }

    /// Notes a node among those that share its resource.
    pub(super) fn share(&mut self, node: NodeIx) -> Option<SmolStr> {
        let (name, access) = self.resource_of(node)?;
        let sharers = self.resources.entry(name.clone()).or_default();
        let (list, nodes) = (sharers.of(access), &self.nodes);
        let at = list.partition_point(|held| nodes[*held].id < nodes[node].id);
        list.insert(at, node);
        self.nodes[node].shares = Some((name.clone(), access));
        Some(name)
    }

    fn unshare(&mut self, node: NodeIx) -> Option<SmolStr> {
        let (name, access) = self.nodes[node].shares.take()?;
        let sharers = self.resources.get_mut(&name)?;
        sharers.of(access).retain(|held| *held != node);
        if sharers.writers.is_empty() && sharers.hearers.is_empty() {
            self.resources.remove(&name);
        }
        Some(name)
    }

    fn draw(&mut self, view: EdgeView) {
        let (from, to) = (view.from, view.to);
        let number = self.free.pop().unwrap_or(self.edges.len());
        if number == self.edges.len() {
            self.edges.push(view);
        } else {
            self.edges[number] = view;
        }
        let edges = &self.edges;
        let place = |held: &EdgeIx| {
            let (held, new) = (&edges[*held], &edges[number]);
            (held.resource, &held.id) < (new.resource, &new.id)
        };
        let outs = &mut self.nodes[from].outs;
        outs.insert(outs.partition_point(place), number);
        let ins = &mut self.nodes[to].ins;
        ins.insert(ins.partition_point(place), number);
    }

    fn erase(&mut self, edge: EdgeIx) {
        let (from, to) = (self.edges[edge].from, self.edges[edge].to);
        self.nodes[from].outs.retain(|held| *held != edge);
        self.nodes[to].ins.retain(|held| *held != edge);
        self.free.push(edge);
    }

    /// Wires of the document that carry nothing: an end is missing or disabled, or it is a reply.
    pub(crate) fn loose(&self) -> impl Iterator<Item = (&EdgeId, &Arc<Edge>)> {
        self.loose
            .iter()
            .filter_map(|id| self.document.edges.get_key_value(id))
    }

    /// A wire of the document, when it carries events.
    fn sound(&self, id: &EdgeId, edge: &Arc<Edge>) -> Option<EdgeView> {
        let (from, to) = (self.find(&edge.from.node)?, self.find(&edge.to.node)?);
        let (source, target) = (&self.nodes[from], &self.nodes[to]);
        let (source_kind, target_kind) = (source.kind.as_ref()?, target.kind.as_ref()?);
        let role = source_kind.output_role(&source.node, &edge.from.port)?;
        let into = target_kind.input_role(&target.node, &edge.to.port)?;
        if into == PortRole::Reply || source.node.disabled || target.node.disabled {
            return None;
        }
        let main = source_kind.outputs.first().is_some_and(|port| {
            port.role == PortRole::Data && (port.each.is_some() || port.name == edge.from.port)
        });
        let inputs = &target_kind.inputs;
        Some(EdgeView {
            id: id.clone(),
            edge: Arc::clone(edge),
            from,
            to,
            role,
            main,
            input: inputs
                .iter()
                .position(|port| port.name == edge.to.port)
                .unwrap_or(0),
            resource: false,
        })
    }

    fn hears(&self, from: NodeIx, to: NodeIx) -> EdgeView {
        let (writer, hearer) = (&self.nodes[from].id, &self.nodes[to].id);
        let sort = self.nodes[from]
            .kind
            .as_ref()
            .and_then(|kind| kind.resource.as_ref());
        let sort = sort.map_or("resource", |resource| resource.sort.as_str());
        let edge = Edge::new(
            PortRef::new(writer.clone(), sort),
            PortRef::new(hearer.clone(), sort),
        );
        EdgeView {
            id: format_smolstr!("{writer}~{hearer}").into(),
            edge: Arc::new(edge),
            from,
            to,
            role: PortRole::Data,
            main: true,
            input: 0,
            resource: true,
        }
    }

    /// The resource that a node shares, and what it does with it.
    fn resource_of(&self, node: NodeIx) -> Option<(SmolStr, Access)> {
        let view = &self.nodes[node];
        let kind = view.kind.as_ref().filter(|_| !view.node.disabled)?;
        let resource = kind.resource.as_ref()?;
        let mut name = resource.sort.to_string();
        for field in &resource.named_by {
            let value = kind.config(&view.node, field)?.to_text();
            name.push('\n');
            name.push_str(value.trim_matches('/').trim_start_matches("./"));
        }
        Some((name.into(), resource.access))
    }

    /// All resources with who shares them.
    pub(crate) fn resources(&self) -> impl Iterator<Item = (&SmolStr, &Sharers)> {
        self.resources.iter()
    }

    /// Whether two versions of a node need the same wires.
    pub(crate) fn same_wiring(&self, old: &Node, new: &Node) -> bool {
        let Some(kind) = self.kinds.get(&new.kind) else {
            return old.kind == new.kind;
        };
        let ports = kind.outputs.iter().chain(&kind.inputs);
        let named = ports.filter_map(|port| port.each.as_ref());
        let resource = kind.resource.iter().flat_map(|resource| &resource.named_by);
        old.kind == new.kind
            && old.disabled == new.disabled
            && named
                .chain(resource)
                .all(|field| kind.config(old, field) == kind.config(new, field))
    }
}

/// Every writer of a resource with everybody who hears of it.
fn pairs(sharers: &Sharers) -> Vec<(NodeIx, NodeIx)> {
    let of = |writer: &NodeIx| {
        sharers
            .hearers
            .iter()
            .map(|hearer| (*writer, *hearer))
            .collect::<Vec<_>>()
    };
    sharers
        .writers
        .iter()
        .flat_map(of)
        .take(PAIRS_MAX)
        .collect()
}
