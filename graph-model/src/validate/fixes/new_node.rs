//! Nodes that fixes add, each with what it works by in the config of its kind; nothing where the catalog
//! has no such kind.

use crate::catalog::{Behaviour, KindSpec};
use crate::document::Node;
use crate::pointer::Pointer;
use crate::validate::design::Design;
use crate::value::Value;

/// Lets events pass for which the predicate holds.
pub(super) fn filter(design: &Design, predicate: impl Into<Value>) -> Option<Node> {
    let (kind, field) = kind_with(design, |does| match does {
        Behaviour::Filter { predicate } => Some(predicate),
        _ => None,
    })?;
    Some(Node::new(kind.id.clone()).with(field, predicate))
}

/// Makes of each event what the expression says.
pub(super) fn map(design: &Design, expr: impl Into<Value>) -> Option<Node> {
    let (kind, field) = kind_with(design, |does| match does {
        Behaviour::Map { expr } => Some(expr),
        _ => None,
    })?;
    Some(Node::new(kind.id.clone()).with(field, expr))
}

/// Lets the first event of each key pass.
pub(super) fn dedupe(design: &Design, key: impl Into<Value>) -> Option<Node> {
    let (kind, field) = kind_with(design, |does| match does {
        Behaviour::Dedupe { key, .. } => Some(key),
        _ => None,
    })?;
    Some(Node::new(kind.id.clone()).with(field, key))
}

/// Takes fields out of events.
pub(super) fn redact<'p>(
    design: &Design,
    fields: impl IntoIterator<Item = &'p Pointer>,
) -> Option<Node> {
    let (kind, field) = kind_with(design, |does| match does {
        Behaviour::Redact { fields, .. } => Some(fields),
        _ => None,
    })?;
    let fields: Value = fields.into_iter().map(ToString::to_string).collect();
    Some(Node::new(kind.id.clone()).with(field, fields))
}

/// Brings events with equal keys to one of so many places; without a key, all events to one.
pub(super) fn repartition(design: &Design, key: Option<&str>, count: i64) -> Option<Node> {
    let (kind, (by, partitions)) = kind_with(design, |does| match does {
        Behaviour::Repartition { key, partitions } => Some((key, partitions)),
        _ => None,
    })?;
    let new = Node::new(kind.id.clone()).with(by, key.unwrap_or("null"));
    Some(new.with(partitions, count))
}

/// The first kind by id that behaves so, and the config fields that say how.
fn kind_with<'d, F>(
    design: &'d Design,
    fields: impl Fn(&'d Behaviour) -> Option<F>,
) -> Option<(&'d KindSpec, F)> {
    let mut kinds = design.kinds();
    kinds.find_map(|kind| Some((kind, fields(&kind.behaviour)?)))
}
