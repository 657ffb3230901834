//! What came of tests, as people and programs are told.

use std::path::Path;
use std::sync::Arc;

use graph_model::catalog::Catalog;
use graph_model::document::Document;
use graph_model::id::Id;
use runtime_protocol::Problem;
use runtime_protocol::flow_test::{TestDifference, TestTold, TestVerdict};
use smol_str::SmolStr;

use super::{BadTest, FlowTest, Verdict, run};
use crate::simulate::{Fault, Place};

/// Plays all tests of a flow; those that are left once it `is_over` have one run each.
pub fn tell_all(
    document: &Arc<Document>,
    catalog: &Catalog,
    project: &Path,
    is_over: &dyn Fn() -> bool,
) -> Vec<TestTold> {
    let tests = FlowTest::all(document).into_iter();
    tests
        .map(|(id, test)| tell(id, test, document, catalog, project, is_over))
        .collect()
}

/// Plays a test, if it is one.
pub fn tell(
    id: Id,
    test: Result<FlowTest, BadTest>,
    document: &Arc<Document>,
    catalog: &Catalog,
    project: &Path,
    is_over: &dyn Fn() -> bool,
) -> TestTold {
    let mut told = TestTold {
        id,
        title: SmolStr::default(),
        verdict: TestVerdict::Broken,
        runs: 0,
        of: 0,
        seed: None,
        faults: Vec::new(),
        differences: Vec::new(),
        problems: Vec::new(),
    };
    let test = match test {
        Ok(test) => test,
        Err(error) => {
            told.problems.push(error.to_string());
            return told;
        }
    };
    let report = run(&test, document, catalog, project, is_over);
    told.title = test.title;
    (told.runs, told.of) = (report.runs, test.runs);
    match report.verdict {
        Verdict::Passed => told.verdict = TestVerdict::Passed,
        Verdict::Failed {
            seed,
            faults,
            partitions,
            differences,
        } => {
            told.verdict = TestVerdict::Failed;
            told.seed = Some(seed);
            told.faults = faults.iter().map(fault).collect();
            let count = partitions.map(|count| format!("{count} partitions and consumers"));
            told.faults.extend(count);
            let differences = differences.into_iter();
            told.differences = differences
                .map(|one| TestDifference {
                    node: one.node,
                    what: one.what,
                })
                .collect();
        }
        Verdict::Broken(problems) => {
            told.problems = problems.iter().map(Problem::to_string).collect();
        }
    }
    told
}

fn fault(fault: &Fault) -> String {
    let place = match &fault.place {
        Place::Node(node) => node,
        Place::Edge(edge) => edge,
    };
    format!("{} at `{place}`", fault.kind.sort().name())
}
