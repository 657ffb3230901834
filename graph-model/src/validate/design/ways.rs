//! Ways through a design: what lies behind a node, what leads to it, what goes round.

use std::collections::{BTreeSet, VecDeque};

use rustc_hash::{FxHashMap, FxHashSet};

use crate::catalog::PortRole;
use crate::validate::design::{Design, EdgeIx, NodeIx};
use crate::validate::{Step, Subject};

/// Wires that are looked at for one path at most; a longer one shows its ends only.
const PATH_SEARCH_MAX: usize = 4096;

impl Design {
    /// The shortest way back from a node to one that is a cause, along wires that carry it: the
    /// wires from cause to effect. Empty when the node is the cause itself, or when the search is
    /// too long.
    pub(crate) fn trace(
        &self,
        to: NodeIx,
        carries: impl Fn(EdgeIx) -> bool,
        is_cause: impl Fn(NodeIx) -> bool,
    ) -> Vec<EdgeIx> {
        let mut next: FxHashMap<NodeIx, Option<EdgeIx>> = FxHashMap::default();
        next.insert(to, None);
        let mut open = VecDeque::from([to]);
        let mut looked = 0;
        while let Some(at) = open.pop_front() {
            if is_cause(at) {
                let mut path = Vec::new();
                let mut node = at;
                while let Some(Some(edge)) = next.get(&node) {
                    path.push(*edge);
                    node = self.edges[*edge].to;
                }
                return path;
            }
            for &edge in &self.nodes[at].ins {
                looked += 1;
                let from = self.edges[edge].from;
                if looked <= PATH_SEARCH_MAX && carries(edge) && !next.contains_key(&from) {
                    next.insert(from, Some(edge));
                    open.push_back(from);
                }
            }
        }
        Vec::new()
    }

    /// A path of steps: the cause, the ports that it passes, the effect.
    pub(crate) fn steps(
        &self,
        cause: (NodeIx, String),
        way: &[EdgeIx],
        effect: (NodeIx, String),
    ) -> Vec<Step> {
        let mut steps = Vec::with_capacity(way.len() + 2);
        let mut cause_note = Some(cause.1);
        for &edge in way {
            let from = self.edges[edge].edge.from.clone();
            let view = &self.edges[edge];
            let title = self.title(view.from);
            let note = cause_note.take().unwrap_or_else(|| match view.role {
                _ if view.resource => format!("is written by {title}"),
                PortRole::Failed => format!("is given up by {title}"),
                PortRole::Data | PortRole::Reply => format!("passes through {title}"),
            });
            steps.push(Step {
                place: Subject::Port(from),
                note,
            });
        }
        if let Some(note) = cause_note.filter(|_| cause.0 != effect.0) {
            steps.push(Step::node(&self.nodes[cause.0].id, note));
        }
        steps.push(Step::node(&self.nodes[effect.0].id, effect.1));
        steps
    }

    /// Nodes that a wire joins with one of these, and these.
    pub(crate) fn around(&self, nodes: &BTreeSet<NodeIx>) -> BTreeSet<NodeIx> {
        let edges = nodes.iter().flat_map(|node| {
            let view = &self.nodes[*node];
            view.ins.iter().chain(&view.outs)
        });
        edges
            .flat_map(|edge| [self.edges[*edge].from, self.edges[*edge].to])
            .chain(nodes.iter().copied())
            .collect()
    }

    /// Nodes behind a node that are not in `seen` yet; they are put there.
    pub(crate) fn behind(&self, node: NodeIx, seen: &mut BTreeSet<NodeIx>) -> Vec<NodeIx> {
        let (mut found, mut open) = (Vec::new(), vec![node]);
        while let Some(at) = open.pop() {
            for edge in &self.nodes[at].outs {
                let to = self.edges[*edge].to;
                if seen.insert(to) {
                    found.push(to);
                    open.push(to);
                }
            }
        }
        found
    }

    /// Nodes that can reach each other, feeders first (Tarjan's algorithm, without recursion).
    pub(crate) fn components(&self) -> Vec<Vec<NodeIx>> {
        const NEW: usize = usize::MAX;
        let count = self.nodes.len();
        let (mut order, mut low) = (vec![NEW; count], vec![0; count]);
        let mut held = vec![false; count];
        let (mut stack, mut components) = (Vec::new(), Vec::new());
        let mut next = 0;
        let mut calls: Vec<(NodeIx, usize)> = Vec::new();
        for root in 0..count {
            if order[root] != NEW || self.nodes[root].gone {
                continue;
            }
            calls.push((root, 0));
            while let Some((node, at)) = calls.pop() {
                if at == 0 {
                    order[node] = next;
                    low[node] = next;
                    next += 1;
                    stack.push(node);
                    held[node] = true;
                }
                if let Some(&edge) = self.nodes[node].outs.get(at) {
                    calls.push((node, at + 1));
                    let to = self.edges[edge].to;
                    if order[to] == NEW {
                        calls.push((to, 0));
                    } else if held[to] {
                        low[node] = low[node].min(order[to]);
                    }
                    continue;
                }
                if low[node] == order[node] {
                    let start = stack.iter().rposition(|held| *held == node);
                    let mut component = stack.split_off(start.expect("a node is on the stack"));
                    for node in &component {
                        held[*node] = false;
                    }
                    if component.len() > 1 {
                        component = self.along(component);
                    }
                    components.push(component);
                }
                if let Some((caller, _)) = calls.last() {
                    low[*caller] = low[*caller].min(low[node]);
                }
            }
        }
        components.reverse();
        components
    }

    /// The nodes of a loop in the order in which events come round: each behind those that lead to
    /// it, but for one wire or more of each way round.
    fn along(&self, mut nodes: Vec<NodeIx>) -> Vec<NodeIx> {
        nodes.sort_unstable_by(|a, b| self.nodes[*a].id.cmp(&self.nodes[*b].id));
        let mut inside: FxHashSet<NodeIx> = nodes.iter().copied().collect();
        let entered = |node: &NodeIx| {
            let mut ins = self.nodes[*node].ins.iter();
            ins.any(|edge| !inside.contains(&self.edges[*edge].from))
        };
        let first = nodes.iter().position(entered).unwrap_or(0);
        let start = nodes[first];
        let mut order = Vec::with_capacity(nodes.len());
        let mut calls = vec![(start, 0)];
        inside.remove(&start);
        while let Some((node, at)) = calls.pop() {
            let Some(&edge) = self.nodes[node].outs.get(at) else {
                order.push(node);
                continue;
            };
            calls.push((node, at + 1));
            let to = self.edges[edge].to;
            if inside.remove(&to) {
                calls.push((to, 0));
            }
        }
        order.reverse();
        order
    }
}
