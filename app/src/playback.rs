//! A recorded run in the place of an engine: a [`Transport`] that plays what was seen.
//!
//! It has no clock of its own: the designer hands it the time of every frame. What is shown at a
//! moment follows from the recording alone, so that going there by playing or by jumping is the same.

use std::ops::Range;

use graph_model::document::Document;
use graph_model::event::Event;
use graph_model::format;
use graph_model::id::NodeId;
use runtime_protocol::recording::Recording;
use runtime_protocol::{
    Answer, Command, Counters, Notice, Observed, Problem, Request, RunState, Transport,
};

use crate::session::EVENTS_MAX;

/// How fast a recording can be played.
pub(crate) const SPEEDS: [f64; 7] = [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0];
/// Longest step from one frame to the next, in seconds: a window that was hidden goes on where it was.
const FRAME_MAX: f64 = 1.0;
/// Milliseconds after which the counters are told again though they did not change, so that rates fall.
const COUNT_EVERY_MS: f64 = 250.0;
/// Snapshots of the counters that are told at once, so that rates settle after a jump.
const SNAPSHOTS_MAX: usize = 12;

/// Plays a recording.
pub(crate) struct Playback {
    recording: Recording,
    document: Document,
    state: RunState,
    /// Milliseconds of the recording that were played.
    position: f64,
    speed: f64,
    /// Time of the last frame, in seconds.
    frame: Option<f64>,
    next_event: usize,
    next_trouble: usize,
    /// Position at which counters were told last.
    counted: f64,
    batch: u64,
    notices: Vec<Notice>,
}

impl Playback {
    /// A recording and the flow in it.
    pub(crate) fn new(recording: Recording, document: Document) -> Playback {
        Playback {
            recording,
            document,
            state: RunState::Stopped,
            position: 0.0,
            speed: 1.0,
            frame: None,
            next_event: 0,
            next_trouble: 0,
            counted: 0.0,
            batch: 0,
            notices: Vec::new(),
        }
    }

    pub(crate) fn title(&self) -> Option<&str> {
        self.recording.title.as_deref()
    }

    pub(crate) fn position_ms(&self) -> f64 {
        self.position
    }

    pub(crate) fn length_ms(&self) -> f64 {
        self.recording.length_ms as f64
    }

    pub(crate) fn speed(&self) -> f64 {
        self.speed
    }

    pub(crate) fn set_speed(&mut self, speed: f64) {
        self.speed = speed.clamp(SPEEDS[0], SPEEDS[SPEEDS.len() - 1]);
    }

    /// The recording ends in the middle of a line, as after a crash.
    pub(crate) fn is_cut(&self) -> bool {
        self.recording.cut
    }

    /// The time of this frame, in seconds.
    pub(crate) fn tick(&mut self, now: f64) {
        let passed = self.frame.map_or(0.0, |last| now - last);
        self.frame = Some(now);
        if self.state == RunState::Running {
            let passed = passed.clamp(0.0, FRAME_MAX) * 1000.0 * self.speed;
            self.play_to(self.position + passed);
        }
    }

    /// Goes to this moment, and waits there unless it plays.
    pub(crate) fn seek(&mut self, to_ms: f64) {
        let to = to_ms.clamp(0.0, self.length_ms());
        self.show(to, self.events_until(to));
    }

    /// Goes back to where the last event had not been seen.
    pub(crate) fn step_back(&mut self) {
        let shown = self.next_event.saturating_sub(1);
        let events = &self.recording.events;
        let position = shown
            .checked_sub(1)
            .map_or(0.0, |last| events[last].observed.at_ms as f64);
        self.show(position, shown);
        self.pause();
    }

    fn play_to(&mut self, to: f64) {
        let end = self.length_ms();
        let to = to.min(end);
        let shown = self.events_until(to).max(self.next_event);
        self.tell_events(self.next_event..shown);
        self.next_event = shown;
        self.tell_troubles(to);
        self.tell_counters(to);
        self.position = to;
        if to >= end {
            if self.recording.skipped_at_end > 0 {
                self.tell_observed(Vec::new(), self.recording.skipped_at_end);
            }
            self.count(end);
            self.turn(RunState::Stopped);
        }
    }

