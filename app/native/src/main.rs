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

/// Events are many small pieces that one thread makes and another one drops.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::run()
}
