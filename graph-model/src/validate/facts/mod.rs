//! Facts at every port, computed to a fixpoint: where values come from, who may read them, how
//! often, in which order and where events arrive.

pub(crate) mod delivery;
pub(crate) mod labels;
pub(crate) mod origins;
pub(crate) mod payload;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use rustc_hash::FxHashMap;
use smol_str::SmolStr;

use crate::catalog::{Behaviour, Delivery, PortRole};
use crate::document::Audience;
use crate::expr::{Expr, Op, Operand};
use crate::id::Id;
use crate::label::Atom;
use crate::pointer::Pointer;
use crate::schema::{Declared, Schema, Types};
use crate::validate::design::{Design, EdgeIx, NodeIx};
use crate::value::Value;
use delivery::{Copies, Loss, Order, Part};
use labels::{Labels, Tag, TagId};
use origins::{Base, Origin, OriginId, Origins};
use payload::Payload;

/// Rounds around a loop after which its facts are taken for settled: every fact only gets worse,
/// and none of them has more levels than this.
const ROUNDS_MAX: usize = 12;

/// What is known of the events at a port.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Port {
    pub payload: Rc<Payload>,
    pub labels: Rc<Labels>,
    /// Viewers see an event only when this claim of theirs equals this value.
    pub guards: Rc<BTreeSet<(OriginId, SmolStr)>>,
    /// Values that are there in every event and not null.
    pub present: Rc<BTreeSet<OriginId>>,
    pub copies: Copies,
    pub order: Order,
    pub part: Part,
}

/// What event types say of a field.
#[derive(Clone, Debug)]
pub(crate) struct Promised {
    pub types: Types,
    /// Some events lack it.
    pub optional: bool,
    /// The nodes that send it, their event types, and its place in those.
    pub by: Vec<(NodeIx, Id, Pointer)>,
}

/// A design with all its facts.
pub(crate) struct Facts<'f, 'd> {
    pub design: &'f Design<'d>,
    pub tags: Vec<Tag>,
    pub components: Vec<Vec<NodeIx>>,
    inputs: Vec<Option<Port>>,
    outputs: Vec<Option<Port>>,
    origins: RefCell<Origins>,
    schemas: RefCell<FxHashMap<SmolStr, Rc<Schema>>>,
    tag_index: FxHashMap<(NodeIx, Pointer, usize), TagId>,
}

impl<'f, 'd> Facts<'f, 'd> {
    pub(crate) fn of(design: &'f Design<'d>) -> Facts<'f, 'd> {
        let count = design.nodes.len();
        let mut facts = Facts {
            design,
            tags: Vec::new(),
            components: design.components(),
            inputs: vec![None; count],
            outputs: vec![None; count],
            origins: RefCell::default(),
            schemas: RefCell::default(),
            tag_index: FxHashMap::default(),
        };
        for at in 0..facts.components.len() {
            let component = facts.components[at].clone();
            for _ in 0..ROUNDS_MAX {
                let mut changed = false;
                for node in &component {
                    changed |= facts.step(*node);
                }
                if !changed || !facts.is_loop(&component) {
                    break;
                }
            }
        }
        facts
    }

    /// Whether events can come round in the component.
    pub(crate) fn is_loop(&self, component: &[NodeIx]) -> bool {
        let [node] = component else { return true };
        let outs = &self.design.nodes[*node].outs;
        outs.iter().any(|edge| self.design.edges[*edge].to == *node)
    }

    /// What arrives at a node; `None` when nothing does.
    pub(crate) fn input(&self, node: NodeIx) -> Option<&Port> {
        self.inputs[node].as_ref()
    }

    /// What a wire carries.
    pub(crate) fn edge(&self, edge: EdgeIx) -> Option<&Port> {
        let view = &self.design.edges[edge];
        let kind = self.design.nodes[view.from].kind?;
        let by_code = matches!(kind.behaviour, Behaviour::Opaque { .. });
        let source = matches!(kind.behaviour, Behaviour::Source { .. });
        let aside = match view.role {
            PortRole::Failed => !source,
            PortRole::Data => !view.main && !by_code,
            PortRole::Reply => false,
        };
        if aside {
            self.inputs[view.from].as_ref()
        } else {
            self.outputs[view.from].as_ref()
        }
    }

