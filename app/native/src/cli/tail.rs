//! `weir tail`: the events of a flow that runs, as they pass.

use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::Args;
use graph_model::id::EdgeId;
use runtime_protocol::{Notice, Observed};

use super::out::Out;
use super::{Stop, Verdict};
use desk::control::{Line, NoLine};
use desk::flow_file;

/// Watch the events of a flow that runs
///
/// What is shown is a sample when events pass faster than they can be shown; how many were left out is
/// said on standard error. Ends with the run.
#[derive(Args)]
pub(super) struct Tail {
    /// The flow that runs, or its folder
    #[arg(value_name = "FILE|FOLDER")]
    project: PathBuf,
    /// The wires to watch [default: all]
    edges: Vec<String>,
    /// End after this many events
    #[arg(long, value_name = "EVENTS")]
    count: Option<u64>,
    /// Answer in JSON, one line an event
    #[arg(long)]
    json: bool,
}

impl Tail {
    pub(super) fn run(self, out: &Out) -> Result<Verdict, Stop> {
        let project = super::project_of(&self.project)?;
        let mut line = Line::open(&project)?;
        if let Ok(flow) = flow_file::read(&self.project) {
            // The running flow may have moved on from its file.
            let known = |edge: &&String| flow.document.edges.contains_key(edge.as_str());
            for unknown in self.edges.iter().filter(|edge| !known(edge)) {
                out.note(format_args!(
                    "no wire is called `{unknown}` in {}; waiting for one",
                    flow.path.display()
                ));
            }
        }
        let edges: Vec<EdgeId> = self.edges.iter().map(|edge| edge.as_str().into()).collect();
        let mut left = self.count.unwrap_or(u64::MAX);
        let stopped = line.observe(&edges, |notice| {
            match show(&notice, self.json, &mut left, out) {
                Ok(()) if left > 0 => ControlFlow::Continue(()),
                Ok(()) => ControlFlow::Break(Ok(Verdict::Well)),
                Err(stop) => ControlFlow::Break(Err(stop)),
            }
        });
        stopped?.unwrap_or(Ok(Verdict::Well))
    }
}

fn show(notice: &Notice, json: bool, left: &mut u64, out: &Out) -> Result<(), Stop> {
    match notice {
        Notice::Observed {
            events, skipped, ..
        } => {
            if *skipped > 0 {
                out.note(format_args!("{skipped} events were left out here"));
            }
            for observed in events
                .iter()
                .take(usize::try_from(*left).unwrap_or(usize::MAX))
            {
                *left -= 1;
                if json {
                    out.json(observed)?;
                } else {
                    out.line(row(observed))?;
                }
            }
        }
        Notice::Trouble { problem } => out.trouble(problem),
        Notice::Reply {
            result: Err(problem),
            ..
        } => return Err(NoLine::Refused(problem.clone()).into()),
        _ => {}
    }
    Ok(())
}

fn row(observed: &Observed) -> String {
    let context = &observed.event.context;
    format!(
        "{:>9.3} {} {} {} {}",
        observed.at_ms as f64 / 1000.0,
        observed.edge,
        context.ty,
        context.id,
        observed.event.data.to_json()
    )
}
