//! What an engine says: replies, counters, observed events, troubles.

use runtime_protocol::function::{LogLevel, LogLine};
use runtime_protocol::{
    Answer, Command, Counters, NodeCount, Notice, Problem, Request, RunState, Transport as _,
};

use super::{EVENTS_MAX, Pending, Rates, Session, TroubleKind};

/// Share of the newest measurement in a smoothed rate.
const RATE_WEIGHT: f64 = 0.4;

impl Session {
    /// Takes in what the engine said; answers whether there was anything.
    pub(crate) fn poll(&mut self) -> bool {
        let mut any = false;
        if let Some(engine) = &mut self.engine {
            let notices = engine.poll();
            any |= !notices.is_empty();
            for notice in notices {
                if self.playback.is_some() {
                    self.take_aside(notice);
                } else {
                    self.take(notice);
                }
            }
        }
        if let Some(playback) = &mut self.playback {
            let notices = playback.poll();
            any |= !notices.is_empty();
            for notice in notices {
                self.take(notice);
            }
        }
        any
    }

    /// Takes in what an engine says that ends its work while a recorded run is shown.
    fn take_aside(&mut self, notice: Notice) {
        match notice {
            Notice::State { state } => self.engine_state = state,
            Notice::Trouble { problem } => self.report(TroubleKind::Failure, problem),
            Notice::Reply { id, .. } => match self.pending.remove(&id) {
                Some(Pending::Witness) => self.sought = None,
                Some(Pending::Tests) => self.tested = None,
                Some(Pending::Trial) => self.trial = None,
                _ => {}
            },
            // Without an answer it would never send any again.
            Notice::Observed { batch, .. } => {
                self.next_request += 1;
                let credit = Request {
                    id: self.next_request,
                    command: Command::Credit { batch },
                };
                if let Some(engine) = &mut self.engine
                    && let Err(problem) = engine.send(credit)
                {
                    self.report(TroubleKind::Failure, problem);
                }
            }
            Notice::Counters { .. } | Notice::Logged { .. } | Notice::Deployed => {}
        }
    }

    /// Tells the engine that everything it sent has been drawn.
    pub(crate) fn acknowledge(&mut self) {
        if let Some(batch) = self.credit_due.take()
            && !self.send(Command::Credit { batch }, Pending::Quiet)
        {
            self.credit_due = Some(batch);
        }
    }

    pub(super) fn take(&mut self, notice: Notice) {
        match notice {
            Notice::Reply { id, result } => {
                let pending = self.pending.remove(&id).unwrap_or(Pending::Quiet);
                match result {
                    Ok(Answer::Witness { sighting }) => self.found(Ok(sighting)),
                    Err(problem) if pending == Pending::Witness => self.found(Err(problem)),
                    Ok(Answer::Tests { tests }) => self.tests_told(Ok(tests)),
                    Err(problem) if pending == Pending::Tests => {
                        self.tests_told(Err(problem.message));
                    }
                    Ok(Answer::Tried { tried }) => self.tried(Ok(tried)),
                    Err(problem) if pending == Pending::Trial => self.tried(Err(problem.message)),
                    Ok(answer) => self.answered(pending, answer),
                    Err(problem) => self.report(TroubleKind::Failure, problem),
                }
            }
            Notice::State { state } => {
                let joins = self.state == RunState::Stopped && state != RunState::Stopped;
                self.state = state;
                if joins && !self.plays() && !self.deploying() {
                    self.join();
                }
                if state == RunState::Stopped {
                    self.rates = Rates::default();
                    self.addresses.clear();
                    self.deployed = None;
                }
            }
            Notice::Deployed => {
                if self.active() && !self.plays() && !self.deploying() {
                    self.send(Command::ReadFlow, Pending::Flow);
                }
            }
            Notice::Counters { counters } => self.count(counters),
            Notice::Observed {
                batch,
                events,
                skipped,
            } => {
                self.credit_due = Some(batch);
                self.skipped += skipped;
                self.events.extend(events);
                while self.events.len() > EVENTS_MAX {
                    self.events.pop_front();
                    self.skipped += 1;
                }
                self.events_revision += 1;
            }
            Notice::Logged { lines, skipped } => self.log(lines, skipped),
            Notice::Trouble { problem } => self.report(TroubleKind::Failure, problem),
        }
    }

