//! Recorded runs: what an engine told while a flow ran, as lines of JSON that need no engine to read.
//!
//! Everything here works on text in memory; files and clocks are the caller's. The format is described
//! in `docs/specs/run-format.md`.

mod recorder;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::{Counters, Notice, Observed, Problem, RunState};

pub use self::recorder::Recorder;

/// The version that this Weir writes, and the newest that it reads.
pub const VERSION: u32 = 1;
/// How the names of recordings end.
pub const ENDING: &str = ".run.jsonl";
/// Largest file, in bytes.
pub const FILE_MAX: usize = 128 << 20;
/// Largest line, in bytes.
pub const LINE_MAX: usize = 16 << 20;
/// Lines at most.
pub const LINES_MAX: usize = 500_000;
/// Observed events at most.
pub const EVENTS_MAX: usize = 100_000;
/// Longest run, in milliseconds: a year.
pub const LENGTH_MAX_MS: u64 = 366 * 24 * 60 * 60 * 1000;

/// A run as it was recorded. Every list is in the order of time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recording {
    /// The text of the flow file.
    pub flow: String,
    pub title: Option<String>,
    pub events: Vec<Seen>,
    pub counters: Vec<Counters>,
    pub states: Vec<(u64, RunState)>,
    pub troubles: Vec<(u64, Problem)>,
    /// Events that were left out after the last one that is there.
    pub skipped_at_end: u64,
    /// Milliseconds from the start to the last line.
    pub length_ms: u64,
    /// Lines that say something that this version does not know.
    pub unknown_lines: u64,
    /// The last line was not written to its end.
    pub cut: bool,
}

/// An observed event, and how many were left out between the one before and this one.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    pub observed: Observed,
    pub skipped: u64,
}

/// Why bytes are not a recorded run: where, what, what next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordingError {
    #[error("not a recorded run: the first line must be an object with `weir`: `run`")]
    NotARecording,
    #[error(
        "recorded by a newer Weir (format {version}, this one reads up to {VERSION}); update Weir to open it"
    )]
    Newer { version: u64 },
    #[error("the file has more than {FILE_MAX} bytes; record a shorter run, or fewer events")]
    FileTooLarge,
    #[error(
        "line {line}: longer than {LINE_MAX} bytes; record smaller payloads, or a smaller flow"
    )]
    LineTooLong { line: usize },
    #[error("line {line}: more than {LINES_MAX} lines; record a shorter run")]
    TooManyLines { line: usize },
    #[error("line {line}: more than {EVENTS_MAX} events; record fewer with `--record-max`")]
    TooManyEvents { line: usize },
    #[error("line {line}: `at_ms` is later than a year after the start; correct the line")]
    TooLong { line: usize },
    #[error("line {line}: {error}; delete the line to open the rest")]
    Broken { line: usize, error: String },
}

/// The first line.
#[derive(Serialize, Deserialize)]
struct Header {
    weir: String,
    version: u64,
    flow: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    title: Option<String>,
}

/// What tells a recording from everything else, whatever its version.
#[derive(Deserialize)]
struct Mark {
    weir: String,
    version: u64,
}

/// Every further line.
#[derive(Serialize, Deserialize)]
struct Line<N> {
    at_ms: u64,
    #[serde(flatten)]
    notice: N,
}

/// What tells a line of a later version from a broken one.
#[derive(Deserialize)]
struct Kind {
    is: Option<String>,
}

/// Whether the bytes begin like a recorded run.
pub fn is_recording(bytes: &[u8]) -> bool {
    let bytes = without_mark(bytes);
    // A flow file is never mistaken for one: most have one word on their first line.
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let first = &bytes[..end.unwrap_or(bytes.len()).min(LINE_MAX)];
    first.trim_ascii_start().starts_with(b"{")
        && serde_json::from_slice::<Mark>(first).is_ok_and(|mark| mark.weir == "run")
}

