//! `weir build`: the component of a function, from its source.

use std::path::PathBuf;
use std::sync::mpsc::sync_channel;

use clap::Args;
use function_kit::{Build, Built, Error, Heard, Progress, Watch};

use super::out::Out;
use super::{Stop, Verdict};

/// What waits to be shown, at most; then the build waits.
const WAITING_MAX: usize = 256;

/// Build a function from its source
///
/// Leaves NAME.wasm in the folder when the build succeeded; the last good one stays until then. Exits with
/// 1 when the source does not compile, and with 2 when a tool is missing or the folder is no function's.
#[derive(Args)]
pub(super) struct BuildFunction {
    /// The folder of a function, as `weir new-function` makes it
    folder: PathBuf,
    /// Go on, and build again when the source changes, until interrupted
    #[arg(long)]
    watch: bool,
}

impl BuildFunction {
    pub(super) fn run(self, out: &Out) -> Result<Verdict, Stop> {
        let build = Build::of(&self.folder).map_err(stop)?;
        if !self.watch {
            return ended(build.run(&mut |progress| tell(out, progress)), out);
        }
        let (heard, hear) = sync_channel(WAITING_MAX);
        let watch = Watch::start(build, move |what| drop(heard.send(what))).map_err(stop)?;
        for what in hear {
            match what {
                Heard::Begun => {}
                Heard::Progress(progress) => tell(out, progress),
                Heard::Ended(result) => {
                    // Whoever watches mends what is wrong, and sees the next build.
                    if let Err(Stop::Unusable(reason)) = ended(result, out) {
                        out.trouble(reason);
                    }
                }
            }
        }
        drop(watch);
        Ok(Verdict::Well)
    }
}

fn ended(result: Result<Built, Error>, out: &Out) -> Result<Verdict, Stop> {
    match result {
        Ok(built) => {
            for place in &built.names {
                out.note(format_args!(
                    "the component names a place of this machine: {place}"
                ));
            }
            out.note(format_args!("{} bytes", built.bytes));
            out.line(built.component.display())?;
            Ok(Verdict::Well)
        }
        Err(error @ (Error::Failed { .. } | Error::NoComponent { .. })) => {
            out.trouble(error);
            Ok(Verdict::Found)
        }
        Err(error) => Err(stop(error)),
    }
}

fn tell(out: &Out, progress: Progress) {
    match progress {
        Progress::Step(what) => out.note(format_args!("{what} ...")),
        Progress::Line(line) => out.note(line),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to `map_err`")]
fn stop(error: Error) -> Stop {
    Stop::because(error.to_string())
}
