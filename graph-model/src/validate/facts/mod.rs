//! Facts at every port, computed to a fixpoint: where values come from, who may read them, how
//! often, in which order and where events arrive.

mod bursts;
pub(crate) mod definition;
pub(crate) mod delivery;
mod doubt;
pub(crate) mod gain;
pub(crate) mod groups;
pub(crate) mod labels;
pub(crate) mod numbers;
pub(crate) mod origins;
mod outsiders;
pub(crate) mod owners;
pub(crate) mod pairs;
pub(crate) mod payload;
mod people;
pub(crate) mod placement;
pub(crate) mod rates;
pub(crate) mod redelivery;
pub(crate) mod release;
pub(crate) mod rounds;
pub(crate) mod size;
mod solve;
pub(crate) mod tags;
mod transfer;
pub(crate) mod unsettled;
pub(crate) mod workers;

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use rustc_hash::FxHashMap;
use smol_str::SmolStr;

use crate::catalog::{Behaviour, PortRole};
use crate::document::{Audience, WhenFull};
use crate::expr::Expr;
use crate::id::Id;
use crate::label::{Clause, Label};
use crate::pointer::Pointer;
use crate::schema::{Declared, Schema, Types};
use crate::validate::design::{Design, EdgeIx, NodeIx};
use crate::value::Value;
use definition::Definition;
use delivery::{Copies, Losing, Loss, Mode, Order, Part};
use labels::{Labels, Tag, TagKey};
use origins::{Base, Origin, OriginId, Origins, Renewal};
use payload::Payload;
use redelivery::Redelivery;
use release::Release;
use tags::{TagId, TagSet};
use unsettled::Doubts;

/// What is known of the events at a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Port {
    pub payload: Rc<Payload>,
    /// Who may read which field.
    pub labels: Rc<Labels>,
    /// What outsiders wrote: what nothing has checked yet, and what they chose.
    pub taint: Rc<Labels>,
    /// Labels of what decided that an event comes at all.
    pub presence: TagSet,
    /// Labels of what the ids of events are made of.
    pub named: TagSet,
    /// Viewers see an event only when this claim of theirs equals this value. With the store from
    /// which the events are read again since the comparison was put, when there is one.
    pub guards: Rc<BTreeMap<(OriginId, SmolStr), Option<NodeIx>>>,
    /// Other values that equal an owner of whom labels speak.
    pub owners: Rc<BTreeSet<(OriginId, OriginId)>>,
    /// Values that are there in every event and not null.
    pub present: Rc<BTreeSet<OriginId>>,
    /// Whose fields some of the events lack altogether, and the join that found no partner for those.
    pub lacking: Rc<BTreeMap<Base, NodeIx>>,
    pub copies: Copies,
    pub redelivery: Redelivery,
    /// Nodes that the copies came through, if those make something anew of each.
    pub renewers: Rc<BTreeSet<NodeIx>>,
    pub doubts: Doubts,
    pub order: Order,
    pub part: Part,
    pub mode: Mode,
    /// Joins on the way, each with the input whose events may be here several times.
    pub multiplied: Rc<BTreeSet<pairs::Multiplied>>,
    /// Where events may have vanished.
    pub losing: Option<Losing>,
    /// How many milliseconds after its time an event may come at most, and from where; nothing when
    /// nobody says that they come late.
    pub delay: Option<(i64, NodeIx)>,
    /// Which events they are.
    pub definition: Rc<Definition>,
    /// Bytes of a payload at most, when that is known.
    pub size: Option<u64>,
}

/// What is known of the events at the ports of one node.
#[derive(Clone, Debug, Default, PartialEq)]
struct Ports {
    /// What arrives.
    input: Option<Rc<Port>>,
    /// What arrives at the second input, for the kinds that have one.
    second: Option<Rc<Port>>,
    /// What leaves by ordinary outputs.
    output: Option<Rc<Port>>,
    /// What it leaves in the resource that it writes.
    stored: Option<Rc<Port>>,
    /// What leaves by single outputs, where that differs from the others.
    branches: Vec<(SmolStr, Rc<Port>)>,
}

