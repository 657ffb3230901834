//! Plain data that the designer and the engine exchange, and the [`Transport`] that carries it.
//!
//! Commands are answered one by one and never dropped. Notices may be thinned out: counters are
//! exact in every snapshot, observed events are a sample whose losses are counted.

pub mod flow_test;
pub mod function;
pub mod host;
pub mod recording;
pub mod remote;
pub mod wire;
pub mod witness;

use std::collections::BTreeMap;

use graph_model::event::Event;
use graph_model::id::{EdgeId, Id, NodeId};
use graph_model::value::Value;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// Commands that may wait for the engine.
pub const COMMANDS_MAX: usize = 256;
/// Notices that may wait for the designer; further observed events are dropped and counted.
pub const NOTICES_MAX: usize = 1024;
/// Observed events in one notice.
pub const BATCH_MAX: usize = 500;

/// A command with the number that its reply repeats.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    pub id: u64,
    pub command: Command,
}

/// What a client may ask of the engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do")]
pub enum Command {
    /// Make this flow (the text of a flow file) the one that runs. What did not change keeps running.
    Deploy {
        flow: String,
    },
    /// Let events in.
    Start,
    /// Hold every node before its next event; sources stop taking.
    Pause,
    Resume,
    /// While paused: let the node (or, without one, whichever is next) handle one event.
    Step {
        node: Option<NodeId>,
    },
    /// Stop taking events, finish what is under way, end the run.
    Stop,
    /// Hand an event to a node's input, or send it out of a source.
    Inject {
        target: Target,
        data: Value,
        ty: Option<SmolStr>,
        id: Option<SmolStr>,
    },
    /// Send observed events of these edges from now on; an empty list means all edges.
    Tap {
        edges: Vec<EdgeId>,
    },
    /// Send no more observed events.
    Untap,
    /// The rows that a view shows, newest last.
    ReadView {
        node: NodeId,
        limit: u32,
    },
    /// The given-up events that are kept, newest last.
    ReadDeadLetters {
        limit: u32,
    },
    /// Every counter, now.
    ReadCounters,
    /// The flow that runs, as it was deployed last.
    ReadFlow,
    /// The client has drawn everything up to this batch: send on.
    Credit {
        batch: u64,
    },
    /// Look for a run in which a hazard of a flow (the text of its file) is seen happening; of the one
    /// at this node, when there are several of the code. Answers within some seconds, other commands
    /// meanwhile.
    Witness {
        flow: String,
        code: SmolStr,
        node: Option<SmolStr>,
    },
    /// Play what showed a hazard (the text of a witness file) on another state of its flow; seen or not
    /// seen as of a search. Answers within some seconds, other commands meanwhile.
    CheckFix {
        flow: String,
        witness: String,
    },
    /// Play the tests that a flow (the text of its file) keeps. Answers within some seconds, other
    /// commands meanwhile.
    Test {
        flow: String,
    },
    /// Let a function handle an event beside the run: nothing that it sends or remembers has an effect.
    /// The node need not be part of a flow. Answers within the function's own limits, other commands
    /// meanwhile.
    Try {
        node: NodeId,
        kind: SmolStr,
        config: Value,
        /// Schemas of the event types that the configuration names.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        types: BTreeMap<Id, Value>,
        event: Event,
    },
}

/// Where an injected event goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Out of the source, as if it had come from outside.
    Source(NodeId),
    /// Along the edge, as if the node before it had just sent it.
    Edge(EdgeId),
}

/// From the engine to a client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Notice {
    Reply {
        id: u64,
        result: Result<Answer, Problem>,
    },
    State {
        state: RunState,
    },
    /// Another flow, or another state of it, is the one that runs.
    Deployed,
    /// A complete snapshot.
    Counters {
        counters: Counters,
    },
    /// Observed events in the order in which they happened, and how many were left out before them.
    Observed {
        batch: u64,
        events: Vec<Observed>,
        skipped: u64,
    },
    /// What functions wrote to the log, oldest first, and how many lines were left out before.
    Logged {
        lines: Vec<function::LogLine>,
        skipped: u64,
    },
    /// Something that a person should know and no command asked for.
    Trouble {
        problem: Problem,
    },
}

/// The good outcome of a command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Answer {
    Done,
    /// What deploying changed, and where the flow listens.
    Deployed {
        kept: u32,
        started: u32,
        stopped: u32,
        addresses: BTreeMap<NodeId, SmolStr>,
    },
    /// Id of the injected event.
    Injected {
        id: SmolStr,
    },
    Events {
        events: Vec<Event>,
    },
    Counters {
        counters: Counters,
    },
    /// The text of the flow that runs, nothing when none was deployed, and where it listens.
    Flow {
        flow: Option<String>,
        addresses: BTreeMap<NodeId, SmolStr>,
    },
    Witness {
        sighting: witness::Sighting,
    },
    Tests {
        tests: Vec<flow_test::TestTold>,
    },
    Tried {
        tried: function::Tried,
    },
}

