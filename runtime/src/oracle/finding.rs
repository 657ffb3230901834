//! What an oracle found.

use std::fmt;

use graph_model::value::Value;
use smol_str::SmolStr;

use super::Oracle;

/// Something that a run did and should not have done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub oracle: Oracle,
    /// A node's id, or a store's name.
    pub at: SmolStr,
    pub observed: Value,
    /// What it should have been; `null` where nothing should have been.
    pub expected: Value,
    /// The fact that it is about, by its number in the run.
    pub fact: Option<u32>,
}

impl Finding {
    pub(super) fn new(
        oracle: Oracle,
        at: impl Into<SmolStr>,
        observed: impl Into<Value>,
        expected: impl Into<Value>,
    ) -> Finding {
        Finding {
            oracle,
            at: at.into(),
            observed: observed.into(),
            expected: expected.into(),
            fact: None,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.oracle.id();
        write!(f, "{id} at `{}`: {}", self.at, self.observed.to_json())?;
        if self.expected != Value::Null {
            write!(f, " instead of {}", self.expected.to_json())?;
        }
        Ok(())
    }
}
