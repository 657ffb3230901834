//! A document resolved against the catalog: nodes by number, sound wires, compiled expressions.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use smol_str::{SmolStr, format_smolstr};

use crate::catalog::{
    Access, Behaviour, Catalog, Family, FieldProblem, FieldSpec, FieldType, JqRole, KindSpec,
    PortRole, check_field_with,
};
use crate::document::{Document, Edge, Node};
use crate::expr::{Expr, ExprError, Variable};
use crate::id::{EdgeId, NodeId, PortRef};
use crate::units;
use crate::validate::{Step, Subject};
use crate::value::{Object, Value};

/// Number of a node in a design; it keeps it as long as it is there.
pub(crate) type NodeIx = usize;
type Problems = Vec<(usize, FieldProblem)>;
type Misdeclared = Vec<(&'static FieldSpec, FieldProblem)>;
type Compiled = Rc<Result<Expr, ExprError>>;

/// Number of a sound wire in a design.
pub(crate) type EdgeIx = usize;

/// Wires that are looked at for one path at most; a longer one shows its ends only.
const PATH_SEARCH_MAX: usize = 4096;

/// Pairs of writer and hearer of one resource that are looked at; more are a mistake of a program.
const PAIRS_MAX: usize = 100_000;

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
    fn draw_wires<'i>(&mut self, ids: impl Iterator<Item = &'i EdgeId>) {
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
    fn draw_resources(&mut self, names: BTreeSet<SmolStr>) {
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
    fn share(&mut self, node: NodeIx) -> Option<SmolStr> {
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

    /// All kinds of the catalog, in the order of their ids.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = &KindSpec> {
        self.kinds.values().map(|kind| &**kind)
    }

    pub(crate) fn kind(&self, id: &str) -> Option<&KindSpec> {
        self.kinds.get(id).map(|kind| &**kind)
    }

    pub(crate) fn find(&self, id: &NodeId) -> Option<NodeIx> {
        self.index.get(id).copied()
    }

    /// Nodes that are enabled and known, with what they do.
    pub(crate) fn active(&self) -> impl Iterator<Item = (NodeIx, &NodeView, &Behaviour)> {
        (0..self.nodes.len()).filter_map(|number| {
            let (view, behaviour) = self.acting(number)?;
            Some((number, view, behaviour))
        })
    }

    /// A node with what it does; nothing when it is disabled or not known.
    pub(crate) fn acting(&self, node: NodeIx) -> Option<(&NodeView, &Behaviour)> {
        let view = &self.nodes[node];
        let kind = view.kind.as_ref().filter(|_| !view.node.disabled)?;
        Some((view, &kind.behaviour))
    }

    /// What a node does, whether it is enabled or not.
    pub(crate) fn behaviour(&self, node: NodeIx) -> Option<&Behaviour> {
        self.nodes[node].kind.as_ref().map(|kind| &kind.behaviour)
    }

    /// The value of a config field.
    pub(crate) fn value(&self, node: NodeIx, field: &str) -> Option<&Value> {
        let view = &self.nodes[node];
        view.kind.as_ref()?.config(&view.node, field)
    }

    /// The text of a config field that is not empty.
    pub(crate) fn text(&self, node: NodeIx, field: &str) -> Option<&str> {
        self.value(node, field)?
            .as_str()
            .filter(|text| !text.is_empty())
    }

    /// The expression in a config field, when there is one that can be read.
    pub(crate) fn expr(&self, node: NodeIx, field: &str) -> Option<&Expr> {
        let view = &self.nodes[node];
        let mut fields = view.kind.as_ref()?.config.iter();
        let at = fields.position(|spec| spec.name == field)?;
        view.exprs.get(at)?.as_ref()?.as_ref().as_ref().ok()
    }

    /// An expression of the document by its text.
    pub(crate) fn compiled(&self, code: &str) -> Option<&Expr> {
        self.exprs.get(code)?.as_ref().as_ref().ok()
    }

    /// What somebody declared of a node; nothing when it has another shape than the declaration.
    pub(crate) fn declared(&self, node: NodeIx, name: &str) -> Option<&Value> {
        self.nodes[node].node.notes.declared.get(name)
    }

    /// A declared length of time in milliseconds.
    pub(crate) fn declared_ms(&self, node: NodeIx, name: &str) -> Option<i64> {
        duration_ms(self.declared(node, name)?)
    }

    /// A declared number of bytes.
    pub(crate) fn declared_bytes(&self, node: NodeIx, name: &str) -> Option<u64> {
        units::parse_bytes(self.declared(node, name)?.as_str()?)
    }

    pub(crate) fn declared_number(&self, node: NodeIx, name: &str) -> Option<f64> {
        self.declared(node, name)?.as_f64()
    }

    pub(crate) fn declared_text(&self, node: NodeIx, name: &str) -> Option<&str> {
        self.declared(node, name)?
            .as_str()
            .filter(|text| !text.trim().is_empty())
    }

    pub(crate) fn declared_flag(&self, node: NodeIx, name: &str) -> bool {
        self.declared(node, name).and_then(Value::as_bool) == Some(true)
    }

    /// A config field that holds a length of time, in milliseconds.
    pub(crate) fn ms(&self, node: NodeIx, field: &str) -> Option<i64> {
        let view = &self.nodes[node];
        let fields = &view.kind.as_ref()?.config;
        let at = fields.iter().position(|spec| spec.name == field)?;
        if fields[at].ty != FieldType::Duration {
            return duration_ms(self.value(node, field)?);
        }
        let mut lengths = view.lengths.iter();
        lengths.find(|(field, _)| *field == at).map(|(_, ms)| *ms)
    }

    /// Columns of a table with their expressions; none when it keeps whole payloads.
    pub(crate) fn columns(&self, node: NodeIx) -> Vec<(&SmolStr, Option<&Expr>)> {
        let mut columns = Vec::new();
        let Some(kind) = &self.nodes[node].kind else {
            return columns;
        };
        for field in &kind.config {
            let FieldType::JqTable {
                role: JqRole::Value,
            } = field.ty
            else {
                continue;
            };
            let table = self.value(node, &field.name).and_then(Value::as_object);
            for (name, code) in table.into_iter().flat_map(Object::iter) {
                let expr = code.as_str().and_then(|code| self.compiled(code));
                columns.push((name, expr));
            }
        }
        columns
    }

    /// Whether a table keeps one row for each key.
    pub(crate) fn overwrites(&self, node: NodeIx) -> bool {
        match self.behaviour(node) {
            Some(Behaviour::Table { mode, .. }) => self.text(node, mode) != Some("append"),
            _ => false,
        }
    }

    /// Whether the time of processing decides something at a node.
    pub(crate) fn asks_the_time(&self, node: NodeIx) -> bool {
        self.nodes[node].clock.is_some()
    }

    /// Whether somebody claims this of the node.
    pub(crate) fn assumed(&self, node: NodeIx, what: &str) -> bool {
        self.nodes[node].node.notes.assumptions.contains_key(what)
    }

    pub(crate) fn title(&self, node: NodeIx) -> &str {
        let view = &self.nodes[node];
        if view.gone || view.node.title.is_empty() {
            view.id.as_str()
        } else {
            &view.node.title
        }
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
}

impl Design {
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
}

impl Design {
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

fn duration_ms(value: &Value) -> Option<i64> {
    let duration = units::parse_duration(value.as_str()?)?;
    i64::try_from(duration.as_millis()).ok()
}
