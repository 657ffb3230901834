//! What all parts of a running flow share.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use graph_model::event::Event;
use graph_model::id::NodeId;
use runtime_protocol::Problem;
use tokio::sync::mpsc;

use super::dead::{DeadLetters, with_cause};
use super::gate::Gate;
use super::meters::{Meters, NodeMeter};
use super::taps::Taps;
use crate::delivery::Share;
use crate::operator::Failure;
use crate::world::World;

pub(crate) struct Env {
    pub world: Arc<dyn World>,
    pub gate: Gate,
    pub meters: Meters,
    pub taps: Taps,
    pub dead_letters: Arc<DeadLetters>,
    pub troubles: Troubles,
    /// When the run began, on the world's clock.
    pub began_us: u64,
    /// Events that are in no line, inbox or channel at the moment.
    pub adrift: Arc<()>,
}

/// Keeps the flow from counting as quiet.
pub(crate) struct Adrift(#[expect(dead_code, reason = "held for its count")] Arc<()>);

/// Where problems are reported that no command asked about. Bounded: while nobody reads, further
/// ones are left out.
#[derive(Clone)]
pub(crate) struct Troubles(mpsc::Sender<Problem>);

impl Troubles {
    pub(crate) fn new(to: mpsc::Sender<Problem>) -> Troubles {
        Troubles(to)
    }

    pub(crate) fn report(&self, problem: Problem) {
        // Full or closed: nobody reads, and the counters tell the rest.
        let _unread = self.0.try_send(problem);
    }
}

impl Env {
    /// Marks an event as under way while a task of its own looks after it.
    pub(crate) fn adrift(&self) -> Adrift {
        Adrift(Arc::clone(&self.adrift))
    }

    pub(crate) fn has_adrift(&self) -> bool {
        Arc::strong_count(&self.adrift) > 1
    }

    /// Milliseconds since the run began.
    pub(crate) fn at_ms(&self) -> u64 {
        self.world.elapsed_us().saturating_sub(self.began_us) / 1_000
    }

    /// The end of an event that no wire leads on: whoever waits for it is told; when nobody does,
    /// it becomes a dead letter.
    pub(crate) fn give_up(
        &self,
        at: &NodeId,
        meter: &NodeMeter,
        event: &Event,
        attempts: u32,
        failure: &Failure,
        share: &Share,
    ) {
        if !share.give_up(failure) {
            meter.dead.fetch_add(1, Relaxed);
            self.bury(at, event, attempts, &failure.message);
        }
    }

    /// Keeps an event as a dead letter of the flow.
    pub(crate) fn bury(&self, at: &NodeId, event: &Event, attempts: u32, message: &str) {
        let dead = with_cause(event, at.as_str(), message, attempts);
        if let Err(message) = self.dead_letters.keep(dead) {
            self.troubles.report(Problem::at(at, message));
        }
    }
}