/// What event types say of a field.
#[derive(Clone, Debug)]
pub(crate) struct Promised {
    pub types: Types,
    /// Some events lack it.
    pub optional: bool,
    /// The nodes that send it, their event types, and its place in those.
    pub by: Vec<(NodeIx, Id, Pointer)>,
    /// The join behind which pairs without this side come, too.
    pub unpaired: Option<NodeIx>,
}

/// Fields of an event type with the clauses of their labels.
type TypeLabels = Rc<[(Pointer, Vec<Rc<Clause>>)]>;

/// A design with all its facts.
pub(crate) struct Facts {
    pub design: Rc<Design>,
    pub tags: Vec<Tag>,
    /// Nodes that can reach each other, feeders first.
    pub components: Vec<Vec<NodeIx>>,
    /// By node.
    ports: Vec<Ports>,
    origins: RefCell<Origins>,
    schemas: RefCell<FxHashMap<SmolStr, Option<Rc<Schema>>>>,
    declared: RefCell<FxHashMap<Id, FxHashMap<Pointer, Declared>>>,
    meanings_told: OnceCell<bool>,
    labels: RefCell<FxHashMap<Id, TypeLabels>>,
    tag_index: FxHashMap<TagKey, TagId>,
    releases: Vec<Release>,
    /// Loops that nothing ends, once somebody has asked for them.
    rounds: RefCell<Option<Rc<[rounds::Round]>>>,
    /// What arrives where, once somebody has asked for it.
    rates: RefCell<rates::Asked>,
    /// A tag of the node at hand has changed its meaning.
    tags_changed: bool,
    /// The node that was asked about last, and whether nobody sees there what they may not; several
    /// rules ask it one after the other.
    pub(crate) clean: Cell<Option<(NodeIx, bool)>>,
    /// A node of the component at hand says something else of its fields than before.
    said_anew: bool,
}

impl Facts {
    /// Whether events can come round in the component.
    pub(crate) fn is_loop(&self, component: &[NodeIx]) -> bool {
        let [node] = component else { return true };
        let outs = &self.design.nodes[*node].outs;
        outs.iter().any(|edge| self.design.edges[*edge].to == *node)
    }

    /// What arrives at a node; `None` when nothing does.
    pub(crate) fn input(&self, node: NodeIx) -> Option<&Port> {
        self.ports[node].input.as_deref()
    }

    /// What arrives at the second input of a node.
    pub(crate) fn second(&self, node: NodeIx) -> Option<&Port> {
        self.ports[node].second.as_deref()
    }

    /// What leaves a node by its ordinary outputs.
    pub(crate) fn output(&self, node: NodeIx) -> Option<&Port> {
        self.ports[node].output.as_deref()
    }

    /// The events of a base as they leave the node that made them.
    pub(crate) fn sent_as(&self, base: Base) -> Option<&Port> {
        match base {
            Base::Made(node) => self.output(node),
            Base::Sent(node, branch) => {
                let branch = self.ports[node].branches.get(usize::from(branch));
                branch.map(|(_, port)| &**port)
            }
            Base::Met(_) => None,
        }
    }

    /// What a wire carries.
    pub(crate) fn edge(&self, edge: EdgeIx) -> Option<&Port> {
        self.carried(edge).map(|port| &**port)
    }

    fn carried(&self, edge: EdgeIx) -> Option<&Rc<Port>> {
        let view = &self.design.edges[edge];
        let ports = &self.ports[view.from];
        if view.resource {
            return ports.stored.as_ref();
        }
        let leaving = &view.edge.from.port;
        let mut branches = ports.branches.iter();
        if let Some((_, port)) = branches.find(|(name, _)| name == leaving) {
            return Some(port);
        }
        let behaviour = self.design.behaviour(view.from)?;
        let by_code = matches!(behaviour, Behaviour::Opaque { .. });
        let source = matches!(
            behaviour,
            Behaviour::Source { .. } | Behaviour::Changes { .. }
        );
        let aside = match view.role {
            PortRole::Failed => !source,
            PortRole::Data => !view.main && !by_code,
            PortRole::Reply => false,
        };
        if aside {
            ports.input.as_ref()
        } else {
            ports.output.as_ref()
        }
    }

    /// Rules of the document by which labels may be lowered.
    pub(crate) fn releases(&self) -> &[Release] {
        &self.releases
    }

