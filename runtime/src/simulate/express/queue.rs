//! Queues of plain runs, and the deliveries that they wait for.

use std::collections::VecDeque;

use super::super::agenda::Task;
use super::super::shape::{Model, Target};
use super::{Express, Load, NotPlain, Plainly};
use crate::plan::NodeIndex;

/// Events that wait, oldest first, and how many are being handled.
#[derive(Default)]
pub(super) struct Queue {
    waiting: VecDeque<Load>,
    under_way: usize,
    /// When deliveries count as lost, by place and number. Those that were settled go when they are in front.
    expiring: VecDeque<(u64, u32, u64)>,
}

/// One of the competing consumers.
#[derive(Clone, Default)]
pub(super) struct Reader {
    /// Whether it looks soon.
    due: bool,
    /// When a look of its own accord is noted.
    timer_us: u64,
    /// Until when its line is at something.
    pub(super) busy_until_us: u64,
}

/// Deliveries under way.
#[derive(Default)]
pub(super) struct Deliveries {
    places: Vec<Delivery>,
    free: Vec<u32>,
    opened: u64,
    /// Subscriptions of those that were settled since somebody looked.
    settled: Vec<usize>,
}

struct Delivery {
    /// Counted in the order of opening; nothing once it is settled.
    number: Option<u64>,
    sub: usize,
    /// Events that are part of it.
    shares: u32,
}

impl Queue {
    /// Events that wait or are being handled.
    pub(super) fn len(&self) -> usize {
        self.waiting.len() + self.under_way
    }

    pub(super) fn waiting(&self) -> impl Iterator<Item = &Load> {
        self.waiting.iter()
    }
}

impl Deliveries {
    fn open(&mut self, sub: usize) -> (u32, u64) {
        let number = self.opened;
        self.opened += 1;
        let delivery = Delivery {
            number: Some(number),
            sub,
            shares: 1,
        };
        let place = if let Some(place) = self.free.pop() {
            self.places[place as usize] = delivery;
            place
        } else {
            self.places.push(delivery);
            self.places.len() as u32 - 1
        };
        (place, number)
    }

    fn is_open(&self, place: u32, number: u64) -> bool {
        self.places[place as usize].number == Some(number)
    }

    /// One more event is part of a delivery.
    pub(super) fn share(&mut self, place: Option<u32>) {
        if let Some(place) = place {
            self.places[place as usize].shares += 1;
        }
    }
}

impl Express<'_> {
    /// A queue takes an event in, and its consumers look soon.
    pub(super) fn offer(&mut self, node: NodeIndex, load: Load) -> Plainly {
        let Model::Channel(channel) = &self.shape.nodes[node].model else {
            return Err(NotPlain);
        };
        let queue = &mut self.queues[node];
        if queue.len() >= channel.terms.capacity {
            return Err(NotPlain);
        }
        queue.waiting.push_back(load);
        let held = queue.len() as u64;
        self.run.meters[node].received += 1;
        let most = &mut self.run.waiting_max[node];
        *most = held.max(*most);
        for &sub in &channel.subs {
            (0..self.readers[sub].len()).for_each(|slot| self.wake_reader(sub, slot));
        }
        Ok(())
    }

    /// A consumer takes what waits, and its line handles it.
    pub(super) fn deliver(&mut self, sub: usize, slot: usize, expired: bool) -> Plainly {
        let held = &self.shape.subs[sub];
        let reader = &mut self.readers[sub][slot];
        if expired {
            reader.timer_us = 0;
        } else {
            reader.due = false;
        }
        let mut hand = self.take_hand(held.line, slot)?;
        if !hand.is_quiet() {
            // It looks again when it has worked off what it has.
            self.hands[held.line][slot] = Some(hand);
            return Ok(());
        }
        if let Some(load) = self.take(sub)? {
            self.run.meters[held.channel].sent += 1;
            self.run.passed[held.edge].passed += 1;
            match self.shape.targets[held.edge] {
                Target::Op(op) => hand.push(op, load),
                _ => self.put(held.edge, load)?,
            }
        }
        self.work(held.line, slot, &mut hand)?;
        self.hands[held.line][slot] = Some(hand);
        self.wake_after(sub, slot);
        Ok(())
    }

    fn take(&mut self, sub: usize) -> Result<Option<Load>, NotPlain> {
        let held = &self.shape.subs[sub];
        let Model::Channel(channel) = &self.shape.nodes[held.channel].model else {
            return Err(NotPlain);
        };
        let now_us = self.run.now_us;
        let queue = &mut self.queues[held.channel];
        while let Some((due_us, place, number)) = queue.expiring.front() {
            match (self.deliveries.is_open(*place, *number), *due_us <= now_us) {
                // It comes again.
                (true, true) => return Err(NotPlain),
                (true, false) => break,
                (false, _) => queue.expiring.pop_front(),
            };
        }
        if queue.under_way >= channel.terms.concurrency {
            return Ok(None);
        }
        let Some(mut load) = queue.waiting.pop_front() else {
            return Ok(None);
        };
        let (place, number) = self.deliveries.open(sub);
        let due_us = now_us + channel.terms.visibility_us;
        queue.expiring.push_back((due_us, place, number));
        queue.under_way += 1;
        load.delivery = Some(place);
        load.input = self.shape.plan.edges[held.edge].input;
        Ok(Some(load))
    }

    /// An event of a delivery is through.
    pub(super) fn release(&mut self, delivery: Option<u32>) {
        let Some(place) = delivery else { return };
        let held = &mut self.deliveries.places[place as usize];
        held.shares -= 1;
        if held.shares == 0 {
            held.number = None;
            self.deliveries.free.push(place);
            self.deliveries.settled.push(held.sub);
            self.queues[self.shape.subs[held.sub].channel].under_way -= 1;
        }
    }

    /// What one consumer released may be for another one.
    pub(super) fn read_settled(&mut self) {
        if self.deliveries.settled.is_empty() {
            return;
        }
        let mut settled = std::mem::take(&mut self.deliveries.settled);
        for sub in settled.drain(..) {
            (0..self.readers[sub].len()).for_each(|slot| self.wake_after(sub, slot));
        }
        self.deliveries.settled = settled;
    }

    fn wake_reader(&mut self, sub: usize, slot: usize) {
        let soon_us = self.run.now_us + self.run.hop_us;
        let reader = &mut self.readers[sub][slot];
        if reader.busy_until_us <= soon_us && !std::mem::replace(&mut reader.due, true) {
            self.run.agenda.add(soon_us, Task::Deliver { sub, slot });
        }
    }

    /// A consumer looks again, soon or when a delivery would count as lost. One that is busy looks when
    /// it is done.
    pub(super) fn wake_after(&mut self, sub: usize, slot: usize) {
        let (now_us, hop_us) = (self.run.now_us, self.run.hop_us);
        let node = self.shape.subs[sub].channel;
        let Model::Channel(channel) = &self.shape.nodes[node].model else {
            return;
        };
        let reader = &mut self.readers[sub][slot];
        if reader.busy_until_us > now_us + hop_us {
            return;
        }
        let queue = &self.queues[node];
        if queue.under_way < channel.terms.concurrency && !queue.waiting.is_empty() {
            self.wake_reader(sub, slot);
        } else if let Some((due_us, ..)) = queue.expiring.front()
            && (reader.timer_us == 0 || *due_us < reader.timer_us)
        {
            reader.timer_us = *due_us;
            let at_us = (*due_us).max(now_us + 1);
            self.run.agenda.add(at_us, Task::Expire { sub, slot });
        }
    }
}
