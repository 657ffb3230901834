//! Why a function could not be loaded, and why it could not handle an event.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;
use wasmtime::{PoolConcurrencyLimitError, Trap, WasmBacktrace};

use super::contract::{Capability, GuestFailure};
use super::limits::{HostCallsExhausted, Limits, MemoryExhausted, NotGranted, Overdue};

/// Why a host did not start or a function was not loaded.
#[derive(Debug, Error)]
pub enum FunctionError {
    /// The machine does not allow what the host needs.
    #[error("cannot start the function host: {0}")]
    Host(String),
    /// The file cannot be read.
    #[error("cannot read the function: {error}; check the path {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        error: io::Error,
    },
    /// The bytes are no WebAssembly.
    #[error("not a WebAssembly file; choose the `.wasm` component that the function's build made")]
    NotWasm,
    /// A core module: compiled, but without the component's types around it.
    #[error(
        "a core WebAssembly module, not a component; componentize it, as with `wasm-tools component new`"
    )]
    CoreModule,
    /// More bytes than a function may have.
    #[error("the function has {bytes} bytes, limit {limit}; leave out debug information or data")]
    TooLarge {
        /// Its size.
        bytes: u64,
        /// The most allowed.
        limit: u64,
    },
    /// Truncated, or otherwise not a valid component.
    #[error("not a valid component: {0}; build the function again, or copy it whole")]
    Malformed(String),
    /// The function asks for what the contract does not offer.
    #[error("the function imports {}, which functions are not given; use only `flow:function@0.1`", Listed(.0))]
    ForbiddenImports(Vec<String>),
    /// Nothing to call.
    #[error(
        "the function does not export `handle`, nor `handle-all`; build it for the world `flow:function/function@0.1.0`"
    )]
    MissingHandle,
    /// One that takes many events at a time uses more than events.
    #[error("the function takes many events at a time and imports {}, by which it could tell one call from many; build it for the world `function`, or do without", Listed(.0))]
    NotAlone(Vec<String>),
    /// An import or export with other types than those of the contract.
    #[error(
        "the function does not fit the contract `flow:function@0.1.0`: {0}; build it against that contract"
    )]
    Mismatch(String),
}

/// Why an event was not handled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FunctionFailure {
    /// The function says the event is bad.
    Invalid(String),
    /// The function says something else was in the way.
    Transient(String),
    /// The function says it cannot work at all.
    Fatal(String),
    /// The function broke off: a panic, an uncaught exception, a division by zero.
    Trap {
        /// What stopped it.
        message: String,
        /// Where: names of its functions, innermost first, as far as the file keeps them.
        backtrace: Vec<String>,
        /// Whether the instance had handled other events before.
        warm: bool,
    },
    /// The call took longer than allowed.
    Timeout {
        /// The limit that was passed.
        limit_millis: u64,
        /// The time until the call was stopped.
        used: Duration,
    },
    /// The call lasted longer than allowed, with all that it waited for.
    Overdue {
        /// The limit that was passed.
        limit_millis: u64,
        /// The time until the call was stopped.
        used: Duration,
    },
    /// The call executed more instructions than allowed.
    OutOfInstructions {
        /// The limit that was passed.
        limit: u64,
    },
    /// The instance asked for more memory than allowed.
    OutOfMemory {
        /// Bytes the instance would have had.
        wanted: u64,
        /// The limit that was passed.
        limit: u64,
        /// Bytes it had.
        peak: u64,
        /// Whether the instance had handled other events before.
        warm: bool,
    },
    /// The call asked its host more often than allowed.
    TooManyHostCalls {
        /// The limit that was passed.
        limit: u32,
    },
    /// The call asked for something that the node does not let it use.
    NotGranted(Capability),
    /// An event that the call sent does not have the shape that its port promises.
    Misshapen {
        /// The output port.
        port: String,
        /// What is wrong with the event.
        reason: String,
    },
    /// An event that it sent in answer to a batch cannot leave.
    Refused {
        /// The output port.
        port: String,
        /// Why, and what to do about it.
        reason: String,
    },
    /// Its answer to a batch is no frame.
    BadAnswer(String),
    /// All places for instances are taken.
    NoRoom(String),
}