/// What went wrong: what, where, what next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{}{message}", .node.as_ref().map(|node| format!("{node}: ")).unwrap_or_default())]
pub struct Problem {
    pub message: String,
    pub node: Option<NodeId>,
}

/// Whether events flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    #[default]
    Stopped,
    Running,
    Paused,
    /// Taking nothing new, finishing what is under way.
    Draining,
}

/// Exact counts since the run began.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Milliseconds since the run began.
    pub at_ms: u64,
    pub edges: BTreeMap<EdgeId, EdgeCount>,
    pub nodes: BTreeMap<NodeId, NodeCount>,
    /// Of nodes that run functions.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub functions: BTreeMap<NodeId, function::FunctionCost>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EdgeCount {
    /// Events that went along the edge.
    pub passed: u64,
    /// Events that wait on it now.
    pub waiting: u64,
    /// Events that were dropped because it was full.
    pub dropped: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeCount {
    /// Events that came in: for a source, accepted from outside.
    pub received: u64,
    /// Events that it sent on, over all its ports.
    pub sent: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Attempts that followed a failed one.
    pub retried: u64,
    /// Events given up, with their cause.
    pub dead: u64,
    /// Requests from outside that it refused, such as wrong signatures.
    pub refused: u64,
    /// Events that it holds: queued, or waiting for an acknowledgement.
    pub held: u64,
    /// Time spent handling, in microseconds.
    pub busy_us: u64,
}

/// An event seen on an edge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observed {
    /// Number in the order of all observations of this run.
    pub seq: u64,
    pub edge: EdgeId,
    /// Milliseconds since the run began.
    pub at_ms: u64,
    pub event: Event,
}

/// A line to an engine, wherever it runs. No method waits.
pub trait Transport {
    /// Sends a command; an error says why it could not be sent (the line is gone, or too busy).
    fn send(&mut self, request: Request) -> Result<(), Problem>;
    /// Everything that came in since the last call, oldest first.
    fn poll(&mut self) -> Vec<Notice>;
    /// How the line is.
    fn line(&self) -> Line {
        Line::Up
    }
    /// What this end of the line may do.
    fn role(&self) -> Role {
        Role::Operator
    }
}

/// The state of a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Line {
    #[default]
    Up,
    /// Broken; it is being mended, and nothing that was sent is lost.
    Down { why: String },
    /// Ended for good: what, and what next.
    Ended { why: String },
}

/// What a client may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Looks at the run, and changes nothing.
    Viewer,
    #[default]
    Operator,
}

impl Command {
    /// Whether it brings the flow that it is about, so that it needs none that was deployed before.
    pub fn brings_flow(&self) -> bool {
        matches!(
            self,
            Command::Deploy { .. }
                | Command::Witness { .. }
                | Command::CheckFix { .. }
                | Command::Test { .. }
                | Command::Try { .. }
        )
    }

    /// Whether somebody who only looks may ask for it.
    pub fn only_looks(&self) -> bool {
        match self {
            Command::Tap { .. }
            | Command::Untap
            | Command::ReadView { .. }
            | Command::ReadDeadLetters { .. }
            | Command::ReadCounters
            | Command::ReadFlow
            | Command::Credit { .. } => true,
            Command::Deploy { .. }
            | Command::Start
            | Command::Pause
            | Command::Resume
            | Command::Step { .. }
            | Command::Stop
            | Command::Inject { .. }
            // They read files that the flow names, and run its functions.
            | Command::Witness { .. }
            | Command::CheckFix { .. }
            | Command::Test { .. }
            | Command::Try { .. } => false,
        }
    }
}

impl Problem {
    pub fn new(message: impl Into<String>) -> Problem {
        Problem {
            message: message.into(),
            node: None,
        }
    }

    pub fn at(node: &NodeId, message: impl Into<String>) -> Problem {
        Problem {
            message: message.into(),
            node: Some(node.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_round_trip_as_json() {
        let request = Request {
            id: 7,
            command: Command::Inject {
                target: Target::Source("orders".into()),
                data: graph_model::value!({"n": 1}),
                ty: None,
                id: Some("e-1".into()),
            },
        };
        let text = serde_json::to_string(&request).expect("serialises");
        assert_eq!(
            serde_json::from_str::<Request>(&text).expect("reads"),
            request
        );
        let problem = Problem::at(
            &"orders".into(),
            "port 80 is taken; choose another in `listen`",
        );
        assert_eq!(
            problem.to_string(),
            "orders: port 80 is taken; choose another in `listen`"
        );
        let notice = Notice::Reply {
            id: 7,
            result: Err(problem),
        };
        let text = serde_json::to_string(&notice).expect("serialises");
        assert_eq!(
            serde_json::from_str::<Notice>(&text).expect("reads"),
            notice
        );
    }
}
