//! The only place of the program that prints: answers go to standard output, everything else to
//! standard error.

use std::cell::Cell;
use std::fmt::Display;
use std::io::{self, IsTerminal, Stderr, Stdout, Write};

use runtime_protocol::function::LogLine;
use serde::Serialize;

use super::Stop;

/// Empties the line that the terminal's cursor is in.
const CLEAR: &str = "\r\x1b[K";

/// Where a command says what it has to say.
pub(crate) struct Out {
    answers: Stdout,
    rest: Stderr,
    watched: bool,
    /// A line of progress stands on the terminal.
    in_progress: Cell<bool>,
}

impl Out {
    pub(crate) fn new() -> Out {
        let rest = io::stderr();
        Out {
            answers: io::stdout(),
            watched: rest.is_terminal(),
            rest,
            in_progress: Cell::new(false),
        }
    }

    /// Whether somebody looks on, so that progress is worth showing.
    pub(crate) fn watched(&self) -> bool {
        self.watched
    }

    /// A line of the answer.
    pub(crate) fn line(&self, line: impl Display) -> Result<(), Stop> {
        self.text(format_args!("{line}\n"))
    }

    /// A part of the answer, as it is.
    pub(crate) fn text(&self, text: impl Display) -> Result<(), Stop> {
        self.end_progress();
        let mut out = self.answers.lock();
        write!(out, "{text}").and_then(|()| out.flush())?;
        Ok(())
    }

    /// A value of the answer, in one line of JSON.
    pub(crate) fn json(&self, value: &impl Serialize) -> Result<(), Stop> {
        let text = serde_json::to_string(value).expect("answers have texts as keys");
        self.line(text)
    }

    /// Something to know that is not the answer.
    pub(crate) fn note(&self, line: impl Display) {
        self.say(format_args!("{line}\n"));
    }

    /// What went wrong: what, where, what next.
    pub(crate) fn trouble(&self, line: impl Display) {
        self.say(format_args!("weir: {line}\n"));
    }

    /// What functions wrote to the log.
    pub(crate) fn logged(&self, lines: &[LogLine], skipped: u64) {
        if skipped > 0 {
            self.say(format_args!("log: {skipped} lines left out\n"));
        }
        for line in lines {
            let level = line.level.word();
            self.say(format_args!("{} {level}: {}\n", line.node, line.message));
        }
    }

    /// A line that the next one replaces; shown only when somebody looks on.
    pub(crate) fn progress(&self, line: impl Display) {
        if self.watched {
            self.write(format_args!("{CLEAR}{line}"));
            self.in_progress.set(true);
        }
    }

    fn say(&self, text: impl Display) {
        self.end_progress();
        self.write(text);
    }

    fn end_progress(&self) {
        if self.in_progress.take() {
            self.write(CLEAR);
        }
    }

    fn write(&self, text: impl Display) {
        // Where trouble cannot be told, there is nobody to tell that to.
        drop(write!(self.rest.lock(), "{text}"));
    }
}
