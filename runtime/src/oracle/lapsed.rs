//! A5: who has lost a right sees no more by it when a log is read again.
//!
//! Rights do not change in a run. What is asked is whether it would be noticed: what a log hands out again
//! has to be compared with the viewer again, as the right may be gone by then.

use std::collections::{BTreeMap, BTreeSet};

use graph_model::document::Document;
use graph_model::id::NodeId;
use graph_model::label::Atom;
use graph_model::units::parse_duration;
use graph_model::value::{Object, Value};
use smol_str::SmolStr;

use super::canaries::{canaries, roots};
use super::ends::reached_without;
use super::places::Place;
use super::viewers::Owners;
use super::{Context, Finding, Oracle};
use crate::simulate::{Outcome, Sort, What};

/// Finds what is shown again after a replay, to people who only see it as its owners, and whom nothing has
/// compared with the owner since.
pub(super) fn judge(run: &Outcome, _reference: &Outcome, context: &Context) -> Vec<Finding> {
    let document = &*context.document;
    let replays = run.trace.iter().enumerate().filter(|(_, step)| {
        let by_plan = step.what == What::Fault && step.port == Sort::Replay as u16;
        by_plan && is_kept(document, &step.node)
    });
    let replays: Vec<(usize, &NodeId)> = replays.map(|(at, step)| (at, &step.node)).collect();
    if replays.is_empty() {
        return Vec::new();
    }
    let none = BTreeMap::new();
    let roots = roots(document, run, &context.texts, &none);
    let nobody = Owners::of(document, &[]);
    let mut findings = Vec::new();
    for place in context
        .places
        .iter()
        .filter(|place| !roots.is_empty() && place.trusts_guards())
    {
        // What was read again came here.
        let leads = |node: &NodeId| {
            let behind = reached_without(document, [node].into_iter(), None);
            place.is_at(node) || behind.iter().any(|behind| place.is_at(behind))
        };
        let Some((replayed, _)) = replays.iter().find(|(_, node)| leads(node)) else {
            continue;
        };
        let items = place.items(run);
        let passes = passes(run, place);
        let mut shown: BTreeMap<&SmolStr, usize> = BTreeMap::new();
        let mut told = BTreeSet::new();
        for item in &items {
            let times = shown.entry(&item.event.context.id).or_default();
            *times += 1;
            // Each time that it is shown, somebody has compared it for that.
            let passed = passes.get(&item.step.fact);
            let passed = passed.map_or(0, |passed| passed.partition_point(|at| *at < item.at()));
            if *times < 2 || item.at() < *replayed || passed >= *times {
                continue;
            }
            let mut found = Vec::new();
            canaries(&item.value, &roots, &mut found);
            for (value, of) in found {
                let [root] = of else { continue };
                let payload = &run.facts[root.fact as usize].event.data;
                for viewer in &place.viewers {
                    let lost = root.label.0.iter().find(|clause| {
                        let owned = clause.0.iter().any(|atom: &Atom| atom.pointer().is_some());
                        owned && !viewer.satisfies(clause, payload, &nobody)
                    });
                    if lost.is_none() || !told.insert((root.ty, root.field)) {
                        continue;
                    }
                    let mut observed = Object::with_capacity(3);
                    observed.insert("field", format!("{}{}", root.ty, root.field));
                    observed.insert("seen_again_by", viewer.name());
                    observed.insert("value", Value::clone(value));
                    findings.push(Finding {
                        fact: Some(root.fact),
                        ..Finding::new(
                            Oracle::A5,
                            place.title.clone(),
                            observed,
                            "nothing for who has lost the right since",
                        )
                    });
                }
            }
        }
    }
    findings
}

/// By fact: the steps at which a guard of a place let it pass.
fn passes(run: &Outcome, place: &Place) -> BTreeMap<Option<u32>, Vec<usize>> {
    let mut passes: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (at, step) in run.trace.iter().enumerate() {
        if step.what == What::Emitted && place.is_guarded_by(&step.node) {
            passes.entry(step.fact).or_default().push(at);
        }
    }
    passes
}

/// Whether what comes to a node is kept to be read again, as nobody says otherwise.
fn is_kept(document: &Document, node: &NodeId) -> bool {
    let from = document.edges.values().filter(|edge| edge.to.node == *node);
    let mut from = from.filter_map(|edge| document.nodes.get(&edge.from.node));
    from.all(|node| {
        let retention = node.notes.declared.get("retention").and_then(Value::as_str);
        retention
            .and_then(parse_duration)
            .is_none_or(|span| !span.is_zero())
    })
}

#[cfg(test)]
mod tests {
    use super::super::plant;
    use super::super::testing::Trial;
    use super::*;
    use crate::simulate::FaultKind;

    #[test]
    fn who_reads_again_is_compared_again() {
        let shown = r#"A5 at `portal`: {"field":"claim/why","seen_again_by":"patients 1","value":"why-canary-1"} instead of "nothing for who has lost the right since""#;
        let guard = "own: guard(field=/patient, claim=patient)";
        for (way, place, wanted) in [
            (
                format!("{guard} -> history: log(key=.patient) -> portal: view @patients"),
                "history ->",
                shown,
            ),
            (
                format!("history: log(key=.patient) -> {guard} -> portal: view @patients"),
                "history ->",
                "",
            ),
            (
                format!(
                    "{guard} -> history: log(key=.patient) ^retention=0s -> portal: view @patients"
                ),
                "history ->",
                "",
            ),
            (
                format!(
                    "{guard} -> history: log(key=.patient) -> portal: view @patients[patient = /patient]"
                ),
                "history ->",
                "",
            ),
            (
                format!("{guard} -> history: log(key=.patient) -> desk: view @doctors"),
                "history ->",
                "",
            ),
        ] {
            let flow = format!(
                "role patients external
                 role doctors
                 principal ana(patients): patient=ana-1
                 type claim: patient string {{org | subject:/patient}}, why string {{role:doctors | subject:/patient}}
                 in: manual(event_type=claim) -> {way}"
            );
            let facts = r#"in {"patient":"ana-1","why":"a cold"}"#;
            let mut trial = Trial::new(&flow, facts).fault(FaultKind::Replay { back: 0 }, place, 0);
            trial.scenario.facts = plant(&trial.document, &trial.scenario.facts);
            let found = trial.judge(Oracle::A5);
            let last = found.lines().last().unwrap_or_default();
            assert_eq!(last, wanted, "{flow}");
        }
    }
}
