//! R3: what is remembered has a bound.

use std::collections::{BTreeMap, BTreeSet};

use graph_model::catalog::{Behaviour, Catalog};
use graph_model::document::Document;
use graph_model::id::NodeId;
use graph_model::value::{Object, Value};

use super::lineage::steps;
use super::viewers::type_of;
use super::{Context, Finding, Oracle};
use crate::simulate::{Outcome, What};

/// Events after which something remembered for each of them can be seen to grow.
const EVENTS_MIN: usize = 8;

/// Nodes that remember something for each key, and never forget it.
pub(super) fn remembering(document: &Document, catalog: &Catalog) -> BTreeSet<NodeId> {
    let nodes = document.nodes.iter().filter(|(_, node)| !node.disabled);
    nodes
        .filter(|(_, node)| {
            let Some(kind) = catalog.get(&node.kind) else {
                return false;
            };
            let forgets = ["state_ttl", "keys"];
            if forgets
                .iter()
                .any(|name| node.notes.declared.contains_key(name))
            {
                return false;
            }
            match &kind.behaviour {
                Behaviour::Fold { .. } => true,
                Behaviour::Aggregate { window, .. } => {
                    let window = kind.config(node, window).and_then(Value::as_str);
                    window.is_none_or(|window| window == "none")
                }
                _ => false,
            }
        })
        .map(|(id, _)| id.clone())
        .collect()
}

/// Finds nodes that remember something for every event: their key is what tells events apart.
pub(super) fn judge(run: &Outcome, _reference: &Outcome, context: &Context) -> Vec<Finding> {
    if context.remembering.is_empty() {
        return Vec::new();
    }
    let mut held: BTreeMap<&NodeId, (BTreeSet<Value>, BTreeSet<u32>)> = BTreeMap::new();
    for (step, event) in steps(run, What::Handled) {
        if !context.remembering.contains(&step.node) {
            continue;
        }
        let Some((keyed, fact)) = context.keyed.get(&step.node).zip(step.fact) else {
            continue;
        };
        let Some(came) = run.facts.get(fact as usize) else {
            continue;
        };
        let ty = type_of(&context.document, came).map(|ty| &context.document.types[ty]);
        let id = ty.and_then(|ty| ty.id.as_ref()?.get(&came.event.data));
        let key = keyed
            .is_grouped(step)
            .then(|| keyed.key(step, event))
            .flatten();
        if let (Some(id), Some(key)) = (id, key)
            && (*id == key || key.as_array().is_some_and(|parts| parts.contains(id)))
        {
            let (keys, facts) = held.entry(&step.node).or_default();
            keys.insert(key);
            facts.insert(fact);
        }
    }
    held.into_iter()
        .filter(|(_, (keys, facts))| keys.len() >= EVENTS_MIN.max(facts.len()))
        .map(|(node, (keys, facts))| {
            let mut observed = Object::with_capacity(2);
            observed.insert("events", facts.len() as i64);
            observed.insert("keys", keys.len() as i64);
            let wanted = "keys come again, or are forgotten after a time";
            Finding::new(Oracle::R3, node.as_str(), observed, wanted)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::Trial;
    use super::*;

    #[test]
    fn a_state_for_every_event_is_told() {
        let judge = |config: &str, declared: &str, events: usize| {
            let flow = format!(
                r#"type order(id=/id): id string, shop string
                   in: manual(event_type=order) -> sums: aggregate({config}, aggregates=[{{"name": "n"}}]) {declared} -> out: view"#
            );
            let facts: String = (0..events)
                .map(|n| format!("in {{\"id\":\"o{n}\",\"shop\":\"s{}\"}}\n", n % 2))
                .collect();
            Trial::new(&flow, &facts).judge(Oracle::R3)
        };
        let told = judge("group=.id", "", 8);
        assert!(
            told.starts_with(r#"R3 at `sums`: {"events":8,"keys":8}"#),
            "{told}"
        );
        assert_eq!(judge("group=.id", "", 7), "", "too few to say so");
        assert_eq!(judge("group=.shop", "", 8), "");
        assert_eq!(judge("group=.id", "^state_ttl=1d", 8), "");
        assert_eq!(judge("group=.id, window=time, size=1h", "", 8), "");
        let both = judge("group=[.shop, .id]", "", 8);
        assert!(both.starts_with("R3 at `sums`"), "{both}");
    }
}
