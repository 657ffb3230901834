//! `weir test`: the tests that a flow keeps.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use graph_model::catalog::Catalog;
use runtime::flow_tests::{self, FlowTest};
use runtime_protocol::flow_test::{TestTold, TestVerdict};
use serde::Serialize;

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
    tests: Vec<TestTold>,
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
        let told: Vec<TestTold> = tests
            .into_iter()
            .map(|(id, test)| {
                let catalog = Catalog::bundled();
                flow_tests::tell(id, test, &document, catalog, &flow.project, &|| false)
            })
            .collect();
        let passed = |test: &&TestTold| test.verdict == TestVerdict::Passed;
        let failed = told.len() - told.iter().filter(passed).count();
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

/// A test in a line, with what went wrong below it.
fn line(test: &TestTold) -> String {
    let runs = match test.runs {
        0 | 1 => String::new(),
        runs => format!(" ({runs} runs)"),
    };
    let title = match test.title.as_str() {
        "" => String::new(),
        title => format!(": {title}"),
    };
    let mut text = format!("{:<6} {}{title}{runs}\n", test.verdict.word(), test.id);
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