    fn gather(&self, node: NodeIx, input: usize) -> Option<Rc<Port>> {
        let edges = self.design.nodes[node].ins.iter();
        let mut sides = edges
            .filter(|edge| self.design.edges[**edge].input == input)
            .filter_map(|edge| Some((*edge, self.arriving(*edge)?)));
        let first = sides.next()?;
        let mut all = Vec::new();
        let mut port = match sides.next() {
            None => Rc::clone(&first.1),
            Some(second) => {
                all.push(second);
                all.extend(sides);
                let others = all.iter().map(|(_, port)| &**port);
                Rc::new(self.meet(node, &first.1, others))
            }
        };
        let mut edges = std::iter::once(first.0).chain(all.iter().map(|(edge, _)| *edge));
        if port.losing.is_none()
            && let Some(dropping) =
                edges.find(|edge| self.design.edges[*edge].edge.when_full == WhenFull::DropOldest)
        {
            Rc::make_mut(&mut port).losing = Some(Losing::Wire {
                from: self.design.edges[dropping].from,
                to: node,
            });
        }
        Some(port)
    }

    /// What comes by a wire, with what its start says of it.
    fn arriving(&self, edge: EdgeIx) -> Option<Rc<Port>> {
        let mut port = Rc::clone(self.carried(edge)?);
        let view = &self.design.edges[edge];
        let given_up = view.role == PortRole::Failed && !port.redelivery.given_up;
        let running = port.doubts.running.is_some() && port.doubts.hasty.is_none();
        let hasty = running && self.is_hasty(edge);
        if given_up || hasty {
            let port = Rc::make_mut(&mut port);
            port.redelivery.given_up |= given_up;
            if hasty {
                port.doubts.hasty = Some(view.from);
            }
        }
        Some(port)
    }

