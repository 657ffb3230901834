//! Command line and native window of Weir.

mod cli;
mod host;
mod pipe;
mod window;

use std::process::ExitCode;

/// Events are many small pieces that one thread makes and another one drops.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::run()
}
