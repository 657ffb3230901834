//! What came of the tests that a flow keeps.

use graph_model::id::{Id, NodeId};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// One test, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestTold {
    pub id: Id,
    /// Text for people; empty when it has none.
    pub title: SmolStr,
    pub verdict: TestVerdict,
    /// Runs that were played, of those that it asks for.
    pub runs: u64,
    pub of: u64,
    /// Of the first run that went wrong.
    pub seed: Option<u64>,
    /// What was done to that run.
    pub faults: Vec<String>,
    pub differences: Vec<TestDifference>,
    /// Why it could not be played.
    pub problems: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TestVerdict {
    Passed,
    Failed,
    /// It is no test, or the flow cannot be played.
    Broken,
}

/// A sink that does not hold what it should.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestDifference {
    pub node: NodeId,
    /// Such as `lacks {"order":7}`.
    pub what: String,
}

impl TestVerdict {
    pub fn word(self) -> &'static str {
        match self {
            TestVerdict::Passed => "passed",
            TestVerdict::Failed => "failed",
            TestVerdict::Broken => "broken",
        }
    }
}
