//! E1: nothing keeps the data of a person for longer than it may be kept.

use std::collections::{BTreeMap, BTreeSet};

use graph_model::catalog::{Behaviour, Catalog, Observation};
use graph_model::document::{Document, EventType};
use graph_model::id::NodeId;
use graph_model::units::parse_duration;
use graph_model::value::{Object, Value};

use super::equal::holds;
use super::lineage::steps;
use super::viewers::type_of;
use super::{Context, Finding, Oracle};
use crate::simulate::{Outcome, What};

/// For how long places keep what comes, in milliseconds; nothing where they keep it for ever. Those that
/// forget a person, or keep nothing, are left out.
pub(super) fn keepers(document: &Document, catalog: &Catalog) -> BTreeMap<NodeId, Option<u128>> {
    let nodes = document.nodes.iter().filter(|(_, node)| !node.disabled);
    nodes
        .filter_map(|(id, node)| {
            let told = |name| node.notes.declared.get(name).and_then(Value::as_str);
            let retention = told("retention").and_then(parse_duration);
            let files = match catalog.get(&node.kind)?.behaviour {
                Behaviour::Log { .. }
                | Behaviour::Bucket { .. }
                | Behaviour::DeadLetter
                | Behaviour::Observe {
                    observation: Observation::Export,
                } => true,
                Behaviour::Table { .. } => false,
                _ => return None,
            };
            let forgets = told("forgets");
            // Rows may be deleted, unless somebody says that they are not.
            let known = files || retention.is_some() || forgets == Some("nothing");
            (known && !matches!(forgets, Some("deletion" | "key")))
                .then(|| (id.clone(), retention.map(|span| span.as_millis())))
        })
        .collect()
}

/// Finds places where data of a person is still there when it has to be gone.
pub(super) fn judge(run: &Outcome, _reference: &Outcome, context: &Context) -> Vec<Finding> {
    let document = &*context.document;
    if context.keepers.is_empty() || document.types.values().all(|ty| within(ty).is_none()) {
        return Vec::new();
    }
    let mut told: BTreeSet<&NodeId> = BTreeSet::new();
    let mut findings = Vec::new();
    for (step, event) in steps(run, What::Delivered).chain(steps(run, What::Written)) {
        let Some(kept) = context.keepers.get(&step.node) else {
            continue;
        };
        let Some(fact) = step.fact.and_then(|fact| run.facts.get(fact as usize)) else {
            continue;
        };
        let Some(ty) = type_of(document, fact).map(|ty| &document.types[ty]) else {
            continue;
        };
        let Some(within) = within(ty).filter(|within| kept.is_none_or(|kept| kept > *within))
        else {
            continue;
        };
        let personal = ty.labels.keys().chain(&ty.subject);
        let personal = personal.filter_map(|field| field.get(&fact.event.data));
        let shown = step.shown.as_ref().unwrap_or(&event.data);
        let mut personal = personal.filter(|value| gives_away(value) && holds(shown, value));
        if let Some(value) = personal.next()
            && told.insert(&step.node)
        {
            let mut observed = Object::with_capacity(2);
            observed.insert("keeps", value.clone());
            if let Some(kept) = kept {
                observed.insert("for_ms", i64::try_from(*kept).unwrap_or(i64::MAX));
            }
            let mut expected = Object::with_capacity(1);
            expected.insert("gone_after_ms", i64::try_from(within).unwrap_or(i64::MAX));
            findings.push(Finding {
                fact: step.fact,
                ..Finding::new(Oracle::E1, step.node.as_str(), observed, expected)
            });
        }
    }
    findings
}

fn within(ty: &EventType) -> Option<u128> {
    let within = ty.declared.get("erase_within")?.as_str()?;
    parse_duration(within).map(|within| within.as_millis())
}

/// Whether it is no everyday number.
fn gives_away(value: &Value) -> bool {
    match value {
        Value::Str(text) => !text.is_empty(),
        Value::Float(number) => number.fract() != 0.0,
        Value::Int(number) => number.unsigned_abs() >= 1_000,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Trial;
    use super::*;

    #[test]
    fn what_outlives_its_time_is_told() {
        let judge = |way: &str| {
            let flow = format!(
                "type visit(id=/id, subject=/patient, erase_within=30d): id string, patient string {{org}}
                 in: manual(event_type=visit) -> {way}"
            );
            Trial::new(&flow, r#"in {"id":"v-1","patient":"ana"}"#).judge(Oracle::E1)
        };
        assert_eq!(
            judge("history: log(key=.id) ^retention=60d -> out: view"),
            r#"E1 at `history`: {"for_ms":5184000000,"keeps":"ana"} instead of {"gone_after_ms":2592000000}"#
        );
        for good in [
            "history: log(key=.id) ^retention=7d -> out: view",
            "history: log(key=.id) ^retention=60d ^forgets=key -> out: view",
            "few: map(expr={id}) -> history: log(key=.id) ^retention=60d -> out: view",
            "lane: queue -> out: view",
        ] {
            assert_eq!(judge(good), "", "{good}");
        }
    }
}
