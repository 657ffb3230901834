//! Who may read what: labels on fields, with where each came from.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::expr::{Analysis, Sources, covers, related, tail};
use crate::id::Id;
use crate::label::{Atom, Clause};
use crate::pointer::Pointer;
use crate::validate::design::NodeIx;
use crate::validate::facts::origins::OriginId;
use crate::validate::facts::payload::placed;

/// Number of a tag.
pub(crate) type TagId = u32;

/// One clause on one field of the events of one node, or that outsiders sent them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tag {
    /// The node whose events brought it.
    pub node: NodeIx,
    /// The event type that says it.
    pub ty: Id,
    pub field: Pointer,
    pub clause: Clause,
    /// Where the owners stand that the clause speaks of.
    pub anchors: Vec<(Atom, OriginId)>,
    /// Whom the event is about: the owners, or else the subject of its type.
    pub people: Vec<OriginId>,
    /// Set where it is on results over several events.
    pub fold: Option<Fold>,
    pub sort: Sort,
}

/// What a tag says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Sort {
    /// Only some may read it.
    Clause,
    /// Strangers sent it, and nothing has checked it.
    Unchecked,
    /// Callers chose it, checked or not.
    Chosen,
}

/// How a tag came to be on a result over several events.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fold {
    /// The tag of the single events.
    pub of: TagId,
    /// The node that made the result.
    pub by: NodeIx,
    /// The result is a number over all events of the group, not one of their values.
    pub blurs: bool,
}

/// What a tag is the same tag by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum TagKey {
    /// A clause of the label of a field, as a node's event type has it.
    Clause(NodeIx, Id, Pointer, usize),
    /// A tag of single events, on what a node makes of several.
    Folded(NodeIx, TagId, bool),
    /// What outsiders sent to a node.
    Sent(NodeIx, Sort),
}

/// What readers of each field must satisfy; holds for all below the field too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Labels(pub BTreeMap<Pointer, Tags>);

/// Tags that several fields and ports may share.
pub(crate) type Tags = Rc<BTreeSet<TagId>>;

impl Tag {
    /// Something that outsiders sent to the node.
    pub(crate) fn sent_to(node: NodeIx, sort: Sort) -> Tag {
        Tag {
            node,
            ty: Id::default(),
            field: Pointer::root(),
            clause: Clause::default(),
            anchors: Vec::new(),
            people: Vec::new(),
            fold: None,
            sort,
        }
    }
}

impl Labels {
    /// Of the event as a whole.
    pub(crate) fn at_root(tags: &BTreeSet<TagId>) -> Labels {
        let mut labels = Labels::default();
        labels.add(Pointer::root(), tags);
        labels
    }

    /// Adds the labels of something that is put at a place.
    pub(crate) fn shift(&mut self, at: &Pointer, other: &Labels) {
        for (field, tags) in &other.0 {
            self.share(at.join(field), tags);
        }
    }

    /// Without these tags.
    pub(crate) fn less(&self, gone: &BTreeSet<TagId>) -> Labels {
        let mut labels = Labels::default();
        for (field, tags) in &self.0 {
            labels.add(field.clone(), &(&**tags - gone));
        }
        labels
    }

    /// Tags of a field: of it, of all around it and of all inside it.
    pub(crate) fn at(&self, field: &Pointer) -> BTreeSet<TagId> {
        let touched = self.0.iter().filter(|(at, _)| related(at, field));
        touched.flat_map(|(_, tags)| tags.iter()).copied().collect()
    }

    pub(crate) fn add(&mut self, field: Pointer, tags: &BTreeSet<TagId>) {
        if !tags.is_empty() {
            Rc::make_mut(self.0.entry(field).or_default()).extend(tags);
        }
    }

    /// Like [`Labels::add`], without copying the tags where the field has none yet.
    pub(crate) fn share(&mut self, field: Pointer, tags: &Tags) {
        match self.0.entry(field) {
            Entry::Vacant(place) => {
                if !tags.is_empty() {
                    place.insert(Rc::clone(tags));
                }
            }
            Entry::Occupied(mut held) => {
                if !Rc::ptr_eq(held.get(), tags) && !tags.is_subset(held.get()) {
                    Rc::make_mut(held.get_mut()).extend(tags.iter());
                }
            }
        }
    }

    pub(crate) fn join(&mut self, other: &Labels) {
        for (field, tags) in &other.0 {
            self.share(field.clone(), tags);
        }
    }

    /// Removed or replaced fields say nothing any more.
    pub(crate) fn without(&self, fields: &[Pointer]) -> Labels {
        let stays = |field: &Pointer| !fields.iter().any(|gone| covers(gone, field));
        let kept = self.0.iter().filter(|(field, _)| stays(field));
        Labels(
            kept.map(|(field, tags)| (field.clone(), tags.clone()))
                .collect(),
        )
    }

    /// All tags, whatever field they are on.
    pub(crate) fn all(&self) -> BTreeSet<TagId> {
        self.0
            .values()
            .flat_map(|tags| tags.iter())
            .copied()
            .collect()
    }

    /// Tags of everything that is read here.
    pub(crate) fn of(&self, sources: &Sources) -> BTreeSet<TagId> {
        let touched = self
            .0
            .iter()
            .filter(|(field, _)| sources.touched_by(field, false));
        touched.flat_map(|(_, tags)| tags.iter()).copied().collect()
    }

    /// Labels of what an expression makes. `elements` takes the elements of its result.
    pub(crate) fn through(&self, analysis: &Analysis, elements: bool) -> Labels {
        let mut out = Labels::default();
        let mut put = |place: Pointer, tags: &Tags| {
            // What is not an element of the result may be any of them.
            out.share(placed(&place, elements).unwrap_or_default(), tags);
        };
        for (field, tags) in &self.0 {
            for row in &analysis.outputs {
                if row.ctl.touched_by(field, false) {
                    put(row.pointer.clone(), tags);
                }
                match &row.copy {
                    Some(copy) if related(copy, field) => {
                        let below = tail(copy, field).unwrap_or_default();
                        put(row.pointer.join(&below), tags);
                    }
                    None if row.deps.touched_by(field, false) => put(row.pointer.clone(), tags),
                    _ => {}
                }
            }
            if let Some(rest) = &analysis.rest {
                if !rest.except.iter().any(|except| covers(except, field)) {
                    put(field.clone(), tags);
                }
                if rest.ctl.touched_by(field, false) {
                    put(Pointer::root(), tags);
                }
            }
        }
        out
    }
}