impl Recording {
    /// Reads a recorded run.
    ///
    /// What a line says that this version does not know is skipped and counted. A last line that is
    /// not complete is what a crash leaves behind, and no error.
    pub fn read(bytes: &[u8]) -> Result<Recording, RecordingError> {
        if bytes.len() > FILE_MAX {
            return Err(RecordingError::FileTooLarge);
        }
        let bytes = without_mark(bytes);
        let mut lines = bytes.split(|byte| *byte == b'\n').enumerate().peekable();
        let (_, first) = lines.next().ok_or(RecordingError::NotARecording)?;
        let mut recording = read_header(first)?;
        while let Some((index, text)) = lines.next() {
            let line = index + 1;
            if text.trim_ascii().is_empty() {
                continue;
            }
            if line > LINES_MAX {
                return Err(RecordingError::TooManyLines { line });
            }
            if text.len() > LINE_MAX {
                return Err(RecordingError::LineTooLong { line });
            }
            // Nothing after it, not even the end of the line.
            let last = lines.peek().is_none();
            match serde_json::from_slice::<Line<Notice>>(text) {
                Ok(read) => recording.take(read, line)?,
                Err(error) => match serde_json::from_slice::<Kind>(text) {
                    Ok(kind) if kind.is.as_deref().is_some_and(is_known) => {
                        return Err(broken(line, &error));
                    }
                    Ok(_) => recording.unknown_lines += 1,
                    Err(_) if last => recording.cut = true,
                    Err(error) if error.is_data() => recording.unknown_lines += 1,
                    Err(error) => return Err(broken(line, &error)),
                },
            }
        }
        // Batches are told after they happened; within the same moment the order stays.
        recording.events.sort_by_key(|seen| seen.observed.at_ms);
        recording.counters.sort_by_key(|counters| counters.at_ms);
        recording.states.sort_by_key(|(at_ms, _)| *at_ms);
        recording.troubles.sort_by_key(|(at_ms, _)| *at_ms);
        Ok(recording)
    }

    fn take(&mut self, read: Line<Notice>, line: usize) -> Result<(), RecordingError> {
        let Line { at_ms, notice } = read;
        let mut reach = |at_ms: u64| {
            if at_ms > LENGTH_MAX_MS {
                return Err(RecordingError::TooLong { line });
            }
            self.length_ms = self.length_ms.max(at_ms);
            Ok(())
        };
        reach(at_ms)?;
        match notice {
            Notice::State { state } => self.states.push((at_ms, state)),
            Notice::Counters { counters } => {
                reach(counters.at_ms)?;
                self.counters.push(counters);
            }
            Notice::Observed {
                events, skipped, ..
            } => {
                if self.events.len() + events.len() > EVENTS_MAX {
                    return Err(RecordingError::TooManyEvents { line });
                }
                self.skipped_at_end = self.skipped_at_end.saturating_add(skipped);
                for observed in events {
                    reach(observed.at_ms)?;
                    self.events.push(Seen {
                        observed,
                        skipped: std::mem::take(&mut self.skipped_at_end),
                    });
                }
            }
            Notice::Trouble { problem } => self.troubles.push((at_ms, problem)),
            Notice::Reply { .. } | Notice::Deployed | Notice::Logged { .. } => {
                self.unknown_lines += 1;
            }
        }
        Ok(())
    }
}

fn read_header(first: &[u8]) -> Result<Recording, RecordingError> {
    if first.len() > LINE_MAX {
        return Err(RecordingError::LineTooLong { line: 1 });
    }
    let mark: Mark = serde_json::from_slice(first).map_err(|_| RecordingError::NotARecording)?;
    if mark.weir != "run" {
        return Err(RecordingError::NotARecording);
    }
    if mark.version > u64::from(VERSION) {
        return Err(RecordingError::Newer {
            version: mark.version,
        });
    }
    let header: Header = serde_json::from_slice(first).map_err(|error| broken(1, &error))?;
    Ok(Recording {
        flow: header.flow,
        title: header.title,
        ..Recording::default()
    })
}

fn is_known(is: &str) -> bool {
    matches!(is, "state" | "counters" | "observed" | "trouble")
}

fn broken(line: usize, error: &serde_json::Error) -> RecordingError {
    // Its own "line 1" would be mistaken for a line of the file.
    let text = error.to_string();
    let error = match text.rsplit_once(" at line 1 column ") {
        Some((what, column)) => format!("{what} at column {column}"),
        None => text,
    };
    RecordingError::Broken { line, error }
}

fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}
