//! The validator: what can go wrong in a design, why, and which edits end it.
//!
//! ```
//! use graph_model::catalog::Catalog;
//! use graph_model::validate::{notation, validate};
//!
//! let document = notation::read("in: manual -> out: nobody")?;
//! let report = validate(&document, Catalog::bundled());
//! assert_eq!(report.diagnostics[0].code, "STRUCT-001");
//! # Ok::<(), notation::NotationError>(())
//! ```
//!
//! It works in three steps. The [`Design`](design) resolves the document against the catalog; the
//! facts at every port are computed to a fixpoint; each rule compares facts with what its nodes
//! need. A rule says only what it cannot exclude, and shows how it would come about.

mod baseline;
mod budgets;
mod checker;
mod confirmation;
mod design;
mod diagnostic;
mod explain;
mod facts;
mod fixes;
pub mod lookup;
pub mod notation;
pub mod render;
mod rules;

use crate::catalog::Catalog;
use crate::document::Document;
pub use baseline::{Baseline, Before, NoBaseline};
pub use checker::Checker;
pub use confirmation::{Confirmation, Confirmations, Seen};
pub use diagnostic::{Consequence, Diagnostic, Fix, Report, Severity, Step, Subject, Unchecked};
pub use explain::{Known, Passage};
pub use rules::{Rule, rules};

/// Checks a document. The same document gives the same report, in the same order.
pub fn validate(document: &Document, catalog: &Catalog) -> Report {
    Checker::new(document, catalog).into_report()
}

#[cfg(test)]
mod tests;
