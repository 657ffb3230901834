//! Solves for the facts: all of them at first, then what an edit can change.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::catalog::Behaviour;
use crate::document::Document;
use crate::id::{EdgeId, NodeId};
use crate::validate::design::{Design, NodeIx};
use crate::validate::facts::{Facts, Ports, release};

/// Rounds around a loop after which its facts are taken for settled: every fact only gets worse,
/// and none of them has more levels than this.
const ROUNDS_MAX: usize = 12;

impl Facts {
    pub(crate) fn of(design: Design) -> Facts {
        let count = design.nodes.len();
        let mut facts = Facts {
            tags: Vec::new(),
            components: design.components(),
            ports: vec![Ports::default(); count],
            origins: RefCell::default(),
            schemas: RefCell::default(),
            declared: RefCell::default(),
            meanings_told: OnceCell::new(),
            labels: RefCell::default(),
            tag_index: FxHashMap::default(),
            releases: release::releases(&design.document),
            rounds: RefCell::default(),
            rates: RefCell::default(),
            tags_changed: false,
            clean: Cell::default(),
            said_anew: false,
            design: Rc::new(design),
        };
        for at in 0..facts.components.len() {
            facts.settle(at);
        }
        facts
    }

    /// Follows an edit of these nodes and wires; the nodes at which rules have to look again.
    pub(crate) fn follow(
        &mut self,
        document: &Document,
        nodes: &BTreeSet<NodeId>,
        edges: &BTreeSet<EdgeId>,
    ) -> BTreeSet<NodeIx> {
        self.rounds.take();
        self.rates.take();
        self.clean.set(None);
        let design = Rc::get_mut(&mut self.design).expect("nobody else keeps the design");
        let (mut dirty, mut look) = (BTreeSet::new(), BTreeSet::new());
        // Nodes that have other ports or another resource than before.
        let mut rewired = BTreeSet::new();
        for id in edges {
            let ends = [design.document.edges.get(id), document.edges.get(id)];
            for edge in ends.into_iter().flatten() {
                dirty.extend(design.find(&edge.to.node));
                look.extend(design.find(&edge.from.node));
            }
            design.take_wire(id);
            match document.edges.get(id) {
                Some(edge) => design.document.edges.insert(id.clone(), Arc::clone(edge)),
                None => design.document.edges.remove(id),
            };
        }
        for id in nodes {
            let old = design.document.nodes.get(id).cloned();
            if let Some(node) = document.nodes.get(id) {
                let other = old.is_none_or(|old| !design.same_wiring(&old, node));
                design.document.nodes.insert(id.clone(), Arc::clone(node));
                let number = design.put_node(id, node);
                dirty.insert(number);
                rewired.extend(other.then_some(number));
            } else {
                design.document.nodes.remove(id);
                rewired.extend(design.remove_node(id));
            }
        }
        if design.document.layout != document.layout {
            design.document.layout.clone_from(&document.layout);
        }
        if !edges.is_empty() || !rewired.is_empty() {
            // Whatever hung on the changed nodes, and hangs on them now, may get something else.
            dirty.extend(design.around(&rewired));
            design.rewire(edges, &rewired);
            dirty.extend(design.around(&rewired));
            let count = design.nodes.len();
            self.components = design.components();
            self.ports.resize(count, Ports::default());
            for (number, view) in design.nodes.iter().enumerate() {
                if view.gone {
                    self.ports[number] = Ports::default();
                    dirty.remove(&number);
                    look.insert(number);
                }
            }
        }
        self.spread(dirty, look)
    }