    /// Computes a node anew; whether something changed.
    fn step(&mut self, node: NodeIx) -> bool {
        let input = self.gather(node);
        let output = self.transfer(node, input.as_ref());
        let changed = self.inputs[node] != input || self.outputs[node] != output;
        self.inputs[node] = input;
        self.outputs[node] = output;
        changed
    }

    fn gather(&self, node: NodeIx) -> Option<Port> {
        let edges = &self.design.nodes[node].ins;
        let sides: Vec<&Port> = edges.iter().filter_map(|edge| self.edge(*edge)).collect();
        let (first, others) = sides.split_first()?;
        if others.is_empty() {
            return Some((*first).clone());
        }
        let origins = &mut *self.origins.borrow_mut();
        let payloads: Vec<&Payload> = sides.iter().map(|side| &*side.payload).collect();
        let payload = Payload::meet(node, &payloads, origins);
        let mut labels = Labels::default();
        for side in &sides {
            labels.join(&side.labels);
        }
        let mut guards = (*first.guards).clone();
        guards.retain(|guard| others.iter().all(|side| side.guards.contains(guard)));
        let mut present = (*first.present).clone();
        present.retain(|origin| others.iter().all(|side| side.present.contains(origin)));
        let copies = others
            .iter()
            .fold(first.copies, |copies, side| copies.or(side.copies));
        let lost = sides
            .iter()
            .find(|side| matches!(side.order, Order::Lost(..)));
        let order = lost.map_or(Order::Lost(node, Loss::Meeting), |side| side.order.clone());
        let part = meet_parts(node, &sides, &payload, origins);
        Some(Port {
            payload: Rc::new(payload),
            labels: Rc::new(labels),
            guards: Rc::new(guards),
            present: Rc::new(present),
            copies,
            order,
            part,
        })
    }

