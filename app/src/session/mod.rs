//! The line to the engine: the only holder of a [`Transport`].
//!
//! Polled once a frame and bounded in what it keeps. It knows what runs, how fast events go, and
//! the latest events that were observed.

pub(crate) mod trial;

use std::collections::{BTreeMap, VecDeque};

use graph_model::event::Event;
use graph_model::id::{EdgeId, NodeId};
use graph_model::value::Value;
use runtime_protocol::{
    Answer, Command, Counters, EdgeCount, Line, NodeCount, Notice, Observed, Problem, Request,
    Role, RunState, Target, Transport,
};
use smol_str::SmolStr;

use self::trial::{Question, Trial};
use crate::playback::Playback;
use crate::showing::Hazard;
use runtime_protocol::flow_test::TestTold;
use runtime_protocol::function::{FunctionCost, LogLevel, LogLine, Tried};
use runtime_protocol::witness::{Play, Sighting};

/// Observed events that are kept; the oldest go first and are counted.
pub(crate) const EVENTS_MAX: usize = 10_000;
/// Troubles that are kept; the oldest go first.
pub(crate) const TROUBLES_MAX: usize = 500;
/// Rows that are asked of a view, and dead letters that are asked for.
const ROWS_MAX: u32 = 200;
/// Share of the newest measurement in a smoothed rate.
const RATE_WEIGHT: f64 = 0.4;
/// Seconds without a change of the document after which it is deployed.
const DEPLOY_PAUSE: f64 = 0.15;

/// A line to an engine, or a recorded run in its place, and what came over it.
#[derive(Default)]
pub(crate) struct Session {
    engine: Option<Box<dyn Transport>>,
    playback: Option<Playback>,
    /// State of the engine while a recorded run is shown in its place.
    engine_state: RunState,
    /// The revision of the document in the recorded run.
    recorded: u64,
    next_request: u64,
    pending: BTreeMap<u64, Pending>,
    state: RunState,
    counters: Counters,
    rates: Rates,
    events: VecDeque<Observed>,
    /// Observed events that the engine left out or that fell out of the ring.
    skipped: u64,
    /// Counts up whenever `events` changes.
    events_revision: u64,
    credit_due: Option<u64>,
    troubles: VecDeque<Trouble>,
    unseen_failures: usize,
    addresses: BTreeMap<NodeId, SmolStr>,
    views: BTreeMap<NodeId, Vec<Event>>,
    dead_letters: Vec<Event>,
    deployed: Option<u64>,
    changed_at: Option<f64>,
    /// A flow that somebody else made the one that runs, until the designer has looked at it.
    others_flow: Option<String>,
    sought: Option<Sought>,
    tested: Option<Tested>,
    trial: Option<Trial>,
    /// A run that shows a hazard, until the designer has taken it.
    play: Option<Play>,
}

/// Tests that are played, or were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tested {
    /// The revision of the document that keeps them.
    pub revision: u64,
    pub answer: Option<Result<Vec<TestTold>, String>>,
}

/// A run that is looked for because a hazard is seen in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sought {
    pub hazard: Hazard,
    /// It was seen before: does it still happen?
    pub checks: bool,
    /// What came of it, in words.
    pub answer: Option<Result<String, String>>,
}

impl Sought {
    /// Whether nothing has come of it yet.
    pub(crate) fn is_open(&self) -> bool {
        self.answer.is_none()
    }
}

/// What a command was sent for, until its reply comes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Pending {
    /// Carries the revision of the document that was sent.
    Deploy {
        revision: u64,
        then_start: bool,
    },
    Start,
    Inject,
    View(NodeId),
    DeadLetters,
    Flow,
    Witness,
    Tests,
    Trial,
    Quiet,
}

/// Something that a person should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub kind: TroubleKind,
    pub message: String,
    pub node: Option<NodeId>,
    /// How often in a row it came.
    pub times: u32,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TroubleKind {
    /// For the record, such as what a deploy changed.
    Note,
    /// A function warns of something.
    Warning,
    /// Something failed.
    Failure,
}

/// Events per second, smoothed over a few snapshots.
#[derive(Clone, Debug, Default)]
struct Rates {
    edges: BTreeMap<EdgeId, f64>,
    nodes: BTreeMap<NodeId, f64>,
}