    fn step(&mut self, node: Option<&NodeId>) -> Result<Answer, Problem> {
        if self.state != RunState::Paused {
            return Err(Problem::new(
                "the recorded run is not paused; pause it before you step",
            ));
        }
        let into = |observed: &Observed| {
            node.is_none_or(|node| {
                let edge = self.document.edges.get(&observed.edge);
                edge.is_some_and(|edge| edge.to.node == *node)
            })
        };
        let left = self.recording.events[self.next_event..].iter();
        let found = left.map(|seen| &seen.observed).position(into);
        let Some(found) = found.map(|ahead| self.next_event + ahead) else {
            let message =
                "the recorded run has no further event here; press Continue to go to its end";
            return Err(match node {
                Some(node) => Problem::at(node, message),
                None => Problem::new(message),
            });
        };
        let to = self.recording.events[found].observed.at_ms as f64;
        self.tell_events(self.next_event..found + 1);
        self.next_event = found + 1;
        self.tell_troubles(to);
        self.count(to);
        self.position = self.position.max(to);
        Ok(Answer::Done)
    }

    /// Rebuilds what is seen at a moment, from the start.
    fn show(&mut self, position: f64, shown: usize) {
        // What was told of another moment is of no interest any more.
        self.notices
            .retain(|notice| matches!(notice, Notice::Reply { .. }));
        self.position = position;
        self.next_event = shown;
        let troubles = &self.recording.troubles;
        self.next_trouble = troubles.partition_point(|(at, _)| *at as f64 <= position);
        self.tell_events(0..shown);
        for back in (0..SNAPSHOTS_MAX).rev() {
            let at = position - back as f64 * COUNT_EVERY_MS;
            if at >= 0.0 {
                self.count(at);
            }
        }
        if self.state == RunState::Stopped {
            self.turn(RunState::Paused);
        }
    }

    fn pause(&mut self) {
        if self.state != RunState::Paused {
            self.turn(RunState::Paused);
        }
    }

    fn turn(&mut self, state: RunState) {
        self.state = state;
        self.notices.push(Notice::State { state });
    }

    fn events_until(&self, to: f64) -> usize {
        let events = &self.recording.events;
        events.partition_point(|seen| seen.observed.at_ms as f64 <= to)
    }

    fn tell_events(&mut self, range: Range<usize>) {
        if range.is_empty() {
            return;
        }
        // The session would keep no more of them.
        let over = range.len().saturating_sub(EVENTS_MAX);
        let all = &self.recording.events[range];
        let skipped = all
            .iter()
            .fold(over as u64, |sum, seen| sum.saturating_add(seen.skipped));
        let events = all[over..].iter().map(|seen| seen.observed.clone());
        let events = events.collect();
        self.tell_observed(events, skipped);
    }

    fn tell_observed(&mut self, events: Vec<Observed>, skipped: u64) {
        self.batch += 1;
        self.notices.push(Notice::Observed {
            batch: self.batch,
            events,
            skipped,
        });
    }

    fn tell_troubles(&mut self, to: f64) {
        while let Some((at, problem)) = self.recording.troubles.get(self.next_trouble)
            && *at as f64 <= to
        {
            self.notices.push(Notice::Trouble {
                problem: problem.clone(),
            });
            self.next_trouble += 1;
        }
    }

    /// Tells the snapshots on the way there, and how long they stayed true.
    fn tell_counters(&mut self, to: f64) {
        let from = self.counted;
        let all = &self.recording.counters;
        let first = all.partition_point(|counters| counters.at_ms as f64 <= from);
        let last = all.partition_point(|counters| counters.at_ms as f64 <= to);
        for index in first.max(last.saturating_sub(SNAPSHOTS_MAX))..last {
            self.count(self.recording.counters[index].at_ms as f64);
        }
        if to - self.counted >= COUNT_EVERY_MS {
            self.count(to);
        }
    }