    /// Takes in what functions wrote to the log.
    fn log(&mut self, lines: Vec<LogLine>, skipped: u64) {
        if skipped > 0 {
            let told = format!("{skipped} lines of the log were left out");
            self.report(TroubleKind::Note, Problem::new(told));
        }
        for line in lines {
            let kind = match line.level {
                LogLevel::Warn => TroubleKind::Warning,
                LogLevel::Error => TroubleKind::Failure,
                _ => TroubleKind::Note,
            };
            self.report(kind, Problem::at(&line.node, line.message));
        }
    }

    fn answered(&mut self, pending: Pending, answer: Answer) {
        match (pending, answer) {
            (
                Pending::Deploy {
                    revision,
                    then_start,
                },
                Answer::Deployed {
                    kept,
                    started,
                    stopped,
                    addresses,
                },
            ) => {
                self.deployed = Some(revision);
                self.addresses = addresses;
                if self.playback.is_none() {
                    self.report(
                        TroubleKind::Note,
                        Problem::new(format!(
                            "deployed: {started} started, {kept} kept, {stopped} stopped"
                        )),
                    );
                }
                if then_start {
                    self.send(Command::Tap { edges: Vec::new() }, Pending::Quiet);
                    self.send(Command::Start, Pending::Start);
                }
            }
            // Starting says where the sources listen.
            (_, Answer::Deployed { addresses, .. }) => self.addresses = addresses,
            (Pending::Inject, Answer::Injected { id }) => {
                self.report(
                    TroubleKind::Note,
                    Problem::new(format!("sent the event in as {id}")),
                );
            }
            (Pending::View(node), Answer::Events { events }) => {
                self.views.insert(node, events);
            }
            (
                Pending::Flow,
                Answer::Flow {
                    flow: Some(flow),
                    addresses,
                },
            ) => {
                self.addresses = addresses;
                self.deployed = None;
                self.others_flow = Some(flow);
            }
            (Pending::DeadLetters, Answer::Events { events }) => self.dead_letters = events,
            (_, Answer::Counters { counters }) => self.count(counters),
            _ => {}
        }
    }

    /// Whether a flow of ours is on its way to the engine.
    pub(super) fn deploying(&self) -> bool {
        self.pending
            .values()
            .any(|pending| matches!(pending, Pending::Deploy { .. } | Pending::Start))
    }

    /// Looks at a run that somebody else began.
    fn join(&mut self) {
        self.forget_run();
        self.send(Command::ReadFlow, Pending::Flow);
        self.send(Command::Tap { edges: Vec::new() }, Pending::Quiet);
        self.send(Command::ReadCounters, Pending::Quiet);
    }

    fn count(&mut self, new: Counters) {
        let seconds = new.at_ms.saturating_sub(self.counters.at_ms) as f64 / 1000.0;
        if seconds > 0.0 {
            let smooth = |old: Option<&f64>, before: u64, now: u64| {
                let rate = now.saturating_sub(before) as f64 / seconds;
                let old = old.copied().unwrap_or(rate);
                let smoothed = old + (rate - old) * RATE_WEIGHT;
                // What is as good as nothing is shown as nothing.
                if smoothed < 0.05 { 0.0 } else { smoothed }
            };
            let old = &self.counters;
            // What comes back into a running flow, as by undo, brings its counts along.
            let running = !old.nodes.is_empty();
            let unseen = |count: u64| if running { count } else { 0 };
            let rates = Rates {
                edges: new
                    .edges
                    .iter()
                    .map(|(id, count)| {
                        let before = old
                            .edges
                            .get(id)
                            .map_or(unseen(count.passed), |old| old.passed);
                        let rate = smooth(self.rates.edges.get(id), before, count.passed);
                        (id.clone(), rate)
                    })
                    .collect(),
                nodes: new
                    .nodes
                    .iter()
                    .map(|(id, count)| {
                        let handled = |count: &NodeCount| count.received.max(count.sent);
                        let before = old.nodes.get(id).map_or(unseen(handled(count)), handled);
                        let rate = smooth(self.rates.nodes.get(id), before, handled(count));
                        (id.clone(), rate)
                    })
                    .collect(),
            };
            self.rates = rates;
        }
        self.counters = new;
    }
}
