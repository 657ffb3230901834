//! What the promises are about: rules, operators and oracles, each of which a test may break.

use graph_model::catalog::Catalog;
use graph_model::document::Document;
use graph_model::validate::{Diagnostic, validate};
use runtime::kind::Kind;

use crate::judge::{Judge, judge};

#[derive(Clone, Copy)]
pub(crate) struct Machine<'m> {
    /// What the rules say of a design.
    pub(crate) rules: &'m dyn Fn(&Document) -> Vec<Diagnostic>,
    /// What nodes are made of.
    pub(crate) kinds: &'m dyn Fn() -> Vec<Kind>,
    pub(crate) judge: Judge<'m>,
}

/// Everything as it is.
pub(crate) const WHOLE: Machine<'static> = Machine {
    rules: &rules,
    kinds: &crate::opaque::kinds,
    judge: &judge,
};

fn rules(document: &Document) -> Vec<Diagnostic> {
    validate(document, Catalog::bundled()).diagnostics
}
