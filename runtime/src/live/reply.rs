//! Requests that wait for an event at their source's reply port.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use graph_model::event::{Event, extension};
use rustc_hash::FxHashMap;
use smol_str::SmolStr;
use tokio::sync::oneshot;

use crate::delivery::{Settle, Share};
use crate::operator::Failure;
use crate::rim::Settled;

/// Waiting requests of one source, by the id of the event that each became.
#[derive(Default)]
pub(crate) struct Replies {
    waiting: Mutex<FxHashMap<SmolStr, Vec<Waiting>>>,
}

type Waiting = Arc<Mutex<Option<oneshot::Sender<Settled>>>>;

/// Tells the one who waits for an inbound event.
struct Tell {
    waiting: Waiting,
    wants_reply: bool,
}

impl Replies {
    /// Opens the delivery of an inbound event that somebody waits for.
    pub(crate) fn open(
        &self,
        event: &Event,
        settled: oneshot::Sender<Settled>,
        wants_reply: bool,
    ) -> Share {
        let waiting = Arc::new(Mutex::new(Some(settled)));
        if wants_reply {
            let mut held = lock(&self.waiting);
            if held.len() >= 1_024 && held.len() == held.capacity() {
                // Requests that went away without an answer; as often as the table would grow.
                held.retain(|_, waiting| waiting.iter().any(is_open));
            }
            held.entry(event.context.id.clone())
                .or_default()
                .push(Arc::clone(&waiting));
        }
        Share::open(Tell {
            waiting,
            wants_reply,
        })
    }

    /// Hands an event to the request from which it follows; one that follows from none is dropped.
    pub(crate) fn answer(&self, event: &Event) {
        let context = &event.context;
        let id = context
            .extensions
            .get(extension::CORRELATION)
            .unwrap_or(&context.id);
        let mut held = lock(&self.waiting);
        let Some(waiting) = held.remove(id) else {
            return;
        };
        drop(held);
        for one in waiting {
            tell(&one, Settled::Reply(event.clone()));
        }
    }
}

impl Settle for Tell {
    fn settle(&self, outcome: Result<(), Failure>) -> bool {
        match outcome {
            // The answer may still come, from behind a channel.
            Ok(()) if self.wants_reply => {}
            Ok(()) => tell(&self.waiting, Settled::Safe),
            Err(failure) => tell(&self.waiting, Settled::GivenUp(failure)),
        }
        true
    }
}

fn tell(waiting: &Waiting, settled: Settled) {
    if let Some(sender) = lock(waiting).take() {
        // The request may have gone away.
        let _gone = sender.send(settled);
    }
}

fn is_open(waiting: &Waiting) -> bool {
    lock(waiting)
        .as_ref()
        .is_some_and(|sender| !sender.is_closed())
}

fn lock<T>(held: &Mutex<T>) -> MutexGuard<'_, T> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}
