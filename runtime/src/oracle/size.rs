//! S2: no event is larger than its channel takes.

use std::collections::BTreeMap;

use graph_model::catalog::{Catalog, Family};
use graph_model::document::{Document, Section};
use graph_model::id::NodeId;
use graph_model::units::parse_bytes;
use graph_model::value::{Object, Value};

use super::lineage::steps;
use super::{Context, Finding, Oracle};
use crate::simulate::{Outcome, What};

/// What channels take at most, in bytes.
pub(super) fn limits(document: &Document, catalog: &Catalog) -> BTreeMap<NodeId, u64> {
    let bytes = |value: &Value| match value {
        Value::Str(text) => parse_bytes(text),
        other => other.as_i64().and_then(|bytes| u64::try_from(bytes).ok()),
    };
    let budgets = document.sections.get(&Section::Budgets);
    let all = budgets
        .and_then(|budgets| budgets.get("payload"))
        .and_then(bytes);
    let nodes = document.nodes.iter().filter(|(_, node)| !node.disabled);
    nodes
        .filter_map(|(id, node)| {
            let family = catalog.get(&node.kind)?.family;
            let own = node.notes.declared.get("payload_limit").and_then(bytes);
            let limit = own.or(all).filter(|_| family == Family::Channel)?;
            Some((id.clone(), limit))
        })
        .collect()
}

/// Finds channels that hand out more than they take.
pub(super) fn judge(run: &Outcome, _reference: &Outcome, context: &Context) -> Vec<Finding> {
    if context.limits.is_empty() {
        return Vec::new();
    }
    let mut largest: BTreeMap<&NodeId, (u64, Option<u32>)> = BTreeMap::new();
    for (step, event) in steps(run, What::Delivered) {
        if context.limits.contains_key(&step.node) {
            let bytes = event.data.to_json().len() as u64;
            let held = largest.entry(&step.node).or_default();
            if bytes > held.0 {
                *held = (bytes, step.fact);
            }
        }
    }
    let told = |bytes: u64| {
        let mut told = Object::with_capacity(1);
        told.insert("bytes", i64::try_from(bytes).unwrap_or(i64::MAX));
        told
    };
    largest
        .into_iter()
        .filter(|(node, (bytes, _))| *bytes > context.limits[*node])
        .map(|(node, (bytes, fact))| Finding {
            fact,
            ..Finding::new(
                Oracle::S2,
                node.as_str(),
                told(bytes),
                told(context.limits[node]),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::Trial;
    use super::*;

    #[test]
    fn an_event_that_is_too_large_is_told() {
        let judge = |limit: &str| {
            let flow = format!(
                "in: manual -> twice: map(expr={{a: ., b: .}}) -> lane: queue ^payload_limit={limit} -> out: view"
            );
            Trial::new(&flow, r#"in {"text":"0123456789"}"#).judge(Oracle::S2)
        };
        assert_eq!(
            judge("40B"),
            r#"S2 at `lane`: {"bytes":53} instead of {"bytes":40}"#
        );
        assert_eq!(judge("100B"), "");
    }
}
