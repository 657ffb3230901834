//! Who may read what: labels on fields, with where each came from.

use std::collections::{BTreeMap, BTreeSet};

use crate::expr::{Analysis, Sources, covers, related, tail};
use crate::id::Id;
use crate::label::{Atom, Clause};
use crate::pointer::Pointer;
use crate::validate::design::NodeIx;
use crate::validate::facts::origins::OriginId;
use crate::validate::facts::payload::placed;

/// Number of a tag.
pub(crate) type TagId = u32;

/// One clause on one field of the events of one node, or that strangers sent them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tag {
    /// The node whose events brought it.
    pub node: NodeIx,
    /// The event type that says it.
    pub ty: Id,
    pub field: Pointer,
    /// Which clause of the field's label.
    pub number: usize,
    pub clause: Clause,
    /// Where the owners stand that the clause speaks of.
    pub anchors: Vec<(Atom, OriginId)>,
}

/// What readers of each field must satisfy; holds for all below the field too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Labels(pub BTreeMap<Pointer, BTreeSet<TagId>>);

impl Tag {
    /// What strangers sent to the node.
    pub(crate) fn taint(node: NodeIx) -> Tag {
        Tag {
            node,
            ty: Id::default(),
            field: Pointer::root(),
            number: 0,
            clause: Clause::default(),
            anchors: Vec::new(),
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
            self.add(at.join(field), tags);
        }
    }

    /// Without these tags.
    pub(crate) fn less(&self, gone: &BTreeSet<TagId>) -> Labels {
        let mut labels = Labels::default();
        for (field, tags) in &self.0 {
            labels.add(field.clone(), &(tags - gone));
        }
        labels
    }

    /// Tags of a field: of it, of all around it and of all inside it.
    pub(crate) fn at(&self, field: &Pointer) -> BTreeSet<TagId> {
        let touched = self.0.iter().filter(|(at, _)| related(at, field));
        touched.flat_map(|(_, tags)| tags).copied().collect()
    }

    pub(crate) fn add(&mut self, field: Pointer, tags: &BTreeSet<TagId>) {
        if !tags.is_empty() {
            self.0.entry(field).or_default().extend(tags);
        }
    }

    pub(crate) fn join(&mut self, other: &Labels) {
        for (field, tags) in &other.0 {
            self.add(field.clone(), tags);
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
        self.0.values().flatten().copied().collect()
    }

    /// Tags of everything that is read here.
    pub(crate) fn of(&self, sources: &Sources) -> BTreeSet<TagId> {
        let touched = self
            .0
            .iter()
            .filter(|(field, _)| sources.touched_by(field, false));
        touched.flat_map(|(_, tags)| tags).copied().collect()
    }

    /// Labels of what an expression makes. `elements` takes the elements of its result.
    pub(crate) fn through(&self, analysis: &Analysis, elements: bool) -> Labels {
        let mut out = Labels::default();
        let mut put = |place: Pointer, tags: &BTreeSet<TagId>| {
            // What is not an element of the result may be any of them.
            out.add(placed(&place, elements).unwrap_or_default(), tags);
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
