//! Command line and native window of Weir.

mod cli;
mod control;
mod flow_file;
mod folders;
mod host;
mod own_engine;
mod samples;
mod window;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
