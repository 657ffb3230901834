//! A document resolved against the catalog: nodes by number, sound wires, compiled expressions.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;
use smol_str::SmolStr;

use crate::catalog::{
    Behaviour, Catalog, FieldProblem, JqRole, KindSpec, PortRole, check_field_with,
};
use crate::document::{Document, Edge, Node};
use crate::expr::{Expr, ExprError};
use crate::id::{EdgeId, NodeId};
use crate::validate::{Step, Subject};
use crate::value::Value;

/// Number of a node in a design.
pub(crate) type NodeIx = usize;
/// Number of a sound wire in a design.
pub(crate) type EdgeIx = usize;

/// Wires that are looked at for one path at most; a longer one shows its ends only.
const PATH_SEARCH_MAX: usize = 4096;

pub(crate) struct Design<'d> {
    pub document: &'d Document,
    pub catalog: &'d Catalog,
    /// In the order of their ids.
    pub nodes: Vec<NodeView<'d>>,
    /// Wires that carry events: both ends are there and enabled, and the wire is no reply.
    pub edges: Vec<EdgeView<'d>>,
    index: FxHashMap<&'d str, NodeIx>,
    exprs: FxHashMap<SmolStr, Result<Expr, ExprError>>,
    /// Config values that their fields cannot hold.
    pub problems: Vec<(NodeIx, usize, FieldProblem)>,
}

pub(crate) struct NodeView<'d> {
    pub id: &'d NodeId,
    pub node: &'d Node,
    /// `None` when the catalog does not know it.
    pub kind: Option<&'d KindSpec>,
    pub ins: Vec<EdgeIx>,
    pub outs: Vec<EdgeIx>,
}

pub(crate) struct EdgeView<'d> {
    pub id: &'d EdgeId,
    pub edge: &'d Edge,
    pub from: NodeIx,
    pub to: NodeIx,
    /// What comes out of the port that it starts at.
    pub role: PortRole,
    /// It starts at the first of the node's ports, where its ordinary events leave.
    pub main: bool,
}

impl<'d> Design<'d> {
    pub(crate) fn new(document: &'d Document, catalog: &'d Catalog) -> Design<'d> {
        let nodes: Vec<NodeView<'d>> = document
            .nodes
            .iter()
            .map(|(id, node)| NodeView {
                id,
                node,
                kind: catalog.get(&node.kind),
                ins: Vec::new(),
                outs: Vec::new(),
            })
            .collect();
        let index = nodes
            .iter()
            .enumerate()
            .map(|(number, node)| (node.id.as_str(), number))
            .collect();
        let mut design = Design {
            document,
            catalog,
            nodes,
            edges: Vec::with_capacity(document.edges.len()),
            index,
            exprs: FxHashMap::default(),
            problems: Vec::new(),
        };
        design.wire();
        design.read_config();
        design
    }

    fn wire(&mut self) {
        for (id, edge) in &self.document.edges {
            let (Some(from), Some(to)) = (self.find(&edge.from.node), self.find(&edge.to.node))
            else {
                continue;
            };
            let (source, target) = (&self.nodes[from], &self.nodes[to]);
            let (Some(source_kind), Some(target_kind)) = (source.kind, target.kind) else {
                continue;
            };
            let role = source_kind.output_role(source.node, &edge.from.port);
            let into = target_kind.input_role(target.node, &edge.to.port);
            let (Some(role), Some(into)) = (role, into) else {
                continue;
            };
            if into == PortRole::Reply || source.node.disabled || target.node.disabled {
                continue;
            }
            let main = source_kind.outputs.first().is_some_and(|port| {
                port.role == PortRole::Data && (port.each.is_some() || port.name == edge.from.port)
            });
            let number = self.edges.len();
            self.edges.push(EdgeView {
                id,
                edge,
                from,
                to,
                role,
                main,
            });
            self.nodes[from].outs.push(number);
            self.nodes[to].ins.push(number);
        }
    }

    fn read_config(&mut self) {
        let exprs = &mut self.exprs;
        // The same text means the same everywhere, so each is compiled once.
        let mut compile = |code: &str, role: JqRole| {
            let allowed = role.variables();
            let within = |expr: &Expr| expr.variables().iter().all(|used| allowed.contains(used));
            if let Some(Ok(expr)) = exprs.get(code)
                && within(expr)
            {
                return Ok(());
            }
            let expr = Expr::compile_with(code, allowed);
            let outcome = expr.as_ref().map(|_| ()).map_err(ExprError::clone);
            // What can be read in one role stays known when another refuses it.
            if outcome.is_ok() || !exprs.contains_key(code) {
                exprs.insert(code.into(), expr);
            }
            outcome
        };
        for (number, view) in self.nodes.iter().enumerate() {
            let Some(kind) = view.kind else { continue };
            for (at, field) in kind.config.iter().enumerate() {
                let value = kind.config(view.node, &field.name);
                if let Err(problem) = check_field_with(field, value, &mut compile) {
                    self.problems.push((number, at, problem));
                }
            }
        }
    }

    pub(crate) fn find(&self, id: &NodeId) -> Option<NodeIx> {
        self.index.get(id.as_str()).copied()
    }

    /// Nodes that are enabled and known, with what they do.
    pub(crate) fn active(&self) -> impl Iterator<Item = (NodeIx, &NodeView<'d>, &'d Behaviour)> {
        self.nodes.iter().enumerate().filter_map(|(number, view)| {
            let kind = view.kind.filter(|_| !view.node.disabled)?;
            Some((number, view, &kind.behaviour))
        })
    }

    /// The value of a config field.
    pub(crate) fn value(&self, node: NodeIx, field: &str) -> Option<&'d Value> {
        let view = &self.nodes[node];
        view.kind?.config(view.node, field)
    }

    /// The text of a config field that is not empty.
    pub(crate) fn text(&self, node: NodeIx, field: &str) -> Option<&'d str> {
        self.value(node, field)?
            .as_str()
            .filter(|text| !text.is_empty())
    }

    /// The expression in a config field, when there is one that can be read.
    pub(crate) fn expr(&self, node: NodeIx, field: &str) -> Option<&Expr> {
        self.compiled(self.text(node, field)?)
    }

    /// An expression of the document by its text.
    pub(crate) fn compiled(&self, code: &str) -> Option<&Expr> {
        self.exprs.get(code)?.as_ref().ok()
    }

    pub(crate) fn title(&self, node: NodeIx) -> &'d str {
        self.document.node_title(self.nodes[node].id)
    }

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
                PortRole::Failed => format!("is given up by {title}"),
                PortRole::Data | PortRole::Reply => format!("passes through {title}"),
            });
            steps.push(Step {
                place: Subject::Port(from),
                note,
            });
        }
        if let Some(note) = cause_note.filter(|_| cause.0 != effect.0) {
            steps.push(Step::node(self.nodes[cause.0].id, note));
        }
        steps.push(Step::node(self.nodes[effect.0].id, effect.1));
        steps
    }
}

impl Design<'_> {
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
            if order[root] != NEW {
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
                    component.sort_unstable();
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
}
