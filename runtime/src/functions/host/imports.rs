//! What a function may call: the host's side of the contract, buffered and bounded.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use graph_model::value::Value;
use wasmtime::Result;

use super::contract::{
    Capability, FunctionEvent, FunctionPayload, HttpError, HttpResponse, LogLevel, clock, config,
    logging, output, random, state, types,
};
use super::lent::Lent;
use super::limits::{HostCallsExhausted, Limits, Meter, NotGranted};
use super::outside::Sending;
use super::pace::Pace;

/// Most bytes of one draw of randomness.
const RANDOM_BYTES_MAX: u32 = 1 << 16;

/// What a call may ask of its caller: the only door to time, chance and state.
pub trait CallWorld {
    /// Milliseconds since 1970-01-01T00:00:00Z; virtual under simulation and replay.
    fn now_millis(&mut self) -> u64;

    /// Fills the bytes with randomness; from the seed under simulation and replay.
    fn fill_random(&mut self, bytes: &mut [u8]);

    /// What the node remembers under the key, as of before this call.
    fn state_get(&mut self, key: &str) -> Result<Option<Vec<u8>>, StateUnavailable>;

    /// The secret that the node lists under the name; a world that says nothing lists none.
    fn secret(&mut self, _name: &str) -> Option<String> {
        None
    }

    /// Sends a request to a host that the node lists, and waits for its answer; a world that says nothing
    /// lists none.
    fn send(&mut self, sending: Sending) -> Result<HttpResponse, HttpError> {
        Err(HttpError::NotListed(sending.request.url))
    }
}

/// The store cannot be reached now; the function hears why, and may go on or ask for a retry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateUnavailable(pub String);

/// An event on its way out.
#[derive(Debug, Clone, PartialEq)]
pub struct Emitted {
    /// The output port.
    pub port: String,
    /// The event, its id filled in if the function left it empty.
    pub event: FunctionEvent,
}

/// A change to what the node remembers, to be committed together with the emitted events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateWrite {
    /// The key, within the node.
    pub key: String,
    /// What becomes of it.
    pub change: StateChange,
}

/// What becomes of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateChange {
    /// It is remembered.
    Put {
        /// The bytes.
        value: Vec<u8>,
        /// How long, counted from the time of the call; for ever without it.
        ttl_millis: Option<u64>,
    },
    /// It is forgotten.
    Delete,
}

/// A line of the function's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// How much it matters.
    pub level: LogLevel,
    /// The text.
    pub message: String,
    /// Named values that go with it.
    pub fields: Vec<(String, String)>,
}

/// Says what is wrong with an event for an output port, if anything is.
#[derive(Clone)]
pub struct OutputCheck(CheckFn);

type CheckFn = Arc<dyn Fn(&str, Offered<'_>) -> Result<(), String> + Send + Sync>;

/// What a function offers to an output port.
#[derive(Debug, Clone, Copy)]
pub enum Offered<'o> {
    /// An event.
    Event(&'o FunctionEvent),
    /// The payload of an event.
    Payload(&'o Value),
}

impl OutputCheck {
    /// From a function of port and event; what it returns as an error, the guest sees as `schema`.
    pub fn new(
        check: impl Fn(&str, Offered<'_>) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(check))
    }

    pub(super) fn look(&self, port: &str, offered: Offered<'_>) -> Result<(), String> {
        (self.0)(port, offered)
    }
}

impl fmt::Debug for OutputCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OutputCheck(..)")
    }
}

/// What stays the same for all calls of a worker.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) name: String,
    pub(super) limits: Limits,
    pub(super) config: BTreeMap<String, String>,
    pub(super) ports: BTreeSet<String>,
    pub(super) check: Option<OutputCheck>,
    pub(super) granted: Option<BTreeSet<Capability>>,
}

/// The data of a store: the terms, the lent world and what the present call has done so far.
#[derive(Debug)]
pub(super) struct Imports {
    pub(super) terms: Arc<Terms>,
    pub(super) meter: Meter,
    pub(super) world: Lent,
    /// Where the call is bounded by time.
    pub(super) pace: Option<Pace>,
    pub(super) done: Done,
}

/// What a call has done: buffered, so that a failure can drop it.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// The id of the event being handled, to derive others from.
    pub(super) cause_id: String,
    pub(super) emitted: Vec<Emitted>,
    emitted_bytes: u64,
    /// Sorted, so that the same call gives the same list.
    pub(super) writes: BTreeMap<String, StateChange>,
    written_bytes: u64,
    pub(super) logs: Vec<LogLine>,
    log_bytes: u64,
    pub(super) logs_dropped: u32,
    pub(super) host_calls: u32,
    pub(super) requests: u32,
    /// The first event that did not have the shape of its port, and what is wrong with it.
    pub(super) misshapen: Option<(String, String)>,
}

impl Imports {
    pub(super) fn new(terms: Arc<Terms>) -> Self {
        let meter = Meter::new(terms.limits.memory_bytes_max);
        Self {
            terms,
            meter,
            world: Lent::default(),
            pace: None,
            done: Done::default(),
        }
    }

    /// Counts a call to the host for something that the node lets the guest use; an error ends the guest.
    pub(super) fn count(&mut self, what: Capability) -> Result<()> {
        let granted = self.terms.granted.as_ref();
        if granted.is_some_and(|granted| !granted.contains(&what)) {
            return Err(wasmtime::Error::new(NotGranted(what)));
        }
        let limit = self.terms.limits.host_calls_max;
        if self.done.host_calls >= limit {
            return Err(wasmtime::Error::new(HostCallsExhausted { limit }));
        }
        self.done.host_calls += 1;
        Ok(())
    }

