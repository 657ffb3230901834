//! Ways out of a node: where its events go, and what happens when there is no room.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use graph_model::event::Event;
use graph_model::id::{EdgeId, NodeId};
use tokio::sync::Notify;

use super::channel::{Channel, Offer};
use super::env::Env;
use super::inbox::{Inbox, Put};
use super::meters::{EdgeMeter, add};
use super::reply::Replies;
use crate::delivery::Share;
use crate::operator::Failure;

/// An event on its way, with a share of the delivery that it came with.
pub(crate) struct Item {
    pub event: Event,
    pub share: Share,
    /// Number of the input port.
    pub input: u16,
}

/// An edge as its sender has it.
pub(crate) struct Wire {
    pub meter: Arc<EdgeMeter>,
    pub from: NodeId,
    pub target: Target,
    pub input: u16,
    /// Part of a loop, where waiting for room could last for ever.
    pub looping: bool,
}

/// Where a wire ends.
pub(crate) enum Target {
    /// At another operator of the same line.
    Op(usize),
    /// In front of a node; one inbox for each of its instances.
    Inbox {
        instances: Arc<[Arc<Inbox>]>,
        lane: usize,
    },
    Channel(Arc<Channel>),
    /// At a request that waits for its answer.
    Reply(Arc<Replies>),
}

/// The wires out of a line or a sink, and the events that wait to go.
pub(crate) struct Exits {
    wires: Vec<Wire>,
    passed: Vec<u64>,
    outbox: VecDeque<Parcel>,
}

/// An event in front of a wire.
pub(crate) struct Parcel {
    pub wire: usize,
    /// Which instance of the receiver it is for.
    pub slot: u32,
    pub item: Item,
}

impl Exits {
    pub(crate) fn new(wires: Vec<Wire>) -> Exits {
        Exits {
            passed: vec![0; wires.len()],
            wires,
            outbox: VecDeque::new(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.outbox.is_empty()
    }

    /// Sends an event along a wire. One that goes to an operator of the same line is handed back
    /// with the operator's number.
    pub(crate) fn send(
        &mut self,
        wire: usize,
        event: Event,
        share: Share,
        slot: u32,
        env: &Env,
    ) -> Option<(usize, Item)> {
        let held = &self.wires[wire];
        self.passed[wire] += 1;
        if held.meter.tapped.load(Relaxed) {
            env.taps.observe(&held.meter.id, &event, env.at_ms());
        }
        let item = Item {
            event,
            share,
            input: held.input,
        };
        if let Target::Op(op) = held.target {
            return Some((op, item));
        }
        self.outbox.push_back(Parcel { wire, slot, item });
        None
    }

    /// Puts what waits where it belongs, in order. When something is full, answers who tells when
    /// there is room again.
    pub(crate) fn flush(&mut self, env: &Env) -> Option<Arc<Notify>> {
        for (wire, passed) in self.wires.iter().zip(&mut self.passed) {
            add(&wire.meter.passed, std::mem::take(passed));
        }
        while let Some(parcel) = self.outbox.pop_front() {
            let Parcel { wire, slot, item } = parcel;
            if let Err((item, room)) = self.wires[wire].put(item, slot, env) {
                self.outbox.push_front(Parcel { wire, slot, item });
                return Some(room);
            }
        }
        None
    }

    /// Lets an event wait for its wire, as it did before a rebuild.
    pub(crate) fn wait(&mut self, edge: &EdgeId, slot: u32, item: Item) {
        if let Some(wire) = self.wires.iter().position(|wire| wire.meter.id == *edge) {
            self.outbox.push_back(Parcel { wire, slot, item });
        }
    }

    /// Takes out what waits, with the edges that it is for.
    pub(crate) fn clear(&mut self) -> Vec<(Arc<EdgeMeter>, u32, Item)> {
        let wires = &self.wires;
        let parcel = |parcel: Parcel| {
            let meter = Arc::clone(&wires[parcel.wire].meter);
            (meter, parcel.slot, parcel.item)
        };
        self.outbox.drain(..).map(parcel).collect()
    }
}

impl Wire {
    fn put(&self, item: Item, slot: u32, env: &Env) -> Result<(), (Item, Arc<Notify>)> {
        match &self.target {
            Target::Op(_) => Ok(()), // never in an outbox
            Target::Inbox { instances, lane } => {
                let inbox = &instances[slot as usize % instances.len()];
                match inbox.put(*lane, item) {
                    Put::Taken => Ok(()),
                    Put::InsteadOfOldest => {
                        self.meter.dropped.fetch_add(1, Relaxed);
                        Ok(())
                    }
                    Put::Full(item) if self.looping => {
                        self.full(&item, env);
                        Ok(())
                    }
                    Put::Full(item) => Err((item, Arc::clone(&inbox.room))),
                    Put::Refused(item) => {
                        self.full(&item, env);
                        Ok(())
                    }
                }
            }
            Target::Channel(channel) => match channel.offer(item, env) {
                Offer::Taken => Ok(()),
                Offer::Full(item) if self.looping => {
                    self.full(&item, env);
                    Ok(())
                }
                Offer::Full(item) => Err((item, Arc::clone(&channel.room))),
            },
            Target::Reply(replies) => {
                replies.answer(&item.event);
                Ok(())
            }
        }
    }

    fn full(&self, item: &Item, env: &Env) {
        self.meter.dropped.fetch_add(1, Relaxed);
        let edge = &self.meter.id;
        let message =
            format!("the wire {edge} is full; raise its capacity, or make what follows faster");
        let meter = env.meters.node(&self.from);
        let failure = Failure::transient(message);
        env.give_up(&self.from, &meter, &item.event, 1, &failure, &item.share);
    }
}
