//! L2: nothing is left out because it came late, unless that is led somewhere.

use std::collections::{BTreeMap, BTreeSet};

use graph_model::catalog::{Behaviour, Catalog};
use graph_model::document::Document;
use graph_model::id::NodeId;

use super::lineage::{key, steps};
use super::{Context, Finding, Oracle};
use crate::simulate::{Outcome, What};

/// Finds events that came too late for a result, and that no wire leads on.
pub(super) fn judge(run: &Outcome, reference: &Outcome, context: &Context) -> Vec<Finding> {
    if context.late.is_empty() {
        return Vec::new();
    }
    let late = |run| {
        steps(run, What::Unled).filter(|(step, _)| {
            context.timed.contains(&step.node)
                && context.late.contains(&(step.node.clone(), step.port))
        })
    };
    let meant: BTreeSet<_> = late(reference)
        .map(|(step, event)| (&step.node, key(event)))
        .collect();
    // A copy of what is in a result already is not missed.
    let mut came: BTreeMap<_, i64> = BTreeMap::new();
    for (step, event) in steps(run, What::Handled) {
        *came.entry((&step.node, key(event))).or_default() += 1;
    }
    for (step, event) in late(run) {
        *came.entry((&step.node, key(event))).or_default() -= 1;
    }
    let counted = |at: &(&NodeId, _)| came.get(at).is_some_and(|times| *times > 0);
    late(run)
        .filter(|(step, event)| {
            let at = (&step.node, key(event));
            !meant.contains(&at) && !counted(&at)
        })
        .map(|(step, event)| Finding {
            fact: step.fact,
            ..Finding::new(
                Oracle::L2,
                step.node.as_str(),
                "came too late",
                event.data.clone(),
            )
        })
        .collect()
}

/// Nodes that wait for late events until a time has come.
pub(super) fn timed(document: &Document, catalog: &Catalog) -> BTreeSet<NodeId> {
    let nodes = document.nodes.iter();
    let timed = nodes.filter(|(_, node)| {
        let kind = catalog.get(&node.kind);
        let text = |field| kind.and_then(|kind| kind.config(node, field)?.as_str());
        match kind.map(|kind| &kind.behaviour) {
            Some(Behaviour::Decide { wait, .. }) => text(wait) == Some("window"),
            _ => true,
        }
    });
    timed.map(|(id, _)| id.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::Trial;
    use super::*;
    use crate::simulate::FaultKind;

    #[test]
    fn a_fact_that_no_window_waited_for_is_told() {
        let judge = |lateness: &str, more: &str| {
            let flow = format!(
                r#"in: http(path=/in) -> sums: aggregate(aggregates=[{{"name": "n"}}], window=time, size=2ms, lateness={lateness}) -> out: view{more}"#
            );
            let facts: Vec<String> = (0..6).map(|n| format!(r#"in {{"n":{n}}}"#)).collect();
            let late = FaultKind::Late { by_us: 4_500 };
            let trial = Trial::new(&flow, &facts.join("\n")).fault(late, "in", 0);
            trial.judge(Oracle::L2)
        };
        let told = r#"L2 at `sums`: "came too late" instead of {"n":0}"#;
        assert_eq!(judge("0s", ""), told);
        assert_eq!(judge("1m", ""), "");
        assert_eq!(judge("0s", "\nsums.late -> rest: view"), "");
    }
}
