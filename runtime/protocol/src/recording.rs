//! Recorded runs: what an engine told while a flow ran, as lines of JSON that need no engine to read.
//!
//! Everything here works on text in memory; files and clocks are the caller's. The format is described
//! in `docs/specs/run-format.md`.

use serde::{Deserialize, Serialize};

use crate::{Counters, Notice, Observed, Problem, RunState};

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

/// Turns what an engine tells into the lines of a recording, within bounds.
///
/// ```
/// use runtime_protocol::recording::{Recorder, Recording};
/// use runtime_protocol::{Notice, RunState};
///
/// let mut text = String::new();
/// let mut recorder = Recorder::begin(r#"{"version":1,"nodes":{}}"#, None, 100, &mut text)?;
/// recorder.take(0, &Notice::State { state: RunState::Running }, &mut text);
/// recorder.end(12, &mut text);
/// assert_eq!(Recording::read(text.as_bytes())?.states, [(0, RunState::Running)]);
/// # Ok::<(), runtime_protocol::recording::RecordingError>(())
/// ```
pub struct Recorder {
    events_left: usize,
    lines_left: usize,
    bytes_left: usize,
    /// Events that were left out since the last one that was kept.
    skipped: u64,
    left_out: u64,
    kept: u64,
    /// Something else than events did not fit any more.
    full: bool,
    /// What the counters were, and whether the file says so.
    counters: Option<(Counters, bool)>,
}

/// Bytes and lines that are kept free for the end.
const RESERVE: usize = LINE_MAX;
const LINES_RESERVE: usize = 2;

impl Recorder {
    /// Begins a recording of at most so many events: writes the first line to `out`.
    pub fn begin(
        flow: &str,
        title: Option<&str>,
        events_max: usize,
        out: &mut String,
    ) -> Result<Recorder, RecordingError> {
        let header = Header {
            weir: "run".to_owned(),
            version: VERSION.into(),
            flow: flow.to_owned(),
            title: title.map(str::to_owned),
        };
        let line = json(&header);
        if line.len() > LINE_MAX {
            return Err(RecordingError::LineTooLong { line: 1 });
        }
        let bytes_left = FILE_MAX - RESERVE - line.len() - 1;
        out.push_str(&line);
        out.push('\n');
        Ok(Recorder {
            events_left: events_max.min(EVENTS_MAX),
            lines_left: LINES_MAX - LINES_RESERVE - 1,
            bytes_left,
            skipped: 0,
            left_out: 0,
            kept: 0,
            full: false,
            counters: None,
        })
    }

    /// Writes what was told to `out`, if it belongs into a recording and there is room for it.
    pub fn take(&mut self, at_ms: u64, notice: &Notice, out: &mut String) {
        match notice {
            Notice::Reply { .. } | Notice::Deployed | Notice::Logged { .. } => {}
            Notice::State { .. } | Notice::Trouble { .. } => {
                self.full |= !self.line(&json(&Line { at_ms, notice }), out);
            }
            Notice::Counters { counters } => {
                let same = |(last, _): &(Counters, bool)| {
                    last.edges == counters.edges && last.nodes == counters.nodes
                };
                // A flow at rest says the same ten times a second.
                let written = self.counters.as_ref().is_some_and(same) || {
                    let at_ms = counters.at_ms;
                    let written = self.line(&json(&Line { at_ms, notice }), out);
                    self.full |= !written;
                    written
                };
                self.counters = Some((counters.clone(), written));
            }
            Notice::Observed {
                events, skipped, ..
            } => {
                self.left_out += skipped;
                self.skipped += skipped;
                self.events(at_ms, events, out);
            }
        }
    }

    /// Events in one line when they fit, in several when they are large.
    fn events(&mut self, at_ms: u64, events: &[Observed], out: &mut String) {
        let fits = events.len().min(self.events_left);
        let (events, over) = events.split_at(fits);
        let lose = |recorder: &mut Recorder, count: usize| {
            recorder.left_out += count as u64;
            recorder.skipped += count as u64;
        };
        if !events.is_empty() {
            let notice = Notice::Observed {
                batch: 0,
                events: events.to_vec(),
                skipped: self.skipped,
            };
            if self.line(&json(&Line { at_ms, notice }), out) {
                self.skipped = 0;
                self.events_left -= events.len();
                self.kept += events.len() as u64;
            } else if let [_] = events {
                lose(self, 1);
            } else {
                let (first, second) = events.split_at(events.len() / 2);
                self.events(at_ms, first, out);
                self.events(at_ms, second, out);
            }
        }
        lose(self, over.len());
    }

