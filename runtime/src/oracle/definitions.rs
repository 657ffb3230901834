//! D3: numbers of one name are one number.

use std::collections::BTreeMap;

use graph_model::catalog::{Behaviour, Catalog, Observation};
use graph_model::document::Document;
use graph_model::id::{Id, NodeId};
use graph_model::value::{Object, Value};
use smol_str::SmolStr;

use super::equal::alike;
use super::{Context, Finding, Oracle};
use crate::simulate::{Content, Outcome};

/// Metrics of one name that the same people look at.
pub(super) fn metrics(document: &Document, catalog: &Catalog) -> Vec<Vec<NodeId>> {
    let mut metrics: BTreeMap<(SmolStr, Vec<Id>), Vec<NodeId>> = BTreeMap::new();
    for (id, node) in document.nodes.iter().filter(|(_, node)| !node.disabled) {
        let is_metric = catalog.get(&node.kind).is_some_and(|kind| {
            matches!(
                kind.behaviour,
                Behaviour::Observe {
                    observation: Observation::Metric
                }
            )
        });
        if let Some(name) = node.config_str("name").filter(|_| is_metric) {
            let audience = node.notes.audience.as_ref();
            let mut roles = audience.map_or_else(Vec::new, |audience| audience.roles.clone());
            roles.sort();
            let nodes = metrics.entry((name.into(), roles)).or_default();
            nodes.push(id.clone());
        }
    }
    metrics
        .into_values()
        .filter(|nodes| nodes.len() > 1)
        .collect()
}

/// Compares numbers of one name after the reference, where nothing but their definitions tells them
/// apart.
pub(super) fn judge(_run: &Outcome, reference: &Outcome, context: &Context) -> Vec<Finding> {
    let mut findings = Vec::new();
    for nodes in &context.metrics {
        let shown = |id: &NodeId| shown(reference, id);
        let [first, others @ ..] = &nodes[..] else {
            continue;
        };
        let Some(wanted) = shown(first) else { continue };
        for other in others {
            let Some(found) = shown(other) else { continue };
            // Numbers by shop and numbers by customer are two views of one number.
            if !found.keys().any(|key| wanted.contains_key(key)) {
                continue;
            }
            let keys: std::collections::BTreeSet<&Value> =
                found.keys().chain(wanted.keys()).copied().collect();
            for key in keys {
                let of = |shown: &BTreeMap<&Value, &Value>| {
                    let row = shown.get(key)?;
                    row.get("value").cloned()
                };
                let (one, two) = (of(&found), of(&wanted));
                let same = match (&one, &two) {
                    (Some(one), Some(two)) => alike(one, two),
                    _ => false,
                };
                if same {
                    continue;
                }
                let told = |node: &NodeId, value: Option<Value>| {
                    let mut told = Object::with_capacity(3);
                    told.insert("by", node.as_str());
                    told.insert("key", (*key).clone());
                    told.insert("value", value.unwrap_or_default());
                    told
                };
                findings.push(Finding::new(
                    Oracle::D3,
                    other.as_str(),
                    told(other, one),
                    told(first, two),
                ));
                break;
            }
        }
    }
    findings
}

fn shown<'o>(outcome: &'o Outcome, node: &NodeId) -> Option<BTreeMap<&'o Value, &'o Value>> {
    let store = outcome.sinks.get(node)?;
    let Content::Shown(rows) = outcome.stores.get(store)? else {
        return None;
    };
    let rows = rows.iter();
    Some(
        rows.filter_map(|(key, row)| Some((key.as_ref()?, row)))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::super::testing::Trial;
    use super::*;

    #[test]
    fn two_numbers_of_one_name_are_compared() {
        let best = r#"aggregate(group=.shop, aggregates=[{"name": "best", "function": "max", "of": ".total"}])"#;
        let metric = "metric(name=best sale, value=.best, key=.key)";
        let judge = |way: &str| {
            let flow = format!(
                "in: manual -> all: {best} -> sales: {metric}\nin -> {way} some: {best} -> finance: {metric}"
            );
            let facts = r#"in {"shop":"a","total":7,"paid":true}
                in {"shop":"a","total":9,"paid":false}"#;
            Trial::new(&flow, facts).judge(Oracle::D3)
        };
        assert_eq!(
            judge("paid: filter(when=.paid) ->"),
            r#"D3 at `sales`: {"by":"sales","key":"a","value":9} instead of {"by":"finance","key":"a","value":7}"#
        );
        assert_eq!(judge(""), "");
        let by = |key: &str| format!("metric(name=sale, value=.total, key={key})");
        let flow = format!("in: manual -> a: {}\nin -> b: {}", by(".shop"), by(".who"));
        let facts = r#"in {"shop":"a","who":"x","total":7}"#;
        assert_eq!(Trial::new(&flow, facts).judge(Oracle::D3), "");
    }
}