    fn transfer(&mut self, node: NodeIx, input: Option<&Port>) -> Option<Port> {
        let view = &self.design.nodes[node];
        let behaviour = &view.kind.filter(|_| !view.node.disabled)?.behaviour;
        if let Behaviour::Source {
            ty,
            delivery,
            keyed_by_id,
        } = behaviour
        {
            return Some(self.source(node, ty, *delivery, *keyed_by_id));
        }
        let mut port = input?.clone();
        let design = self.design;
        match behaviour {
            Behaviour::Source { .. }
            | Behaviour::Merge
            | Behaviour::Route { .. }
            | Behaviour::Table { .. }
            | Behaviour::Observe { .. }
            | Behaviour::Effect { .. }
            | Behaviour::Join { .. }
            | Behaviour::Enrich { .. }
            | Behaviour::Fold { .. }
            | Behaviour::Decide { .. }
            | Behaviour::Resequence { .. }
            | Behaviour::VersionGuard { .. }
            | Behaviour::Validate { .. }
            | Behaviour::Tokenise { .. }
            | Behaviour::Bucket { .. }
            | Behaviour::Changes { .. }
            | Behaviour::DeadLetter => {}
            Behaviour::Filter { predicate } => {
                if let Some(expr) = design.expr(node, predicate) {
                    self.assert_present(expr, &mut port);
                }
            }
            Behaviour::Topic => {
                port.copies = port.copies.or(Copies::Any(node));
                port.order = lose(port.order, node, Loss::Channel);
                port.part = Part::Single;
            }
            Behaviour::Queue { fifo, concurrency } => {
                let key = fifo.as_ref().and_then(|field| design.expr(node, field));
                let count = design.value(node, concurrency).and_then(Value::as_i64);
                self.queue(node, key, count.unwrap_or(1), &mut port);
            }
            Behaviour::Log {
                key, partitions, ..
            } => {
                port.copies = port.copies.or(Copies::Suffix(node));
                let count = design.value(node, partitions).and_then(Value::as_i64);
                self.place(node, design.expr(node, key), count.unwrap_or(1), &mut port);
            }
            Behaviour::Repartition { key, partitions } => {
                let count = design.value(node, partitions).and_then(Value::as_i64);
                self.place(node, design.expr(node, key), count.unwrap_or(1), &mut port);
            }
            Behaviour::Map { expr } => self.map(node, design.expr(node, expr), false, &mut port),
            Behaviour::Split { expr } => self.map(node, design.expr(node, expr), true, &mut port),
            Behaviour::Mediate { expr, target } => {
                self.map(node, design.expr(node, expr), false, &mut port);
                self.declare(node, design.text(node, target), &mut port);
            }
            Behaviour::Dedupe { key, .. } => {
                let stable = design
                    .expr(node, key)
                    .is_some_and(|key| self.stable(key, &port));
                if stable {
                    port.copies = Copies::No;
                }
            }
            Behaviour::Redact { fields } => {
                let fields = pointers(design.value(node, fields));
                let origins = &mut *self.origins.borrow_mut();
                port.payload = Rc::new(port.payload.without(node, &fields, origins));
                port.labels = Rc::new(port.labels.without(&fields));
            }
            Behaviour::Guard { field, claim } => {
                let field = design
                    .text(node, field)
                    .and_then(|text| Pointer::parse(text).ok());
                if let (Some(field), Some(claim)) = (field, design.text(node, claim)) {
                    let origin = port.payload.field(&field, &mut self.origins.borrow_mut());
                    Rc::make_mut(&mut port.guards).insert((origin, claim.into()));
                }
            }
            Behaviour::Aggregate {
                group, aggregates, ..
            } => {
                let unsafe_copies = crate::validate::rules::counts_copies(design, node);
                self.aggregate(node, group, aggregates, &mut port);
                if unsafe_copies {
                    // The hazard is reported here; what follows from it is no other one.
                    port.copies = Copies::No;
                }
            }
            Behaviour::Opaque { ty } => {
                let everything = port.labels.all();
                let mut labels = Labels::default();
                labels.add(Pointer::root(), &everything);
                port.labels = Rc::new(labels);
                let base = Base::Made(node);
                port.payload = Rc::new(Payload::made(node, None));
                self.origins.borrow_mut().mark_opaque(base);
                self.identify_by_context(node);
                let ty = ty.as_ref().and_then(|field| design.text(node, field));
                self.declare(node, ty, &mut port);
                if let Order::PerKey(_) = port.order {
                    port.order = Order::Lost(node, Loss::Code);
                }
            }
        }
        Some(port)
    }

    fn source(&mut self, node: NodeIx, ty: &str, delivery: Delivery, keyed: bool) -> Port {
        let mut port = Port {
            payload: Rc::new(Payload::made(node, None)),
            labels: Rc::default(),
            guards: Rc::default(),
            present: Rc::default(),
            copies: match delivery {
                Delivery::CallerRetries => Copies::Any(node),
                Delivery::Resumable => Copies::Suffix(node),
                Delivery::Once => Copies::No,
            },
            order: match delivery {
                Delivery::CallerRetries => Order::Lost(node, Loss::Source),
                Delivery::Resumable | Delivery::Once => Order::Total,
            },
            part: Part::Single,
        };
        if keyed {
            self.identify_by_context(node);
        }
        self.declare(node, self.design.text(node, ty), &mut port);
        port
    }

    fn identify_by_context(&mut self, node: NodeIx) {
        let base = Base::Made(node);
        let origins = &mut *self.origins.borrow_mut();
        let id = origins.id(Origin::Context(base, Pointer::root().child("id")));
        origins.identify(base, id);
    }