    pub(super) fn world(&mut self) -> Result<&mut (dyn CallWorld + 'static)> {
        self.world
            .world()
            .ok_or_else(|| wasmtime::Error::msg("the host was called outside of a call"))
    }

    fn write(&mut self, key: String, change: StateChange) -> Result<(), state::StateError> {
        let value_bytes = match &change {
            StateChange::Put { value, .. } => value.len(),
            StateChange::Delete => 0,
        };
        let bytes = self.done.written_bytes + (key.len() + value_bytes) as u64;
        let limit = self.terms.limits.state_bytes_max;
        if bytes > limit {
            return Err(state::StateError::Quota(limit));
        }
        self.done.written_bytes = bytes;
        self.done.writes.insert(key, change);
        Ok(())
    }
}

impl types::Host for Imports {}

impl output::Host for Imports {
    fn emit(
        &mut self,
        port: String,
        mut event: FunctionEvent,
    ) -> Result<Result<(), output::EmitError>> {
        self.count(Capability::Output)?;
        let Terms {
            name,
            limits,
            ports,
            check,
            ..
        } = &*self.terms;
        if !ports.contains(&port) {
            return Ok(Err(output::EmitError::NoSuchPort));
        }
        if self.done.emitted.len() >= limits.events_max as usize {
            return Ok(Err(output::EmitError::TooMany(limits.events_max)));
        }
        let bytes = self.done.emitted_bytes + event_bytes(&event);
        if bytes > limits.output_bytes_max {
            return Ok(Err(output::EmitError::TooLarge(limits.output_bytes_max)));
        }
        let offered = Offered::Event(&event);
        if let Some(Err(reason)) = check.as_ref().map(|check| check.look(&port, offered)) {
            let reason_again = reason.clone();
            self.done.misshapen.get_or_insert((port, reason_again));
            return Ok(Err(output::EmitError::Schema(reason)));
        }
        if event.id.is_empty() {
            // The same event gives the same ids, so that a repeated delivery can be recognised.
            event.id = format!("{}/{name}.{}", self.done.cause_id, self.done.emitted.len());
        }
        self.done.emitted_bytes = bytes;
        self.done.emitted.push(Emitted { port, event });
        Ok(Ok(()))
    }
}

impl logging::Host for Imports {
    fn log(
        &mut self,
        level: LogLevel,
        message: String,
        fields: Vec<(String, String)>,
    ) -> Result<()> {
        self.count(Capability::Logging)?;
        let Limits {
            log_lines_max,
            log_bytes_max,
            ..
        } = self.terms.limits;
        let bytes = self.done.log_bytes + message.len() as u64 + pairs_bytes(&fields);
        if self.done.logs.len() >= log_lines_max as usize || bytes > log_bytes_max {
            self.done.logs_dropped += 1;
            return Ok(());
        }
        self.done.log_bytes = bytes;
        self.done.logs.push(LogLine {
            level,
            message,
            fields,
        });
        Ok(())
    }
}

impl config::Host for Imports {
    fn get(&mut self, key: String) -> Result<Option<String>> {
        self.count(Capability::Config)?;
        Ok(self.terms.config.get(&key).cloned())
    }
}

impl state::Host for Imports {
    fn get(&mut self, key: String) -> Result<Result<Option<Vec<u8>>, state::StateError>> {
        self.count(Capability::State)?;
        Ok(match self.done.writes.get(&key) {
            Some(StateChange::Put { value, .. }) => Ok(Some(value.clone())),
            Some(StateChange::Delete) => Ok(None),
            None => self
                .world()?
                .state_get(&key)
                .map_err(|StateUnavailable(reason)| state::StateError::Unavailable(reason)),
        })
    }

    fn put(
        &mut self,
        key: String,
        value: Vec<u8>,
        ttl_millis: Option<u64>,
    ) -> Result<Result<(), state::StateError>> {
        self.count(Capability::State)?;
        Ok(self.write(key, StateChange::Put { value, ttl_millis }))
    }

    fn delete(&mut self, key: String) -> Result<Result<(), state::StateError>> {
        self.count(Capability::State)?;
        Ok(self.write(key, StateChange::Delete))
    }
}

impl clock::Host for Imports {
    fn now_ms(&mut self) -> Result<u64> {
        self.count(Capability::Clock)?;
        Ok(self.world()?.now_millis())
    }
}

impl random::Host for Imports {
    fn bytes(&mut self, len: u32) -> Result<Vec<u8>> {
        self.count(Capability::Random)?;
        if len > RANDOM_BYTES_MAX {
            return Err(wasmtime::Error::msg(format!(
                "asked for {len} random bytes at once, limit {RANDOM_BYTES_MAX}"
            )));
        }
        let mut bytes = vec![0; len as usize];
        self.world()?.fill_random(&mut bytes);
        Ok(bytes)
    }
}

/// Bytes of all that an event holds.
fn event_bytes(event: &FunctionEvent) -> u64 {
    let FunctionEvent {
        id,
        source,
        type_,
        subject,
        time_ms: _,
        datacontenttype,
        extensions,
        data,
    } = event;
    let data = match data {
        FunctionPayload::None => 0,
        FunctionPayload::Json(text) | FunctionPayload::Text(text) => text.len(),
        FunctionPayload::Bytes(bytes) => bytes.len(),
    };
    let subject = subject.as_ref().map_or(0, String::len);
    let context = id.len() + source.len() + type_.len() + subject + datacontenttype.len();
    (context + data) as u64 + pairs_bytes(extensions)
}

fn pairs_bytes(pairs: &[(String, String)]) -> u64 {
    pairs
        .iter()
        .map(|(name, value)| (name.len() + value.len()) as u64)
        .sum()
}