    /// Ends the recording with the exact counters, which are there even when nothing else fitted.
    pub fn end(&mut self, at_ms: u64, out: &mut String) {
        self.bytes_left = self.bytes_left.saturating_add(RESERVE);
        self.lines_left += LINES_RESERVE;
        // Events that nobody told of are missing, too: the counters are exact.
        let passed = self.counters.as_ref().map_or(0, |(counters, _)| {
            let counts = counters.edges.values();
            counts.fold(0_u64, |sum, count| sum.saturating_add(count.passed))
        });
        let untold = passed.saturating_sub(self.kept + self.left_out);
        self.left_out += untold;
        self.skipped += untold;
        if self.skipped > 0 {
            let notice = Notice::Observed {
                batch: 0,
                events: Vec::new(),
                skipped: std::mem::take(&mut self.skipped),
            };
            self.line(&json(&Line { at_ms, notice }), out);
        }
        let Some((counters, written)) = self.counters.take() else {
            return;
        };
        if !written || counters.at_ms < at_ms {
            let notice = Notice::Counters { counters };
            self.line(&json(&Line { at_ms, notice }), out);
        }
    }

    /// Events that the recording holds.
    pub fn kept(&self) -> u64 {
        self.kept
    }

    /// Events that the recording does not hold, because the engine thinned them out or they were too
    /// many.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Whether there was no room for something else than events.
    pub fn is_full(&self) -> bool {
        self.full
    }

