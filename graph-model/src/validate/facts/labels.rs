//! Who may read what: labels on fields, with where each came from.

use std::rc::Rc;

use crate::expr::{Analysis, Sources, covers, related, tail};
use crate::id::Id;
use crate::label::{Atom, Clause};
use crate::pointer::Pointer;
use crate::validate::design::NodeIx;
use crate::validate::facts::origins::OriginId;
use crate::validate::facts::payload::{DEPTH_MAX, placed, told_apart};
use crate::validate::facts::tags::{TagId, TagSet};

/// One clause on one field of the events of one node, or that outsiders sent them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tag {
    /// The node whose events brought it.
    pub node: NodeIx,
    /// The event type that says it.
    pub ty: Id,
    pub field: Pointer,
    pub clause: Rc<Clause>,
    /// Where the owners stand that the clause speaks of.
    pub anchors: Rc<[(Atom, OriginId)]>,
    /// Whom the event is about: the owners, or else the subject of its type.
    pub people: Rc<[OriginId]>,
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
    /// A clause of the label of a field, as a node's event type has it: the number of the field
    /// among those with labels (of all types, where ports have their own), and the number of the clause.
    Clause(NodeIx, u32, u32),
    /// A tag of single events, on what a node makes of several.
    Folded(NodeIx, TagId, bool),
    /// What outsiders sent to a node.
    Sent(NodeIx, Sort),
}

/// What readers of each field must satisfy; holds for all below the field too. Sorted by field, and
/// each field has tags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Labels(Vec<(Pointer, TagSet)>);

impl Tag {
    /// Something that outsiders sent to the node.
    pub(crate) fn sent_to(node: NodeIx, sort: Sort) -> Tag {
        Tag {
            node,
            ty: Id::default(),
            field: Pointer::root(),
            clause: Rc::default(),
            anchors: Rc::default(),
            people: Rc::default(),
            fold: None,
            sort,
        }
    }
}

impl Labels {
    /// Of the event as a whole.
    pub(crate) fn at_root(tags: &TagSet) -> Labels {
        Labels::of_parts(vec![(Pointer::root(), tags.clone())])
    }

    /// Fields in any order, some perhaps several times.
    fn of_parts(mut parts: Vec<(Pointer, TagSet)>) -> Labels {
        parts.retain(|(_, tags)| !tags.is_empty());
        for (field, _) in &mut parts {
            if field.tokens().len() > DEPTH_MAX {
                *field = told_apart(std::mem::take(field));
            }
        }
        if !parts.is_sorted_by(|(one, _), (next, _)| one < next) {
            parts.sort_by(|(one, _), (next, _)| one.cmp(next));
            parts.dedup_by(|(field, tags), (kept, all)| {
                let again = field == kept;
                if again {
                    all.join(tags);
                }
                again
            });
        }
        Labels(parts)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Fields with their tags, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Pointer, &TagSet)> {
        self.0.iter().map(|(field, tags)| (field, tags))
    }

    /// The tags of each field.
    pub(crate) fn sets(&self) -> impl Iterator<Item = &TagSet> {
        self.0.iter().map(|(_, tags)| tags)
    }

    /// All tags, field by field, some perhaps several times.
    pub(crate) fn tags(&self) -> impl Iterator<Item = TagId> {
        self.sets().flat_map(TagSet::iter)
    }

    /// All tags, whatever field they are on.
    pub(crate) fn all(&self) -> TagSet {
        self.tags().collect()
    }

    /// Adds the labels of something that is put at a place.
    pub(crate) fn shift(&mut self, at: &Pointer, other: &Labels) {
        let shifted = other.iter().map(|(field, tags)| (at.join(field), tags));
        self.extend(shifted);
    }

    /// Without these tags.
    pub(crate) fn less(&self, gone: &TagSet) -> Labels {
        let parts = self.iter();
        Labels::of_parts(
            parts
                .map(|(field, tags)| (field.clone(), tags - gone))
                .collect(),
        )
    }

    /// Without these tags on these fields; other copies keep them.
    pub(crate) fn less_under(&self, fields: &[Pointer], gone: &TagSet) -> Labels {
        let parts = self.iter().map(|(field, tags)| {
            let under = fields.iter().any(|above| covers(above, field));
            let tags = if under { tags - gone } else { tags.clone() };
            (field.clone(), tags)
        });
        Labels::of_parts(parts.collect())
    }

    /// Only these tags.
    pub(crate) fn only(&self, kept: &TagSet) -> Labels {
        let parts = self.iter();
        Labels::of_parts(
            parts
                .map(|(field, tags)| (field.clone(), tags & kept))
                .collect(),
        )
    }

    /// Tags of a field: of it, of all around it and of all inside it.
    pub(crate) fn at(&self, field: &Pointer) -> TagSet {
        let touched = self.iter().filter(|(at, _)| related(at, field));
        touched.flat_map(|(_, tags)| tags.iter()).collect()
    }

