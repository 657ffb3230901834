//! Command line and native window of Weir.

mod host;
mod window;

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1).peekable();
    arguments.next_if(|first| first == "open");
    let options = window::Options {
        file: arguments.next().map(PathBuf::from),
        ..window::Options::default()
    };
    match window::open(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the window could not be opened: {error}");
            ExitCode::FAILURE
        }
    }
}
