//! What a function did with an event that was tried on it, what it logs, and what its calls cost.

use graph_model::event::Event;
use graph_model::id::NodeId;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// What came of an event that a function was tried on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tried {
    /// What it would send, by port.
    pub sent: Vec<(SmolStr, Event)>,
    /// Why the event failed; nothing of what it sent counts then.
    pub failed: Option<String>,
    pub logged: Vec<LogLine>,
    /// Time until an instance was there, in microseconds; compiling counts when it had to be done.
    pub start_us: u64,
    /// Time in the function, in microseconds.
    pub handle_us: u64,
    pub peak_bytes: u64,
}

/// A line that a function wrote to the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    pub node: NodeId,
    pub level: LogLevel,
    pub message: String,
}

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

/// What the calls of a node's function have cost since it was loaded, over all its instances.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionCost {
    /// What it imports: the names of the interfaces that it may ask the engine by. Some languages import
    /// everything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub imports: Vec<SmolStr>,
    /// Time to compile it, or to fetch compiled code from the cache.
    pub compile_us: u64,
    /// Whether compiled code was in the cache.
    pub cached: bool,
    /// Time of the rest of loading: reading, checking, linking.
    pub load_us: u64,
    /// Instances that were started.
    pub start: Spread,
    /// Calls that were the first of their instance.
    pub first: Spread,
    /// All other calls.
    pub warm: Spread,
    /// The most memory that an instance had.
    pub peak_bytes: u64,
    /// Calls that failed.
    pub failed: u64,
}

/// Durations in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spread {
    pub count: u64,
    pub p50_ns: u64,
    pub p99_ns: u64,
    pub max_ns: u64,
    /// How many took up to 1 µs, 2 µs, 4 µs and so on; the last one all that took longer.
    pub doubling: Vec<u64>,
}

/// Steps of [`Spread::doubling`]: the last one ends at 2 s, which is longer than calls may take by default.
pub const DOUBLINGS: usize = 22;

impl LogLevel {
    pub fn word(self) -> &'static str {
        match self {
            LogLevel::Trace => "trace",
            LogLevel::Debug => "debug",
            LogLevel::Info => "info",
            LogLevel::Warn => "warn",
            LogLevel::Error => "error",
        }
    }
}
