//! What events hold at a port: which field is a copy of which origin.

use std::collections::BTreeMap;
use std::ops::Bound;

use smol_str::SmolStr;

use crate::expr::{Analysis, Expr, Operand, Variable};
use crate::id::Id;
use crate::pointer::Pointer;
use crate::validate::design::NodeIx;
use crate::validate::facts::origins::{Base, Origin, OriginId, Origins};

/// Fields that lie deeper are not told apart: what is embedded each time it comes round in a loop would
/// have ever more of them.
pub(crate) const DEPTH_MAX: usize = 8;

/// The field, or the deepest around it that is told apart.
pub(crate) fn told_apart(field: Pointer) -> Pointer {
    let tokens = field.tokens();
    if tokens.len() > DEPTH_MAX {
        tokens[..DEPTH_MAX].iter().cloned().collect()
    } else {
        field
    }
}

/// Fields that are not listed are those of `base`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Payload {
    pub base: Base,
    /// Whose id, source and type the events have.
    pub context: Base,
    /// The node that changed fields last.
    maker: NodeIx,
    fields: BTreeMap<Pointer, OriginId>,
    /// The event type whose shape they have as a whole.
    pub ty: Option<Id>,
}

impl Payload {
    /// New events of a node.
    pub(crate) fn made(node: NodeIx, ty: Option<Id>) -> Payload {
        Payload {
            base: Base::Made(node),
            context: Base::Made(node),
            maker: node,
            fields: BTreeMap::new(),
            ty,
        }
    }

    /// The same fields in events that a node makes of what was written.
    pub(crate) fn read_at(&self, node: NodeIx) -> Payload {
        Payload {
            context: Base::Made(node),
            ..self.clone()
        }
    }

    /// The origin of a field.
    pub(crate) fn field(&self, pointer: &Pointer, origins: &mut Origins) -> OriginId {
        let tokens = pointer.tokens();
        for length in (0..=tokens.len()).rev() {
            let Some(&origin) = self.fields.get(&tokens[..length]) else {
                continue;
            };
            if length == tokens.len() {
                return origin;
            }
            let below: Pointer = tokens[length..].iter().cloned().collect();
            let inside = match origins.get(origin) {
                Origin::Field(base, start) => Origin::Field(*base, start.join(&below)),
                Origin::Context(base, start) => Origin::Context(*base, start.join(&below)),
                Origin::Computed(..) => Origin::Computed(below.to_string().into(), vec![origin]),
            };
            return origins.id(inside);
        }
        let behind = (Bound::Included(tokens), Bound::Unbounded);
        let mut behind = self.fields.range::<[SmolStr], _>(behind);
        let changed_inside = behind.next().is_some_and(|(at, _)| pointer.covers(at));
        let base = if changed_inside {
            Base::Made(self.maker)
        } else {
            self.base
        };
        origins.field(base, pointer)
    }

    /// The origin of a part of the context.
    pub(crate) fn context(&self, pointer: &Pointer, origins: &mut Origins) -> OriginId {
        origins.context(self.context, pointer)
    }

    /// The origin of the id that events have in their context.
    pub(crate) fn id(&self, origins: &mut Origins) -> OriginId {
        self.context(&Pointer::root().child("id"), origins)
    }

    /// A field that holds the origin.
    pub(crate) fn place_of(&self, origin: OriginId, origins: &mut Origins) -> Option<Pointer> {
        self.places_of(origin, origins).into_iter().next()
    }

    /// Fields that hold the origin; of copies of something around it, the first.
    pub(crate) fn places_of(&self, origin: OriginId, origins: &mut Origins) -> Vec<Pointer> {
        let held = self.fields.iter().filter(|(_, held)| **held == origin);
        let mut places: Vec<Pointer> = held.map(|(field, _)| field.clone()).collect();
        let Origin::Field(base, pointer) = origins.get(origin) else {
            return places;
        };
        let (base, pointer) = (*base, pointer.clone());
        if base == self.base
            && !places.contains(&pointer)
            && self.field(&pointer, origins) == origin
        {
            places.push(pointer);
            return places;
        }
        if places.is_empty() {
            // A copy of something around it holds it too.
            let around = self.fields.iter().filter_map(|(field, held)| {
                let Origin::Field(held_base, start) = origins.get(*held) else {
                    return None;
                };
                let below = start.strip_from(&pointer).filter(|_| *held_base == base)?;
                Some(field.join(&below))
            });
            let around: Vec<Pointer> = around.collect();
            let mut around = around.into_iter();
            places.extend(around.find(|place| self.field(place, origins) == origin));
        }
        places
    }

