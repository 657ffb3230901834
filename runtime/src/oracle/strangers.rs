//! D2, the groups: a result is of a group that events came for.

use std::collections::BTreeSet;

use graph_model::id::NodeId;
use graph_model::value::Value;
use rustc_hash::FxHashMap;

use super::numbers::Part;
use super::{Context, Finding, Oracle};
use crate::simulate::{Outcome, What};

/// Finds results of groups of which no event ever came.
pub(super) fn judge(
    run: &Outcome,
    context: &Context,
    parts: &FxHashMap<&NodeId, Vec<Part<'_>>>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (id, aggregate) in &context.aggregates {
        let Some(parts) = parts.get(id).filter(|parts| !parts.is_empty()) else {
            continue;
        };
        let known: BTreeSet<&Value> = parts.iter().map(|part| &part.bucket.key).collect();
        let results = run.trace.iter().filter(|step| {
            let left = matches!(step.what, What::Emitted | What::Unled);
            left && step.port == 0 && step.node == *id
        });
        let events = results.filter_map(|step| Some((step, step.whole.as_ref()?)));
        let stranger = events
            .map(|(step, event)| (step, aggregate.bucket_of(step, event).key))
            .find(|(_, key)| !known.contains(key));
        if let Some((step, key)) = stranger {
            findings.push(Finding {
                fact: step.fact,
                ..Finding::new(
                    Oracle::D2,
                    id.as_str(),
                    key,
                    known.into_iter().cloned().collect::<Value>(),
                )
            });
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::testing::Trial;
    use super::*;

    #[test]
    fn groups_are_those_of_the_events() {
        let flow = |group: &str| {
            format!(
                r#"in: manual -> n: aggregate({group}aggregates=[{{"name": "n"}}]) -> out: view"#
            )
        };
        for group in ["", "group=.k, ", "group=[.k, .v], "] {
            let trial = Trial::new(
                &flow(group),
                "in {\"k\":\"a\",\"v\":1}\nin {\"k\":\"b\",\"v\":2}",
            );
            assert_eq!(trial.judge(Oracle::D2), "", "{group}");
        }
        // Results of all, where somebody said by what they are grouped.
        let trial = Trial::new(&flow(""), "in {\"k\":\"a\",\"v\":1}");
        let run = trial.play(&trial.scenario);
        let other = Trial::new(&flow("group=.k, "), "in {\"k\":\"a\",\"v\":1}");
        let found = Oracle::D2.judge(&run, &run, &other.context());
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].to_string(), r#"D2 at `n`: null instead of ["a"]"#);
    }
}
