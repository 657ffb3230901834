//! Redacts fields in front of a node, or where one redaction serves several.

use std::collections::BTreeSet;

use super::cut::{Cut, cut, wires};
use super::{Placed, fix, insert_before, kind_that};
use crate::catalog::Behaviour;
use crate::document::Node;
use crate::pointer::Pointer;
use crate::validate::Fix;
use crate::validate::design::NodeIx;
use crate::validate::facts::Facts;
use crate::validate::facts::tags::TagSet;
use crate::validate::rules::auth::{Leak, words};
use crate::value::Value;

/// `None` when it is not single fields that leak, wherever one looks.
pub(in crate::validate) fn redact_fields(
    facts: &Facts,
    node: NodeIx,
    leaks: &[Leak],
) -> Option<Fix> {
    let design = &*facts.design;
    let kind = kind_that(design, |does| matches!(does, Behaviour::Redact { .. }))?;
    let Behaviour::Redact { fields: config, .. } = &kind.behaviour else {
        return None;
    };
    let tags: TagSet = leaks.iter().map(|leak| leak.tag).collect();
    let Cut { at, starves } = cut(facts, node, &tags)?;
    let mut all = BTreeSet::new();
    for spot in &at {
        all.extend(fields_with(facts, *spot, &tags)?);
    }
    let before: Vec<&str> = at.iter().map(|spot| design.title(*spot)).collect();
    let title = format!(
        "Redact {} before {}",
        words(all.iter()),
        before.join(" and ")
    );
    let caution = if starves {
        "what is redacted is gone behind it, also for nodes that compute with it"
    } else {
        "what is redacted is gone behind it"
    };
    Some(fix(design, title, caution, |build| {
        for node in at {
            let fields = fields_with(facts, node, &tags).unwrap_or_default();
            let value: Value = fields.iter().map(ToString::to_string).collect();
            let new = Node::new(kind.id.clone()).with(config, value);
            let edges = wires(facts, node, &tags);
            insert_before(design, build, Placed { node, edges }, &"redact".into(), new);
        }
    }))
}

/// Fields with the tags where they arrive; nothing when it is the event as a whole.
pub(super) fn fields_with(facts: &Facts, node: NodeIx, tags: &TagSet) -> Option<BTreeSet<Pointer>> {
    let labels = &facts.input(node)?.labels;
    let held = labels.iter().filter(|(_, held)| !held.is_disjoint(tags));
    let fields: BTreeSet<Pointer> = held.map(|(field, _)| field.clone()).collect();
    let single = !fields.is_empty() && !fields.iter().any(Pointer::is_root);
    single.then_some(fields)
}
