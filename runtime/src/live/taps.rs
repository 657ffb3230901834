//! Taps: a bounded sample of the events that pass, for those who look.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use graph_model::event::Event;
use graph_model::id::EdgeId;
use runtime_protocol::Observed;

/// Observed events that wait for the next look; further ones are counted and left out.
const WAITING_MAX: usize = 1_000;

/// What passed tapped edges since somebody last looked.
#[derive(Default)]
pub(crate) struct Taps {
    seq: AtomicU64,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    events: VecDeque<Observed>,
    skipped: u64,
}

impl Taps {
    pub(crate) fn observe(&self, edge: &EdgeId, event: &Event, at_ms: u64) {
        let seq = self.seq.fetch_add(1, Relaxed);
        let mut seen = self.seen();
        if seen.events.len() >= WAITING_MAX {
            seen.skipped += 1;
            return;
        }
        seen.events.push_back(Observed {
            seq,
            edge: edge.clone(),
            at_ms,
            event: event.clone(),
        });
    }

    /// The observed events, oldest first, and how many were left out.
    pub(crate) fn look(&self) -> (Vec<Observed>, u64) {
        let mut seen = self.seen();
        let skipped = std::mem::take(&mut seen.skipped);
        let mut events: Vec<Observed> = seen.events.drain(..).collect();
        drop(seen);
        events.sort_by_key(|observed| observed.seq);
        (events, skipped)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
