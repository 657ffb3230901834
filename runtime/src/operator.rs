//! What a node does with an event: synchronous, without I/O, clock or chance.
//!
//! The same operators run under every driver. An operator sees time only through [`Context`], and
//! everything it does is in what it emits.

use std::fmt;

use graph_model::event::Event;
use smol_str::SmolStr;

use crate::delivery::Share;

/// The behaviour of one instance of a node.
pub trait Operator: Send {
    /// Handles one event from the input port with this index.
    fn on_event(&mut self, event: Event, input: usize, ctx: &Context<'_>, out: &mut Output);

    /// No more events will come: sends what was held back, such as open windows.
    fn on_end(&mut self, _ctx: &Context<'_>, _out: &mut Output) {}

    /// Whether every event leaves it by its first port as it came, and nothing else comes of it. Such an
    /// operator need not be asked.
    fn hands_on(&self) -> bool {
        false
    }

    /// After how many milliseconds without an event [`on_idle`](Operator::on_idle) is called; never
    /// when nothing is said.
    fn idle_ms(&self) -> Option<u64> {
        None
    }

    /// No event has come for that long: sends what only waits for a later one.
    fn on_idle(&mut self, _ctx: &Context<'_>, _out: &mut Output) {}
}

/// What an operator may know of the world.
#[derive(Clone, Copy, Debug, Default)]
pub struct Context<'c> {
    /// Processing time in milliseconds since 1970-01-01 UTC.
    pub now_ms: i64,
    /// A number that no other call gets, from the world's chance.
    pub random: u64,
    /// Which instance of the node this is, counted from 0.
    pub instance: u32,
    /// How many instances the node has.
    pub instances: u32,
    /// The delivery that the event came with; operators that drop copies [watch](Share::watch) it.
    pub share: Option<&'c Share>,
    /// The events that come next, where it is known by now and nothing will hold them back.
    pub waiting: Option<&'c dyn Waiting>,
}

/// Events that wait for an operator, in their order. It may look at them, to work ahead; each is handed to it
/// all the same, unless the flow changes before.
pub trait Waiting {
    /// The one in this place, counted from 0.
    fn at(&self, place: usize) -> Option<&Event>;
}

impl fmt::Debug for dyn Waiting + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Waiting(..)")
    }
}

/// What came of a call: events for output ports, or the event that could not be handled.
#[derive(Debug, Default)]
pub struct Output {
    pub emitted: Vec<(u16, Event)>,
    pub failed: Vec<(Event, Failure)>,
}

/// Why an event could not be handled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub class: FailureClass,
    /// What, where, what next; one line.
    pub message: SmolStr,
}

/// What to do about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureClass {
    /// The event is at fault: the same event would fail again.
    Invalid,
    /// The surroundings are at fault: try again later.
    Transient,
    /// The node is at fault: no event would succeed.
    Fatal,
}

impl Output {
    pub fn emit(&mut self, port: u16, event: Event) {
        self.emitted.push((port, event));
    }

    pub fn fail(&mut self, event: Event, failure: Failure) {
        self.failed.push((event, failure));
    }
}

impl Failure {
    pub fn invalid(message: impl Into<SmolStr>) -> Failure {
        Failure {
            class: FailureClass::Invalid,
            message: message.into(),
        }
    }

    pub fn transient(message: impl Into<SmolStr>) -> Failure {
        Failure {
            class: FailureClass::Transient,
            message: message.into(),
        }
    }

    pub fn fatal(message: impl Into<SmolStr>) -> Failure {
        Failure {
            class: FailureClass::Fatal,
            message: message.into(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