    /// What an event type says of the events that leave a node.
    fn declare(&mut self, node: NodeIx, ty: Option<&str>, port: &mut Port) {
        let Some((id, ty)) = ty.and_then(|ty| self.design.document.types.get_key_value(ty)) else {
            return;
        };
        let payload = Rc::make_mut(&mut port.payload);
        payload.ty = Some(id.clone());
        let origins = &mut *self.origins.borrow_mut();
        if let Some(field) = &ty.id {
            let identity = payload.field(field, origins);
            origins.identify(payload.context, identity);
            origins.identify(payload.base, identity);
        }
        for (field, label) in &ty.labels {
            let mut tags = BTreeSet::new();
            for (number, clause) in label.0.iter().enumerate() {
                let key = (node, field.clone(), number);
                let tag = *self.tag_index.entry(key).or_insert_with(|| {
                    self.tags.push(Tag {
                        node,
                        ty: id.clone(),
                        field: field.clone(),
                        clause: clause.clone(),
                        anchors: Vec::new(),
                    });
                    self.tags.len() as TagId - 1
                });
                let owners = clause.0.iter().filter_map(|atom| match atom {
                    Atom::Subject(owner) | Atom::Tenant(owner) => {
                        Some((atom.clone(), payload.field(owner, origins)))
                    }
                    Atom::Org | Atom::Role(_) => None,
                });
                self.tags[tag as usize].anchors = owners.collect();
                tags.insert(tag);
            }
            Rc::make_mut(&mut port.labels).add(field.clone(), &tags);
        }
    }

    fn map(&mut self, node: NodeIx, expr: Option<&Expr>, elements: bool, port: &mut Port) {
        let origins = &mut *self.origins.borrow_mut();
        if elements {
            let base = Base::Made(node);
            let id = origins.id(Origin::Context(base, Pointer::root().child("id")));
            origins.identify(base, id);
        }
        let Some(expr) = expr else {
            // Nothing is known of what it makes.
            let mut labels = Labels::default();
            labels.add(Pointer::root(), &port.labels.all());
            port.labels = Rc::new(labels);
            port.payload = Rc::new(Payload::made(node, None));
            return;
        };
        let analysis = expr.analysis();
        port.payload = Rc::new(port.payload.through(node, analysis, elements, origins));
        if !port.labels.0.is_empty() {
            port.labels = Rc::new(port.labels.through(analysis, elements));
        }
    }

    /// What must be there for a predicate to hold.
    fn assert_present(&mut self, predicate: &Expr, port: &mut Port) {
        for conjunct in &predicate.analysis().condition.conjuncts {
            let (Operand::Field(field), Operand::Constant(value)) =
                (&conjunct.left, &conjunct.right)
            else {
                continue;
            };
            let present = match conjunct.op {
                Op::Truthy | Op::Gt => true,
                Op::Eq | Op::Ge => *value != Value::Null,
                Op::Ne => *value == Value::Null,
                Op::Lt | Op::Le | Op::Falsy => false,
            };
            if present {
                let origin = self.field(field, port);
                Rc::make_mut(&mut port.present).insert(origin);
            }
        }
    }

    fn queue(&mut self, node: NodeIx, key: Option<&Expr>, count: i64, port: &mut Port) {
        let Some(key) = key else {
            port.copies = port.copies.or(Copies::Any(node));
            port.order = lose(port.order.clone(), node, Loss::Channel);
            port.part = if count > 1 {
                Part::Any { count, by: node }
            } else {
                Part::Single
            };
            return;
        };
        // A group waits for its first event, so what comes again comes in order.
        port.copies = port.copies.or(Copies::Suffix(node));
        self.place(node, Some(key), count, port);
        if port.order == Order::Total {
            let key = self.key(key, port);
            port.order = Order::PerKey(key.into());
        }
    }

    /// Moves events to the partition of their key.
    fn place(&mut self, node: NodeIx, key: Option<&Expr>, count: i64, port: &mut Port) {
        let key = key.map(|key| self.key(key, port)).unwrap_or_default();
        if count <= 1 || key.is_empty() {
            port.part = Part::Single;
            return;
        }
        port.order = match &port.order {
            Order::Lost(..) => port.order.clone(),
            known if self.in_order(known, &key) => Order::PerKey(key.clone().into()),
            _ => Order::Lost(node, Loss::Instances),
        };
        port.part = Part::Hash {
            key: key.into(),
            count,
            by: node,
        };
    }