    /// What is known where several streams meet.
    fn meet<'p>(
        &self,
        node: NodeIx,
        first: &'p Port,
        others: impl Iterator<Item = &'p Port>,
    ) -> Port {
        let sides: Vec<&Port> = std::iter::once(first).chain(others).collect();
        let others = &sides[1..];
        let origins = &mut *self.origins.borrow_mut();
        let payloads: Vec<&Payload> = sides.iter().map(|side| &*side.payload).collect();
        let payload = Payload::meet(node, &payloads, origins);
        let joined = |of: fn(&Port) -> &Rc<Labels>| {
            let mut labels = Rc::clone(of(first));
            for side in others {
                if !Rc::ptr_eq(&labels, of(side)) && *labels != **of(side) {
                    Rc::make_mut(&mut labels).join(of(side));
                }
            }
            labels
        };
        let mut present = (*first.present).clone();
        present.retain(|origin| others.iter().all(|side| side.present.contains(origin)));
        let mut lacking = Rc::clone(&first.lacking);
        let (mut presence, mut named) = (first.presence.clone(), first.named.clone());
        let mut renewers = Rc::clone(&first.renewers);
        let mut definition = Rc::clone(&first.definition);
        let mut multiplied = Rc::clone(&first.multiplied);
        for side in others {
            if !side.multiplied.is_subset(&multiplied) {
                Rc::make_mut(&mut multiplied).extend(&*side.multiplied);
            }
            if !side.renewers.is_subset(&renewers) {
                Rc::make_mut(&mut renewers).extend(&*side.renewers);
            }
            if !side.lacking.is_empty() && side.lacking != lacking {
                Rc::make_mut(&mut lacking).extend(&*side.lacking);
            }
            presence.join(&side.presence);
            named.join(&side.named);
            if definition != side.definition {
                definition = Rc::new(definition.with(&side.definition));
            }
        }
        let copies = others
            .iter()
            .fold(first.copies, |copies, side| copies.or(side.copies));
        let mut redelivery = Redelivery::of_all(&sides.iter().map(|side| &side.redelivery));
        let mut copied = sides.iter().filter(|side| side.copies != Copies::No);
        if let Some(by) = copied.next().map(|side| side.redelivery.let_through)
            && copied.all(|side| side.redelivery.let_through == by)
        {
            redelivery.let_through = by;
        }
        // An id that one side makes anew of each copy is no better where it has met others.
        let id = payload.id(origins);
        let anew = sides.iter().any(|side| {
            let own = side.payload.id(origins);
            own != id && origins.renewal(own, &side.renewers).is_some()
        });
        if anew {
            origins.mark_unstable(id);
            Rc::make_mut(&mut renewers).insert(node);
        }
        let mode = meet_modes(&sides, &payload, origins);
        let part = meet_parts(node, &sides, &payload, origins);
        let (owners, guards) = owners::meet(node, &self.tags, &sides, &payload, origins);
        let sizes = sides.iter().map(|side| side.size);
        Port {
            payload: Rc::new(payload),
            labels: joined(|port| &port.labels),
            taint: joined(|port| &port.taint),
            presence,
            named,
            guards,
            owners,
            present: Rc::new(present),
            lacking,
            copies,
            redelivery,
            renewers,
            doubts: others
                .iter()
                .fold(first.doubts, |doubts, side| doubts.or(side.doubts)),
            order: meet_orders(node, &sides),
            part,
            mode,
            multiplied,
            losing: sides.iter().find_map(|side| side.losing),
            delay: sides.iter().filter_map(|side| side.delay).max(),
            definition,
            size: sizes
                .collect::<Option<Vec<_>>>()
                .and_then(|sizes| sizes.into_iter().max()),
        }
    }

    /// Number of a tag.
    fn tag(&mut self, key: TagKey, tag: Tag) -> TagId {
        let next = self.tags.len() as TagId;
        let number = *self.tag_index.entry(key).or_insert(next);
        if number == next {
            self.tags.push(tag);
        } else if self.tags[number as usize] != tag {
            self.tags[number as usize] = tag;
            self.tags_changed = true;
        }
        number
    }

    /// What a key is made of at a port.
    pub(crate) fn key(&self, key: &Expr, port: &Port) -> Vec<OriginId> {
        port.payload.key(key, &mut self.origins.borrow_mut())
    }

    /// Whether all copies of one event have the same key.
    pub(crate) fn stable(&self, key: &Expr, port: &Port) -> bool {
        self.renews(key, port).is_none()
    }

    /// What makes another key for each copy of one event; nothing when all copies have the same.
    pub(crate) fn renews(&self, key: &Expr, port: &Port) -> Option<Renewal> {
        let parts = self.key(key, port);
        self.renewed(&parts, port)
    }

    /// What makes another id for each copy of one event; nothing when all copies have the same.
    pub(crate) fn renews_ids(&self, port: &Port) -> Option<Renewal> {
        let id = port.payload.id(&mut self.origins.borrow_mut());
        self.renewed(&[id], port)
    }

    /// Whether all copies of an event have the same field.
    pub(crate) fn is_stable(&self, field: &Pointer, port: &Port) -> bool {
        let origin = self.field(field, port);
        self.renewed(&[origin], port).is_none()
    }

    /// What makes one of these anew for each copy of an event.
    pub(crate) fn renewed(&self, parts: &[OriginId], port: &Port) -> Option<Renewal> {
        let origins = self.origins.borrow();
        let mut parts = parts.iter();
        parts.find_map(|part| origins.renewal(*part, &port.renewers))
    }

    /// Whether the ids of events tell them apart, and all copies of one have the same.
    pub(crate) fn named(&self, port: &Port) -> bool {
        let id = port.payload.id(&mut self.origins.borrow_mut());
        let is_identity = |origins: &Origins| origins.is_identity(port.payload.context, id);
        is_identity(&self.origins.borrow()) && self.renewed(&[id], port).is_none()
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

    /// An origin by where it comes from.
    pub(crate) fn origin_name(&self, origin: OriginId) -> String {
        let of = |base: &Base| self.design.title(base.node()).to_owned();
        match self.origins.borrow().get(origin) {
            Origin::Field(base, field) => format!("`{field}` of {}", of(base)),
            Origin::Context(base, field) => {
                let name = field.to_string();
                format!("the {} of {}", name.trim_start_matches('/'), of(base))
            }
            Origin::Computed(code, _) => format!("`{code}`"),
        }
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
        if port.present.contains(&self.field(field, port)) {
            promised.optional = false;
            promised.unpaired = None;
        }
        Some(promised)
    }

    /// What stands for a field is there where the field was, and is a text.
    fn promise_of_token(
        &self,
        node: NodeIx,
        field: &Pointer,
        seen: &mut BTreeSet<(NodeIx, Pointer)>,
    ) -> Option<Promised> {
        let (Behaviour::Tokenise { fields } | Behaviour::Redact { fields, .. }) =
            self.design.behaviour(node)?
        else {
            return None;
        };
        let stands = pointers(self.design.value(node, fields)).contains(field);
        let removes = matches!(self.design.behaviour(node), Some(Behaviour::Redact { how, .. })
            if !matches!(self.design.text(node, how), Some("hash")));
        // Streams may meet at the same node, and are seen there by the field itself.
        let token = Pointer::root().child(TOKEN).join(field);
        if !stands || removes || !seen.insert((node, token)) {
            return None;
        }
        let promised = self.promise_once(field, self.input(node)?, seen)?;
        Some(Promised {
            types: (promised.types & Types::NULL) | Types::STRING,
            ..promised
        })
    }

    fn promise_once(
        &self,
        field: &Pointer,
        port: &Port,
        seen: &mut BTreeSet<(NodeIx, Pointer)>,
    ) -> Option<Promised> {
        let mut promised = self.promise_of(field, port, seen)?;
        if let Some(join) = self.lacks(field, port) {
            promised.optional = true;
            promised.unpaired = Some(join);
        }
        Some(promised)
    }

    /// The join behind which some events lack all of what the field is a part of.
    fn lacks(&self, field: &Pointer, port: &Port) -> Option<NodeIx> {
        if port.lacking.is_empty() {
            return None;
        }
        let origin = self.field(field, port);
        let join = match self.origins.borrow().get(origin) {
            Origin::Field(base, _) => port.lacking.get(base).copied(),
            Origin::Context(..) | Origin::Computed(..) => None,
        };
        let tokens = field.tokens();
        let mut around = (1..=tokens.len()).map(|end| tokens[..end].iter().cloned().collect());
        let asked = |place: Pointer| port.present.contains(&self.field(&place, port));
        join.filter(|_| !around.any(asked))
    }

    fn promise_of(
        &self,
        field: &Pointer,
        port: &Port,
        seen: &mut BTreeSet<(NodeIx, Pointer)>,
    ) -> Option<Promised> {
        let origin = self.field(field, port);
        let origin = self.origins.borrow().get(origin).clone();
        let (ty, field, node) = match (&port.payload.ty, origin) {
            (Some(ty), Origin::Field(Base::Made(node) | Base::Sent(node, _), _)) => {
                (ty.clone(), field.clone(), node)
            }
            (None, Origin::Field(base @ (Base::Made(node) | Base::Sent(node, _)), field)) => {
                let Some(ty) = self.sent_as(base)?.payload.ty.clone() else {
                    return self.promise_of_token(node, &field, seen);
                };
                (ty, field, node)
            }
            (_, Origin::Field(Base::Met(node), field)) => {
                if !seen.insert((node, field.clone())) {
                    return None;
                }
                let sides = self.design.nodes[node].ins.iter();
                let mut joined: Option<Promised> = None;
                for side in sides.filter_map(|edge| self.edge(*edge)) {
                    // Who promises nothing takes nothing back, either.
                    let Some(side) = self.promise_once(&field, side, seen) else {
                        continue;
                    };
                    match &mut joined {
                        None => joined = Some(side),
                        Some(joined) => {
                            joined.types = joined.types | side.types;
                            joined.optional |= side.optional;
                            joined.unpaired = joined.unpaired.or(side.unpaired);
                            joined.by.extend(side.by);
                        }
                    }
                }
                return joined;
            }
            (_, Origin::Context(..) | Origin::Computed(..)) => return None,
        };
        let (types, optional) = match self.declared(&ty, &field)? {
            Declared::Promised(promise) => (promise.types, promise.optional),
            Declared::NotListed => (Types::ANY, true),
            Declared::Unknown => return None,
        };
        Some(Promised {
            types,
            optional,
            by: vec![(node, ty, field)],
            unpaired: None,
        })
    }

    /// Labels of an event type with their clauses, ready to be shared by tags.
    fn labels_of(&self, ty: &Id) -> TypeLabels {
        let mut labels = self.labels.borrow_mut();
        let shared = labels.entry(ty.clone()).or_insert_with(|| {
            let declared = self.design.document.types.get(ty);
            let labels = declared.into_iter().flat_map(|ty| &ty.labels);
            let clauses = |label: &Label| label.0.iter().cloned().map(Rc::new).collect();
            labels
                .map(|(field, label)| (field.clone(), clauses(label)))
                .collect()
        });
        Rc::clone(shared)
    }

    /// Whether an event type says more of its fields than their shape: a unit, a numbering, a time
    /// zone or a list of words.
    pub(crate) fn meanings_told(&self) -> bool {
        *self.meanings_told.get_or_init(|| {
            let mut types = self.design.document.types.iter();
            types.any(|(id, ty)| {
                let said = ["spaces", "clocks"];
                said.iter().any(|name| ty.declared.get(name).is_some())
                    || ty.measures.values().any(|measure| !measure.unit.is_empty())
                    || self.schema(id.as_str()).is_some_and(|schema| {
                        let mut fields = schema.fields().into_iter();
                        fields.any(|field| schema.values(&field.pointer).is_some())
                    })
            })
        })
    }

    /// What an event type promises of a field.
    fn declared(&self, ty: &Id, field: &Pointer) -> Option<Declared> {
        let mut held = self.declared.borrow_mut();
        let of_type = held.entry(ty.clone()).or_default();
        if let Some(declared) = of_type.get(field) {
            return Some(*declared);
        }
        let declared = self.schema(ty.as_str())?.declared(field);
        of_type.insert(field.clone(), declared);
        Some(declared)
    }

    pub(crate) fn schema(&self, ty: &str) -> Option<Rc<Schema>> {
        let mut schemas = self.schemas.borrow_mut();
        let schema = schemas.entry(ty.into()).or_insert_with(|| {
            let declared = self.design.document.types.get(ty)?;
            Some(Rc::new(Schema::new(&declared.schema)))
        });
        schema.clone()
    }

    /// Whether somebody claims this of the node.
    pub(crate) fn assumed(&self, node: NodeIx, what: &str) -> bool {
        self.design.assumed(node, what)
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

fn meet_orders(node: NodeIx, sides: &[&Port]) -> Order {
    let lost = |side: &&&Port| matches!(side.order, Order::Lost(..));
    let again = sides.iter().filter(|side| side.redelivery.given_up).count();
    let mut first_time = sides.iter().filter(|side| !side.redelivery.given_up);
    if again > 0 && again < sides.len() {
        // What was given up once has lost its place, whatever it came by.
        let before = first_time.find(lost);
        return before.map_or(Order::Lost(node, Loss::Retry), |side| side.order.clone());
    }
    let before = sides.iter().find(lost);
    before.map_or(Order::Lost(node, Loss::Meeting), |side| side.order.clone())
}

fn meet_modes(sides: &[&Port], payload: &Payload, origins: &mut Origins) -> Mode {
    let first = &sides[0].mode;
    if sides.iter().all(|side| side.mode == *first) {
        return first.clone();
    }
    let keys = sides.iter().map(|side| match &side.mode {
        Mode::Upsert(key) => Some((&*side.payload, &**key)),
        Mode::Append | Mode::Snapshot | Mode::Mixed => None,
    });
    let Some(keys) = keys.collect::<Option<Vec<_>>>() else {
        return Mode::Mixed;
    };
    match placement::key_after_meeting(payload, &keys, origins) {
        Some(key) => Mode::Upsert(key.into()),
        None => Mode::Mixed,
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
            Part::Hash { key, form, .. } => keys.push((&*side.payload, &**key, &**form)),
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
    match placement::after_meeting(payload, &keys, origins) {
        Some((key, form)) if same_count => Part::Hash {
            key: key.into(),
            form: Rc::new(form),
            count,
            by,
        },
        _ => Part::Mixed { at: node },
    }
}

/// Marks what stands for a field among the fields that were seen.
const TOKEN: &str = "$token";

/// A list of pointers as a config field or a declaration holds it.
pub(crate) fn pointers(value: Option<&Value>) -> Vec<Pointer> {
    let items = value.and_then(Value::as_array).unwrap_or_default();
    items
        .iter()
        .filter_map(|item| Pointer::parse(item.as_str()?).ok())
        .collect()
}
