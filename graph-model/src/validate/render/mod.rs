//! Reports and the pages of rules, for people (text), for programs (JSON), and for code scanning (SARIF).

mod github;
mod json;
mod page;
mod place;
mod replace;
mod sarif;
mod text;
mod uri;

use crate::document::Document;
use crate::validate::baseline::Before;
use crate::validate::{Confirmation, Confirmations, Diagnostic, Report};

pub use github::github;
pub use json::{json, json_all, json_schema};
pub use page::{Family, Page, list, list_json};
pub use place::{Places, Region};
pub use sarif::sarif;
pub use text::{summary, text, text_all};
pub(in crate::validate) use uri::file_of_uri;

/// A flow as it stands in a file, and what was found in it.
#[derive(Clone, Copy, Debug)]
pub struct Checked<'c> {
    /// Path from the root of the sources with `/` between its parts, or a whole path; names the flow
    /// in what programs read.
    pub file: &'c str,
    /// The file as people call it.
    pub path: &'c str,
    /// As it stands in the file.
    pub text: &'c str,
    pub document: &'c Document,
    pub report: &'c Report,
    /// What was there before; none when nobody asks.
    pub known: Option<&'c Before>,
    /// What runs say of it; none when nothing was run.
    pub confirmed: Option<&'c Confirmations>,
}

impl Checked<'_> {
    /// Whether a finding was there before, and so does not count.
    pub fn knows(&self, found: &Diagnostic) -> bool {
        self.known.is_some_and(|known| known.has(found))
    }

    /// What runs say of a finding.
    pub fn confirmation(&self, found: &Diagnostic) -> Option<&Confirmation> {
        self.confirmed?.get(&found.id)
    }

    /// How many findings there were before.
    pub fn known_count(&self) -> usize {
        let found = self.report.diagnostics.iter();
        found.filter(|found| self.knows(found)).count()
    }

    /// What was found and counts.
    pub fn new_findings(&self) -> impl Iterator<Item = &Diagnostic> {
        let found = self.report.diagnostics.iter();
        found.filter(|found| !self.knows(found))
    }
}