    fn aggregate(&mut self, node: NodeIx, group: &str, aggregates: &str, port: &mut Port) {
        let group = self.design.expr(node, group);
        let key = group.map(|group| self.key(group, port)).unwrap_or_default();
        let mut labels = Labels::default();
        if let Some(group) = group {
            let tags = port.labels.of(&group.analysis().reads);
            labels.add(Pointer::root().child("key"), &tags);
        }
        for (name, of) in self.folded(node, aggregates) {
            if let Some(of) = of {
                let tags = port.labels.of(&of.analysis().reads);
                labels.add(Pointer::root().child(name), &tags);
            }
        }
        self.identify_by_context(node);
        let origins = &mut *self.origins.borrow_mut();
        let (payload, whole) = Payload::of_group(node, &key, origins);
        port.payload = Rc::new(payload);
        port.labels = Rc::new(labels);
        port.guards = Rc::default();
        // The results of a group leave the one place that folds it.
        port.order = Order::PerKey([whole].into());
    }

    /// Names and expressions of what an aggregate folds.
    pub(crate) fn folded(&self, node: NodeIx, field: &str) -> Vec<(SmolStr, Option<&Expr>)> {
        let records = self.design.value(node, field).and_then(Value::as_array);
        let records = records.unwrap_or_default().iter();
        records
            .filter_map(|record| {
                let name = record.get("name").and_then(Value::as_str)?;
                let of = record.get("of").and_then(Value::as_str);
                Some((name.into(), of.and_then(|code| self.design.compiled(code))))
            })
            .collect()
    }

    /// What a key is made of at a port.
    pub(crate) fn key(&self, key: &Expr, port: &Port) -> Vec<OriginId> {
        port.payload.key(key, &mut self.origins.borrow_mut())
    }

    /// Whether all copies of one event have the same key.
    pub(crate) fn stable(&self, key: &Expr, port: &Port) -> bool {
        let parts = self.key(key, port);
        let origins = self.origins.borrow();
        parts.iter().all(|part| origins.stable(*part))
    }

    /// Whether events with the same key are the same event.
    pub(crate) fn identifies(&self, key: &[OriginId], port: &Port) -> bool {
        let origins = self.origins.borrow();
        origins.identifies(key, port.payload.context)
    }

    /// Whether equal values of `these` mean equal values of each of `those`.
    pub(crate) fn determines(&self, these: &[OriginId], those: &[OriginId]) -> bool {
        self.origins.borrow().determines(these, those)
    }

    /// Whether events with the same key come as they happened.
    pub(crate) fn in_order(&self, order: &Order, key: &[OriginId]) -> bool {
        match order {
            Order::Total => true,
            Order::PerKey(by) => self.determines(key, by),
            Order::Lost(..) => false,
        }
    }

    /// The origin of a field at a port.
    pub(crate) fn field(&self, field: &Pointer, port: &Port) -> OriginId {
        port.payload.field(field, &mut self.origins.borrow_mut())
    }

    /// A field at a port that holds the origin.
    pub(crate) fn place_of(&self, origin: OriginId, port: &Port) -> Option<Pointer> {
        let origins = &mut *self.origins.borrow_mut();
        port.payload.place_of(origin, origins)
    }

    /// What is promised of a field at a port, and who promises it: nodes, their event types, and
    /// the field as it is called there. `None` when nothing is known.
    pub(crate) fn promise(&self, field: &Pointer, port: &Port) -> Option<Promised> {
        let mut seen = BTreeSet::new();
        let mut promised = self.promise_once(field, port, &mut seen)?;
        promised.optional &= !port.present.contains(&self.field(field, port));
        Some(promised)
    }

