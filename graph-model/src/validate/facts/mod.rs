//! Facts at every port, computed to a fixpoint: where values come from, who may read them, how
//! often, in which order and where events arrive.

pub(crate) mod definition;
pub(crate) mod delivery;
pub(crate) mod labels;
pub(crate) mod origins;
pub(crate) mod payload;
pub(crate) mod release;
mod solve;
mod transfer;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use rustc_hash::FxHashMap;
use smol_str::SmolStr;

use crate::catalog::{Behaviour, PortRole};
use crate::document::{Audience, WhenFull};
use crate::expr::Expr;
use crate::id::Id;
use crate::pointer::Pointer;
use crate::schema::{Declared, Schema, Types};
use crate::validate::design::{Design, EdgeIx, NodeIx};
use crate::value::Value;
use definition::Definition;
use delivery::{Copies, Losing, Loss, Mode, Order, Part};
use labels::{Labels, Tag, TagId};
use origins::{Base, Origin, OriginId, Origins};
use payload::Payload;
use release::Release;

/// What is known of the events at a port.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Port {
    pub payload: Rc<Payload>,
    /// Who may read which field.
    pub labels: Rc<Labels>,
    /// What strangers wrote and nothing has checked.
    pub taint: Rc<Labels>,
    /// Labels of what decided that an event comes at all.
    pub presence: Rc<BTreeSet<TagId>>,
    /// Viewers see an event only when this claim of theirs equals this value.
    pub guards: Rc<BTreeSet<(OriginId, SmolStr)>>,
    /// Values that are there in every event and not null.
    pub present: Rc<BTreeSet<OriginId>>,
    pub copies: Copies,
    pub order: Order,
    pub part: Part,
    pub mode: Mode,
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
pub(crate) struct Facts {
    pub design: Rc<Design>,
    pub tags: Vec<Tag>,
    /// Nodes that can reach each other, feeders first.
    pub components: Vec<Vec<NodeIx>>,
    inputs: Vec<Option<Port>>,
    /// What arrives at the second input, for the kinds that have one.
    seconds: FxHashMap<NodeIx, Port>,
    outputs: Vec<Option<Port>>,
    /// What nodes leave in the resources that they write.
    stored: FxHashMap<NodeIx, Port>,
    origins: RefCell<Origins>,
    schemas: RefCell<FxHashMap<SmolStr, Option<Rc<Schema>>>>,
    tag_index: FxHashMap<(NodeIx, Id, Pointer, usize), TagId>,
    releases: Vec<Release>,
    /// A tag of the node at hand has changed its meaning.
    tags_changed: bool,
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
        self.inputs[node].as_ref()
    }

    /// What arrives at the second input of a node.
    pub(crate) fn second(&self, node: NodeIx) -> Option<&Port> {
        self.seconds.get(&node)
    }

    /// What leaves a node by its ordinary outputs.
    pub(crate) fn output(&self, node: NodeIx) -> Option<&Port> {
        self.outputs[node].as_ref()
    }

    /// What a wire carries.
    pub(crate) fn edge(&self, edge: EdgeIx) -> Option<&Port> {
        let view = &self.design.edges[edge];
        if view.resource {
            return self.stored.get(&view.from);
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
            self.inputs[view.from].as_ref()
        } else {
            self.outputs[view.from].as_ref()
        }
    }

    /// Rules of the document by which labels may be lowered.
    pub(crate) fn releases(&self) -> &[Release] {
        &self.releases
    }

    fn gather(&self, node: NodeIx, input: usize) -> Option<Port> {
        let edges = self.design.nodes[node].ins.iter();
        let sides: Vec<(EdgeIx, &Port)> = edges
            .filter(|edge| self.design.edges[**edge].input == input)
            .filter_map(|edge| Some((*edge, self.edge(*edge)?)))
            .collect();
        let mut port = self.meet(node, &sides)?;
        let dropping = |edge: &&(EdgeIx, &Port)| {
            self.design.edges[edge.0].edge.when_full == WhenFull::DropOldest
        };
        if port.losing.is_none() {
            port.losing = sides.iter().find(dropping).map(|(edge, _)| Losing::Wire {
                from: self.design.edges[*edge].from,
                to: node,
            });
        }
        Some(port)
    }

    fn meet(&self, node: NodeIx, sides: &[(EdgeIx, &Port)]) -> Option<Port> {
        let ((_, first), others) = sides.split_first()?;
        if others.is_empty() {
            return Some((*first).clone());
        }
        let sides: Vec<&Port> = sides.iter().map(|(_, port)| *port).collect();
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
        let mut guards = (*first.guards).clone();
        guards.retain(|guard| others.iter().all(|side| side.guards.contains(guard)));
        let mut present = (*first.present).clone();
        present.retain(|origin| others.iter().all(|side| side.present.contains(origin)));
        let mut presence = Rc::clone(&first.presence);
        let mut definition = Rc::clone(&first.definition);
        for side in others {
            if !side.presence.is_subset(&presence) {
                Rc::make_mut(&mut presence).extend(&*side.presence);
            }
            if definition != side.definition {
                definition = Rc::new(definition.with(&side.definition));
            }
        }
        let copies = others
            .iter()
            .fold(first.copies, |copies, side| copies.or(side.copies));
        let lost = sides
            .iter()
            .find(|side| matches!(side.order, Order::Lost(..)));
        let order = lost.map_or(Order::Lost(node, Loss::Meeting), |side| side.order.clone());
        let mode = if others.iter().all(|side| side.mode == first.mode) {
            first.mode.clone()
        } else {
            Mode::Mixed
        };
        let part = meet_parts(node, &sides, &payload, origins);
        let sizes = sides.iter().map(|side| side.size);
        Some(Port {
            payload: Rc::new(payload),
            labels: joined(|port| &port.labels),
            taint: joined(|port| &port.taint),
            presence,
            guards: Rc::new(guards),
            present: Rc::new(present),
            copies,
            order,
            part,
            mode,
            losing: sides.iter().find_map(|side| side.losing),
            delay: sides.iter().filter_map(|side| side.delay).max(),
            definition,
            size: sizes
                .collect::<Option<Vec<_>>>()
                .and_then(|sizes| sizes.into_iter().max()),
        })
    }

    /// Number of a tag; the same for the same clause of the same field of a node's events.
    fn tag(&mut self, node: NodeIx, tag: Tag) -> TagId {
        let key = (node, tag.ty.clone(), tag.field.clone(), tag.number);
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

    /// Whether events of two streams whose keys are the same are in the same place.
    pub(crate) fn together(
        &self,
        node: NodeIx,
        keys: (&str, &str),
        left: &Port,
        right: &Port,
    ) -> bool {
        match (&left.part, &right.part) {
            (Part::Single, Part::Single) => true,
            (
                Part::Hash {
                    key: by_left,
                    count,
                    ..
                },
                Part::Hash {
                    key: by_right,
                    count: other,
                    ..
                },
            ) => {
                let key = |field: &str, port: &Port| {
                    let key = self.design.expr(node, field);
                    key.map(|key| self.key(key, port))
                };
                let (Some(left), Some(right)) = (key(keys.0, left), key(keys.1, right)) else {
                    return false;
                };
                // Placed by all of what is compared, so equal keys mean equal places; part of it
                // would do too, but then both must be the same part.
                let whole = |by: &[OriginId], key: &[OriginId]| {
                    let mut by = by.to_vec();
                    by.sort_unstable();
                    by == key
                };
                count == other && whole(by_left, &left) && whole(by_right, &right)
            }
            _ => false,
        }
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

    /// An origin by where it comes from.
    pub(crate) fn origin_name(&self, origin: OriginId) -> String {
        let of = |base: &Base| match base {
            Base::Made(node) | Base::Met(node) => self.design.title(*node).to_owned(),
        };
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
