//! Witnesses: runs in which a hazard is seen happening.
//!
//! The validator says that a flow has a hazard; a witness is a run that has it: some facts, some faults
//! that the flow's own promises admit, and an oracle that sees the run come to something else than the
//! reference. The [template](templates) of a code says what to try, the [search](find) tries it within a
//! [budget](Budget), and what it finds is [shrunk](shrink) until nothing can be left out.

mod bench;
mod check;
mod explain;
mod file;
mod find;
mod graph;
mod lineage;
mod places;
mod replay;
mod show;
mod shrink;
pub mod templates;
pub mod values;

use std::path::Path;
use std::sync::Arc;

use graph_model::catalog::Catalog;
use graph_model::document::Document;
use graph_model::validate::{Diagnostic, Subject};
use smol_str::SmolStr;

pub use self::check::check;
pub use self::file::{VERSION, WitnessError, digest};
pub use self::find::find;
pub use self::replay::{Difference, replay};
pub use self::show::show;
use crate::oracle::Finding;
use crate::simulate::{Scenario, TraceHash};

/// A hazard that somebody wants to see happening.
#[derive(Clone, Copy)]
pub struct Case<'c> {
    pub document: &'c Arc<Document>,
    pub catalog: &'c Catalog,
    /// Folder of the flow: code and files that it needs are in it.
    pub project: &'c Path,
    /// What people call the flow.
    pub flow: &'c str,
    pub found: &'c Diagnostic,
}

/// How long a search may go on.
#[derive(Clone, Copy)]
pub struct Budget<'b> {
    /// Runs that are looked at, not counting their references.
    pub schedules_max: u32,
    /// Asked before each run; nothing but counting happens in tests, so that they always do the same.
    pub is_over: &'b dyn Fn() -> bool,
}

/// What came of a search.
#[derive(Clone, Debug)]
pub enum Verdict {
    Confirmed(Box<Witness>),
    /// So many runs did not show it.
    NotConfirmed {
        tried: u32,
    },
    /// No run can show it, and why.
    Assumed {
        why: String,
    },
}

/// A run in which a hazard is seen happening.
#[derive(Clone, Debug)]
pub struct Witness {
    /// The flow, without what is not needed.
    pub document: Arc<Document>,
    /// What people call the whole flow.
    pub flow: SmolStr,
    /// Identifies the whole flow.
    pub digest: String,
    pub code: SmolStr,
    pub subject: Subject,
    /// Facts, faults, seed, partitions and limits.
    pub scenario: Scenario,
    /// People to whom something is shown in the run.
    pub principals: Vec<SmolStr>,
    /// Who saw what, and what it should have been.
    pub finding: Finding,
    /// Identifies every step of the run.
    pub hash: TraceHash,
    /// What comes in, what happens to it, what is wrong in the end.
    pub explanation: [String; 3],
    /// Runs that were looked at until this one was found.
    pub tried: u32,
}

impl Budget<'_> {
    /// What a diagnostic is worth, when nobody says otherwise.
    pub const SCHEDULES_MAX: u32 = 200;
    pub const MILLIS_MAX: u64 = 2_000;
}

impl Witness {
    /// What it takes to see the hazard, in a few words.
    pub fn by(&self) -> String {
        let facts = plural(self.scenario.facts.len(), "fact");
        match explain::circumstances(&self.scenario) {
            what if what.is_empty() => facts,
            what => format!("{facts} and {what}"),
        }
    }
}

impl Verdict {
    /// What a report says of it in a line.
    pub fn line(&self) -> String {
        match self {
            Verdict::Confirmed(witness) => format!("confirmed by {}", witness.by()),
            Verdict::NotConfirmed { tried } => {
                format!("not confirmed after {}", plural(*tried as usize, "run"))
            }
            Verdict::Assumed { why } => format!("assumed, {why}"),
        }
    }
}

fn plural(count: usize, what: &str) -> String {
    if count == 1 {
        format!("1 {what}")
    } else {
        format!("{count} {what}s")
    }
}