impl Session {
    pub(crate) fn new(transport: Option<Box<dyn Transport>>) -> Session {
        Session {
            engine: transport,
            ..Session::default()
        }
    }

    /// Whether there is an engine or a recorded run at the other end.
    pub(crate) fn connected(&self) -> bool {
        self.engine.is_some() || self.playback.is_some()
    }

    pub(crate) fn has_engine(&self) -> bool {
        self.engine.is_some()
    }

    /// Whether a recorded run is shown in place of an engine.
    pub(crate) fn plays(&self) -> bool {
        self.playback.is_some()
    }

    pub(crate) fn playback(&self) -> Option<&Playback> {
        self.playback.as_ref()
    }

    /// Shows a recorded run, whose flow is this revision of the document, in place of the engine.
    pub(crate) fn show_recorded(&mut self, playback: Playback, revision: u64) {
        self.engine_state = self.state;
        self.state = RunState::Stopped;
        self.playback = Some(playback);
        self.recorded = revision;
        self.addresses.clear();
        self.changed_at = None;
        self.forget_run();
    }

    /// Gives the engine its place back; answers whether a recorded run was shown.
    pub(crate) fn close_recorded(&mut self) -> bool {
        if self.playback.take().is_none() {
            return false;
        }
        self.state = self.engine_state;
        self.changed_at = None;
        self.credit_due = None;
        self.forget_run();
        true
    }

    /// The time of this frame, for what plays by it.
    pub(crate) fn tick(&mut self, now: f64) {
        if let Some(playback) = &mut self.playback {
            playback.tick(now);
        }
    }

    /// Goes to a moment of the recorded run.
    pub(crate) fn seek(&mut self, to_ms: f64) {
        self.jump(|playback| playback.seek(to_ms));
    }

    /// Goes back to before the last event of the recorded run.
    pub(crate) fn step_back(&mut self) {
        self.jump(Playback::step_back);
    }

    pub(crate) fn set_speed(&mut self, speed: f64) {
        if let Some(playback) = &mut self.playback {
            playback.set_speed(speed);
        }
    }

    fn jump(&mut self, jump: impl FnOnce(&mut Playback)) {
        let Some(playback) = &mut self.playback else {
            return;
        };
        jump(playback);
        let rows = std::mem::take(&mut self.views);
        self.forget_run();
        // Rows that are shown stay until they were read again.
        self.views = rows;
        if self.state == RunState::Stopped {
            self.deployed = Some(self.recorded);
        }
        self.poll();
    }

    /// Forgets what was seen of a run.
    fn forget_run(&mut self) {
        self.counters = Counters::default();
        self.rates = Rates::default();
        self.views.clear();
        self.dead_letters.clear();
        self.clear_events();
    }

    /// How the line to the engine is.
    pub(crate) fn line(&self) -> Line {
        let engine = self.engine.as_ref().filter(|_| !self.plays());
        engine.map_or(Line::Up, |engine| engine.line())
    }

    /// Whether the run may be changed from here.
    pub(crate) fn operates(&self) -> bool {
        self.connected() && !self.looks_on()
    }

    /// Whether this designer only looks at a run that others change.
    pub(crate) fn looks_on(&self) -> bool {
        let engine = self.engine.as_ref().filter(|_| !self.plays());
        engine.is_some_and(|engine| engine.role() == Role::Viewer)
    }

    /// A flow that somebody else made the one that runs; answered once.
    pub(crate) fn take_others_flow(&mut self) -> Option<String> {
        self.others_flow.take()
    }

    /// Whether a document of this designer is the one that runs.
    pub(crate) fn deployed_here(&self) -> bool {
        self.deployed.is_some() || self.deploying()
    }

    /// What runs is this state of the document.
    pub(crate) fn runs(&mut self, revision: u64) {
        self.deployed = Some(revision);
    }

    pub(crate) fn state(&self) -> RunState {
        self.state
    }

    /// Whether a flow is under way, paused or not.
    pub(crate) fn active(&self) -> bool {
        self.state != RunState::Stopped
    }

    /// Observed events, oldest first.
    pub(crate) fn events(&self) -> &VecDeque<Observed> {
        &self.events
    }

