//! Tests that people keep in a flow: given events, what sinks should hold in the end, and what may go
//! wrong on the way. They are played by the simulation driver, so nothing outside is touched.

mod compare;
mod read;
mod run;
mod tell;
#[cfg(test)]
mod tests;

use graph_model::id::{Id, NodeId};
use graph_model::value::Value;
use smol_str::SmolStr;

use crate::simulate::{Fact, Sort};

pub use self::run::{Difference, TestReport, Verdict, run};
pub use self::tell::{tell, tell_all};

/// One of them.
#[derive(Clone, Debug, PartialEq)]
pub struct FlowTest {
    pub title: SmolStr,
    /// What comes in.
    pub given: Vec<Fact>,
    /// What may go wrong where the flow admits it.
    pub faults: Vec<Sort>,
    /// How many runs it is tried with, each with faults of its own. One when nothing may go wrong.
    pub runs: u64,
    /// What each of these sinks should hold.
    pub expected: Vec<(NodeId, Expected)>,
}

/// What a sink should hold. A thing that is expected is there when something has at least its fields.
#[derive(Clone, Debug, PartialEq)]
pub enum Expected {
    /// These things and no others, in any order.
    Exactly(Vec<Value>),
    /// These things, and perhaps others.
    Contains(Vec<Value>),
    /// So many things.
    Count(u64),
}

/// What keeps a test from being one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("tests/{test}{place}: {what}")]
pub struct BadTest {
    pub test: Id,
    /// Where in the test, such as `/given/2`.
    pub place: String,
    pub what: String,
}
