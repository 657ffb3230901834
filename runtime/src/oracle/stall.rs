//! R6: results come, also when the source falls silent.

use std::collections::{BTreeMap, BTreeSet};

use graph_model::catalog::{Catalog, Family};
use graph_model::document::Document;
use graph_model::id::NodeId;
use graph_model::units::parse_duration;
use graph_model::value::Value;

use super::ends::reached_without;
use super::keys::Keyed;
use super::lineage::steps;
use super::{Context, Finding, Oracle};
use crate::simulate::{Outcome, What};

/// Nodes that close windows only when something comes, behind nothing but sources that may fall silent.
pub(super) fn patient(
    document: &Document,
    catalog: &Catalog,
    keyed: &BTreeMap<NodeId, Keyed>,
) -> BTreeSet<NodeId> {
    let sources = |silent: bool| {
        document.nodes.iter().filter(move |(_, node)| {
            let family = catalog.get(&node.kind).map(|kind| kind.family);
            let says = node.notes.declared.get("silent").and_then(Value::as_bool);
            family == Some(Family::Source) && (says == Some(true)) == silent
        })
    };
    let ids = |silent| sources(silent).map(|(id, _)| id);
    let quiet = reached_without(document, ids(true), None);
    let lively = reached_without(document, ids(false), None);
    let waits = |id: &NodeId| {
        let node = &document.nodes[id];
        let Some(kind) = catalog.get(&node.kind) else {
            return false;
        };
        let text = |field| kind.config(node, field).and_then(Value::as_str);
        let windows = text("window") == Some("time") || text("wait") == Some("window");
        let idle = text("idle").and_then(parse_duration);
        windows && idle.is_none_or(|idle| idle.is_zero())
    };
    keyed
        .keys()
        .filter(|id| quiet.contains(id) && !lively.contains(id) && waits(id))
        .cloned()
        .collect()
}

/// Finds results that came only because the run ended.
pub(super) fn judge(run: &Outcome, _reference: &Outcome, context: &Context) -> Vec<Finding> {
    if context.patient.is_empty() {
        return Vec::new();
    }
    let mut told = BTreeSet::new();
    steps(run, What::Emitted)
        .filter(|(step, _)| step.fact.is_none() && step.port == 0)
        .filter(|(step, _)| context.patient.contains(&step.node) && told.insert(&step.node))
        .map(|(step, event)| {
            let (observed, wanted) = ("waits for another event", event.data.clone());
            Finding::new(Oracle::R6, step.node.as_str(), observed, wanted)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::Trial;
    use super::*;

    #[test]
    fn a_result_that_waits_for_the_next_event_is_told() {
        let judge = |idle: &str, more: &str| {
            let flow = format!(
                r#"in: manual ^silent=true -> hours: aggregate(window=time, size=1h, {idle} aggregates=[{{"name": "n"}}]) -> out: view{more}"#
            );
            Trial::new(&flow, r#"in {"n":1}"#).judge(Oracle::R6)
        };
        assert!(
            judge("", "").starts_with(r#"R6 at `hours`: "waits for another event" instead of {"#)
        );
        assert_eq!(judge("idle=1h,", ""), "");
        assert_eq!(judge("", "\nother: manual -> hours"), "");
    }
}
