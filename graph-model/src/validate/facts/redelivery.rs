//! When deliveries are repeated: how late, until when they have time, and what failed to stop them.

use crate::validate::design::{Design, NodeIx};
use crate::value::Value;

/// Longest pause between two deliveries in milliseconds; channels double theirs up to it.
const PAUSE_MS_MAX: i64 = 60_000;

/// Attempts that are added up; more of them are a channel that never gives up.
const ATTEMPTS_MAX: i64 = 100_000;

/// What is known of the deliveries at a port, beside what [`Copies`] says.
///
/// [`Copies`]: super::delivery::Copies
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Redelivery {
    /// How many milliseconds after the first the last copy may come, and who sends it; nothing when
    /// nobody says.
    pub horizon: Option<(i64, NodeIx)>,
    /// The source that is called again by who got no answer; its copies are deliveries of their own.
    pub called_again: Option<NodeIx>,
    /// The channel behind which everything is claimed to happen once.
    pub claimed: Option<NodeIx>,
    /// The node that should have dropped the copies and cannot tell them apart.
    pub let_through: Option<NodeIx>,
    /// The channel that delivers the events.
    pub delivered_by: Option<NodeIx>,
    /// Milliseconds until that one delivers an event again, less what the work so far takes.
    pub patience: Option<i64>,
    /// The events were given up once, and come on another way.
    pub given_up: bool,
}

impl Redelivery {
    /// What holds where several streams meet.
    pub(crate) fn of_all<'p>(sides: &(impl Iterator<Item = &'p Redelivery> + Clone)) -> Redelivery {
        Redelivery {
            horizon: sides.clone().filter_map(|side| side.horizon).max(),
            called_again: sides.clone().find_map(|side| side.called_again),
            claimed: sides.clone().find_map(|side| side.claimed),
            let_through: None,
            patience: sides.clone().filter_map(|side| side.patience).min(),
            delivered_by: sides.clone().find_map(|side| side.delivered_by),
            given_up: sides.clone().all(|side| side.given_up),
        }
    }

    /// Copies may come as late as this, too.
    pub(crate) fn reach(&mut self, horizon: Option<(i64, NodeIx)>) {
        self.horizon = self.horizon.max(horizon);
    }
}

impl Design {
    /// Milliseconds from the first delivery of a channel to the last one.
    pub(crate) fn redelivers_for(&self, node: NodeIx) -> Option<i64> {
        let again = self.paused_for(node)?;
        let waits = self.ms(node, VISIBILITY).unwrap_or(0);
        let attempts = self.attempts(node)?;
        Some(again.saturating_add(waits.saturating_mul(attempts - 1)))
    }

    /// Milliseconds of pauses after which a channel gives an event up.
    pub(crate) fn paused_for(&self, node: NodeIx) -> Option<i64> {
        let mut pause = self.ms(node, BACKOFF)?.clamp(0, PAUSE_MS_MAX);
        let mut all = 0_i64;
        for _ in 1..self.attempts(node)? {
            all = all.saturating_add(pause);
            pause = pause.saturating_mul(2).min(PAUSE_MS_MAX);
        }
        Some(all)
    }

    /// How often a channel delivers an event at most.
    fn attempts(&self, node: NodeIx) -> Option<i64> {
        let attempts = self.value(node, ATTEMPTS).and_then(Value::as_i64)?;
        Some(attempts.clamp(1, ATTEMPTS_MAX))
    }

    /// Milliseconds after which a channel takes a delivery for lost.
    pub(crate) fn waits_for(&self, node: NodeIx) -> Option<i64> {
        self.ms(node, VISIBILITY)
    }

    /// Milliseconds that one call of a node takes, as far as it was declared.
    pub(crate) fn works_for(&self, node: NodeIx) -> Option<i64> {
        let duration = self.declared_ms(node, "duration")?;
        let batch = self.declared(node, "batch").and_then(Value::as_i64);
        Some(duration.saturating_mul(batch.unwrap_or(1).max(1)))
    }
}

/// Fields that all kinds of channels call the same.
pub(crate) const ATTEMPTS: &str = "max_attempts";
pub(crate) const BACKOFF: &str = "backoff";
/// Not all channels have it: a log waits for ever.
pub(crate) const VISIBILITY: &str = "visibility";