    /// Whose fields are among its own.
    pub(crate) fn bases(&self, origins: &Origins) -> Vec<Base> {
        let held = self.fields.values();
        let held = held.filter_map(|origin| origins.base(*origin));
        std::iter::once(self.base).chain(held).collect()
    }

    /// Fields whose origins are known one by one.
    pub(crate) fn known(&self) -> impl Iterator<Item = (&Pointer, OriginId)> {
        self.fields.iter().map(|(field, origin)| (field, *origin))
    }

    /// Says what a field holds.
    pub(crate) fn set(&mut self, at: Pointer, origin: OriginId) {
        self.fields.retain(|held, _| !at.covers(held));
        self.fields.insert(at, origin);
    }

    /// A field of which nothing is known but that the node made it.
    pub(crate) fn clear(&mut self, at: &Pointer, node: NodeIx, origins: &mut Origins) {
        self.maker = node;
        let new = origins.field(Base::Made(node), at);
        self.set(at.clone(), new);
    }

    /// Puts another event as a whole at a place.
    pub(crate) fn embed(&mut self, at: &Pointer, other: &Payload, origins: &mut Origins) {
        let whole = other.field(&Pointer::root(), origins);
        self.set(at.clone(), whole);
        if !other.fields.is_empty() {
            // Where parts were changed, the rest is still that of the base.
            let base = origins.field(other.base, &Pointer::root());
            self.set(at.clone(), base);
        }
        for (field, origin) in &other.fields {
            let place = at.join(field);
            if place.tokens().len() > DEPTH_MAX {
                let place = told_apart(place);
                let new = origins.field(Base::Made(self.maker), &place);
                self.fields.insert(place, new);
            } else {
                self.fields.insert(place, *origin);
            }
        }
    }

    /// Removes or replaces fields.
    pub(crate) fn without(
        &self,
        node: NodeIx,
        fields: &[Pointer],
        origins: &mut Origins,
    ) -> Payload {
        let mut payload = self.clone();
        payload.maker = node;
        payload.ty = None;
        for field in fields {
            payload.fields.retain(|held, _| !field.covers(held));
            let gone = origins.field(Base::Made(node), field);
            payload.fields.insert(field.clone(), gone);
        }
        payload
    }

    /// What an expression makes of it. `elements` takes the elements of its result, one event each.
    pub(crate) fn through(
        &self,
        node: NodeIx,
        analysis: &Analysis,
        elements: bool,
        origins: &mut Origins,
    ) -> Payload {
        let keeps_all = analysis.rest.is_some() && analysis.outputs.is_empty();
        if let Some(rest) = &analysis.rest
            && keeps_all
            && rest.except.is_empty()
            && !elements
        {
            return self.clone();
        }
        let mut payload = Payload::made(node, None);
        payload.context = if elements {
            Base::Made(node)
        } else {
            self.context
        };
        if let Some(rest) = analysis.rest.as_ref().filter(|_| !elements) {
            payload.base = self.base;
            payload.fields.clone_from(&self.fields);
            for field in &rest.except {
                payload.fields.retain(|held, _| !field.covers(held));
                let new = origins.field(Base::Made(node), field);
                payload.fields.insert(field.clone(), new);
            }
        }
        for row in &analysis.outputs {
            let Some(place) = placed(&row.pointer, elements) else {
                continue;
            };
            if place.tokens().iter().any(|token| token == "*") {
                continue;
            }
            let copy = row
                .copy
                .as_ref()
                .filter(|copy| !copy.tokens().iter().any(|token| token == "*"));
            // The elements of a copied array are no copies of the array.
            let whole = elements && row.pointer.is_root();
            if let Some(copy) = copy.filter(|_| !whole) {
                let origin = self.field(copy, origins);
                payload.fields.insert(place, origin);
                continue;
            }
            let new = origins.field(Base::Made(node), &place);
            if row.nondet {
                origins.mark_unstable(new);
            }
            let single = !row
                .deps
                .fields
                .iter()
                .chain(&row.deps.shapes)
                .any(|field| field.tokens().iter().any(|token| token == "*"));
            if single && row.copy.is_none() && row.ctl.is_empty() && !row.nondet && !elements {
                let mut parts: Vec<OriginId> = row
                    .deps
                    .fields
                    .iter()
                    .chain(&row.deps.shapes)
                    .map(|field| self.field(field, origins))
                    .collect();
                for read in &row.deps.context {
                    parts.push(self.context(&read.pointer, origins));
                }
                if row.injective {
                    for part in &parts {
                        origins.decide(vec![new], *part);
                    }
                }
                origins.decide(parts, new);
            }
            payload.fields.insert(place, new);
        }
        payload
    }

