//! The command line: one command a file.
//!
//! Exit codes: 0 all is well, 1 the command did its work and found something (hazards that are denied,
//! lost events, a file that is not canonical), 2 it could not do its work.

mod attach;
mod build;
mod check;
mod explain;
mod fmt;
mod inject;
mod interrupts;
mod new;
mod new_function;
mod open;
mod out;
mod record;
mod run;
mod schema;
mod serve;
mod sim;
mod tail;
mod test;
mod witness;

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use runtime_protocol::Problem;

use self::out::Out;
use desk::control::NoLine;
use desk::flow_file::{self, NoFlow};

/// Design, check and run event-driven flows.
///
/// Without a command the designer opens on the sample `hello`.
#[derive(Parser)]
#[command(name = "weir", version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    Open(open::Open),
    Serve(serve::Serve),
    Attach(attach::Attach),
    New(new::New),
    NewFunction(new_function::NewFunction),
    Build(build::BuildFunction),
    Check(check::Check),
    Explain(explain::Explain),
    Run(run::Run),
    Sim(sim::Sim),
    Test(test::Test),
    Witness(witness::Witness),
    Inject(inject::Inject),
    Tail(tail::Tail),
    Fmt(fmt::Fmt),
    Schema(schema::Schema),
}

/// How a command ended that did its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Well,
    Found,
}

/// Why a command could not go on.
#[derive(Debug)]
enum Stop {
    /// What, where, what next.
    Unusable(String),
    /// Whoever read the answer has seen enough.
    ReaderGone,
}

impl Stop {
    fn because(reason: impl Into<String>) -> Stop {
        Stop::Unusable(reason.into())
    }
}

impl From<NoFlow> for Stop {
    fn from(error: NoFlow) -> Stop {
        Stop::Unusable(error.to_string())
    }
}

impl From<NoLine> for Stop {
    fn from(error: NoLine) -> Stop {
        Stop::Unusable(error.to_string())
    }
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Stop {
        Stop::Unusable(problem.to_string())
    }
}

/// Of writing the answer.
impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Stop {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Stop::ReaderGone
        } else {
            Stop::Unusable(format!("the answer could not be written: {error}"))
        }
    }
}

/// Does what the program's arguments ask for.
pub(crate) fn run() -> ExitCode {
    let out = Out::new();
    let result = match Arguments::parse().command {
        None => open::Open::default().run(),
        Some(Command::Open(command)) => command.run(),
        Some(Command::Serve(command)) => command.run(&out),
        Some(Command::Attach(command)) => command.run(),
        Some(Command::New(command)) => command.run(&out),
        Some(Command::NewFunction(command)) => command.run(&out),
        Some(Command::Build(command)) => command.run(&out),
        Some(Command::Check(command)) => command.run(&out),
        Some(Command::Explain(command)) => command.run(&out),
        Some(Command::Run(command)) => command.run(&out),
        Some(Command::Sim(command)) => command.run(&out),
        Some(Command::Test(command)) => command.run(&out),
        Some(Command::Witness(command)) => command.run(&out),
        Some(Command::Inject(command)) => command.run(&out),
        Some(Command::Tail(command)) => command.run(&out),
        Some(Command::Fmt(command)) => command.run(&out),
        Some(Command::Schema(command)) => command.run(&out),
    };
    match result {
        Ok(Verdict::Well) | Err(Stop::ReaderGone) => ExitCode::SUCCESS,
        Ok(Verdict::Found) => ExitCode::from(1),
        Err(Stop::Unusable(reason)) => {
            out.trouble(reason);
            ExitCode::from(2)
        }
    }
}

/// The project that a flow or a folder belongs to.
fn project_of(place: &Path) -> Result<PathBuf, Stop> {
    if place.is_dir() {
        return Ok(place.to_path_buf());
    }
    let path = flow_file::find(place)?;
    Ok(path.parent().unwrap_or(Path::new("")).to_path_buf())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn arguments_are_consistent_and_explained() {
        let mut command = Arguments::command();
        command.clone().debug_assert();
        command.build();
        for sub in command.get_subcommands() {
            assert!(
                sub.get_about().is_some(),
                "{} says what it does",
                sub.get_name()
            );
            for argument in sub.get_arguments() {
                let id = argument.get_id();
                assert!(
                    argument.get_help().is_some(),
                    "{} explains {id}",
                    sub.get_name()
                );
            }
        }
    }
}
