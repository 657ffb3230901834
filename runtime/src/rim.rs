//! The rim of the engine: sources and sinks, where real I/O happens.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use graph_model::event::Event;
use runtime_protocol::Problem;
use tokio::sync::oneshot;

use crate::operator::Failure;
use crate::world::World;

/// A future that a driver runs; boxed, because kinds are chosen at run time.
pub type Work<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Brings events in until it ends or is told to stop.
pub trait Source: Send {
    /// Runs until the input is exhausted or [`Feed::stopped`] resolves. What it reports as an error
    /// is shown at the node; the flow goes on without it.
    fn run(self: Box<Self>, feed: Feed) -> Work<'static, Result<(), Problem>>;

    /// Where it listens, once it is built; shown to people.
    fn address(&self) -> Option<String> {
        None
    }
}

/// Takes events out. The driver batches, retries, counts, acknowledges and dead-letters.
pub trait Sink: Send {
    /// Tries once to write the events; answers one outcome for each of them, in order, with the
    /// event that goes on, if any. A batch is only as atomic as its outcomes say.
    fn write<'a>(&'a mut self, events: &'a [Event])
    -> Work<'a, Vec<Result<Option<Sent>, Failure>>>;

    /// How many events one try takes at most. An event that is tried again goes behind the others of
    /// its batch, so 1 keeps the order; edits of the flow wait for a try to end.
    fn batch_max(&self) -> usize {
        usize::MAX
    }

    /// The run ends: flushes and closes.
    fn close(&mut self) -> Work<'_, Result<(), Failure>> {
        Box::pin(async { Ok(()) })
    }
}

/// An event that a sink sends on.
#[derive(Clone, Debug, PartialEq)]
pub struct Sent {
    /// Number of the output port.
    pub port: usize,
    pub event: Event,
}

impl Sent {
    /// Out of the first port.
    pub fn first(event: Event) -> Sent {
        Sent { port: 0, event }
    }
}

/// A source's line into the flow. Implemented by the driver.
pub trait FeedLine: Send + Sync {
    /// Hands events in. Resolves when there is room: this is where back-pressure reaches a source.
    /// `settled` (one for each event, or none at all) resolve once the event is safe or given up.
    fn push(&self, events: Vec<Inbound>) -> Work<'_, Result<(), FlowClosed>>;
    /// Resolves when the source must stop taking events.
    fn stopped(&self) -> Work<'_, ()>;
    /// Everything that is there now has been handed in; more may come later. A run that lasts until
    /// the flow is idle waits for this word, or for the end, of every source.
    fn caught_up(&self);
    /// The same, but only as long as `still` holds: for a source that hears of what the flow itself
    /// writes, and may not have heard of the latest.
    fn caught_up_while(&self, still: Box<dyn Fn() -> bool + Send + Sync>);
    /// Counts a request that was refused.
    fn refused(&self);
    /// Counts an attempt that failed and gives up an input that is no event (its text and place).
    fn unreadable(&self, event: Event, failure: Failure) -> Work<'_, Result<(), FlowClosed>>;
    /// Something that a person should know; the source goes on.
    fn trouble(&self, message: String);
}

/// Shared handle on the line.
#[derive(Clone)]
pub struct Feed {
    pub line: Arc<dyn FeedLine>,
    pub world: Arc<dyn World>,
}

/// An event on its way in.
pub struct Inbound {
    pub event: Event,
    /// Told when the event is safe (everything up to the next channel or sink took it) or given up;
    /// a request with `respond = reply` gets the reply event.
    pub settled: Option<oneshot::Sender<Settled>>,
    /// Whether `settled` waits for an event at the source's reply port.
    pub wants_reply: bool,
}

/// What became of an inbound event.
#[derive(Clone, Debug)]
pub enum Settled {
    Safe,
    Reply(Event),
    GivenUp(Failure),
}

/// The flow takes no more events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the flow takes no more events")]
pub struct FlowClosed;

impl Inbound {
    pub fn new(event: Event) -> Inbound {
        Inbound {
            event,
            settled: None,
            wants_reply: false,
        }
    }
}
