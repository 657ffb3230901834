//! Who stands behind the results of a node: the people, and the events of each group.

use std::collections::BTreeSet;

use graph_model::document::Document;
use graph_model::id::NodeId;
use graph_model::value::Value;
use rustc_hash::FxHashMap;

use super::Context;
use super::viewers::{anchors, type_of};
use crate::simulate::{Outcome, Step, What};

/// Who and what stands behind a result.
#[derive(Clone, Default)]
pub(super) struct Behind {
    pub(super) people: BTreeSet<Value>,
    /// Numbers of the facts.
    pub(super) facts: BTreeSet<u32>,
}

/// For each result that a node sent, the people over whom it is. A window counts as all of its group
/// so far, which are never fewer.
pub(super) fn people<'o>(
    run: &'o Outcome,
    node: &NodeId,
    context: &Context,
) -> Vec<(&'o Step, Behind)> {
    let Some(keyed) = context.keyed.get(node) else {
        return Vec::new();
    };
    let mut groups: FxHashMap<Value, Behind> = FxHashMap::default();
    let mut results = Vec::new();
    for step in run.trace.iter().filter(|step| step.node == *node) {
        let Some(event) = &step.whole else { continue };
        match step.what {
            What::Handled => {
                let Some(key) = keyed.key(step, event) else {
                    continue;
                };
                let who = step
                    .fact
                    .and_then(|fact| person(&context.document, run, fact));
                let behind = groups.entry(key).or_default();
                behind.people.extend(who);
                behind.facts.extend(step.fact);
            }
            What::Emitted if step.port == 0 => {
                let key = event.data.get("key").cloned().unwrap_or_default();
                results.push((step, groups.get(&key).cloned().unwrap_or_default()));
            }
            _ => {}
        }
    }
    results
}

/// Whom a fact is about: its owner, where its type names one, or nobody else.
pub(super) fn person(document: &Document, run: &Outcome, fact: u32) -> Option<Value> {
    let held = run.facts.get(fact as usize)?;
    let declared = type_of(document, held).map(|ty| &document.types[ty]);
    let owner = declared.and_then(|ty| {
        let subject = ty.subject.as_ref().or(ty.tenant.as_ref());
        // Without one, owners are those of whom all labels speak.
        let mut labels = ty.labels.values();
        let all = labels.all(|label| {
            label
                .0
                .iter()
                .any(|clause| clause.0.iter().any(|atom| atom.pointer().is_some()))
        });
        let at = subject.or_else(|| anchors(ty).into_iter().next().filter(|_| all))?;
        at.get(&held.event.data).cloned()
    });
    Some(owner.unwrap_or_else(|| Value::from(held.event.context.id.clone())))
}
