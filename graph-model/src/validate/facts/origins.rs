//! Where values come from: identities of fields that survive copies and renames, and which of them
//! decide which others.

use rustc_hash::{FxHashMap, FxHashSet};
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
    /// Of events of several streams that met at the node.
    Met(NodeIx),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Origin {
    Field(Base, Pointer),
    /// A part of the event's context, such as its id.
    Context(Base, Pointer),
    /// What this expression makes of these.
    Computed(SmolStr, Vec<OriginId>),
}

/// All origins of a design.
#[derive(Default)]
pub(crate) struct Origins {
    all: Vec<Origin>,
    index: FxHashMap<Origin, OriginId>,
    /// Each origin is decided by all of one of these sets.
    decided_by: FxHashMap<OriginId, Vec<Vec<OriginId>>>,
    identities: FxHashMap<Base, Vec<OriginId>>,
    /// Differ between copies of one fact.
    unstable: FxHashSet<OriginId>,
    opaque: FxHashSet<Base>,
}

impl Origins {
    pub(crate) fn id(&mut self, origin: Origin) -> OriginId {
        if let Some(id) = self.index.get(&origin) {
            return *id;
        }
        let id = self.all.len() as OriginId;
        if let Origin::Computed(_, parts) = &origin {
            self.decided_by.insert(id, vec![parts.clone()]);
        }
        self.all.push(origin.clone());
        self.index.insert(origin, id);
        id
    }

    pub(crate) fn get(&self, id: OriginId) -> &Origin {
        &self.all[id as usize]
    }

    /// Whoever knows all of `these` knows `decided` too.
    pub(crate) fn decide(&mut self, these: Vec<OriginId>, decided: OriginId) {
        let sets = self.decided_by.entry(decided).or_default();
        if !sets.contains(&these) && !these.contains(&decided) {
            sets.push(these);
        }
    }

    /// The origin tells the events of the base apart, and all copies of one have the same.
    pub(crate) fn identify(&mut self, base: Base, origin: OriginId) {
        let known = self.identities.entry(base).or_default();
        if !known.contains(&origin) {
            known.push(origin);
        }
    }

    pub(crate) fn identities(&self, base: Base) -> &[OriginId] {
        self.identities.get(&base).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn mark_unstable(&mut self, origin: OriginId) {
        self.unstable.insert(origin);
    }

    /// What the base's fields hold may differ each time, but for their identity.
    pub(crate) fn mark_opaque(&mut self, base: Base) {
        self.opaque.insert(base);
    }

    /// Whether all copies of one fact have the same value.
    pub(crate) fn stable(&self, origin: OriginId) -> bool {
        if self.unstable.contains(&origin) {
            return false;
        }
        match self.get(origin) {
            Origin::Computed(_, parts) => parts.iter().all(|part| self.stable(*part)),
            Origin::Field(base, _) => {
                !self.opaque.contains(base) || self.identities(*base).contains(&origin)
            }
            Origin::Context(..) => true,
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
        self.identities(base)
            .iter()
            .any(|identity| self.determines(these, std::slice::from_ref(identity)))
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
            Origin::Field(base, _) | Origin::Context(base, _) => self
                .identities(*base)
                .iter()
                .any(|identity| self.decided(these, *identity, open)),
            Origin::Computed(..) => false,
        };
        by_identity
            || self.decided_by.get(&origin).is_some_and(|sets| {
                sets.iter()
                    .any(|set| set.iter().all(|part| self.decided(these, *part, open)))
            })
    }
}
