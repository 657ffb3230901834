//! R5: what has to be there in time is.

use std::collections::BTreeMap;

use graph_model::catalog::{Catalog, Family};
use graph_model::document::{Document, Section};
use graph_model::id::NodeId;
use graph_model::units::{format_duration, parse_duration};
use graph_model::value::Value;

use super::{Context, Finding, Oracle};
use crate::simulate::Outcome;

/// How soon after a fact sinks must have what follows from it, in microseconds.
pub(super) fn soon(document: &Document, catalog: &Catalog) -> BTreeMap<NodeId, u64> {
    let span = |value: &Value| {
        let span = parse_duration(value.as_str()?)?;
        u64::try_from(span.as_micros()).ok()
    };
    let budgets = document.sections.get(&Section::Budgets);
    let all = budgets
        .and_then(|budgets| budgets.get("latency"))
        .and_then(span);
    let nodes = document.nodes.iter().filter(|(_, node)| !node.disabled);
    nodes
        .filter_map(|(id, node)| {
            let family = catalog.get(&node.kind)?.family;
            let own = node.notes.declared.get("latency").and_then(span);
            Some((id.clone(), own.or(all).filter(|_| family == Family::Sink)?))
        })
        .collect()
}

/// Finds sinks that had something too late; the slowest event counts.
pub(super) fn judge(run: &Outcome, _reference: &Outcome, context: &Context) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (node, soon_us) in &context.soon {
        let slowest = run
            .latencies
            .get(node)
            .and_then(|held| held.per_mille(1_000));
        if let Some(slowest) = slowest.filter(|slowest| slowest > soon_us) {
            let told = |us| Value::from(format_duration(std::time::Duration::from_micros(us)));
            findings.push(Finding::new(
                Oracle::R5,
                node.as_str(),
                told(slowest),
                told(*soon_us),
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::testing::Trial;
    use super::*;
    use crate::simulate::FaultKind;

    #[test]
    fn what_comes_too_late_is_told() {
        let judge = |latency: &str| {
            let flow = format!("budget latency={latency}\nin: manual -> lane: queue -> out: view");
            let late = FaultKind::Delay { by_us: 3_000_000 };
            Trial::new(&flow, r#"in {"n":1}"#)
                .fault(late, "lane ->", 0)
                .judge(Oracle::R5)
        };
        assert!(judge("1s").starts_with("R5 at `out`"), "{}", judge("1s"));
        assert_eq!(judge("10s"), "");
    }
}
