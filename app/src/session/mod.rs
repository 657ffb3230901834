//! The line to the engine: the only holder of a [`Transport`].
//!
//! Polled once a frame and bounded in what it keeps. It knows what runs, how fast events go, and
//! the latest events that were observed.

mod hear;
mod questions;
mod recorded;
mod run;
pub(crate) mod trial;

use std::collections::{BTreeMap, VecDeque};

use graph_model::event::Event;
use graph_model::id::{EdgeId, NodeId};
use runtime_protocol::{
    Command, Counters, EdgeCount, Line, NodeCount, Observed, Problem, Request, Role, RunState,
    Transport,
};
use smol_str::SmolStr;

pub(crate) use self::questions::{Sought, Tested};
use self::trial::Trial;
use crate::playback::Playback;
use runtime_protocol::function::FunctionCost;
use runtime_protocol::witness::Play;

/// Observed events that are kept; the oldest go first and are counted.
pub(crate) const EVENTS_MAX: usize = 10_000;
/// Troubles that are kept; the oldest go first.
pub(crate) const TROUBLES_MAX: usize = 500;

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

    /// What functions cost in this run.
    pub(crate) fn function_costs(&self) -> &BTreeMap<NodeId, FunctionCost> {
        &self.counters.functions
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
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use graph_model::event::EventContext;

    use graph_model::value::Value;
    use runtime_protocol::Notice;

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
