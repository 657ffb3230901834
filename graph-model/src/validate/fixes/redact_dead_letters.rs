//! Keeps given-up events without the fields that those who look after them may not read.

use super::redact_fields::fields_with;
use super::{fix, kind_that, new_node};
use crate::catalog::{Behaviour, PortRole};
use crate::document::Node;
use crate::id::PortRef;
use crate::validate::Fix;
use crate::validate::design::NodeIx;
use crate::validate::facts::Facts;
use crate::validate::facts::tags::TagSet;
use crate::validate::rules::auth::{Leak, Place, words};

/// A wire from where the node gives up, over a redaction, to a place for dead letters with the same
/// readers.
pub(in crate::validate) fn redact_dead_letters(
    facts: &Facts,
    node: NodeIx,
    leaks: &[Leak],
    place: &Place<'_>,
) -> Option<Fix> {
    let design = &*facts.design;
    if place.side.is_none_or(|side| side != "dead_letter") {
        return None;
    }
    let view = &design.nodes[node];
    let kind = view.kind.as_ref()?;
    let mut outputs = kind.outputs.iter();
    let failed = outputs.find(|port| port.role == PortRole::Failed)?;
    let keep = kind_that(design, |does| matches!(does, Behaviour::DeadLetter))?;
    let tags: TagSet = leaks.iter().map(|leak| leak.tag).collect();
    let fields = fields_with(facts, node, &tags)?;
    let hidden = new_node::redact(design, &fields)?;
    let redact = design.kind(&hidden.kind)?;
    let mut kept = Node::new(keep.id.clone());
    kept.notes.audience = place.audience.cloned();
    let (into, out) = (redact.inputs.first()?, redact.outputs.first()?);
    let last = keep.inputs.first()?;
    let title = format!(
        "Keep the dead letters of {} without {}",
        design.title(node),
        words(fields.iter())
    );
    let caution = "what is redacted cannot be sent again from there";
    Some(fix(design, title, caution, |build| {
        let hidden = build.add_node(&"redact".into(), hidden, None);
        let kept = build.add_node(&"dead_letters".into(), kept, None);
        build.connect(
            PortRef::new(view.id.clone(), failed.name.clone()),
            PortRef::new(hidden.clone(), into.name.clone()),
        );
        build.connect(
            PortRef::new(hidden, out.name.clone()),
            PortRef::new(kept, last.name.clone()),
        );
    }))
}
