//! Functions: code of users, run in a sandbox.

mod function;
pub mod host;
mod loaded;

use crate::kind::Kind;

pub(crate) use loaded::Functions;

/// The kinds of this room; a new one is a file and a line here.
pub(crate) fn kinds() -> Vec<Kind> {
    vec![function::kind()]
}
