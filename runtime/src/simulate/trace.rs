//! The steps of a run, in bytes that are the same on every machine.

use graph_model::event::Event;
use graph_model::id::NodeId;
use graph_model::value::Value;
use sha2::{Digest, Sha256};
use smol_str::SmolStr;

use super::run::Root;
use super::scenario::Record;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Since the beginning of the run.
    pub at_us: u64,
    pub what: What,
    pub node: NodeId,
    /// Number of the port, where there is one.
    pub port: u16,
    /// Id of the event; empty when it is about none.
    pub event: SmolStr,
    /// Number of the fact from which it follows; nothing when it follows from none.
    pub fact: Option<u32>,
    /// Number of the instance that did it; in no bytes.
    pub instance: u32,
    /// The event, when whole events were to be recorded; in no bytes.
    pub whole: Option<Event>,
    /// What can be seen of it where a sink wrote it; in no bytes.
    pub shown: Option<Value>,
}

/// Sorts of steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum What {
    /// A fact came in at a source.
    Arrived = 1,
    /// An event was handed to an operator.
    Handled = 2,
    /// An event left by a port.
    Emitted = 3,
    /// A channel handed an event out.
    Delivered = 4,
    /// A delivery was settled well.
    Acked = 5,
    /// A delivery failed.
    Nacked = 6,
    /// A sink took an event.
    Written = 7,
    /// An event was given up.
    GivenUp = 8,
    /// An event was dropped as its wire was full.
    Dropped = 9,
    /// Something went wrong by plan.
    Fault = 10,
    /// An event left by a port that no wire leads from; recorded with whole events only, in no bytes.
    Unled = 11,
}

/// What identifies the steps of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TraceHash(pub [u8; 32]);

/// Takes steps down.
#[derive(Default)]
pub(super) struct Trace {
    record: Record,
    hash: Sha256,
    bytes: Vec<u8>,
    steps: Vec<Step>,
}

impl Step {
    /// Appends the canonical form: numbers in little-endian order, texts with their length first.
    pub fn write(&self, bytes: &mut Vec<u8>) {
        write(
            bytes,
            self.at_us,
            self.what,
            &self.node,
            self.port,
            &self.event,
            self.fact,
        );
    }
}

impl Trace {
    pub(super) fn new(record: Record) -> Trace {
        Trace {
            record,
            ..Trace::default()
        }
    }

    /// Whether anything is kept.
    pub(super) fn records(&self) -> bool {
        self.record != Record::Off
    }

    /// Whether whole events are kept.
    pub(super) fn keeps_events(&self) -> bool {
        self.record == Record::Events
    }

    #[inline]
    pub(super) fn add(
        &mut self,
        at_us: u64,
        what: What,
        node: &NodeId,
        port: u16,
        event: &SmolStr,
        root: Root,
    ) {
        if self.record != Record::Off {
            self.add_step(at_us, what, node, port, event, root.fact);
        }
    }

    fn add_step(
        &mut self,
        at_us: u64,
        what: What,
        node: &NodeId,
        port: u16,
        event: &SmolStr,
        fact: Option<u32>,
    ) {
        self.bytes.clear();
        write(&mut self.bytes, at_us, what, node, port, event, fact);
        self.hash.update(&self.bytes);
        if matches!(self.record, Record::Steps | Record::Events) {
            self.steps.push(Step {
                at_us,
                what,
                node: node.clone(),
                port,
                event: event.clone(),
                fact,
                instance: 0,
                whole: None,
                shown: None,
            });
        }
    }

    /// Keeps the event of the step just added, and which instance did it.
    pub(super) fn keep(&mut self, instance: usize, event: &Event) {
        if self.record == Record::Events
            && let Some(step) = self.steps.last_mut()
        {
            step.instance = instance as u32;
            step.whole = Some(event.clone());
        }
    }

    /// Records that an event left by a port that no wire leads from.
    pub(super) fn keep_unled(
        &mut self,
        at_us: u64,
        node: &NodeId,
        port: u16,
        event: &Event,
        root: Root,
    ) {
        if self.record == Record::Events {
            self.steps.push(Step {
                at_us,
                what: What::Unled,
                node: node.clone(),
                port,
                event: event.context.id.clone(),
                fact: root.fact,
                instance: 0,
                whole: Some(event.clone()),
                shown: None,
            });
        }
    }

    /// Keeps an event that is only made to be kept.
    pub(super) fn keep_made(&mut self, event: impl FnOnce() -> Event) {
        if self.record == Record::Events
            && let Some(step) = self.steps.last_mut()
        {
            step.whole = Some(event());
        }
    }

    /// Keeps what can be seen of the step just added.
    pub(super) fn keep_shown(&mut self, shown: impl FnOnce() -> Option<Value>) {
        if self.record == Record::Events
            && let Some(step) = self.steps.last_mut()
        {
            step.shown = shown();
        }
    }

    /// Bytes that it holds, roughly.
    pub(super) fn weight(&self) -> u64 {
        (self.steps.len() * size_of::<Step>()) as u64
    }

    pub(super) fn finish(&mut self) -> (TraceHash, Vec<Step>) {
        let hash = std::mem::take(&mut self.hash).finalize();
        (TraceHash(hash.into()), std::mem::take(&mut self.steps))
    }
}

impl std::fmt::Display for TraceHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

fn write(
    bytes: &mut Vec<u8>,
    at_us: u64,
    what: What,
    node: &NodeId,
    port: u16,
    event: &str,
    fact: Option<u32>,
) {
    bytes.extend(at_us.to_le_bytes());
    bytes.push(what as u8);
    bytes.extend(port.to_le_bytes());
    bytes.extend(fact.map_or(0, |fact| u64::from(fact) + 1).to_le_bytes());
    for text in [node.as_str(), event] {
        bytes.extend((text.len() as u32).to_le_bytes());
        bytes.extend(text.as_bytes());
    }
}