    fn line(&mut self, line: &str, out: &mut String) -> bool {
        let fits = line.len() <= LINE_MAX && line.len() < self.bytes_left && self.lines_left > 0;
        if fits {
            self.bytes_left -= line.len() + 1;
            self.lines_left -= 1;
            out.push_str(line);
            out.push('\n');
        }
        fits
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("protocol messages are plain data")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use graph_model::event::{Event, EventContext};
    use graph_model::value::Value;

    use super::*;
    use crate::EdgeCount;

    const HEAD: &str = r#"{"weir":"run","version":1,"flow":"{}","title":"T"}"#;

    fn observed(seq: u64, at_ms: u64, data: Value) -> Observed {
        Observed {
            seq,
            edge: "e".into(),
            at_ms,
            event: Event {
                context: Arc::new(EventContext {
                    id: "1".into(),
                    source: "/n".into(),
                    ..EventContext::default()
                }),
                data,
            },
        }
    }

    fn batch(events: Vec<Observed>, skipped: u64) -> Notice {
        Notice::Observed {
            batch: 3,
            events,
            skipped,
        }
    }

    fn counters(at_ms: u64, passed: u64) -> Notice {
        let mut counters = Counters {
            at_ms,
            ..Counters::default()
        };
        let count = EdgeCount {
            passed,
            ..EdgeCount::default()
        };
        counters.edges.insert("e".into(), count);
        Notice::Counters { counters }
    }

    fn begin(events_max: usize) -> (Recorder, String) {
        let mut text = String::new();
        let recorder = Recorder::begin("{}", Some("T"), events_max, &mut text);
        (recorder.expect("a small flow"), text)
    }

    #[test]
    fn what_is_written_is_read() {
        let (mut recorder, mut text) = begin(100);
        assert_eq!(text, format!("{HEAD}\n"));
        assert!(is_recording(text.as_bytes()));
        let state = |state| Notice::State { state };
        let problem = Problem::at(&"n".into(), "it is full");
        recorder.take(0, &state(RunState::Running), &mut text);
        recorder.take(100, &counters(100, 1), &mut text);
        // Told after the counters, but seen before.
        let one = observed(0, 40, graph_model::value!({"n": 1}));
        recorder.take(110, &batch(vec![one.clone()], 2), &mut text);
        recorder.take(200, &counters(200, 1), &mut text);
        let trouble = Notice::Trouble {
            problem: problem.clone(),
        };
        recorder.take(250, &trouble, &mut text);
        recorder.take(300, &state(RunState::Stopped), &mut text);
        recorder.end(310, &mut text);
        let read = Recording::read(text.as_bytes()).expect("it was written so");
        assert_eq!(
            (read.flow.as_str(), read.title.as_deref()),
            ("{}", Some("T"))
        );
        let seen = Seen {
            observed: one,
            skipped: 2,
        };
        assert_eq!(read.events, [seen]);
        let at: Vec<u64> = read
            .counters
            .iter()
            .map(|counters| counters.at_ms)
            .collect();
        assert_eq!(
            at,
            [100, 200],
            "the same again is not repeated, but the end is there"
        );
        assert_eq!(
            read.states,
            [(0, RunState::Running), (300, RunState::Stopped)]
        );
        assert_eq!(read.troubles, [(250, problem)]);
        assert_eq!(
            (read.length_ms, read.unknown_lines, read.cut),
            (310, 0, false)
        );
    }

    #[test]
    fn the_number_of_events_is_bounded_and_the_rest_counted() {
        let (mut recorder, mut text) = begin(3);
        let events = |from| {
            (from..from + 2)
                .map(|n| observed(n, n, Value::Null))
                .collect()
        };
        recorder.take(2, &batch(events(0), 0), &mut text);
        recorder.take(4, &batch(events(2), 5), &mut text);
        recorder.take(6, &batch(events(4), 0), &mut text);
        recorder.take(9, &counters(9, 6), &mut text);
        recorder.end(9, &mut text);
        assert_eq!((recorder.left_out(), recorder.is_full()), (8, false));
        let read = Recording::read(text.as_bytes()).expect("it was written so");
        let seen: Vec<(u64, u64)> = read
            .events
            .iter()
            .map(|seen| (seen.observed.seq, seen.skipped))
            .collect();
        assert_eq!(seen, [(0, 0), (1, 0), (2, 5)]);
        assert_eq!(read.skipped_at_end, 3);
        assert_eq!(read.counters.len(), 1);
    }

    #[test]
    fn large_events_share_no_line_and_too_large_ones_are_left_out() {
        let (mut recorder, mut text) = begin(100);
        let large = |seq, bytes: usize| observed(seq, 0, Value::str("x".repeat(bytes)));
        let events = vec![
            large(0, 9 << 20),
            large(1, 9 << 20),
            large(2, 17 << 20),
            large(3, 1),
        ];
        recorder.take(0, &batch(events, 0), &mut text);
        let read = Recording::read(text.as_bytes()).expect("it was written so");
        let seen: Vec<(u64, u64)> = read
            .events
            .iter()
            .map(|seen| (seen.observed.seq, seen.skipped))
            .collect();
        assert_eq!(seen, [(0, 0), (1, 0), (3, 1)]);
        assert_eq!(recorder.left_out(), 1);
    }

    #[test]
    fn the_last_counters_have_a_place_of_their_own() {
        let (mut recorder, mut text) = begin(EVENTS_MAX);
        recorder.bytes_left = 1000;
        let event = batch(vec![observed(0, 0, Value::str("x".repeat(400)))], 0);
        for _ in 0..12 {
            recorder.take(0, &event, &mut text);
        }
        assert_eq!((recorder.kept(), recorder.left_out()), (1, 11));
        recorder.bytes_left = 10;
        recorder.take(1, &counters(1, 12), &mut text);
        assert!(recorder.is_full());
        recorder.end(2, &mut text);
        let read = Recording::read(text.as_bytes()).expect("it was written so");
        assert_eq!(read.counters.len(), 1);
        assert_eq!(read.length_ms, 2);
    }

    #[test]
    fn lines_of_strangers_are_taken_or_refused_with_their_place() {
        let state = r#"{"at_ms":5,"is":"state","state":"running"}"#;
        for (lines, wanted) in [
            (String::new(), "0 ms, 0 unknown, cut false"),
            (format!("{state}\n"), "5 ms, 0 unknown, cut false"),
            (
                format!("{state}\r\n\r\n{state}\n\n"),
                "5 ms, 0 unknown, cut false",
            ),
            // A crash cuts the last line.
            (
                format!("{state}\n{{\"at_ms\":7,\"is\":\"st"),
                "5 ms, 0 unknown, cut true",
            ),
            (
                format!("{state}\n{{\"at_ms\":7,\"is\":\"st\n"),
                "line 3: EOF",
            ),
            (
                format!("{{\"at_ms\n{state}\n"),
                "line 2: EOF while parsing a string at column 7",
            ),
            (
                "nonsense\nmore\n".to_owned(),
                "line 2: expected ident at column 2",
            ),
            // Later versions say more.
            (
                "{\"at_ms\":1,\"is\":\"mood\",\"mood\":\"good\"}\n{\"x\":1}\n{}\n".to_owned(),
                "0 ms, 3 unknown, cut false",
            ),
            ("[]\n7\nnull\n".to_owned(), "0 ms, 3 unknown, cut false"),
            ("{\"is\":7}\n".to_owned(), "0 ms, 1 unknown, cut false"),
            (
                "{\"at_ms\":1,\"is\":\"reply\",\"id\":1,\"result\":{\"Ok\":{\"is\":\"done\"}}}\n"
                    .to_owned(),
                "1 ms, 1 unknown, cut false",
            ),
            // What this version knows has to be right.
            (
                "{\"at_ms\":1,\"is\":\"state\",\"state\":\"dancing\"}\n".to_owned(),
                "line 2: unknown variant `dancing`",
            ),
            (
                "{\"is\":\"counters\"}\n".to_owned(),
                "line 2: missing field `at_ms`",
            ),
            (
                "{\"at_ms\":-1,\"is\":\"state\",\"state\":\"running\"}\n".to_owned(),
                "line 2: invalid value: integer `-1`",
            ),
            (
                "{\"at_ms\":99999999999999,\"is\":\"state\",\"state\":\"running\"}\n".to_owned(),
                "line 2: `at_ms` is later than a year",
            ),
            (
                format!("{}{}\n", "[".repeat(100_000), "]".repeat(100_000)),
                "0 ms, 1 unknown, cut false",
            ),
            (
                format!("{{\"x\":{}{}}}\n", "[".repeat(100_000), "]".repeat(100_000)),
                "0 ms, 1 unknown, cut false",
            ),
            (
                format!("\"{}\"\n", "x".repeat(LINE_MAX)),
                "line 2: longer than",
            ),
            ("\n".repeat(LINES_MAX + 10), "0 ms, 0 unknown, cut false"),
            (
                format!("{}{{}}\n", "\n".repeat(LINES_MAX)),
                "line 500002: more than 500000 lines",
            ),
        ] {
            let text = format!("{HEAD}\n{lines}");
            let found = match Recording::read(text.as_bytes()) {
                Ok(read) => format!(
                    "{} ms, {} unknown, cut {}",
                    read.length_ms, read.unknown_lines, read.cut
                ),
                Err(error) => error.to_string(),
            };
            let lines: String = lines.chars().take(80).collect();
            assert!(found.contains(wanted), "{lines}: {found}");
        }
    }

    #[test]
    fn the_example_of_the_specification_is_read() {
        let page = include_str!("../../../docs/specs/run-format.md");
        let (_, rest) = page.split_once("```json\n").expect("an example");
        let (lines, _) = rest.split_once("```").expect("its end");
        let read = Recording::read(format!("{HEAD}\n{lines}").as_bytes()).expect("it is right");
        let found = (read.events.len(), read.counters.len(), read.states.len());
        assert_eq!((found, read.unknown_lines), ((1, 1, 1), 0));
    }

    #[test]
    fn the_first_line_decides() {
        for (text, wanted) in [
            ("", "not a recorded run"),
            ("{}", "not a recorded run"),
            ("{\"version\": 1, \"nodes\": {}}", "not a recorded run"),
            (
                r#"{"weir":"flow","version":1,"flow":""}"#,
                "not a recorded run",
            ),
            (
                r#"{"weir":"run","version":1}"#,
                "line 1: missing field `flow`",
            ),
            (r#"{"weir":"run","version":2,"run":[]}"#, "format 2"),
        ] {
            let error = Recording::read(text.as_bytes())
                .expect_err(text)
                .to_string();
            assert!(error.contains(wanted), "{text}: {error}");
        }
        let more = r#"{"weir":"run","version":1,"flow":"f","later":{"x":1}}"#;
        assert!(is_recording(more.as_bytes()));
        assert_eq!(Recording::read(more.as_bytes()).expect("read").title, None);
        assert!(is_recording(format!("\u{feff} {HEAD}\n").as_bytes()));
        assert!(!is_recording(b"{\n  \"weir\": \"run\"\n}"));
        assert!(!is_recording(b"\xff\xfe"));
    }

    #[test]
    fn too_much_is_refused() {
        let error = Recording::read(&vec![b' '; FILE_MAX + 1]).expect_err("too large");
        assert_eq!(error, RecordingError::FileTooLarge);
        let events: Vec<Observed> = (0..1000).map(|n| observed(n, n, Value::Null)).collect();
        let line = json(&Line {
            at_ms: 1000,
            notice: batch(events, 0),
        });
        let lines = format!("{line}\n").repeat(EVENTS_MAX / 1000 + 1);
        let error = Recording::read(format!("{HEAD}\n{lines}").as_bytes()).expect_err("too many");
        assert_eq!(error, RecordingError::TooManyEvents { line: 102 });
    }
}
