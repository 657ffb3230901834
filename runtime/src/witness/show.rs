//! A witness for somebody who watches: the run and its reference, step by step.

use std::path::Path;

use graph_model::catalog::Catalog;
use graph_model::document::Document;
use graph_model::id::{EdgeId, NodeId};
use graph_model::value::Value;
use runtime_protocol::Problem;
use runtime_protocol::witness::{Play, PlayStep, PlayWhat, STEPS_MAX};
use smol_str::SmolStr;

use super::bench::Bench;
use super::{Budget, Witness, explain, templates};
use crate::simulate::{Outcome, Sort, Step, What};

/// Plays a witness and its reference with every step told.
pub fn show(witness: &Witness, catalog: &Catalog, project: &Path) -> Result<Play, Vec<Problem>> {
    let budget = Budget {
        schedules_max: 1,
        is_over: &|| false,
    };
    let document = &witness.document;
    let oracles = vec![witness.finding.oracle];
    let act = templates::act(&witness.code);
    let mut bench = Bench::new(document, catalog, project, oracles, act, budget)?;
    let broken = || vec![Problem::new("the flow of the witness cannot be played")];
    let scenario = &witness.scenario;
    let reference = bench.reference(scenario).ok_or_else(broken)?;
    let run = bench.play(scenario).ok_or_else(broken)?;
    let at = &witness.finding.at;
    let nodes = match bench.stores.get(at) {
        Some(store) => store.writers.clone(),
        None => vec![NodeId::from(at.as_str())],
    };
    let (run, reference) = (told(&run), told(&reference));
    let deciding = deciding(&run, &reference, &nodes);
    let left_out = |told: &[&Step]| told.len().saturating_sub(STEPS_MAX) as u64;
    Ok(Play {
        code: witness.code.clone(),
        oracle: witness.finding.oracle.id().into(),
        watches: witness.finding.oracle.name().to_owned(),
        explanation: witness.explanation.to_vec(),
        faults: explain::circumstances(&witness.scenario),
        left_out: left_out(&run) + left_out(&reference),
        run: steps(document, &run),
        reference: steps(document, &reference),
        deciding: deciding.filter(|step| *step < STEPS_MAX),
        at: at.clone(),
        nodes,
        observed: witness.finding.observed.clone(),
        expected: witness.finding.expected.clone(),
        file: witness.to_text(),
    })
}

/// The first thing that is written where it can be seen and is not written so in the reference; else the
/// first thing that goes wrong, else the last that is written, else the fact that was one too many.
fn deciding(run: &[&Step], reference: &[&Step], nodes: &[NodeId]) -> Option<usize> {
    let seen = |step: &&&Step| {
        matches!(step.what, What::Written | What::GivenUp) && nodes.contains(&step.node)
    };
    let mut wanted = reference.iter().filter(seen);
    let mut last = None;
    for (place, step) in run.iter().enumerate() {
        if !seen(&step) {
            continue;
        }
        last = Some(place);
        let same = |other: &&Step| other.event == step.event && data(other) == data(step);
        if !wanted.next().is_some_and(same) {
            return Some(place);
        }
    }
    let fault = run.iter().position(|step| step.what == What::Fault);
    let came = run.iter().rposition(|step| step.what == What::Arrived);
    fault.or(last).or(came)
}

/// The steps of a run but those that only oracles are told: what no wire leads on.
fn told(run: &Outcome) -> Vec<&Step> {
    let trace = run.trace.iter();
    trace.filter(|step| step.what != What::Unled).collect()
}

fn steps(document: &Document, told: &[&Step]) -> Vec<PlayStep> {
    let told = told.iter().take(STEPS_MAX);
    told.map(|step| {
        let emitted = step.what == What::Emitted;
        let delivered = step.what == What::Delivered;
        let port = port(document, step);
        let edges = if emitted || delivered {
            edges(document, &step.node, port.as_deref())
        } else {
            Vec::new()
        };
        let mut sorts = Sort::ALL.into_iter().chain([Sort::Refuse]);
        let sort = sorts.find(|sort| *sort as u16 == step.port);
        PlayStep {
            at_us: step.at_us,
            what: what(step.what),
            node: step.node.clone(),
            port: port.filter(|_| emitted),
            edges,
            event: step.event.clone(),
            fact: step.fact,
            data: data(step).cloned(),
            fault: sort
                .filter(|_| step.what == What::Fault)
                .map(|sort| sort.name().into()),
        }
    })
    .collect()
}

fn data(step: &Step) -> Option<&Value> {
    step.whole.as_ref().map(|event| &event.data)
}

/// The name of the port by which an event left.
fn port(document: &Document, step: &Step) -> Option<SmolStr> {
    let node = document.nodes.get(&step.node)?;
    let kind = Catalog::bundled().get(&node.kind)?;
    let mut ports = kind.outputs_of(node).into_iter();
    ports.nth(step.port.into()).map(|port| port.name)
}

fn edges(document: &Document, node: &NodeId, port: Option<&str>) -> Vec<EdgeId> {
    let wires = document.edges.iter();
    let leaving = wires.filter(|(_, edge)| {
        edge.from.node == *node && port.is_none_or(|port| edge.from.port == port)
    });
    leaving.map(|(id, _)| id.clone()).collect()
}

fn what(what: What) -> PlayWhat {
    match what {
        What::Arrived => PlayWhat::Arrived,
        What::Handled => PlayWhat::Handled,
        What::Emitted | What::Unled => PlayWhat::Emitted,
        What::Delivered => PlayWhat::Delivered,
        What::Acked => PlayWhat::Acked,
        What::Nacked => PlayWhat::Nacked,
        What::Written => PlayWhat::Written,
        What::GivenUp => PlayWhat::GivenUp,
        What::Dropped => PlayWhat::Dropped,
        What::Fault => PlayWhat::Fault,
    }
}
