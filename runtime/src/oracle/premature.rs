//! X2, too: nothing is done for good on an answer that the facts of the run refute.

use std::collections::{BTreeMap, BTreeSet};

use graph_model::catalog::{Behaviour, Catalog};
use graph_model::document::Document;
use graph_model::id::NodeId;
use graph_model::units::parse_duration;
use graph_model::value::{Object, Value};
use rustc_hash::FxHashMap;
use smol_str::SmolStr;

use super::lineage::steps;
use super::{Context, Finding, Oracle};
use crate::simulate::{Content, Outcome, What};

/// An answer that more events can refute: fewer than so many came.
pub(super) struct Denial {
    fewer_than: i64,
    /// Answers are for windows of so many milliseconds each.
    size_ms: Option<i64>,
}

pub(super) fn denials(document: &Document, catalog: &Catalog) -> BTreeMap<NodeId, Denial> {
    let nodes = document.nodes.iter().filter(|(_, node)| !node.disabled);
    nodes
        .filter_map(|(id, node)| {
            let kind = catalog.get(&node.kind)?;
            let Behaviour::Decide { claim, wait, .. } = &kind.behaviour else {
                return None;
            };
            let text = |field| kind.config(node, field).and_then(Value::as_str);
            let fewer_than = match text(claim)? {
                "fewer_than" => kind.config(node, "count")?.as_i64()?,
                "absent" => 1,
                _ => return None,
            };
            let size = (text(wait) == Some("window"))
                .then(|| text("size"))
                .flatten();
            let size = size.and_then(parse_duration);
            let size_ms = size.and_then(|size| i64::try_from(size.as_millis()).ok());
            Some((
                id.clone(),
                Denial {
                    fewer_than,
                    size_ms,
                },
            ))
        })
        .collect()
}

/// Finds deeds that were done because too few events had come, before the others came.
pub(super) fn judge(run: &Outcome, context: &Context) -> Vec<Finding> {
    if context.denials.is_empty() {
        return Vec::new();
    }
    // Events of each group, each once.
    let mut came: FxHashMap<(&NodeId, Value, i64), BTreeSet<&SmolStr>> = FxHashMap::default();
    for (step, event) in steps(run, What::Handled).filter(|(step, _)| step.port == 0) {
        if let Some(denial) = context.denials.get(&step.node)
            && let Some(key) = context
                .keyed
                .get(&step.node)
                .and_then(|keyed| keyed.key(step, event))
        {
            let window = denial.window(event.context.time_ms);
            let group = came.entry((&step.node, key, window)).or_default();
            group.insert(&event.context.id);
        }
    }
    let mut refuted: FxHashMap<&SmolStr, usize> = FxHashMap::default();
    for (step, event) in steps(run, What::Emitted).filter(|(step, _)| step.port == 0) {
        let Some(denial) = context.denials.get(&step.node) else {
            continue;
        };
        if event.data.get("holds") != Some(&Value::Bool(true)) {
            continue;
        }
        let key = event.data.get("key").cloned().unwrap_or_default();
        let window = denial.window(event.context.time_ms);
        let count = came
            .get(&(&step.node, key, window))
            .map_or(0, BTreeSet::len);
        if count as i64 >= denial.fewer_than {
            refuted.insert(&event.context.id, count);
        }
    }
    let mut findings = Vec::new();
    for step in run.trace.iter().filter(|step| step.what == What::Written) {
        let Some(count) = refuted.get(&step.event) else {
            continue;
        };
        let Some(store) = run.sinks.get(&step.node) else {
            continue;
        };
        if let Some(Content::Done(_)) = run.stores.get(store) {
            let mut observed = Object::with_capacity(2);
            observed.insert("came", *count as i64);
            observed.insert("did", step.shown.clone().unwrap_or_default());
            findings.push(Finding {
                fact: step.fact,
                ..Finding::new(Oracle::X2, store.clone(), observed, Value::Null)
            });
        }
    }
    findings
}

impl Denial {
    fn window(&self, time_ms: i64) -> i64 {
        self.size_ms
            .map_or(0, |size| time_ms.div_euclid(size.max(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Trial;
    use super::*;

    #[test]
    fn a_decision_that_later_facts_refute_is_told() {
        let judge = |wait: &str| {
            let flow = format!(
                "in: manual -> few: decide(group=.ad, claim=fewer_than, count=2, {wait}) -> yes: filter(when=.holds) -> pause: effect(action=pause, journal=data.sqlite)"
            );
            let facts = "in {\"ad\":\"a\"}\nin {\"ad\":\"a\"}";
            Trial::new(&flow, facts).judge(Oracle::X2)
        };
        assert_eq!(
            judge("wait=no"),
            r#"X2 at `effects data.sqlite`: {"came":2,"did":{"claim":"fewer_than","count":1,"holds":true,"key":"a"}}"#
        );
        assert_eq!(judge("wait=window, size=1d"), "");
    }
}
