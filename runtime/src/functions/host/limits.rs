//! What one call may use, and the meter that watches memory.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use wasmtime::ResourceLimiter;

use super::contract::Capability;

/// What one call of a function may use. At each bound, the call fails or the host says no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Time that the call works, without what it waits for others:
    /// [`Timeout`](super::FunctionFailure::Timeout). Held to about 10 ms.
    pub time_millis_max: u64,
    /// Time of the call with all that it waits for: [`Overdue`](super::FunctionFailure::Overdue).
    pub wall_millis_max: u64,
    /// Instructions of the call, where the host counts them instead of time:
    /// [`OutOfInstructions`](super::FunctionFailure::OutOfInstructions).
    pub instructions_max: u64,
    /// Memory of the instance, over all its calls:
    /// [`OutOfMemory`](super::FunctionFailure::OutOfMemory).
    pub memory_bytes_max: u64,
    /// Events the call emits: the next `emit` returns `too-many`.
    pub events_max: u32,
    /// Bytes of all those events: the `emit` that would pass it returns `too-large`.
    pub output_bytes_max: u64,
    /// Bytes of keys and values the call writes: the `put` that would pass it returns `quota`.
    pub state_bytes_max: u64,
    /// Log lines of the call: further lines are dropped and counted.
    pub log_lines_max: u32,
    /// Bytes of those lines: a line that would pass it is dropped and counted.
    pub log_bytes_max: u64,
    /// Calls back into the host, of all kinds:
    /// [`TooManyHostCalls`](super::FunctionFailure::TooManyHostCalls).
    pub host_calls_max: u32,
    /// Requests that the call sends: the next `send` returns `too-many`.
    pub requests_max: u32,
    /// Bytes of one answer: a longer one returns `too-large`.
    pub answer_bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            time_millis_max: 1_000,
            wall_millis_max: 10_000,
            instructions_max: 1_000_000_000,
            memory_bytes_max: 64 << 20,
            events_max: 1_000,
            output_bytes_max: 8 << 20,
            state_bytes_max: 1 << 20,
            log_lines_max: 100,
            log_bytes_max: 64 << 10,
            host_calls_max: 100_000,
            requests_max: 16,
            answer_bytes_max: 1 << 20,
        }
    }
}

/// Entries of all tables of an instance; a table entry costs memory of the host.
const TABLE_ENTRIES_MAX: usize = 200_000;

/// Counts the memory of one instance.
#[derive(Debug)]
pub(super) struct Meter {
    bytes_max: u64,
    bytes: u64,
    table_entries: usize,
}

impl Meter {
    pub(super) fn new(bytes_max: u64) -> Self {
        Self {
            bytes_max,
            bytes: 0,
            table_entries: 0,
        }
    }

    /// The most memory the instance ever had: memory grows and is not given back.
    pub(super) fn peak_bytes(&self) -> u64 {
        self.bytes
    }
}

impl ResourceLimiter for Meter {
    /// Refuses with an error, not with `false`: a guest that is told `false` aborts by itself, and
    /// that looks like any other panic.
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let wanted = self.bytes + (desired - current) as u64;
        if wanted > self.bytes_max {
            let exhausted = MemoryExhausted {
                wanted,
                limit: self.bytes_max,
                peak: self.bytes,
            };
            return Err(wasmtime::Error::new(exhausted));
        }
        self.bytes = wanted;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.table_entries += desired - current;
        if self.table_entries > TABLE_ENTRIES_MAX {
            return Err(wasmtime::Error::msg(format!(
                "tables would hold {} entries, limit {TABLE_ENTRIES_MAX}",
                self.table_entries
            )));
        }
        Ok(true)
    }
}

/// Why a memory did not grow.
#[derive(Debug, Clone, Copy)]
pub(super) struct MemoryExhausted {
    pub(super) wanted: u64,
    pub(super) limit: u64,
    pub(super) peak: u64,
}

/// Why a call back into the host was refused.
#[derive(Debug, Clone, Copy)]
pub(super) struct HostCallsExhausted {
    pub(super) limit: u32,
}

/// Why a call back into the host was refused: the node does not let its function use this.
#[derive(Debug, Clone, Copy)]
pub(super) struct NotGranted(pub(super) Capability);

/// Why a call ended that waited too long for others.
#[derive(Debug, Clone, Copy)]
pub(super) struct Overdue {
    pub(super) limit_millis: u64,
    pub(super) used: Duration,
}

impl fmt::Display for MemoryExhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "memory would grow to {} bytes, limit {}",
            self.wanted, self.limit
        )
    }
}

impl fmt::Display for HostCallsExhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "more than {} calls to the host", self.limit)
    }
}

impl fmt::Display for NotGranted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not granted", self.0)
    }
}

impl Error for MemoryExhausted {}
impl Error for NotGranted {}

impl fmt::Display for Overdue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "more than {} ms", self.limit_millis)
    }
}

impl Error for Overdue {}
impl Error for HostCallsExhausted {}
