//! Writing a recorded run while it runs, on a thread of its own, so that no disk slows the flow.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use runtime::engine::Client;
use runtime_protocol::recording::{self, Recorder};
use runtime_protocol::{Command, Notice, Problem, Request, RunState, Transport};

use super::Stop;
use desk::flow_file::FlowFile;

/// How often the engine is asked for news.
const POLL_EVERY: Duration = Duration::from_millis(10);

/// A recording under way.
pub(super) struct Recording {
    path: PathBuf,
    ending: Sender<()>,
    thread: JoinHandle<io::Result<Recorder>>,
}

/// Checks the name of a recording, which is written over whatever is there.
pub(super) fn path(text: &str) -> Result<PathBuf, String> {
    if text.ends_with(recording::ENDING) {
        Ok(text.into())
    } else {
        let ending = recording::ENDING;
        Err(format!(
            "end the name in `{ending}`, so that no other file is written over"
        ))
    }
}

impl Recording {
    /// Begins before the flow is started, so that its first event is there.
    pub(super) fn begin(
        path: &Path,
        events_max: usize,
        flow: &FlowFile,
        mut line: Client,
    ) -> Result<Recording, Stop> {
        let failed = |error: String| {
            Stop::because(format!(
                "{}: the run cannot be recorded: {error}; choose another place, or run without `--record`",
                path.display()
            ))
        };
        let mut text = String::new();
        let title = Some(flow.document.meta.title.as_str()).filter(|title| !title.is_empty());
        let recorder = Recorder::begin(&flow.text, title, events_max, &mut text)
            .map_err(|error| failed(error.to_string()))?;
        let mut file = File::create(path).map_err(|error| failed(error.to_string()))?;
        file.write_all(text.as_bytes())
            .map_err(|error| failed(error.to_string()))?;
        let tap = Command::Tap { edges: Vec::new() };
        line.send(Request {
            id: 1,
            command: tap,
        })?;
        let (ending, ended) = channel();
        let writer = Writer {
            file,
            recorder,
            line,
            request: 1,
            began: None,
        };
        let thread = std::thread::Builder::new()
            .name("recording".into())
            .spawn(move || writer.write(&ended))
            .map_err(|error| failed(error.to_string()))?;
        Ok(Recording {
            path: path.to_path_buf(),
            ending,
            thread,
        })
    }

    /// Writes the end; answers what to say about the recording.
    pub(super) fn end(self) -> Result<String, Problem> {
        let path = self.path.display();
        let failed = |error: &dyn std::fmt::Display| {
            Problem::new(format!(
                "{path}: the recording ends early: {error}; what is in it can be opened"
            ))
        };
        // A thread that failed waits for nothing.
        drop(self.ending);
        let recorder = match self.thread.join() {
            Ok(written) => written.map_err(|error| failed(&error))?,
            Err(_) => return Err(failed(&"its thread broke down")),
        };
        let (kept, left_out) = (recorder.kept(), recorder.left_out());
        let mut said = format!("recorded {kept} events in {path}");
        if left_out > 0 {
            said = format!("{said}; {left_out} more were left out");
        }
        if recorder.is_full() {
            said = format!("{said}; there was no room for all counters, but for the last");
        }
        Ok(said)
    }
}

/// What the thread works with.
struct Writer {
    file: File,
    recorder: Recorder,
    line: Client,
    request: u64,
    /// When the flow started.
    began: Option<Instant>,
}

impl Writer {
    fn write(mut self, ended: &Receiver<()>) -> io::Result<Recorder> {
        let mut text = String::new();
        loop {
            let over = ended.recv_timeout(POLL_EVERY) != Err(RecvTimeoutError::Timeout);
            self.look(&mut text);
            if over {
                let at_ms = self.passed_ms();
                self.recorder.end(at_ms, &mut text);
            }
            // At once, so that a crash leaves what was seen before it.
            self.file.write_all(text.as_bytes())?;
            text.clear();
            if over {
                return Ok(self.recorder);
            }
        }
    }

    fn look(&mut self, text: &mut String) {
        for notice in self.line.poll() {
            let at_ms = match &notice {
                Notice::State { state } if self.began.is_none() => {
                    if *state == RunState::Stopped {
                        continue; // as it was before it ran
                    }
                    self.began = Some(Instant::now());
                    0
                }
                Notice::Counters { counters } => counters.at_ms,
                Notice::Observed { batch, events, .. } => {
                    self.request += 1;
                    let credit = Request {
                        id: self.request,
                        command: Command::Credit { batch: *batch },
                    };
                    // An engine that is too busy to hear it is asked with the next batch or not at
                    // all; what it then leaves out, the counters tell.
                    let _busy = self.line.send(credit);
                    events.last().map_or(self.passed_ms(), |last| last.at_ms)
                }
                _ => self.passed_ms(),
            };
            self.recorder.take(at_ms, &notice, text);
        }
    }

    fn passed_ms(&self) -> u64 {
        let passed = self.began.map(|began| began.elapsed());
        passed.map_or(0, |passed| passed.as_millis() as u64)
    }
}
