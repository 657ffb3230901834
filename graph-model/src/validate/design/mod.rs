//! A document resolved against the catalog: nodes by number, sound wires, compiled expressions.

mod code;
mod config;
mod ways;
mod wires;

pub(crate) use self::code::CodeState;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use smol_str::SmolStr;

use crate::catalog::{
    Access, Catalog, Family, FieldProblem, FieldSpec, FieldType, JqRole, KindSpec, PortRole,
    check_field_with,
};
use crate::document::{Document, Edge, Node};
use crate::expr::{Expr, ExprError, Variable};
use crate::id::{EdgeId, NodeId};
use crate::units;
use crate::value::Value;

/// Number of a node in a design; it keeps it as long as it is there.
pub(crate) type NodeIx = usize;
type Problems = Vec<(usize, FieldProblem)>;
type Misdeclared = Vec<(&'static FieldSpec, FieldProblem)>;
type Compiled = Rc<Result<Expr, ExprError>>;

/// Number of a sound wire in a design.
pub(crate) type EdgeIx = usize;

/// Expressions that are kept after the nodes that had them are gone; then all are compiled anew.
const IDLE_EXPRS_MAX: usize = 10_000;

pub(crate) struct Design {
    pub document: Document,
    kinds: BTreeMap<SmolStr, Arc<KindSpec>>,
    pub nodes: Vec<NodeView>,
    /// Wires that carry events: both ends are there and enabled, and the wire is no reply. Those of
    /// resources come too.
    pub edges: Vec<EdgeView>,
    index: FxHashMap<NodeId, NodeIx>,
    exprs: FxHashMap<SmolStr, Compiled>,
    /// Who writes and who hears of each resource.
    resources: BTreeMap<SmolStr, Sharers>,
    /// Wires of the document that carry nothing.
    loose: BTreeSet<EdgeId>,
    /// Numbers of wires that were taken away, for others.
    free: Vec<EdgeIx>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Sharers {
    pub writers: Vec<NodeIx>,
    pub hearers: Vec<NodeIx>,
}

impl Sharers {
    fn of(&mut self, access: Access) -> &mut Vec<NodeIx> {
        match access {
            Access::Writes => &mut self.writers,
            Access::Hears => &mut self.hearers,
        }
    }
}

pub(crate) struct NodeView {
    pub id: NodeId,
    pub node: Arc<Node>,
    /// `None` when the catalog does not know it, or when it is gone.
    pub kind: Option<Arc<KindSpec>>,
    /// In the order of the wires' ids, those of resources last.
    pub ins: Vec<EdgeIx>,
    pub outs: Vec<EdgeIx>,
    /// Config values that their fields cannot hold, by the number of the field.
    pub problems: Problems,
    /// Declarations that have no meaning as they are written.
    pub misdeclared: Misdeclared,
    /// Number of the first field by which the time of processing decides something.
    pub clock: Option<usize>,
    /// What the fields hold that are expressions and can be read, by the number of the field.
    exprs: Vec<Option<Compiled>>,
    /// What the fields hold that are lengths of time, by the number of the field.
    lengths: Vec<(usize, i64)>,
    /// The resource that it shares, as it is drawn.
    shares: Option<(SmolStr, Access)>,
    /// It was removed, and its number waits for another node.
    pub gone: bool,
}

pub(crate) struct EdgeView {
    pub id: EdgeId,
    pub edge: Arc<Edge>,
    pub from: NodeIx,
    pub to: NodeIx,
    /// What comes out of the port that it starts at.
    pub role: PortRole,
    /// It starts at the first of the node's ports, where its ordinary events leave.
    pub main: bool,
    /// Number of the input that it ends at.
    pub input: usize,
    /// It is no wire of the document: what the one end writes, the other hears of.
    pub resource: bool,
}

impl Design {
    pub(crate) fn new(document: &Document, catalog: &Catalog) -> Design {
        let mut design = Design {
            document: document.clone(),
            kinds: catalog
                .iter()
                .map(|kind| (kind.id.clone(), Arc::new(kind.clone())))
                .collect(),
            nodes: Vec::with_capacity(document.nodes.len()),
            edges: Vec::with_capacity(document.edges.len()),
            index: FxHashMap::default(),
            exprs: FxHashMap::default(),
            resources: BTreeMap::new(),
            loose: BTreeSet::new(),
            free: Vec::new(),
        };
        for (id, node) in &document.nodes {
            design.put_node(id, node);
        }
        design.draw_wires(document.edges.keys());
        for node in 0..design.nodes.len() {
            design.share(node);
        }
        design.draw_resources(design.resources.keys().cloned().collect());
        design
    }

    /// Puts a node into the place that it had, or into a new one; the wires have to follow.
    pub(crate) fn put_node(&mut self, id: &NodeId, node: &Arc<Node>) -> NodeIx {
        let kind = self.kinds.get(&node.kind).cloned();
        let mut view = NodeView {
            id: id.clone(),
            node: Arc::clone(node),
            kind: None,
            ins: Vec::new(),
            outs: Vec::new(),
            problems: Vec::new(),
            misdeclared: Vec::new(),
            clock: None,
            exprs: Vec::new(),
            lengths: Vec::new(),
            shares: None,
            gone: false,
        };
        if let Some(kind) = &kind {
            self.read_config(kind, &mut view);
        }
        view.kind = kind;
        if let Some(&number) = self.index.get(id) {
            let held = &mut self.nodes[number];
            view.ins = std::mem::take(&mut held.ins);
            view.outs = std::mem::take(&mut held.outs);
            view.shares = held.shares.take();
            *held = view;
            return number;
        }
        let number = self.nodes.len();
        self.index.insert(id.clone(), number);
        self.nodes.push(view);
        number
    }

    /// Takes a node out; the wires have to follow.
    pub(crate) fn remove_node(&mut self, id: &NodeId) -> Option<NodeIx> {
        let number = self.index.remove(id)?;
        let view = &mut self.nodes[number];
        view.kind = None;
        view.problems.clear();
        view.exprs.clear();
        view.lengths.clear();
        view.misdeclared.clear();
        view.clock = None;
        view.gone = true;
        Some(number)
    }

    /// Compiles what a node has, and notes what its fields cannot hold, and which asks for the time.
    fn read_config(&mut self, kind: &KindSpec, view: &mut NodeView) {
        let node = &view.node;
        let exprs = &mut self.exprs;
        if exprs.len() > IDLE_EXPRS_MAX + 8 * self.nodes.capacity() {
            exprs.retain(|_, expr| Rc::strong_count(expr) > 1);
        }
        // What a sink says or keeps of the time decides nothing.
        let says = |role| matches!(role, JqRole::Value | JqRole::Mapping);
        let asks_the_time = Cell::new(false);
        let last = Cell::new(None);
        let look = |expr: &Expr, role| {
            let asks = expr.variables().contains(&Variable::Now);
            if asks && !(kind.family == Family::Sink && says(role)) {
                asks_the_time.set(true);
            }
        };
        // The same text means the same everywhere, so each is compiled once.
        let mut compile = |code: &str, role: JqRole| {
            let allowed = role.variables();
            let within = |expr: &Expr| expr.variables().iter().all(|used| allowed.contains(used));
            if let Some(held) = exprs.get(code)
                && let Ok(expr) = &**held
                && within(expr)
            {
                look(expr, role);
                last.set(Some(Rc::clone(held)));
                return Ok(());
            }
            let expr = Rc::new(Expr::compile_with(code, allowed));
            let outcome = expr.as_ref().as_ref().map(|_| ()).map_err(ExprError::clone);
            // What can be read in one role stays known when another refuses it.
            if outcome.is_ok() || !exprs.contains_key(code) {
                exprs.insert(code.into(), Rc::clone(&expr));
            }
            if let Ok(read) = &*expr {
                look(read, role);
                last.set(Some(expr));
            }
            outcome
        };
        view.exprs.reserve_exact(kind.config.len());
        for (at, field) in kind.config.iter().enumerate() {
            let value = kind.config(node, &field.name);
            if let Err(problem) = check_field_with(field, value, &mut compile) {
                view.problems.push((at, problem));
            }
            if asks_the_time.take() {
                view.clock = view.clock.or(Some(at));
            }
            if let (FieldType::Duration, Some(length)) = (&field.ty, value) {
                view.lengths.extend(duration_ms(length).map(|ms| (at, ms)));
            }
            let single = matches!(field.ty, FieldType::Jq { .. });
            view.exprs.push(last.take().filter(|_| single));
        }
        if !node.notes.declared.is_empty() {
            for field in crate::declare::of_nodes() {
                let value = node.notes.declared.get(&field.name);
                if let Err(problem) = check_field_with(field, value, &mut compile) {
                    view.misdeclared.push((field, problem));
                }
            }
        }
    }
}

fn duration_ms(value: &Value) -> Option<i64> {
    let duration = units::parse_duration(value.as_str()?)?;
    i64::try_from(duration.as_millis()).ok()
}
