//! A channel in a running flow: its state, and those who wait for it.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use graph_model::event::Event;
use graph_model::expr::{Env as Variables, Expr};
use graph_model::id::{EdgeId, NodeId};
use smol_str::SmolStr;
use tokio::sync::Notify;

use super::env::Env;
use super::listen;
use super::meters::NodeMeter;
use super::wire::Item;
use crate::bindings::EventBindings;
use crate::channels::{ChannelState, GivenUp, Settled, Spot, Subscriber, Terms, Ticket};
use crate::delivery::{Settle, Share};
use crate::operator::Failure;

pub(crate) struct Channel {
    pub id: NodeId,
    key: Option<Expr>,
    state: Mutex<ChannelState>,
    given_up: Mutex<VecDeque<GivenUp>>,
    /// Whether a wire leads given-up events away.
    has_failed_wire: Mutex<bool>,
    /// Told when something may be taken, and when something was given up.
    pub arrived: Notify,
    /// Told when there is room again.
    pub room: Arc<Notify>,
    pub meter: Arc<NodeMeter>,
    env: Arc<Env>,
    /// Set when an edit took it out of the flow: what still comes back goes there, or nowhere.
    replaced: OnceLock<Option<Arc<Channel>>>,
}

/// What became of an event that was offered to a channel.
pub(crate) enum Offer {
    Taken,
    Full(Item),
}

impl Channel {
    pub(crate) fn new(
        id: NodeId,
        key: Option<Expr>,
        state: ChannelState,
        env: &Arc<Env>,
    ) -> Channel {
        Channel {
            meter: env.meters.node(&id),
            id,
            key,
            state: Mutex::new(state),
            given_up: Mutex::default(),
            has_failed_wire: Mutex::new(false),
            arrived: Notify::new(),
            room: Arc::new(Notify::new()),
            env: Arc::clone(env),
            replaced: OnceLock::new(),
        }
    }

    /// Takes an event in; its sender's part is done then.
    pub(crate) fn offer(self: &Arc<Self>, item: Item, env: &Env) -> Offer {
        let key = match self.key_of(&item.event) {
            Ok(key) => key,
            Err(failure) => {
                self.meter.failed.fetch_add(1, Relaxed);
                self.give_up(GivenUp {
                    event: item.event,
                    attempts: 1,
                    failure,
                    mark: (),
                });
                return Offer::Taken;
            }
        };
        let Item {
            event,
            share,
            input,
        } = item;
        let mut state = self.state();
        let offered = state.offer(event, key, !share.is_none(), ());
        let stuck = offered.is_err() && state.is_stuck();
        drop(state);
        match offered {
            Ok(None) => {}
            Ok(Some(spot)) => {
                let channel = Arc::downgrade(self);
                share.bind(move |well| {
                    if let Some(channel) = channel.upgrade() {
                        channel.decide(spot, well);
                    }
                });
            }
            Err(event) => {
                // Waiting for room would hold up deliveries that hold the room.
                let failure = Failure::transient(format!(
                    "`{}` is full of events whose deliveries are under way; raise its capacity",
                    self.id
                ));
                if stuck && share.give_up(&failure) {
                    self.meter.failed.fetch_add(1, Relaxed);
                    return Offer::Taken;
                }
                return Offer::Full(Item {
                    event,
                    share,
                    input,
                });
            }
        }
        debug_assert!(
            std::ptr::eq(env, &raw const *self.env),
            "one run, one environment"
        );
        self.meter.received.fetch_add(1, Relaxed);
        self.arrived.notify_waiters();
        Offer::Taken
    }

    /// Takes an event in as soon as there is room.
    pub(crate) async fn offer_patiently(self: &Arc<Self>, mut item: Item, env: &Env) {
        loop {
            let room = listen(&self.room);
            match self.offer(item, env) {
                Offer::Taken => return,
                Offer::Full(back) => item = back,
            }
            room.await;
        }
    }

    /// The delivery that brought an event is settled.
    fn decide(&self, spot: Spot, well: bool) {
        self.state().decide(spot, well);
        self.hand_over();
        self.room.notify_waiters();
        self.arrived.notify_waiters();
    }

    /// Hands out what is due, each event with a share of its delivery. The time is when to look
    /// again although nobody tells, in microseconds from now.
    pub(crate) fn take(
        self: &Arc<Self>,
        reader: &EdgeId,
        slot: u32,
        max: usize,
    ) -> (Vec<(Event, Share)>, Option<u64>) {
        let now_us = self.env.world.elapsed_us();
        let mut given_up = Vec::new();
        let mut state = self.state();
        let mut taken = Vec::new();
        state.take(reader, slot, max, now_us, &mut taken, &mut given_up);
        let due = state.next_due_us(reader, slot, now_us);
        drop(state);
        for lost in given_up {
            self.meter.failed.fetch_add(1, Relaxed);
            self.give_up(lost);
        }
        let deliver = |delivered: crate::channels::Delivered| {
            let share = Share::open(Acknowledge {
                channel: Arc::clone(self),
                reader: reader.clone(),
                slot,
                ticket: delivered.ticket,
            });
            (delivered.event, share)
        };
        let taken: Vec<(Event, Share)> = taken.into_iter().map(deliver).collect();
        self.meter.sent.fetch_add(taken.len() as u64, Relaxed);
        (taken, due.map(|due| due.saturating_sub(now_us)))
    }

