//! `weir fmt`: flows in their canonical form.

use std::path::PathBuf;

use clap::Args;
use graph_model::format;

use super::out::Out;
use super::{Stop, Verdict};
use desk::flow_file::{self, FlowFile};
use desk::folders;

/// Write flows in their canonical form
#[derive(Args)]
pub(super) struct Fmt {
    /// Flows, or folders whose flows are all meant
    #[arg(required = true, value_name = "FILE|FOLDER")]
    places: Vec<PathBuf>,
    /// Change nothing; name the files that are not canonical and exit with 1 if there are any
    #[arg(long)]
    check: bool,
}

impl Fmt {
    pub(super) fn run(self, out: &Out) -> Result<Verdict, Stop> {
        // All are read before one is written: a broken one leaves the others as they were.
        let mut flows = Vec::new();
        for place in &self.places {
            for path in flow_file::all(place)? {
                flows.push(flow_file::read(&path)?);
            }
        }
        let mut verdict = Verdict::Well;
        for FlowFile {
            path,
            text,
            document,
            ..
        } in flows
        {
            let canonical = format::write(&document);
            if canonical == text {
                continue;
            }
            out.line(path.display())?;
            if self.check {
                verdict = Verdict::Found;
                continue;
            }
            folders::replace(&path, canonical.as_bytes()).map_err(|error| {
                Stop::because(format!(
                    "{}: the file could not be written: {error}",
                    path.display()
                ))
            })?;
        }
        Ok(verdict)
    }
}
