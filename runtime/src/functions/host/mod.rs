//! Runs functions: WebAssembly components in a sandbox, with limits on all they can use.
//!
//! A [`FunctionHost`] holds one compiler and one pool of memory for the whole engine. It
//! [loads](FunctionHost::load) a component once; each node that runs it takes a
//! [`FunctionWorker`], which keeps an instance warm and [handles](FunctionWorker::handle) one
//! event at a time, or [many](FunctionWorker::handle_all) where the function takes them so. The
//! contract stands in `runtime/wit/function.wit`, and in words in `docs/specs/function-contract.md`.
//!
//! A call is synchronous and touches neither clock, chance nor store except through the
//! [`CallWorld`] of its caller, so the live driver and the simulator run the same code.

mod batch;
mod cache;
mod contract;
mod convert;
mod engine;
mod error;
mod frame;
mod imports;
mod lent;
mod limits;
mod load;
mod names;
mod outside;
mod pace;
mod pack;
mod reader;
mod seal;
#[cfg(test)]
mod tests;
mod ticker;
mod worker;

pub use self::batch::{Answer, BatchReport, Sent};
pub use self::contract::{
    Capability, FunctionEvent, FunctionPayload, HttpError, HttpRequest, HttpResponse, LogLevel,
};
pub use self::engine::{FunctionHost, HostConfig, Metering};
pub use self::error::{FunctionError, FunctionFailure};
pub use self::frame::Batch;
pub use self::imports::{
    CallWorld, Emitted, LogLine, Offered, OutputCheck, StateChange, StateUnavailable, StateWrite,
};
pub use self::limits::Limits;
pub use self::load::{CacheUse, FunctionInfo, LoadedFunction};
pub use self::outside::Sending;
pub use self::worker::{Call, CallCost, CallReport, FunctionWorker, Outcome, WorkerConfig};