    /// Whether a consumer would be handed anything now.
    pub(crate) fn is_ready(&self, reader: &EdgeId, slot: u32) -> bool {
        let now_us = self.env.world.elapsed_us();
        self.state().is_ready(reader, slot, now_us)
    }

    /// Given-up events that a wire leads away.
    pub(crate) fn take_given_up(&self) -> Option<Event> {
        let lost = lock(&self.given_up).pop_front()?;
        let message = &lost.failure.message;
        Some(super::dead::with_cause(
            &lost.event,
            self.id.as_str(),
            message,
            lost.attempts,
        ))
    }

    /// Events that it holds, in whatever state.
    pub(crate) fn held(&self) -> usize {
        let given_up = lock(&self.given_up).len();
        self.state().held() + given_up
    }

    /// Fits it into a rebuilt flow; answers events of subscriptions that went away.
    pub(crate) fn refit(
        &self,
        terms: Terms,
        readers: &[Subscriber],
        renamed: &BTreeMap<EdgeId, EdgeId>,
        has_failed_wire: bool,
    ) -> Vec<Event> {
        *lock(&self.has_failed_wire) = has_failed_wire;
        let mut state = self.state();
        state.set_terms(terms);
        state.set_readers(readers, renamed)
    }

    /// Takes it out of the flow. What it holds goes to its successor, or is answered.
    pub(crate) fn replace(&self, successor: Option<Arc<Channel>>) {
        let first = self.replaced.set(successor).is_ok();
        debug_assert!(first, "a channel leaves a flow once");
        self.hand_over();
    }

    fn hand_over(&self) {
        let Some(successor) = self.replaced.get() else {
            return;
        };
        let events = self.state().drain();
        for event in events {
            match successor {
                Some(successor) => {
                    let key = successor.key_of(&event).ok().flatten();
                    if let Err(event) = successor.state().offer(event, key, false, ()) {
                        self.bury(&event, "the channel that took its place is full");
                    }
                    successor.arrived.notify_waiters();
                }
                None => self.bury(
                    &event,
                    "its channel was removed; inject it where it belongs",
                ),
            }
        }
    }

    fn bury(&self, event: &Event, message: &str) {
        self.meter.dead.fetch_add(1, Relaxed);
        self.env.bury(&self.id, event, 1, message);
    }

    fn give_up(&self, lost: GivenUp) {
        self.meter.dead.fetch_add(1, Relaxed);
        if *lock(&self.has_failed_wire) && self.replaced.get().is_none() {
            lock(&self.given_up).push_back(lost);
            self.arrived.notify_waiters();
        } else {
            let message = &lost.failure.message;
            self.env.bury(&self.id, &lost.event, lost.attempts, message);
        }
    }

    fn key_of(&self, event: &Event) -> Result<Option<SmolStr>, Failure> {
        let Some(key) = &self.key else {
            return Ok(None);
        };
        let bindings = EventBindings {
            event,
            now_ms: self.env.world.now_ms(),
        };
        let value = key.eval(&event.data, &Variables::new(&bindings));
        value
            .map(|value| Some(value.to_text()))
            .map_err(|error| Failure::invalid(format!("the key `{}`: {error}", key.code())))
    }

    fn state(&self) -> MutexGuard<'_, ChannelState> {
        lock(&self.state)
    }
}

/// Tells a channel what became of a delivery.
struct Acknowledge {
    channel: Arc<Channel>,
    reader: EdgeId,
    slot: u32,
    ticket: Ticket,
}

impl Settle for Acknowledge {
    fn settle(&self, outcome: Result<(), Failure>) -> bool {
        let channel = &self.channel;
        let now_us = channel.env.world.elapsed_us();
        let failed = outcome.is_err();
        let Settled { counts, given_up } =
            channel
                .state()
                .settle(&self.reader, self.slot, self.ticket, outcome, now_us);
        if failed {
            channel.meter.failed.fetch_add(1, Relaxed);
            if given_up.is_none() {
                channel.meter.retried.fetch_add(1, Relaxed);
            }
        }
        if let Some(lost) = given_up {
            channel.give_up(lost);
        }
        channel.hand_over();
        channel.room.notify_waiters();
        channel.arrived.notify_waiters();
        counts
    }
}

fn lock<T>(held: &Mutex<T>) -> MutexGuard<'_, T> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}
