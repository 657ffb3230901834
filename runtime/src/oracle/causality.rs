//! C1: from what was called, one can tell which case it was about.

use graph_model::document::EventType;
use graph_model::pointer::Pointer;
use graph_model::value::Object;

use super::equal::holds;
use super::lineage::{name, steps};
use super::viewers::type_of;
use super::{Context, Finding, Oracle};
use crate::simulate::{Content, Outcome, What};

/// Finds calls that carry neither the correlation that the type of their fact declares, nor the fact's
/// id.
pub(super) fn judge(run: &Outcome, _reference: &Outcome, context: &Context) -> Vec<Finding> {
    let document = &*context.document;
    if document.types.values().all(|ty| correlation(ty).is_none()) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (step, event) in steps(run, What::Written) {
        let store = run
            .sinks
            .get(&step.node)
            .and_then(|store| run.stores.get(store));
        let calls = matches!(store, Some(Content::Done(_)));
        // Which of several facts a result names is chance.
        if !calls || !context.ends.contains_key(&step.node) {
            continue;
        }
        let Some(fact) = step.fact.and_then(|fact| run.facts.get(fact as usize)) else {
            continue;
        };
        let at = type_of(document, fact).and_then(|ty| correlation(&document.types[ty]));
        let Some(case) = at.as_ref().and_then(|at| at.get(&fact.event.data)) else {
            continue;
        };
        if !holds(&event.data, case) {
            let mut expected = Object::with_capacity(1);
            expected.insert("correlation", case.clone());
            let number = step.fact.unwrap_or_default();
            let mut observed = Object::with_capacity(2);
            observed.insert("fact", name(run, number));
            observed.insert("call", event.data.clone());
            findings.push(Finding {
                fact: step.fact,
                ..Finding::new(Oracle::C1, step.node.as_str(), observed, expected)
            });
        }
    }
    findings
}

fn correlation(ty: &EventType) -> Option<Pointer> {
    let at = ty.declared.get("correlation")?.as_str()?;
    Pointer::parse(at).ok()
}

#[cfg(test)]
mod tests {
    use super::super::testing::Trial;
    use super::*;

    #[test]
    fn a_call_that_names_no_case_is_told() {
        let judge = |expr: &str| {
            let flow = format!(
                "type order(id=/id, correlation=/case): id string, case string, total number
                 in: manual(event_type=order) -> lane: queue -> bill: map(expr={expr}) -> charge: effect(action=charge, key=.order)"
            );
            let facts = r#"in {"id":"o-1","case":"c-7","total":3}"#;
            Trial::new(&flow, facts).judge(Oracle::C1)
        };
        assert_eq!(
            judge("{order: .id, amount: .total}"),
            r#"C1 at `charge`: {"call":{"amount":3,"order":"o-1"},"fact":"f0"} instead of {"correlation":"c-7"}"#
        );
        assert_eq!(judge("{order: .id, why: {trace: .case}}"), "");
    }
}