    fn promise_once(
        &self,
        field: &Pointer,
        port: &Port,
        seen: &mut BTreeSet<(NodeIx, Pointer)>,
    ) -> Option<Promised> {
        let origin = self.field(field, port);
        let origin = self.origins.borrow().get(origin).clone();
        let (ty, field, node) = match (&port.payload.ty, origin) {
            (Some(ty), Origin::Field(Base::Made(node), _)) => (ty.clone(), field.clone(), node),
            (None, Origin::Field(Base::Made(node), field)) => {
                let ty = self.outputs[node].as_ref()?.payload.ty.clone()?;
                (ty, field, node)
            }
            (_, Origin::Field(Base::Met(node), field)) => {
                if !seen.insert((node, field.clone())) {
                    return None;
                }
                let sides = self.design.nodes[node].ins.iter();
                let mut joined: Option<Promised> = None;
                for side in sides.filter_map(|edge| self.edge(*edge)) {
                    let side = self.promise_once(&field, side, seen)?;
                    match &mut joined {
                        None => joined = Some(side),
                        Some(joined) => {
                            joined.types = joined.types | side.types;
                            joined.optional |= side.optional;
                            joined.by.extend(side.by);
                        }
                    }
                }
                return joined;
            }
            (_, Origin::Context(..) | Origin::Computed(..)) => return None,
        };
        let (types, optional) = match self.schema(ty.as_str())?.declared(&field) {
            Declared::Promised(promise) => (promise.types, promise.optional),
            Declared::NotListed => (Types::ANY, true),
            Declared::Unknown => return None,
        };
        Some(Promised {
            types,
            optional,
            by: vec![(node, ty, field)],
        })
    }

    pub(crate) fn schema(&self, ty: &str) -> Option<Rc<Schema>> {
        let declared = self.design.document.types.get(ty)?;
        let mut schemas = self.schemas.borrow_mut();
        let schema = schemas
            .entry(ty.into())
            .or_insert_with(|| Rc::new(Schema::new(&declared.schema)));
        Some(Rc::clone(schema))
    }

    /// Whether somebody claims this of the node.
    pub(crate) fn assumed(&self, node: NodeIx, what: &str) -> bool {
        let notes = &self.design.nodes[node].node.notes;
        notes.assumptions.contains_key(what)
    }

    /// Who sees what arrives at a node, in words.
    pub(crate) fn readers(&self, audience: Option<&Audience>) -> String {
        let Some(audience) = audience else {
            return "everybody inside".to_owned();
        };
        let titles: Vec<&str> = audience
            .roles
            .iter()
            .map(|role| {
                let declared = self.design.document.roles.get(role);
                let title = declared.map_or("", |role| role.title.as_str());
                if title.is_empty() {
                    role.as_str()
                } else {
                    title
                }
            })
            .collect();
        titles.join(", ")
    }
}

fn lose(order: Order, node: NodeIx, loss: Loss) -> Order {
    match order {
        Order::Lost(..) => order,
        _ => Order::Lost(node, loss),
    }
}

fn meet_parts(node: NodeIx, sides: &[&Port], payload: &Payload, origins: &mut Origins) -> Part {
    let first = &sides[0].part;
    if let Some(mixed) = sides
        .iter()
        .find(|side| matches!(side.part, Part::Mixed { .. }))
    {
        return mixed.part.clone();
    }
    if sides.iter().all(|side| side.part == *first) {
        let same_payload = sides.iter().all(|side| side.payload == sides[0].payload);
        if same_payload || !matches!(first, Part::Hash { .. }) {
            return first.clone();
        }
    }
    let mut keys = Vec::new();
    for side in sides {
        match &side.part {
            Part::Hash { key, .. } => keys.push((&*side.payload, &**key)),
            Part::Any { .. } => return side.part.clone(),
            Part::Single | Part::Mixed { .. } => return Part::Mixed { at: node },
        }
    }
    let Part::Hash { count, by, .. } = *first else {
        return Part::Mixed { at: node };
    };
    let same_count = sides
        .iter()
        .all(|side| matches!(side.part, Part::Hash { count: other, .. } if other == count));
    match payload.key_after_meeting(&keys, origins) {
        Some(key) if same_count => Part::Hash {
            key: key.into(),
            count,
            by,
        },
        _ => Part::Mixed { at: node },
    }
}

fn pointers(value: Option<&Value>) -> Vec<Pointer> {
    let items = value.and_then(Value::as_array).unwrap_or_default();
    items
        .iter()
        .filter_map(|item| Pointer::parse(item.as_str()?).ok())
        .collect()
}