    fn count(&mut self, at: f64) {
        self.counted = at;
        let counters = self.counters(at);
        self.notices.push(Notice::Counters { counters });
    }

    /// The counters as they were at a moment.
    fn counters(&self, at: f64) -> Counters {
        let all = &self.recording.counters;
        let known = all.partition_point(|counters| counters.at_ms as f64 <= at);
        let last = known.checked_sub(1).map(|last| &all[last]);
        Counters {
            at_ms: at as u64,
            ..last.cloned().unwrap_or_default()
        }
    }

    /// What went into a node so far: the nearest that a recording comes to the rows of a view.
    fn events_into(&self, node: &NodeId, limit: usize) -> Vec<Event> {
        let into = |observed: &&Observed| {
            let edge = self.document.edges.get(&observed.edge);
            edge.is_some_and(|edge| edge.to.node == *node)
        };
        let seen = self.recording.events[..self.next_event].iter();
        let mut events: Vec<Event> = seen
            .rev()
            .map(|seen| &seen.observed)
            .filter(into)
            .map(|observed| observed.event.clone())
            .take(limit)
            .collect();
        events.reverse();
        events
    }

    fn deploy(&self, flow: &str) -> Result<Answer, Problem> {
        let opened =
            format::open(flow.as_bytes()).map_err(|error| Problem::new(error.to_string()))?;
        // Where things stand, and what is written beside them, means nothing for a run.
        let (old, new) = (&self.document, &opened.document);
        if old.nodes != new.nodes || old.edges != new.edges || old.types != new.types {
            return Err(Problem::new(
                "a recorded run takes no changes; undo them to play it, or save the flow to a file and run it there",
            ));
        }
        Ok(Answer::Deployed {
            kept: new.nodes.len() as u32,
            started: 0,
            stopped: 0,
            addresses: [].into(),
        })
    }

    fn handle(&mut self, command: Command) -> Result<Answer, Problem> {
        match command {
            Command::Deploy { flow } => return self.deploy(&flow),
            Command::Start => match self.state {
                RunState::Stopped => {
                    self.position = 0.0;
                    (self.next_event, self.next_trouble, self.counted) = (0, 0, 0.0);
                    self.turn(RunState::Running);
                }
                _ => self.turn(RunState::Running),
            },
            Command::Pause if self.state == RunState::Running => self.turn(RunState::Paused),
            Command::Resume if self.state == RunState::Paused => self.turn(RunState::Running),
            Command::Pause | Command::Resume => {
                return Err(Problem::new(
                    "the recorded run does not play; press Play first",
                ));
            }
            Command::Step { node } => return self.step(node.as_ref()),
            Command::Stop if self.state != RunState::Stopped => self.turn(RunState::Stopped),
            Command::Inject { .. } => {
                return Err(Problem::new(
                    "a recorded run takes no events; save the flow to a file and run it there to send some in",
                ));
            }
            Command::Witness { .. }
            | Command::CheckFix { .. }
            | Command::Test { .. }
            | Command::Try { .. } => {
                return Err(Problem::new(
                    "a recorded run has no engine that could show it; save the flow to a file first",
                ));
            }
            Command::ReadView { node, limit } => {
                return Ok(Answer::Events {
                    events: self.events_into(&node, limit as usize),
                });
            }
            Command::ReadDeadLetters { .. } => {
                return Ok(Answer::Events { events: Vec::new() });
            }
            Command::ReadFlow => {
                return Ok(Answer::Flow {
                    flow: None,
                    addresses: [].into(),
                });
            }
            Command::ReadCounters => {
                return Ok(Answer::Counters {
                    counters: self.counters(self.position),
                });
            }
            Command::Stop | Command::Tap { .. } | Command::Untap | Command::Credit { .. } => {}
        }
        Ok(Answer::Done)
    }
}

impl Transport for Playback {
    fn send(&mut self, request: Request) -> Result<(), Problem> {
        let Request { id, command } = request;
        let result = self.handle(command);
        self.notices.push(Notice::Reply { id, result });
        Ok(())
    }

    fn poll(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }
}
