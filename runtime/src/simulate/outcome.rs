//! What a run came to.

use std::collections::BTreeMap;
use std::sync::Arc;

use graph_model::event::Event;
use graph_model::id::NodeId;
use runtime_protocol::{Counters, Problem};
use smol_str::SmolStr;

use super::fault::Sort;
use super::latency::Latencies;
use super::load::Load;
use super::scenario::Fact;
use super::stores::Content;
use super::trace::{Step, TraceHash};

/// The end of a run, with everything that can be seen from outside.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub ended: Ended,
    /// When it was over, since its beginning.
    pub at_us: u64,
    /// Events handled, over all nodes.
    pub steps: u64,
    /// What sinks hold, by sort and name, such as `table data.sqlite/orders`.
    pub stores: BTreeMap<SmolStr, Content>,
    /// To which of them each sink writes.
    pub sinks: Arc<BTreeMap<NodeId, SmolStr>>,
    /// Given-up events that no wire led away, with their cause.
    pub dead_letters: Vec<Event>,
    pub counters: Counters,
    /// From the coming of a fact to its handling at a node.
    pub latencies: BTreeMap<NodeId, Latencies>,
    /// Of nodes that take time, as their declarations say.
    pub loads: BTreeMap<NodeId, Load>,
    /// The most events that each channel held at once.
    pub backlogs: BTreeMap<NodeId, u64>,
    /// How many facts came in from outside.
    pub facts_came: u64,
    /// Those facts, in the order of their coming, unless they were not to be kept.
    pub facts: Vec<Fact>,
    /// Faults that took place.
    pub faults: BTreeMap<Sort, u64>,
    /// Events that a crash or a fault took away for good.
    pub lost: u64,
    /// Things that a person should know, each once.
    pub notes: Vec<Problem>,
    pub hash: TraceHash,
    /// Every step, when they were to be recorded.
    pub trace: Vec<Step>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Nothing was left to do.
    Idle,
    /// Its time was over; what was under way then was finished.
    Duration,
    /// A limit was met; which one, and the node that has most to do with it.
    Limit { limit: Limit, node: Option<NodeId> },
    /// A node could not be made again.
    Broken(Problem),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    Steps(u64),
    InFlight(u64),
    Bytes(u64),
}

impl Ended {
    /// Whether everything that came in was worked off.
    pub fn is_complete(&self) -> bool {
        matches!(self, Ended::Idle | Ended::Duration)
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Ended::Idle => f.write_str("nothing was left to do"),
            Ended::Duration => f.write_str("its time was over"),
            Ended::Broken(problem) => problem.fmt(f),
            Ended::Limit { limit, node } => {
                match limit {
                    Limit::Steps(max) => write!(f, "cut off after {max} steps")?,
                    Limit::InFlight(max) => write!(f, "cut off with {max} events under way")?,
                    Limit::Bytes(max) => write!(f, "cut off with {max} bytes held")?,
                }
                match (limit, node) {
                    (_, None) => Ok(()),
                    (Limit::Steps(_), Some(node)) => {
                        write!(f, "; `{node}` worked most, look for a loop there")
                    }
                    (Limit::InFlight(_), Some(node)) => {
                        write!(
                            f,
                            "; most wait at `{node}`, send it fewer or let them go on quicker"
                        )
                    }
                    (Limit::Bytes(_), Some(node)) => {
                        write!(f, "; `{node}` holds most, bound what it keeps")
                    }
                }
            }
        }
    }
}
