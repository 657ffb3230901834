//! Functions: code of users, run in a sandbox.

mod function;
pub mod host;

use graph_model::catalog::KindSpec;

/// The kinds of this room; a new one is a file and a line here.
pub(crate) fn specs() -> Vec<KindSpec> {
    vec![function::spec()]
}
