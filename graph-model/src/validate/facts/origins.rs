//! Where values come from: identities of fields that survive copies and renames, and which of them
//! decide which others.

use std::collections::BTreeSet;

use indexmap::{Equivalent, IndexSet};
use rustc_hash::{FxBuildHasher, FxHashMap, FxHashSet};
use smol_str::SmolStr;

use crate::pointer::Pointer;
use crate::validate::design::NodeIx;

/// Number of an origin.
pub(crate) type OriginId = u32;

/// Whose fields they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Base {
    /// Of events that the node made.
    Made(NodeIx),
    /// Of events that the node made and sent by the branch with this number, which have a type of
    /// their own.
    Sent(NodeIx, u16),
    /// Of events of several streams that met at the node.
    Met(NodeIx),
}

impl Base {
    /// The node that made them, or where they met.
    pub(crate) fn node(self) -> NodeIx {
        match self {
            Base::Made(node) | Base::Sent(node, _) | Base::Met(node) => node,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Origin {
    Field(Base, Pointer),
    /// A part of the event's context, such as its id.
    Context(Base, Pointer),
    /// What this expression makes of these.
    Computed(SmolStr, Vec<OriginId>),
}

/// An origin to look up; hashed as the variant of the same name, so they keep their places.
#[derive(Hash)]
enum Known<'k> {
    Field(Base, &'k Pointer),
    Context(Base, &'k Pointer),
}

impl Equivalent<Origin> for Known<'_> {
    fn equivalent(&self, origin: &Origin) -> bool {
        match (self, origin) {
            (Known::Field(base, field), Origin::Field(own, at))
            | (Known::Context(base, field), Origin::Context(own, at)) => {
                base == own && *field == at
            }
            _ => false,
        }
    }
}

/// Why copies of one fact have different values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Renewal {
    /// The node makes the value anew each time; nobody in particular when it varies by its nature.
    By(Option<NodeIx>),
    /// Code that cannot be looked into may do so.
    Code(NodeIx),
}

/// All origins of a design.
#[derive(Default)]
pub(crate) struct Origins {
    all: IndexSet<Origin, FxBuildHasher>,
    /// Each origin is decided by all of one of these sets.
    decided_by: FxHashMap<OriginId, Vec<Said<Vec<OriginId>>>>,
    identities: FxHashMap<Base, Vec<Said<OriginId>>>,
    /// Differ between copies of one fact.
    unstable: FxHashMap<OriginId, Vec<Option<NodeIx>>>,
    opaque: FxHashMap<Base, Vec<Option<NodeIx>>>,
    /// The node whose facts are computed at the moment.
    sayer: Option<NodeIx>,
    /// What each node said, so that it can be taken back.
    said: FxHashMap<NodeIx, Vec<Statement>>,
}

/// Something that a node said; nobody in particular when it always holds.
#[derive(Clone, Debug)]
struct Said<T> {
    what: T,
    by: Option<NodeIx>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Statement {
    Decided(OriginId, Vec<OriginId>),
    Identity(Base, OriginId),
    Unstable(OriginId),
    Opaque(Base),
}

impl Origins {
    /// Takes back what the node said before; what is said until [`Origins::end`] is its word now.
    pub(crate) fn begin(&mut self, node: NodeIx) -> Vec<Statement> {
        self.sayer = Some(node);
        let before = self.said.remove(&node).unwrap_or_default();
        let other = |by: &Option<NodeIx>| *by != Some(node);
        for statement in &before {
            match statement {
                Statement::Decided(origin, _) => {
                    if let Some(sets) = self.decided_by.get_mut(origin) {
                        sets.retain(|said| other(&said.by));
                    }
                }
                Statement::Identity(base, _) => {
                    if let Some(known) = self.identities.get_mut(base) {
                        known.retain(|said| other(&said.by));
                    }
                }
                Statement::Unstable(origin) => {
                    if let Some(by) = self.unstable.get_mut(origin) {
                        by.retain(other);
                    }
                }
                Statement::Opaque(base) => {
                    if let Some(by) = self.opaque.get_mut(base) {
                        by.retain(other);
                    }
                }
            }
        }
        before
    }

    /// Whether the node said something else than before.
    pub(crate) fn end(&mut self, before: &[Statement]) -> bool {
        let node = self.sayer.take();
        let now = node.and_then(|node| self.said.get(&node));
        now.map_or(&[][..], Vec::as_slice) != before
    }

    fn note(&mut self, statement: Statement) {
        if let Some(node) = self.sayer {
            self.said.entry(node).or_default().push(statement);
        }
    }

    pub(crate) fn id(&mut self, origin: Origin) -> OriginId {
        let (id, new) = self.all.insert_full(origin);
        let id = id as OriginId;
        if new && let Origin::Computed(_, parts) = self.get(id) {
            let what = parts.clone();
            self.decided_by.insert(id, vec![Said { what, by: None }]);
        }
        id
    }

    /// The origin of a field.
    pub(crate) fn field(&mut self, base: Base, field: &Pointer) -> OriginId {
        match self.all.get_index_of(&Known::Field(base, field)) {
            Some(id) => id as OriginId,
            None => self.id(Origin::Field(base, field.clone())),
        }
    }

    /// The origin of a part of the context.
    pub(crate) fn context(&mut self, base: Base, part: &Pointer) -> OriginId {
        match self.all.get_index_of(&Known::Context(base, part)) {
            Some(id) => id as OriginId,
            None => self.id(Origin::Context(base, part.clone())),
        }
    }

    /// Whose field it is.
    pub(crate) fn base(&self, origin: OriginId) -> Option<Base> {
        match self.get(origin) {
            Origin::Field(base, _) => Some(*base),
            Origin::Context(..) | Origin::Computed(..) => None,
        }
    }

    pub(crate) fn get(&self, id: OriginId) -> &Origin {
        &self.all[id as usize]
    }

    /// Whoever knows all of `these` knows `decided` too.
    pub(crate) fn decide(&mut self, these: Vec<OriginId>, decided: OriginId) {
        let by = self.sayer;
        let sets = self.decided_by.entry(decided).or_default();
        let known =
            |said: &Said<Vec<OriginId>>| said.what == these && (said.by == by || said.by.is_none());
        if these.contains(&decided) || sets.iter().any(known) {
            return;
        }
        sets.push(Said {
            what: these.clone(),
            by,
        });
        self.note(Statement::Decided(decided, these));
    }

    /// The origin tells the events of the base apart, and all copies of one have the same.
    pub(crate) fn identify(&mut self, base: Base, origin: OriginId) {
        let by = self.sayer;
        let known = self.identities.entry(base).or_default();
        if known
            .iter()
            .any(|said| said.what == origin && said.by == by)
        {
            return;
        }
        known.push(Said { what: origin, by });
        self.note(Statement::Identity(base, origin));
    }

    pub(crate) fn identities(&self, base: Base) -> Vec<OriginId> {
        let known = self.identities.get(&base).into_iter().flatten();
        known.map(|said| said.what).collect()
    }

    pub(crate) fn is_identity(&self, base: Base, origin: OriginId) -> bool {
        let mut known = self.identities.get(&base).into_iter().flatten();
        known.any(|said| said.what == origin)
    }

    /// The origin differs between copies, because of what the node makes of it.
    pub(crate) fn mark_unstable(&mut self, origin: OriginId) {
        let by = self.sayer;
        let known = self.unstable.entry(origin).or_default();
        if !known.contains(&by) {
            known.push(by);
            self.note(Statement::Unstable(origin));
        }
    }

    /// The origin differs between copies by its nature.
    pub(crate) fn always_unstable(&mut self, origin: OriginId) {
        let known = self.unstable.entry(origin).or_default();
        if !known.contains(&None) {
            known.push(None);
        }
    }

    /// What the base's fields hold may differ each time, but for their identity.
    pub(crate) fn mark_opaque(&mut self, base: Base) {
        let by = self.sayer;
        let known = self.opaque.entry(base).or_default();
        if !known.contains(&by) {
            known.push(by);
            self.note(Statement::Opaque(base));
        }
    }

    /// Why copies of one fact have different values, where these nodes may have seen it more than once;
    /// nothing when they have the same.
    pub(crate) fn renewal(&self, origin: OriginId, again: &BTreeSet<NodeIx>) -> Option<Renewal> {
        let by = self.unstable.get(&origin).into_iter().flatten();
        let mut matters = by.filter(|by| by.is_none_or(|by| again.contains(&by)));
        if let Some(by) = matters.next() {
            return Some(Renewal::By(*by));
        }
        match self.get(origin) {
            Origin::Computed(_, parts) => parts.iter().find_map(|part| self.renewal(*part, again)),
            Origin::Field(base, _) => {
                let by = self.opaque.get(base).into_iter().flatten().flatten();
                let mut matters = by.filter(|by| again.contains(by));
                let by = *matters.next()?;
                (!self.is_identity(*base, origin)).then_some(Renewal::Code(by))
            }
            Origin::Context(..) => None,
        }
    }

    /// Whether equal values of `these` mean equal values of each of `those`.
    pub(crate) fn determines(&self, these: &[OriginId], those: &[OriginId]) -> bool {
        those.iter().all(|origin| {
            let mut open = FxHashSet::default();
            self.decided(these, *origin, &mut open)
        })
    }

    /// Whether equal values of `these` mean the same event of the base.
    pub(crate) fn identifies(&self, these: &[OriginId], base: Base) -> bool {
        let mut known = self.identities.get(&base).into_iter().flatten();
        known.any(|said| self.determines(these, std::slice::from_ref(&said.what)))
    }

    fn decided(
        &self,
        these: &[OriginId],
        origin: OriginId,
        open: &mut FxHashSet<OriginId>,
    ) -> bool {
        if these.contains(&origin) {
            return true;
        }
        if !open.insert(origin) {
            return false;
        }
        let by_identity = match self.get(origin) {
            Origin::Field(base, _) | Origin::Context(base, _) => {
                let mut known = self.identities.get(base).into_iter().flatten();
                known.any(|said| self.decided(these, said.what, open))
            }
            Origin::Computed(..) => false,
        };
        by_identity
            || self.decided_by.get(&origin).is_some_and(|sets| {
                let all = |said: &Said<Vec<OriginId>>| {
                    said.what
                        .iter()
                        .all(|part| self.decided(these, *part, open))
                };
                sets.iter().any(all)
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_known_by_what_it_is_of() {
        let mut origins = Origins::default();
        let at = Pointer::root().child("id");
        let field = origins.id(Origin::Field(Base::Made(3), at.clone()));
        let context = origins.id(Origin::Context(Base::Made(3), at.clone()));
        assert_ne!(field, context);
        assert_eq!(origins.field(Base::Made(3), &at), field);
        assert_eq!(origins.context(Base::Made(3), &at), context);
        assert_ne!(origins.field(Base::Met(3), &at), field);
    }
}