    /// Solves anew from the dirty nodes on, as far as something changes.
    fn spread(&mut self, dirty: BTreeSet<NodeIx>, mut look: BTreeSet<NodeIx>) -> BTreeSet<NodeIx> {
        let mut component_of = vec![usize::MAX; self.design.nodes.len()];
        for (number, component) in self.components.iter().enumerate() {
            for node in component {
                component_of[*node] = number;
            }
        }
        let mut open: BTreeSet<usize> = dirty.iter().map(|node| component_of[*node]).collect();
        let mut touched = dirty;
        let mut relying = BTreeSet::new();
        while let Some(component) = open.pop_first() {
            self.said_anew = false;
            for node in self.settle(component) {
                touched.insert(node);
                for edge in &self.design.nodes[node].outs {
                    open.insert(component_of[self.design.edges[*edge].to]);
                }
                if self.said_anew {
                    // What a node says of its fields is relied on wherever they come, also behind
                    // nodes at which nothing else changes.
                    let reached = self.design.behind(node, &mut relying);
                    open.extend(reached.into_iter().map(|node| component_of[node]));
                }
            }
        }
        for node in &touched {
            let ins = &self.design.nodes[*node].ins;
            look.extend(ins.iter().map(|edge| self.design.edges[*edge].from));
        }
        // Evidence leads from where something changed to wherever it is shown.
        let mut slice = BTreeSet::new();
        for node in &touched {
            self.design.behind(*node, &mut slice);
        }
        look.extend(slice);
        look.extend(touched);
        look
    }

    /// Solves one component; the nodes whose facts are other than before.
    fn settle(&mut self, component: usize) -> Vec<NodeIx> {
        let nodes = std::mem::take(&mut self.components[component]);
        let mut changed = BTreeSet::new();
        if self.is_loop(&nodes) {
            let before: Vec<_> = nodes
                .iter()
                .map(|node| std::mem::take(&mut self.ports[*node]))
                .collect();
            self.come_round(&nodes);
            for (node, before) in nodes.iter().zip(before) {
                if self.ports[*node] != before {
                    changed.insert(*node);
                }
            }
            if !changed.is_empty() {
                // What is remembered beside the ports may have changed with them.
                changed.extend(&nodes);
            }
        } else if let [node] = nodes[..]
            && self.step(node)
        {
            changed.insert(node);
        }
        self.components[component] = nodes;
        changed.into_iter().collect()
    }

    /// Computes the nodes of a loop, those again at which something else arrives, until nothing
    /// changes any more.
    fn come_round(&mut self, nodes: &[NodeIx]) {
        let said_before = std::mem::take(&mut self.said_anew);
        let mut open: FxHashMap<NodeIx, bool> = nodes.iter().map(|node| (*node, true)).collect();
        let mut said = false;
        for _ in 0..ROUNDS_MAX {
            self.said_anew = false;
            let mut settled = true;
            for node in nodes {
                if open.insert(*node, false) != Some(true) || !self.step(*node) {
                    continue;
                }
                settled = false;
                for edge in &self.design.nodes[*node].outs {
                    if let Some(next) = open.get_mut(&self.design.edges[*edge].to) {
                        *next = true;
                    }
                }
            }
            if self.said_anew {
                // It is relied on wherever the fields come, also behind nodes at which nothing else
                // changes.
                said = true;
                open = nodes.iter().map(|node| (*node, true)).collect();
            }
            if settled {
                break;
            }
        }
        self.said_anew = said_before || said;
    }

    /// Computes a node anew; whether something changed.
    fn step(&mut self, node: NodeIx) -> bool {
        let before = self.origins.borrow_mut().begin(node);
        self.tags_changed = false;
        let input = self.gather(node, 0);
        let takes_two = self.design.nodes[node]
            .kind
            .as_ref()
            .is_some_and(|kind| kind.inputs.len() > 1);
        let second = if takes_two {
            self.gather(node, 1)
        } else {
            None
        };
        let mut output = self.transfer(node, input.as_ref(), second.as_deref());
        if let Some(output) = &mut output {
            self.resize(node, input.as_deref(), output);
        }
        let writes = self.design.nodes[node].outs.iter();
        let stored = if writes.clone().any(|edge| self.design.edges[*edge].resource) {
            self.stored(node, input.as_ref())
        } else {
            None
        };
        let ins = (input.as_deref(), second.as_deref());
        let branches = self.branches(node, ins, output.as_deref());
        let mut changed = self.origins.borrow_mut().end(&before) || self.tags_changed;
        self.said_anew |= changed;
        let ports = Ports {
            input,
            second,
            output,
            stored,
            branches: branches.unwrap_or_default(),
        };
        changed |= self.ports[node] != ports;
        self.ports[node] = ports;
        changed
    }

    /// Whether code that cannot be looked into made what arrives, or may have.
    pub(crate) fn is_opaque(&self, node: NodeIx) -> bool {
        matches!(self.design.behaviour(node), Some(Behaviour::Opaque { .. }))
    }
}
