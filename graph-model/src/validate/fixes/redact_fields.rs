//! Redacts fields in front of a node.

use std::collections::BTreeSet;

use super::{Placed, fix, insert_before, kind_that};
use crate::catalog::Behaviour;
use crate::document::Node;
use crate::pointer::Pointer;
use crate::validate::Fix;
use crate::validate::design::NodeIx;
use crate::validate::facts::Facts;
use crate::validate::rules::auth::{Leak, list};
use crate::value::Value;

/// `None` when it is not single fields that leak.
pub(in crate::validate) fn redact_fields(
    facts: &Facts,
    node: NodeIx,
    leaks: &[Leak],
) -> Option<Fix> {
    let design = &*facts.design;
    let fields: BTreeSet<&Pointer> = leaks.iter().map(|leak| &leak.field).collect();
    if fields.iter().any(|field| field.is_root()) {
        return None;
    }
    let kind = kind_that(design, |does| matches!(does, Behaviour::Redact { .. }))?;
    let Behaviour::Redact { fields: field, .. } = &kind.behaviour else {
        return None;
    };
    let value: Value = fields.iter().map(ToString::to_string).collect();
    let new = Node::new(kind.id.clone()).with(field, value);
    let edges: Vec<_> = design.nodes[node]
        .ins
        .iter()
        .copied()
        .filter(|edge| {
            let port = facts.edge(*edge);
            port.is_some_and(|port| {
                leaks
                    .iter()
                    .any(|leak| port.labels.0.values().any(|tags| tags.contains(&leak.tag)))
            })
        })
        .collect();
    let title = format!("Redact {} before {}", list(leaks), design.title(node));
    Some(fix(
        design,
        title,
        "what is redacted is gone behind it",
        |build| {
            insert_before(design, build, Placed { node, edges }, &"redact".into(), new);
        },
    ))
}
