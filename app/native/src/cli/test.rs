//! `weir test`: the tests that a flow keeps.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use graph_model::catalog::Catalog;
use graph_model::id::{Id, NodeId};
use runtime::flow_tests::{self, BadTest, FlowTest, TestReport};
use runtime::simulate::{Fault, Place};
use runtime_protocol::Problem;
use serde::Serialize;
use smol_str::SmolStr;

use super::out::Out;
use super::{Stop, Verdict};
use desk::flow_file;

/// Run the tests that a flow keeps
///
/// Each test says what comes in, what may go wrong, and what sinks should hold in the end. They are played
/// on virtual time; nothing outside is touched. Exits with 1 when a test fails.
#[derive(Args)]
pub(super) struct Test {
    /// The flow, or the folder of one
    #[arg(value_name = "FILE|FOLDER")]
    place: PathBuf,
    /// Only these tests; all of them when none is named
    #[arg(value_name = "TEST")]
    names: Vec<String>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// The answer for programs.
#[derive(Serialize)]
struct Said {
    version: u32,
    tests: Vec<Told>,
}

#[derive(Serialize)]
struct Told {
    id: Id,
    title: SmolStr,
    verdict: &'static str,
    runs: u64,
    /// Of the first run that went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    /// What was done to that run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    faults: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    differences: Vec<Difference>,
    /// Why it could not be played.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<String>,
}

#[derive(Serialize)]
struct Difference {
    node: NodeId,
    what: String,
}

impl Test {
    pub(super) fn run(self, out: &Out) -> Result<Verdict, Stop> {
        let flow = flow_file::read(&self.place)?;
        let document = Arc::new(flow.document.clone());
        let mut tests = FlowTest::all(&document);
        if let Some(unknown) = self.names.iter().find(|name| {
            let mut ids = tests.iter().map(|(id, _)| id.as_str());
            ids.all(|id| id != name.as_str())
        }) {
            let ids: Vec<&str> = tests.iter().map(|(id, _)| id.as_str()).collect();
            return Err(Stop::because(match ids[..] {
                [] => format!("the flow keeps no test, so none is called `{unknown}`"),
                _ => format!(
                    "the flow keeps no test `{unknown}`; it has {}",
                    ids.join(", ")
                ),
            }));
        }
        if !self.names.is_empty() {
            tests.retain(|(id, _)| self.names.iter().any(|name| name == id.as_str()));
        }
        let play =
            |test: &FlowTest| flow_tests::run(test, &document, Catalog::bundled(), &flow.project);
        let told: Vec<Told> = tests
            .into_iter()
            .map(|(id, test)| tell(id, test, play))
            .collect();
        let failed = told.iter().filter(|test| test.verdict != "passed").count();
        if self.json {
            let tests = told;
            out.json(&Said { version: 1, tests })?;
        } else {
            let mut text: String = told.iter().map(line).collect();
            text += &match (told.len(), failed) {
                (0, _) => "the flow keeps no tests; put some into its section `tests`\n".to_owned(),
                (1, 0) => "the test passed\n".to_owned(),
                (all, 0) => format!("all {all} tests passed\n"),
                (all, failed) => format!("{failed} of {all} tests did not pass\n"),
            };
            out.text(text)?;
        }
        Ok(if failed > 0 {
            Verdict::Found
        } else {
            Verdict::Well
        })
    }
}

fn tell(
    id: Id,
    test: Result<FlowTest, BadTest>,
    play: impl FnOnce(&FlowTest) -> TestReport,
) -> Told {
    let mut told = Told {
        id,
        title: SmolStr::default(),
        verdict: "broken",
        runs: 0,
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
    let report = play(&test);
    told.title = test.title;
    told.runs = report.runs;
    match report.verdict {
        flow_tests::Verdict::Passed => told.verdict = "passed",
        flow_tests::Verdict::Failed {
            seed,
            faults,
            partitions,
            differences,
        } => {
            told.verdict = "failed";
            told.seed = Some(seed);
            told.faults = faults.iter().map(fault).collect();
            let count = partitions.map(|count| format!("{count} partitions and consumers"));
            told.faults.extend(count);
            let differences = differences.into_iter();
            told.differences = differences
                .map(|one| Difference {
                    node: one.node,
                    what: one.what,
                })
                .collect();
        }
        flow_tests::Verdict::Broken(problems) => {
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

/// A test in a line, with what went wrong below it.
fn line(test: &Told) -> String {
    let runs = match test.runs {
        0 | 1 => String::new(),
        runs => format!(" ({runs} runs)"),
    };
    let title = match test.title.as_str() {
        "" => String::new(),
        title => format!(": {title}"),
    };
    let mut text = format!("{:<6} {}{title}{runs}\n", test.verdict, test.id);
    for problem in &test.problems {
        text += &format!("       {problem}\n");
    }
    for difference in &test.differences {
        text += &format!("       {} {}\n", difference.node, difference.what);
    }
    match (test.seed, &test.faults[..]) {
        (Some(seed), []) if test.runs > 1 => text += &format!("       in the run of seed {seed}\n"),
        (Some(seed), faults @ [_, ..]) => {
            text += &format!("       in the run of seed {seed}: {}\n", faults.join(", "));
        }
        _ => {}
    }
    text
}