impl FunctionFailure {
    /// Whether handling the same event again may end otherwise.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Transient(_) | Self::Timeout { .. } | Self::Overdue { .. } | Self::NoRoom(_) => {
                true
            }
            // What earlier events left behind is gone with the instance.
            Self::Trap { warm, .. } | Self::OutOfMemory { warm, .. } => *warm,
            Self::Invalid(_)
            | Self::Fatal(_)
            | Self::OutOfInstructions { .. }
            | Self::TooManyHostCalls { .. }
            | Self::NotGranted(_)
            | Self::Misshapen { .. }
            | Self::Refused { .. }
            | Self::BadAnswer(_) => false,
        }
    }

    /// A short name that stays the same, for metrics and filters.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid",
            Self::Transient(_) => "transient",
            Self::Fatal(_) => "fatal",
            Self::Trap { .. } => "trap",
            Self::Timeout { .. } => "timeout",
            Self::Overdue { .. } => "overdue",
            Self::OutOfInstructions { .. } => "out_of_instructions",
            Self::OutOfMemory { .. } => "out_of_memory",
            Self::TooManyHostCalls { .. } => "too_many_host_calls",
            Self::NotGranted(_) => "not_granted",
            Self::Misshapen { .. } => "misshapen",
            Self::Refused { .. } => "refused",
            Self::BadAnswer(_) => "bad_answer",
            Self::NoRoom(_) => "no_room",
        }
    }

    /// The reason behind an error of the engine.
    pub(super) fn of(error: &wasmtime::Error, limits: &Limits, used: Duration, warm: bool) -> Self {
        if let Some(&MemoryExhausted {
            wanted,
            limit,
            peak,
        }) = error.downcast_ref()
        {
            return Self::OutOfMemory {
                wanted,
                limit,
                peak,
                warm,
            };
        }
        if let Some(&HostCallsExhausted { limit }) = error.downcast_ref() {
            return Self::TooManyHostCalls { limit };
        }
        if let Some(&Overdue { limit_millis, used }) = error.downcast_ref() {
            return Self::Overdue { limit_millis, used };
        }
        if let Some(NotGranted(what)) = error.downcast_ref() {
            return Self::NotGranted(*what);
        }
        if let Some(full) = error.downcast_ref::<PoolConcurrencyLimitError>() {
            return Self::NoRoom(full.to_string());
        }
        let message = match error.downcast_ref::<Trap>() {
            Some(Trap::Interrupt) => {
                return Self::Timeout {
                    limit_millis: limits.time_millis_max,
                    used,
                };
            }
            Some(Trap::OutOfFuel) => {
                return Self::OutOfInstructions {
                    limit: limits.instructions_max,
                };
            }
            Some(trap) => trap.to_string(),
            None => error.root_cause().to_string(),
        };
        let message = message.trim_start_matches("wasm trap: ").to_owned();
        Self::Trap {
            message,
            backtrace: backtrace(error),
            warm,
        }
    }
}

impl From<GuestFailure> for FunctionFailure {
    fn from(failure: GuestFailure) -> Self {
        match failure {
            GuestFailure::Invalid(reason) => Self::Invalid(reason),
            GuestFailure::Transient(reason) => Self::Transient(reason),
            GuestFailure::Fatal(reason) => Self::Fatal(reason),
        }
    }
}

impl std::error::Error for FunctionFailure {}

impl fmt::Display for FunctionFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(reason) => write!(f, "the function refused the event: {reason}"),
            Self::Transient(reason) => write!(f, "the function asks to try again later: {reason}"),
            Self::Fatal(reason) => write!(f, "the function cannot work: {reason}"),
            Self::Trap {
                message, backtrace, ..
            } => {
                write!(f, "the function broke off: {message}")?;
                if !backtrace.is_empty() {
                    write!(f, ", in {}", backtrace.join(" < "))?;
                }
                write!(f, "; see its log, and make it return a failure instead")
            }
            Self::Timeout { limit_millis, used } => write!(
                f,
                "stopped after {} ms, limit {limit_millis} ms; raise time_limit or do less per event",
                used.as_millis()
            ),
            Self::Overdue { limit_millis, used } => write!(
                f,
                "stopped after {} ms with all that it waited for, limit {limit_millis} ms; raise wall_limit, or wait for less",
                used.as_millis()
            ),
            Self::OutOfInstructions { limit } => {
                write!(f, "stopped after {limit} instructions; do less per event")
            }
            Self::OutOfMemory {
                wanted,
                limit,
                peak,
                ..
            } => write!(
                f,
                "wanted {}, limit {}, peak {}; raise memory_limit or hold less at a time",
                Mebibytes(*wanted),
                Mebibytes(*limit),
                Mebibytes(*peak)
            ),
            Self::TooManyHostCalls { limit } => write!(
                f,
                "asked the host more than {limit} times; ask less per event"
            ),
            Self::NotGranted(what) => write!(
                f,
                "asked for `{what}`, which the node does not let it use; add it to may_use, or do without it"
            ),
            Self::Misshapen { port, reason } => write!(
                f,
                "what it sent to `{port}` was refused, since {reason}; mend the function, or change the type of the port"
            ),
            Self::Refused { port, reason } => {
                write!(f, "what it sent to `{port}` was refused: {reason}")
            }
            Self::BadAnswer(misread) => write!(
                f,
                "its answer to a batch is no frame, at {misread}; build it again with what `weir new-function --batched` makes"
            ),
            Self::NoRoom(full) => {
                write!(
                    f,
                    "no room for another instance: {full}; stop other functions or retry later"
                )
            }
        }
    }
}

/// Names of the functions on the stack of a trap, innermost first.
fn backtrace(error: &wasmtime::Error) -> Vec<String> {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else {
        return Vec::new();
    };
    backtrace
        .frames()
        .iter()
        .filter_map(|frame| frame.func_name())
        .map(|name| format!("{:#}", rustc_demangle::demangle(name)))
        .collect()
}

/// Bytes as people read them: `64.9 MiB`, but `64 MiB`.
struct Mebibytes(u64);

impl fmt::Display for Mebibytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_multiple_of(1 << 20) {
            write!(f, "{} MiB", self.0 >> 20)
        } else {
            write!(f, "{:.1} MiB", self.0 as f64 / f64::from(1 << 20))
        }
    }
}

/// Names in a sentence.
struct Listed<'a>(&'a [String]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, name) in self.0.iter().enumerate() {
            write!(f, "{}`{name}`", if place == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}
