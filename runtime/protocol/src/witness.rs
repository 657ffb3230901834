//! A witness as somebody watches it: two runs of the same facts, step by step, and where they part.

use graph_model::id::{EdgeId, NodeId};
use graph_model::value::Value;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// Steps of a run that are told; what goes on for ever is cut off.
pub const STEPS_MAX: usize = 4_000;

/// What came of looking for a run that shows a hazard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Sighting {
    Seen {
        play: Box<Play>,
    },
    /// So many runs did not show it.
    NotSeen {
        tried: u32,
    },
    /// No run can show it, and why.
    Assumed {
        why: String,
    },
}

/// A run that has the hazard beside the one that nothing goes wrong in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Play {
    pub code: SmolStr,
    /// By which texts name the oracle that saw it, and what it watches.
    pub oracle: SmolStr,
    pub watches: String,
    /// What comes in, what happens to it, what is wrong in the end.
    pub explanation: Vec<String>,
    /// Faults of the run, in words.
    pub faults: String,
    pub run: Vec<PlayStep>,
    pub reference: Vec<PlayStep>,
    /// Steps of either run that are not told, as there are too many.
    pub left_out: u64,
    /// The step of the run from which on it is not the reference any more, by its place in `run`.
    pub deciding: Option<usize>,
    /// A node's id, or a store's name.
    pub at: SmolStr,
    /// Nodes at which it can be seen.
    pub nodes: Vec<NodeId>,
    pub observed: Value,
    pub expected: Value,
    /// The text of the witness file.
    pub file: String,
}

/// Something that happened in a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlayStep {
    /// Since the beginning of the run.
    pub at_us: u64,
    pub what: PlayWhat,
    pub node: NodeId,
    /// The port by which an event left.
    pub port: Option<SmolStr>,
    /// Wires on which it went on.
    pub edges: Vec<EdgeId>,
    /// Id of the event; empty when it is about none.
    pub event: SmolStr,
    /// The fact from which it follows, by its number in the order of coming.
    pub fact: Option<u32>,
    /// The payload, where it is known.
    pub data: Option<Value>,
    /// What goes wrong, where something does.
    pub fault: Option<SmolStr>,
}

/// Sorts of steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlayWhat {
    Arrived,
    Handled,
    Emitted,
    Delivered,
    Acked,
    Nacked,
    Written,
    GivenUp,
    Dropped,
    Fault,
}
