//! `weir check`: the hazards of a design.

use std::path::PathBuf;

use clap::Args;
use graph_model::catalog::Catalog;
use graph_model::event::rfc3339;
use graph_model::validate::{Report, render, validate};
use runtime::world::{SystemWorld, World};

use super::out::Out;
use super::{Stop, Verdict};
use desk::flow_file::{self, FlowFile};

/// Find the hazards of a flow
///
/// Says nothing and exits with 0 when there are none, and with 1 when there are some.
#[derive(Args)]
pub(super) struct Check {
    /// The flow, or the folder of one
    #[arg(value_name = "FILE|FOLDER")]
    place: PathBuf,
    /// Answer in JSON, also when there is nothing to say; `weir schema check` describes it
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(super) fn run(self, out: &Out) -> Result<Verdict, Stop> {
        let flow = flow_file::read(&self.place)?;
        for note in &flow.notes {
            out.trouble(format_args!(
                "{}: {} at `{}`",
                flow.path.display(),
                note.message,
                note.at
            ));
        }
        let report = report(&flow);
        let found = !report.diagnostics.is_empty();
        if self.json {
            out.line(render::json(&report))?;
        } else if found {
            out.text(render::text(&report, &flow.document))?;
        }
        Ok(if found || !flow.notes.is_empty() {
            Verdict::Found
        } else {
            Verdict::Well
        })
    }
}

/// The hazards of today: what was accepted until a day that has come counts again.
pub(super) fn report(flow: &FlowFile) -> Report {
    let mut report = validate(&flow.document, Catalog::bundled());
    let now = rfc3339(SystemWorld::new().now_ms());
    report.expire(now.split('T').next().unwrap_or_default());
    report
}