    pub(crate) fn events_revision(&self) -> u64 {
        self.events_revision
    }

    pub(crate) fn skipped(&self) -> u64 {
        self.skipped
    }

    pub(crate) fn troubles(&self) -> &VecDeque<Trouble> {
        &self.troubles
    }

    /// Failures since the list of troubles was last looked at.
    pub(crate) fn unseen_failures(&self) -> usize {
        self.unseen_failures
    }

    pub(crate) fn troubles_seen(&mut self) {
        self.unseen_failures = 0;
    }

    pub(crate) fn clear_troubles(&mut self) {
        self.troubles.clear();
        self.unseen_failures = 0;
    }

    pub(crate) fn clear_events(&mut self) {
        self.events.clear();
        self.skipped = 0;
        self.events_revision += 1;
    }

    /// Where each source listens.
    pub(crate) fn addresses(&self) -> &BTreeMap<NodeId, SmolStr> {
        &self.addresses
    }

    pub(crate) fn edge_count(&self, edge: &EdgeId) -> Option<&EdgeCount> {
        self.counters.edges.get(edge)
    }

    pub(crate) fn node_count(&self, node: &NodeId) -> Option<&NodeCount> {
        self.counters.nodes.get(node)
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Events per second along every edge.
    pub(crate) fn edge_rates(&self) -> &BTreeMap<EdgeId, f64> {
        &self.rates.edges
    }

    /// Events per second along the edge.
    pub(crate) fn edge_rate(&self, edge: &EdgeId) -> f64 {
        self.rates.edges.get(edge).copied().unwrap_or_default()
    }

    /// Events per second into the node.
    pub(crate) fn node_rate(&self, node: &NodeId) -> f64 {
        self.rates.nodes.get(node).copied().unwrap_or_default()
    }

    /// The rows of a view as they were last read.
    pub(crate) fn view(&self, node: &NodeId) -> Option<&[Event]> {
        self.views.get(node).map(Vec::as_slice)
    }

    pub(crate) fn dead_letters(&self) -> &[Event] {
        &self.dead_letters
    }

    /// The latest event seen on any of these edges.
    pub(crate) fn last_event(&self, edges: &[&EdgeId]) -> Option<&Observed> {
        self.events
            .iter()
            .rev()
            .find(|seen| edges.contains(&&seen.edge))
    }

    /// Whether the engine runs another state of the document than this one.
    pub(crate) fn undeployed(&self, revision: u64) -> bool {
        self.active() && self.deployed != Some(revision)
    }

    /// Makes the flow run: deploys it, and starts it when it stands still.
    pub(crate) fn run(&mut self, flow: String, revision: u64) {
        // Another flow may still be finishing: its engine is not the one of this flow.
        let then_start = matches!(self.state, RunState::Stopped | RunState::Draining);
        if then_start {
            self.forget_run();
        }
        self.changed_at = None;
        self.send(
            Command::Deploy { flow },
            Pending::Deploy {
                revision,
                then_start,
            },
        );
    }

    pub(crate) fn pause(&mut self) {
        self.send(Command::Pause, Pending::Quiet);
    }

    pub(crate) fn resume(&mut self) {
        self.send(Command::Resume, Pending::Quiet);
    }

    /// Lets one event be handled: by the node, or by whichever is next.
    pub(crate) fn step(&mut self, node: Option<NodeId>) {
        self.send(Command::Step { node }, Pending::Quiet);
    }

    pub(crate) fn stop(&mut self) {
        self.changed_at = None;
        self.send(Command::Stop, Pending::Quiet);
    }

    /// Ends the run before the window closes.
    pub(crate) fn stop_if_active(&mut self) {
        if self.active() {
            self.stop();
        }
    }

    pub(crate) fn inject(&mut self, target: Target, data: Value, ty: Option<SmolStr>) {
        self.send(
            Command::Inject {
                target,
                data,
                ty,
                id: None,
            },
            Pending::Inject,
        );
    }

    pub(crate) fn read_view(&mut self, node: &NodeId) {
        let pending = Pending::View(node.clone());
        if !self.pending.values().any(|other| *other == pending) {
            self.send(
                Command::ReadView {
                    node: node.clone(),
                    limit: ROWS_MAX,
                },
                pending,
            );
        }
    }

    pub(crate) fn read_dead_letters(&mut self) {
        if !self
            .pending
            .values()
            .any(|other| *other == Pending::DeadLetters)
        {
            self.send(
                Command::ReadDeadLetters { limit: ROWS_MAX },
                Pending::DeadLetters,
            );
        }
    }

    /// Plays the tests of the flow, which is this revision of the document.
    pub(crate) fn test(&mut self, flow: String, revision: u64) {
        let sent = self.send(Command::Test { flow }, Pending::Tests);
        self.tested = Some(Tested {
            revision,
            answer: (!sent).then(not_asked),
        });
    }

    /// The tests that were played last, and what came of them.
    pub(crate) fn tested(&self) -> Option<&Tested> {
        self.tested.as_ref()
    }

    fn tests_told(&mut self, answer: Result<Vec<TestTold>, String>) {
        if let Some(tested) = &mut self.tested {
            tested.answer = Some(answer);
        }
    }

    /// What functions cost in this run.
    pub(crate) fn function_costs(&self) -> &BTreeMap<NodeId, FunctionCost> {
        &self.counters.functions
    }

    /// Asks what a function does with an event.
    pub(crate) fn try_out(&mut self, question: Question) {
        let sent = self.send(question.command(), Pending::Trial);
        let mut trial = Trial::new(question, self.trial.take());
        trial.answer = (!sent).then(not_asked);
        self.trial = Some(trial);
    }

    /// What was tried last.
    pub(crate) fn trial(&self) -> Option<&Trial> {
        self.trial.as_ref()
    }

    fn tried(&mut self, answer: Result<Tried, String>) {
        if let Some(trial) = &mut self.trial {
            trial.answer = Some(answer);
        }
    }

    /// Looks for a run of the flow in which a hazard is seen happening.
    pub(crate) fn look_for(&mut self, flow: String, hazard: Hazard) {
        let command = Command::Witness {
            flow,
            code: hazard.code.clone(),
            node: hazard.at.clone(),
        };
        self.look(command, hazard, false);
    }

    /// Plays what showed a hazard on another state of the flow.
    pub(crate) fn check_fix(&mut self, flow: String, witness: String, hazard: Hazard) {
        self.look(Command::CheckFix { flow, witness }, hazard, true);
    }

    fn look(&mut self, command: Command, hazard: Hazard, checks: bool) {
        let sent = self.send(command, Pending::Witness);
        self.sought = Some(Sought {
            hazard,
            checks,
            answer: (!sent).then(not_asked),
        });
    }

    /// The run that was looked for last, and what came of it.
    pub(crate) fn sought(&self) -> Option<&Sought> {
        self.sought.as_ref()
    }

    pub(crate) fn forget_sought(&mut self) {
        self.sought = None;
    }

    pub(crate) fn forget_tested(&mut self) {
        self.tested = None;
    }

    /// A run that shows a hazard, and which; answered once.
    pub(crate) fn take_play(&mut self) -> Option<(Play, Hazard)> {
        let hazard = self.sought.as_ref()?.hazard.clone();
        Some((self.play.take()?, hazard))
    }

    fn found(&mut self, result: Result<Sighting, Problem>) {
        let Some(sought) = &mut self.sought else {
            return;
        };
        let runs = |count: u32| match count {
            1 => "one run".to_owned(),
            count => format!("{count} runs"),
        };
        sought.answer = Some(match result {
            Ok(Sighting::Seen { play }) => {
                self.play = Some(*play);
                Ok(if sought.checks {
                    "It still happens.".to_owned()
                } else {
                    "seen happening".to_owned()
                })
            }
            Ok(Sighting::NotSeen { tried }) if sought.checks => {
                Ok(format!("Not seen any more in {}.", runs(tried)))
            }
            Ok(Sighting::NotSeen { tried }) => Ok(format!("not seen in {}", runs(tried))),
            Ok(Sighting::Assumed { why }) => Ok(format!("no run can show it: {why}")),
            Err(problem) => Err(problem.message),
        });
    }

    /// The document became another; when a flow runs it is deployed after a short rest.
    pub(crate) fn document_changed(&mut self, now: f64) {
        if self.active() {
            self.changed_at = Some(now);
        }
    }

    /// Seconds until the changed document is due to be deployed.
    pub(crate) fn deploy_due_in(&self, now: f64) -> Option<f64> {
        let changed_at = self.changed_at?;
        self.active()
            .then(|| (changed_at + DEPLOY_PAUSE - now).max(0.0))
    }

    /// Waits with deploying until the next change: this state of the document cannot run.
    pub(crate) fn hold_deploy(&mut self) {
        self.changed_at = None;
    }

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

    /// Adds a trouble that did not come from the engine.
    pub(crate) fn report(&mut self, kind: TroubleKind, problem: Problem) {
        if kind == TroubleKind::Failure {
            self.unseen_failures += 1;
        }
        if let Some(last) = self.troubles.back_mut()
            && last.message == problem.message
            && last.node == problem.node
        {
            last.times += 1;
            return;
        }
        self.troubles.push_back(Trouble {
            kind,
            message: problem.message,
            node: problem.node,
            times: 1,
        });
        if self.troubles.len() > TROUBLES_MAX {
            self.troubles.pop_front();
        }
    }

    fn send(&mut self, command: Command, pending: Pending) -> bool {
        let line: &mut dyn Transport = match (&mut self.playback, &mut self.engine) {
            (Some(playback), _) => playback,
            (None, Some(engine)) => engine.as_mut(),
            (None, None) => {
                self.report(
                    TroubleKind::Failure,
                    Problem::new(
                        "no engine is connected; open a recorded run to play it, or start Weir from its own program to run flows",
                    ),
                );
                return false;
            }
        };
        self.next_request += 1;
        let id = self.next_request;
        match line.send(Request { id, command }) {
            Ok(()) => {
                self.pending.insert(id, pending);
                true
            }
            Err(problem) => {
                self.report(TroubleKind::Failure, problem);
                false
            }
        }
    }

    fn take(&mut self, notice: Notice) {
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
    fn deploying(&self) -> bool {
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

fn not_asked<T>() -> Result<T, String> {
    Err("the engine could not be asked; the log says why".to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use graph_model::event::EventContext;

    use super::*;

    fn observed(seq: u64) -> Observed {
        Observed {
            seq,
            edge: "a_out_to_b".into(),
            at_ms: seq,
            event: Event {
                context: Arc::new(EventContext::default()),
                data: Value::Int(1),
            },
        }
    }

    fn counters(at_ms: u64, passed: u64) -> Notice {
        let mut counters = Counters {
            at_ms,
            ..Counters::default()
        };
        counters.edges.insert(
            "e".into(),
            EdgeCount {
                passed,
                ..EdgeCount::default()
            },
        );
        Notice::Counters { counters }
    }

    #[test]
    fn the_ring_of_events_is_bounded_and_counts_what_it_lost() {
        let mut session = Session::default();
        for batch in 0..3 {
            session.take(Notice::Observed {
                batch,
                events: (0..4_000)
                    .map(|seq| observed(batch * 4_000 + seq))
                    .collect(),
                skipped: 5,
            });
        }
        assert_eq!(session.events().len(), EVENTS_MAX);
        assert_eq!(session.skipped(), 15 + 2_000);
        assert_eq!(session.events()[0].seq, 2_000);
    }

    #[test]
    fn rates_follow_the_counters_smoothly() {
        let mut session = Session::default();
        session.take(counters(1_000, 100));
        session.take(counters(2_000, 300));
        let rate = session.edge_rate(&"e".into());
        assert!(rate > 100.0 && rate < 200.0, "{rate}");
        for second in 3..40 {
            session.take(counters(second * 1_000, 300));
        }
        assert_eq!(session.edge_rate(&"e".into()).to_bits(), 0.0_f64.to_bits());
    }

    #[test]
    fn the_same_trouble_again_is_counted_not_repeated() {
        let mut session = Session::default();
        for _ in 0..3 {
            session.take(Notice::Trouble {
                problem: Problem::new("disk is full"),
            });
        }
        assert_eq!(session.troubles().len(), 1);
        assert_eq!(session.troubles()[0].times, 3);
        assert_eq!(session.unseen_failures(), 3);
    }
}
