//! Redacts fields in front of a node, or where one redaction serves several.

use std::collections::BTreeSet;

use super::cut::{Cut, cut, wires};
use super::{Placed, fix, insert_before, new_node};
use crate::pointer::Pointer;
use crate::validate::Fix;
use crate::validate::design::NodeIx;
use crate::validate::facts::Facts;
use crate::validate::facts::tags::TagSet;
use crate::validate::rules::auth::{Leak, words};

/// Nothing when it is not single fields that leak, wherever one looks.
pub(in crate::validate) fn redact_fields(
    facts: &Facts,
    node: NodeIx,
    leaks: &[Leak],
) -> Option<Fix> {
    if leaks.iter().any(Leak::is_of_context) {
        return None;
    }
    let design = &*facts.design;
    let tags: TagSet = leaks.iter().map(|leak| leak.tag).collect();
    let Cut { at, starves } = cut(facts, node, &tags)?;
    let mut all = BTreeSet::new();
    let mut redactions = Vec::new();
    for spot in &at {
        let fields = fields_with(facts, *spot, &tags)?;
        redactions.push((*spot, new_node::redact(design, &fields)?));
        all.extend(fields);
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
        for (node, new) in redactions {
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
