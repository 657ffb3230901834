//! Writes recordings, within bounds.

use serde::Serialize;

use super::{EVENTS_MAX, FILE_MAX, Header, LINE_MAX, LINES_MAX, Line, RecordingError, VERSION};
use crate::{Counters, Notice, Observed};

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
    pub(super) bytes_left: usize,
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

pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("protocol messages are plain data")
}
