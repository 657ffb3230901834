//! Plays a test, with every seed, and compares what sinks hold.

use std::path::Path;
use std::sync::Arc;

use graph_model::catalog::Catalog;
use graph_model::document::Document;
use graph_model::id::NodeId;
use graph_model::value::Value;
use runtime_protocol::Problem;

use super::FlowTest;
use super::compare::difference;
use crate::oracle::Invariants;
use crate::simulate::{Admitted, Fault, Outcome, Record, Scenario, Simulation};

/// Faults of each run, when there are any.
const FAULTS: usize = 2;

/// What came of a test.
#[derive(Clone, Debug, PartialEq)]
pub struct TestReport {
    pub verdict: Verdict,
    /// Runs that were played.
    pub runs: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// In every run each sink held what it should.
    Passed,
    /// The first run in which one did not.
    Failed {
        seed: u64,
        faults: Vec<Fault>,
        /// Another number of partitions and consumers than the flow says.
        partitions: Option<u32>,
        differences: Vec<Difference>,
    },
    /// It cannot be played; why.
    Broken(Vec<Problem>),
}

/// A sink that does not hold what it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub node: NodeId,
    pub what: String,
}

/// Plays a test of the flow. Files that sources read are read from the folder of the `project`.
/// It ends early, with the runs so far, once it `is_over`.
pub fn run(
    test: &FlowTest,
    document: &Arc<Document>,
    catalog: &Catalog,
    project: &Path,
    is_over: &dyn Fn() -> bool,
) -> TestReport {
    let mut runs = 0;
    let verdict = play(test, document, catalog, project, is_over, &mut runs);
    TestReport {
        verdict: verdict.unwrap_or_else(Verdict::Broken),
        runs,
    }
}

fn play(
    test: &FlowTest,
    document: &Arc<Document>,
    catalog: &Catalog,
    project: &Path,
    is_over: &dyn Fn() -> bool,
    runs: &mut u64,
) -> Result<Verdict, Vec<Problem>> {
    let mut admitted: Vec<Admitted> = Vec::new();
    if !test.faults.is_empty() {
        admitted = Fault::admitted(document, catalog);
        admitted.retain(|one| test.faults.contains(&one.sort));
    }
    let mut scenario = Scenario {
        facts: test.given.clone().into(),
        own_events: false,
        record: Record::Off,
        ..Scenario::default()
    };
    let invariants = Invariants::of(document, catalog);
    let mut simulation = Simulation::new(document, catalog, project, &scenario)?;
    for seed in (0..test.runs).take_while(|seed| *seed == 0 || !is_over()) {
        scenario.seed = seed;
        scenario.go_wrong(&admitted, FAULTS, test.given.len() as u64);
        simulation.reset(&scenario)?;
        let outcome = simulation.run();
        *runs += 1;
        let mut differences = differences(test, &outcome)?;
        let broken = invariants.broken(&outcome).into_iter();
        differences.extend(broken.map(|broken| Difference {
            what: format!(
                "holds {}, which breaks its invariant `{}`",
                broken.observed.to_json(),
                broken.expected.to_text()
            ),
            node: broken.at.into(),
        }));
        if !differences.is_empty() {
            return Ok(Verdict::Failed {
                seed,
                faults: scenario.faults.to_vec(),
                partitions: scenario.partitions,
                differences,
            });
        }
    }
    Ok(Verdict::Passed)
}

/// What is otherwise than expected after a run.
fn differences(test: &FlowTest, outcome: &Outcome) -> Result<Vec<Difference>, Vec<Problem>> {
    let mut differences = Vec::new();
    for (node, expected) in &test.expected {
        let held = outcome
            .sinks
            .get(node)
            .and_then(|store| outcome.stores.get(store));
        let Some(held) = held else {
            let message = format!("`{node}` is no sink, so a test cannot say what it holds");
            return Err(vec![Problem::at(node, message)]);
        };
        let things: Vec<Value> = held.things();
        let what = if outcome.ended.is_complete() {
            difference(expected, &things)
        } else {
            Some(format!(
                "the run did not come to its end: {}",
                outcome.ended
            ))
        };
        differences.extend(what.map(|what| Difference {
            node: node.clone(),
            what,
        }));
    }
    Ok(differences)
}
