//! A sink at work: batches, tries, retries, acknowledges, gives up.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use graph_model::event::Event;
use graph_model::id::NodeId;
use runtime_protocol::Problem;
use tokio::sync::Mutex;

use super::dead::with_cause;
use super::env::Env;
use super::gate::Mode;
use super::inbox::Inbox;
use super::listen;
use super::meters::{NodeMeter, add};
use super::wire::{Exits, Item};
use crate::delivery::Share;
use crate::operator::{Failure, FailureClass};
use crate::rim::{Sent, Sink};

/// Events that any sink is given at once, at most.
const BATCH: usize = 256;
/// Longest pause between two tries.
const PAUSE_MS_MAX: u64 = 30_000;

/// A sink, its inbox and what it has in hand.
pub(crate) struct SinkSlot {
    pub id: NodeId,
    pub env: Arc<Env>,
    pub inbox: Arc<Inbox>,
    pub meter: Arc<NodeMeter>,
    pub state: Mutex<SinkState>,
}

pub(crate) struct SinkState {
    /// A rebuilt flow has taken everything out.
    pub retired: bool,
    pub sink: Option<Box<dyn Sink>>,
    /// Events under way: not written yet, with the number of tries.
    pub hand: VecDeque<(Item, u32)>,
    pub exits: Exits,
    /// Wires by output port.
    pub outs: Vec<Vec<usize>>,
    pub failed: Option<usize>,
    pub attempts_max: u32,
    pub retry_pause_ms: u64,
}

impl SinkState {
    fn batch_max(&self) -> usize {
        let wanted = self.sink.as_ref().map_or(BATCH, |sink| sink.batch_max());
        wanted.clamp(1, BATCH)
    }
}

impl SinkSlot {
    /// Whether nothing is under way in it or waits for it.
    pub(crate) fn is_quiet(&self) -> bool {
        let idle = self
            .state
            .try_lock()
            .is_ok_and(|state| state.retired || (state.hand.is_empty() && state.exits.is_empty()));
        idle && self.inbox.is_empty()
    }

    /// Works until the flow is rebuilt without it.
    pub(crate) async fn work(self: Arc<Self>) {
        let gate = &self.env.gate;
        loop {
            // Senders that are ready go first: larger batches cost less for each event.
            tokio::task::yield_now().await;
            let changed = gate.changed();
            let arrived = listen(&self.inbox.arrived);
            let mut state = self.state.lock().await;
            if state.retired {
                return;
            }
            if let Some(room) = state.exits.flush(&self.env) {
                let waiting = listen(&room);
                if state.exits.flush(&self.env).is_some() {
                    drop(state);
                    tokio::select! {
                        () = waiting => {}
                        () = changed => {}
                    }
                }
                continue;
            }
            let max = match gate.mode() {
                Mode::Open => state.batch_max(),
                Mode::Held => 0,
                Mode::Paused if self.inbox.is_empty() || !state.hand.is_empty() => 0,
                Mode::Paused => usize::from(gate.take_step(&self.id)),
            };
            let room = max.saturating_sub(state.hand.len());
            let taken = self.inbox.take(room);
            add(&self.meter.received, taken.len() as u64);
            state.hand.extend(taken.into_iter().map(|item| (item, 0)));
            if state.hand.is_empty() || gate.mode() == Mode::Held {
                drop(state);
                tokio::select! {
                    () = arrived => {}
                    () = changed => {}
                }
                continue;
            }
            let pause = self.write(&mut state).await;
            drop(state);
            if let Some(pause) = pause {
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = changed => {}
                }
            }
        }
    }

    /// Tries once to write a batch of what is in hand. Answers the pause before the next try of what
    /// could not be written.
    async fn write(&self, state: &mut SinkState) -> Option<Duration> {
        let batch_max = state.batch_max();
        let events: Vec<Event> = state
            .hand
            .iter()
            .take(batch_max)
            .map(|(item, _)| item.event.clone())
            .collect();
        let began_us = self.env.world.elapsed_us();
        let Some(sink) = &mut state.sink else {
            return None;
        };
        let mut outcomes = sink.write(&events).await;
        outcomes.resize_with(events.len(), || {
            Err(Failure::fatal(
                "the sink answered fewer outcomes than events; report this",
            ))
        });
        add(
            &self.meter.busy_us,
            self.env.world.elapsed_us().saturating_sub(began_us),
        );

        let mut most_tries = 0;
        // What was put in hand beyond the batch, by an edit of the flow, has its turn later.
        let later = state.hand.split_off(events.len());
        let batch = std::mem::take(&mut state.hand);
        for ((item, tries), outcome) in batch.into_iter().zip(outcomes) {
            let tries = tries + 1;
            match outcome {
                Ok(sent) => {
                    if let Some(Sent { port, event }) = sent
                        && state.outs.get(port).is_some_and(|wires| !wires.is_empty())
                    {
                        self.meter.sent.fetch_add(1, Relaxed);
                        self.emit(state, port, &event, &item.share);
                    }
                }
                Err(failure) => {
                    self.meter.failed.fetch_add(1, Relaxed);
                    if failure.class == FailureClass::Transient && tries < state.attempts_max {
                        self.meter.retried.fetch_add(1, Relaxed);
                        most_tries = most_tries.max(tries);
                        state.hand.push_back((item, tries));
                    } else {
                        self.fail(state, &item, &failure, tries);
                    }
                }
            }
        }
        let doubled = state.retry_pause_ms << most_tries.saturating_sub(1).min(16);
        let again = !state.hand.is_empty();
        state.hand.extend(later);
        again.then(|| Duration::from_millis(doubled.min(PAUSE_MS_MAX)))
    }

    /// Flushes and closes the sink at the end of a run, or when an edit removes it.
    pub(crate) async fn close(&self) {
        let sink = self.state.lock().await.sink.take();
        if let Some(sink) = sink {
            close(sink, &self.id, &self.env).await;
        }
    }

    fn fail(&self, state: &mut SinkState, item: &Item, failure: &Failure, tries: u32) {
        if let Some(port) = state.failed.filter(|port| !state.outs[*port].is_empty()) {
            self.meter.dead.fetch_add(1, Relaxed);
            let dead = with_cause(&item.event, self.id.as_str(), &failure.message, tries);
            self.emit(state, port, &dead, &item.share);
        } else {
            let env = &self.env;
            env.give_up(
                &self.id,
                &self.meter,
                &item.event,
                tries,
                failure,
                &item.share,
            );
        }
    }

    fn emit(&self, state: &mut SinkState, port: usize, event: &Event, share: &Share) {
        for wire in state.outs.get(port).into_iter().flatten() {
            let fused = state
                .exits
                .send(*wire, event.clone(), share.clone(), 0, &self.env);
            debug_assert!(fused.is_none(), "a sink's wires leave it");
        }
    }
}

/// Closes a sink; what goes wrong is reported.
pub(crate) async fn close(mut sink: Box<dyn Sink>, id: &NodeId, env: &Env) {
    if let Err(failure) = sink.close().await {
        env.troubles.report(Problem::at(id, failure.to_string()));
    }
}