    /// Tags that a field has from now on too.
    pub(crate) fn add(&mut self, field: Pointer, tags: &TagSet) {
        if tags.is_empty() {
            return;
        }
        if self.0.last().is_none_or(|(last, _)| *last < field) {
            self.0.push((field, tags.clone()));
            return;
        }
        match self.0.binary_search_by(|(held, _)| held.cmp(&field)) {
            Ok(at) => self.0[at].1.join(tags),
            Err(at) => self.0.insert(at, (field, tags.clone())),
        }
    }

    pub(crate) fn join(&mut self, other: &Labels) {
        if self.is_empty() {
            self.0.clone_from(&other.0);
            return;
        }
        let mut joined = Vec::with_capacity(self.0.len().max(other.0.len()));
        let mut held = std::mem::take(&mut self.0).into_iter().peekable();
        for (field, tags) in &other.0 {
            joined.extend(std::iter::from_fn(|| held.next_if(|(at, _)| at < field)));
            match held.next_if(|(at, _)| at == field) {
                Some((at, mut all)) => {
                    all.join(tags);
                    joined.push((at, all));
                }
                None => joined.push((field.clone(), tags.clone())),
            }
        }
        joined.extend(held);
        self.0 = joined;
    }

    fn extend<'l>(&mut self, parts: impl Iterator<Item = (Pointer, &'l TagSet)>) {
        let mut all = std::mem::take(&mut self.0);
        all.extend(parts.map(|(field, tags)| (field, tags.clone())));
        *self = Labels::of_parts(all);
    }

    /// Removed or replaced fields say nothing any more.
    pub(crate) fn without(&self, fields: &[Pointer]) -> Labels {
        let stays = |field: &Pointer| !fields.iter().any(|gone| covers(gone, field));
        let kept = self.0.iter().filter(|(field, _)| stays(field));
        Labels(kept.cloned().collect())
    }

    /// Tags of everything that is read here.
    pub(crate) fn of(&self, sources: &Sources) -> TagSet {
        let touched = self.touched(sources).into_iter();
        touched.flat_map(|at| self.0[at].1.iter()).collect()
    }

    /// Only the fields of which something is read here.
    pub(crate) fn read_by<'s>(&self, sources: impl IntoIterator<Item = &'s Sources>) -> Labels {
        let sources = sources.into_iter();
        let touched = in_order(sources.flat_map(|one| self.touched(one)).collect());
        Labels(touched.into_iter().map(|at| self.0[at].clone()).collect())
    }

    /// Numbers of the fields of which something is read here, in order.
    fn touched(&self, sources: &Sources) -> Vec<usize> {
        let mut touched = Vec::new();
        let mut touch = |touches: &dyn Fn(&Pointer) -> bool| {
            let fields = self.0.iter().enumerate();
            let hit = fields.filter(|(_, (field, _))| touches(field));
            touched.extend(hit.map(|(at, _)| at));
        };
        for read in &sources.fields {
            touch(&|field| related(read, field));
        }
        for shape in &sources.shapes {
            touch(&|field| covers(field, shape));
        }
        in_order(touched)
    }

    /// Labels of what an expression makes. `elements` takes the elements of its result.
    pub(crate) fn through(&self, analysis: &Analysis, elements: bool) -> Labels {
        let mut out = Vec::with_capacity(self.0.len());
        let mut put = |place: &Pointer, tags: &TagSet| {
            // What is not an element of the result may be any of them.
            let place = if elements {
                placed(place, true).unwrap_or_default()
            } else {
                place.clone()
            };
            out.push((place, tags.clone()));
        };
        let rows = analysis.outputs.iter().map(|row| {
            let deps = match row.copy {
                Some(_) => Vec::new(),
                None => self.touched(&row.deps),
            };
            (row, self.touched(&row.ctl), deps)
        });
        let rows: Vec<_> = rows.collect();
        let rest = analysis.rest.as_ref();
        let rest = rest.map(|rest| (rest, self.touched(&rest.ctl)));
        for (at, (field, tags)) in self.iter().enumerate() {
            for (row, ctl, deps) in &rows {
                if holds(ctl, at) || holds(deps, at) {
                    put(&row.pointer, tags);
                }
                if let Some(copy) = row.copy.as_ref().filter(|copy| related(copy, field)) {
                    let below = tail(copy, field).unwrap_or_default();
                    put(&row.pointer.join(&below), tags);
                }
            }
            if let Some((rest, ctl)) = &rest {
                if !rest.except.iter().any(|except| covers(except, field)) {
                    put(field, tags);
                }
                if holds(ctl, at) {
                    put(&Pointer::root(), tags);
                }
            }
        }
        Labels::of_parts(out)
    }
}

impl FromIterator<(Pointer, TagSet)> for Labels {
    fn from_iter<I: IntoIterator<Item = (Pointer, TagSet)>>(parts: I) -> Labels {
        Labels::of_parts(parts.into_iter().collect())
    }
}

/// Each number once.
fn in_order(mut numbers: Vec<usize>) -> Vec<usize> {
    if !numbers.is_sorted_by(|one, next| one < next) {
        numbers.sort_unstable();
        numbers.dedup();
    }
    numbers
}

/// Whether a number is among these, which are in order.
fn holds(numbers: &[usize], number: usize) -> bool {
    numbers.binary_search(&number).is_ok()
}