    /// What a key is made of: equal keys mean equal values of all of these, and the reverse.
    pub(crate) fn key(&self, expr: &Expr, origins: &mut Origins) -> Vec<OriginId> {
        let analysis = expr.analysis();
        let mut parts = Vec::new();
        let mut injective = false;
        if let Some(key) = &analysis.key {
            injective = key.injective;
            for part in &key.parts {
                match part {
                    Operand::Field(field) => parts.push(self.field(field, origins)),
                    Operand::Context(read) if read.variable == Variable::Event => {
                        parts.push(self.context(&read.pointer, origins));
                    }
                    Operand::Context(read) => {
                        let other = Origin::Computed(read.to_string().into(), Vec::new());
                        let other = origins.id(other);
                        origins.always_unstable(other);
                        parts.push(other);
                    }
                    Operand::Constant(_) => {}
                }
            }
        } else {
            let reads = &analysis.reads;
            for field in reads.fields.iter().chain(&reads.shapes) {
                // Every access looks at the shape of the whole event, which says nothing here.
                if !field.is_root() || reads.fields.contains(field) {
                    parts.push(self.field(field, origins));
                }
            }
            for read in &reads.context {
                parts.push(self.context(&read.pointer, origins));
            }
        }
        parts.sort_unstable();
        parts.dedup();
        if !(injective || parts.is_empty() && analysis.variables.is_empty()) {
            let varies = expr.variables().contains(&Variable::Now);
            let computed = origins.id(Origin::Computed(expr.code().into(), parts));
            if varies {
                origins.always_unstable(computed);
            }
            parts = vec![computed];
        }
        parts
    }

    /// The field of a result that has the key of its group.
    pub(crate) fn of_group(
        node: NodeIx,
        key: &[OriginId],
        origins: &mut Origins,
    ) -> (Payload, OriginId) {
        let mut payload = Payload::made(node, None);
        let place = Pointer::root().child("key");
        let origin = match key {
            [single] => *single,
            parts => {
                let whole = origins.field(Base::Made(node), &place);
                for part in parts {
                    origins.decide(vec![whole], *part);
                }
                origins.decide(parts.to_vec(), whole);
                whole
            }
        };
        payload.fields.insert(place, origin);
        (payload, origin)
    }

    /// What is known where streams meet.
    pub(crate) fn meet(node: NodeIx, sides: &[&Payload], origins: &mut Origins) -> Payload {
        let first = sides[0];
        if sides.iter().all(|side| **side == *first) {
            return first.clone();
        }
        let met = Base::Met(node);
        let same = |of: fn(&Payload) -> Base| {
            let base = of(first);
            if sides.iter().all(|side| of(side) == base) {
                base
            } else {
                met
            }
        };
        let mut payload = Payload {
            base: same(|side| side.base),
            context: same(|side| side.context),
            maker: node,
            fields: BTreeMap::new(),
            ty: first
                .ty
                .clone()
                .filter(|ty| sides.iter().all(|side| side.ty.as_ref() == Some(ty))),
        };
        let places: std::collections::BTreeSet<&Pointer> =
            sides.iter().flat_map(|side| side.fields.keys()).collect();
        for place in places {
            let origin = first.field(place, origins);
            let agreed = sides[1..]
                .iter()
                .all(|side| side.field(place, origins) == origin);
            if agreed {
                payload.fields.insert(place.clone(), origin);
            } else if payload.base != met {
                let new = origins.field(met, place);
                payload.fields.insert(place.clone(), new);
            }
        }
        if payload.context == met {
            payload.identify(sides, origins);
        }
        payload
    }

    /// Finds what identifies the events on all sides.
    fn identify(&self, sides: &[&Payload], origins: &mut Origins) {
        let id = Pointer::root().child("id");
        let by_id = sides.iter().all(|side| {
            let own = side.context(&id, origins);
            origins.is_identity(side.context, own)
        });
        if by_id {
            let own = self.context(&id, origins);
            origins.identify(self.context, own);
            origins.identify(self.base, own);
        }
        for identity in origins.identities(sides[0].context) {
            let Some(place) = sides[0].place_of(identity, origins) else {
                continue;
            };
            let everywhere = sides.iter().all(|side| {
                let own = side.field(&place, origins);
                origins.is_identity(side.context, own)
            });
            if everywhere {
                let own = self.field(&place, origins);
                origins.identify(self.context, own);
                origins.identify(self.base, own);
            }
        }
    }
}

/// Where an output goes in the event: the elements of an array are events of their own.
pub(crate) fn placed(output: &Pointer, elements: bool) -> Option<Pointer> {
    if !elements || output.is_root() {
        return Some(output.clone());
    }
    let (first, rest) = output.tokens().split_first()?;
    let element = first == "*" || first.bytes().all(|byte| byte.is_ascii_digit());
    element.then(|| rest.iter().cloned().collect())
}
