//! Leaves fields out in front of a node that does not need them.

use std::collections::BTreeSet;

use super::{Placed, fix, insert_before, kind_that};
use crate::catalog::Behaviour;
use crate::document::Node;
use crate::pointer::Pointer;
use crate::validate::Fix;
use crate::validate::design::NodeIx;
use crate::validate::facts::Facts;
use crate::validate::rules::auth::words;
use crate::value::Value;

pub(in crate::validate) fn leave_out(
    facts: &Facts,
    node: NodeIx,
    fields: &BTreeSet<Pointer>,
) -> Option<Fix> {
    let design = &*facts.design;
    let kind = kind_that(design, |does| matches!(does, Behaviour::Redact { .. }))?;
    let Behaviour::Redact { fields: config, .. } = &kind.behaviour else {
        return None;
    };
    let edges = design.nodes[node].ins.clone();
    if edges.iter().any(|edge| design.edges[*edge].resource) {
        return None;
    }
    let value: Value = fields.iter().map(ToString::to_string).collect();
    let new = Node::new(kind.id.clone()).with(config, value);
    let title = format!(
        "Leave out {} before {}",
        words(fields.iter()),
        design.title(node)
    );
    Some(fix(design, title, "", |build| {
        insert_before(design, build, Placed { node, edges }, &"less".into(), new);
    }))
}
