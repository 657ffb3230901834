//! What becomes of labels where several events become one result, and when such a result may be
//! seen by more people than the events.

use std::collections::BTreeSet;
use std::rc::Rc;

use crate::catalog::Behaviour;
use crate::expr::{Condition, Expr, Op, Operand};
use crate::label::Atom;
use crate::pointer::Pointer;
use crate::validate::design::NodeIx;
use crate::validate::facts::labels::{Fold, Tag, TagKey};
use crate::validate::facts::origins::{Base, Origin, OriginId};
use crate::validate::facts::release::By;
use crate::validate::facts::tags::{TagId, TagSet};
use crate::validate::facts::{Facts, Port};
use crate::value::Value;

/// Functions whose result is one of the values, or all of them.
const SHOWS_VALUES: [&str; 6] = ["first", "last", "list", "max", "median", "min"];

/// What an aggregate makes of its events, by name.
pub(crate) struct Column<'d> {
    pub name: &'d str,
    pub function: &'d str,
    pub of: Option<&'d Expr>,
}

impl Column<'_> {
    /// Whether no single value can be read from it.
    pub(crate) fn blurs(&self) -> bool {
        !SHOWS_VALUES.contains(&self.function)
    }
}

impl Facts {
    /// What an aggregate folds, and how.
    pub(crate) fn columns_of(&self, node: NodeIx, field: &str) -> Vec<Column<'_>> {
        let records = self.design.value(node, field).and_then(Value::as_array);
        let records = records.unwrap_or_default().iter();
        let column = |record| {
            let text = |name: &str| Value::get(record, name).and_then(Value::as_str);
            Some(Column {
                name: text("name")?,
                function: text("function").unwrap_or("count"),
                of: text("of").and_then(|code| self.design.compiled(code)),
            })
        };
        records.filter_map(column).collect()
    }

    /// The tags of events as they are on results of groups. An owner is still one only where all
    /// events of a group have the same.
    pub(super) fn folded_tags(
        &mut self,
        node: NodeIx,
        key: &[OriginId],
        tags: &TagSet,
        blurs: bool,
    ) -> TagSet {
        let mut of_root: Vec<(TagId, TagId)> =
            tags.iter().map(|tag| (self.root(tag), tag)).collect();
        of_root.sort_unstable();
        let mut folded = Vec::with_capacity(of_root.len());
        for versions in of_root.chunk_by(|(one, _), (next, _)| one == next) {
            let root = versions[0].0;
            let single = &self.tags[root as usize];
            let stays = |anchor: &&(Atom, OriginId)| {
                let everywhere = |(_, version): &(TagId, TagId)| {
                    let version = &self.tags[*version as usize];
                    version.anchors.contains(anchor)
                };
                versions.iter().all(everywhere) && self.determines(key, &[anchor.1])
            };
            let left = single.anchors.iter().filter(stays).count();
            let all_left = left == single.anchors.len();
            if !blurs && all_left && versions == [(root, root)] {
                folded.push(root);
                continue;
            }
            let anchors = if all_left {
                Rc::clone(&single.anchors)
            } else {
                single.anchors.iter().filter(stays).cloned().collect()
            };
            let fold = Fold {
                of: root,
                by: node,
                blurs,
            };
            let tag = Tag {
                anchors,
                fold: Some(fold),
                ..single.clone()
            };
            folded.push(self.tag(TagKey::Folded(node, root, blurs), tag));
        }
        folded.into_iter().collect()
    }

    /// What the groups of an aggregate are by; nothing when all events are one group.
    pub(crate) fn group_key(&self, node: NodeIx) -> Vec<OriginId> {
        let group = match self.design.behaviour(node) {
            Some(
                Behaviour::Aggregate { group, .. }
                | Behaviour::Fold { group, .. }
                | Behaviour::Decide { group, .. },
            ) => self.design.expr(node, group),
            _ => None,
        };
        match (group, self.input(node)) {
            (Some(group), Some(port)) => self.key(group, port),
            _ => Vec::new(),
        }
    }

    /// The tag of single events that a tag stands for.
    pub(crate) fn root(&self, tag: TagId) -> TagId {
        let fold = self.tags[tag as usize].fold.as_ref();
        fold.map_or(tag, |fold| fold.of)
    }

    /// Over how many people a result has to be, so that it is free of the tag; nothing when no rule
    /// of the document lets go of it.
    pub(crate) fn free_from(&self, tag: &Tag) -> Option<i64> {
        tag.fold.as_ref().filter(|fold| fold.blurs)?;
        let sizes = self.releases.iter().filter_map(|release| match release.by {
            By::Aggregate { at_least } if release.is_about(tag) => Some(at_least),
            _ => None,
        });
        sizes.min()
    }

    /// Tags that a condition lets go of, because it holds back results over too few people.
    pub(super) fn freed(&self, condition: &Condition, port: &Port) -> TagSet {
        let mut freed = BTreeSet::new();
        for conjunct in &condition.conjuncts {
            let (Operand::Field(field), Operand::Constant(Value::Int(bound))) =
                (&conjunct.left, &conjunct.right)
            else {
                continue;
            };
            let least = match conjunct.op {
                Op::Ge | Op::Eq => *bound,
                Op::Gt => bound.saturating_add(1),
                _ => continue,
            };
            let held = self.field(field, port);
            let counted = port.labels.at(field);
            for tag in port.labels.tags().chain(&port.presence) {
                if freed.contains(&tag) || !self.counts_people(held, tag) {
                    continue;
                }
                let tag_of = &self.tags[tag as usize];
                let enough = |size: i64| size <= least;
                // How many people there are is known of a group that may be shown at all.
                let any = || {
                    let of_type = self.releases.iter().filter(|held| held.ty == tag_of.ty);
                    of_type.filter_map(|release| match release.by {
                        By::Aggregate { at_least } => Some(at_least),
                        By::Role(_) | By::Tokenise => None,
                    })
                };
                if self.free_from(tag_of).is_some_and(enough)
                    || counted.contains(tag) && any().any(enough)
                {
                    freed.insert(tag);
                }
            }
        }
        freed.into_iter().collect()
    }

    /// Whether a value is the number of people, or fewer, that a result with the tag is over.
    fn counts_people(&self, held: OriginId, tag: TagId) -> bool {
        let tag = &self.tags[tag as usize];
        let Some(fold) = tag.fold.as_ref().filter(|fold| fold.blurs) else {
            return false;
        };
        let origin = self.origins.borrow().get(held).clone();
        let Origin::Field(Base::Made(by), place) = origin else {
            return false;
        };
        if by != fold.by || place.tokens().len() != 1 {
            return false;
        }
        self.people_column(by, &tag.people)
            .is_some_and(|column| place.last().is_some_and(|name| name == column))
    }
}

/// Places inside a key of several parts, with the fields that they are copies of.
pub(crate) fn parts_of(key: &Expr) -> Vec<(Pointer, Pointer)> {
    let analysis = key.analysis();
    let plain = |pointer: &Pointer| !pointer.tokens().iter().any(|token| token == "*");
    let named = analysis.outputs.iter().filter_map(|row| {
        let copy = row.copy.clone().filter(plain)?;
        (!row.pointer.is_root() && plain(&row.pointer)).then(|| (row.pointer.clone(), copy))
    });
    let mut parts: Vec<_> = named.collect();
    let list = match &analysis.outputs[..] {
        [row] => row.pointer.tokens().len() == 1 && !plain(&row.pointer),
        _ => false,
    };
    if let Some(key) = analysis.key.as_ref().filter(|key| list && key.injective) {
        for (number, part) in key.parts.iter().enumerate() {
            if let Operand::Field(field) = part {
                parts.push((Pointer::root().child(number.to_string()), field.clone()));
            }
        }
    }
    parts
}
