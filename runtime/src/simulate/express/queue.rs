//! Queues of plain runs, and the deliveries that they wait for.

use std::collections::VecDeque;
use std::num::NonZeroU32;

use super::super::agenda::Task;
use super::super::run::Run;
use super::super::shape::{Model, Shape};
use super::loads::LoadId;
use super::{NotPlain, Plainly};
use crate::channels::Terms;

/// A queue and those who read it: events that wait, oldest first, and how many are being handled.
pub(super) struct Queue<'s> {
    sub: usize,
    terms: &'s Terms,
    waiting: VecDeque<LoadId>,
    under_way: usize,
    /// When deliveries count as lost. Those that were settled go when they are in front.
    expiring: VecDeque<(u64, Ticket)>,
    readers: Vec<Reader>,
    /// When the first of them is free.
    free_us: u64,
    received: u64,
    sent: u64,
    /// The most that it held at once.
    most: usize,
}

/// One of the competing consumers.
#[derive(Clone)]
struct Reader {
    /// Whether it looks soon.
    due: bool,
    /// When a look of its own accord is noted; never is `u64::MAX`.
    timer_us: u64,
    /// Until when its line is at something.
    busy_until_us: u64,
}

/// Deliveries under way.
#[derive(Default)]
pub(super) struct Deliveries {
    places: Vec<Delivery>,
    free: Vec<Place>,
    opened: u64,
    /// Subscriptions of those that were settled since somebody looked.
    pub(super) settled: Vec<usize>,
}

struct Delivery {
    /// Counted in the order of opening.
    number: u64,
    sub: usize,
    /// Events that are part of it; none once it is settled.
    shares: u32,
}

/// A place among the deliveries under way, counted from 1; another delivery may get it later.
#[derive(Clone, Copy)]
pub(super) struct Place(NonZeroU32);

/// Names a delivery for good.
#[derive(Clone, Copy)]
struct Ticket {
    place: Place,
    number: u64,
}

impl Reader {
    fn new() -> Reader {
        Reader {
            due: false,
            timer_us: u64::MAX,
            busy_until_us: 0,
        }
    }
}

impl Place {
    fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

impl Deliveries {
    #[inline]
    fn open(&mut self, sub: usize) -> Option<Ticket> {
        let number = self.opened;
        self.opened += 1;
        let delivery = Delivery {
            number,
            sub,
            shares: 1,
        };
        let place = if let Some(place) = self.free.pop() {
            self.places[place.index()] = delivery;
            place
        } else {
            self.places.push(delivery);
            Place(NonZeroU32::new(u32::try_from(self.places.len()).ok()?)?)
        };
        Some(Ticket { place, number })
    }

    fn is_open(&self, ticket: Ticket) -> bool {
        let held = &self.places[ticket.place.index()];
        held.number == ticket.number && held.shares > 0
    }

    /// An event of a delivery is through, and left so many others in its place. With the last one the
    /// delivery is settled; answers with its subscription then.
    #[inline]
    pub(super) fn pass(&mut self, place: Place, shares: u32) -> Option<usize> {
        let held = &mut self.places[place.index()];
        held.shares = held.shares - 1 + shares;
        if held.shares > 0 {
            return None;
        }
        self.free.push(place);
        self.settled.push(held.sub);
        Some(held.sub)
    }
}

impl<'s> Queue<'s> {
    /// Of a subscription.
    pub(super) fn of(shape: &'s Shape, sub: usize) -> Result<Queue<'s>, NotPlain> {
        let held = &shape.subs[sub];
        let Model::Channel(channel) = &shape.nodes[held.channel].model else {
            return Err(NotPlain);
        };
        let readers = shape.plan.lines[held.line].instances as usize;
        Ok(Queue {
            sub,
            terms: &channel.terms,
            waiting: VecDeque::new(),
            under_way: 0,
            expiring: VecDeque::new(),
            readers: vec![Reader::new(); readers],
            free_us: 0,
            received: 0,
            sent: 0,
            most: 0,
        })
    }

    /// Events that wait or are being handled.
    pub(super) fn len(&self) -> usize {
        self.waiting.len() + self.under_way
    }

    pub(super) fn waiting(&self) -> impl Iterator<Item = LoadId> {
        self.waiting.iter().copied()
    }

    /// Takes an event in, and its consumers look soon. When it is full, nothing is plain any more.
    #[inline(always)]
    pub(super) fn offer(&mut self, load: LoadId, run: &mut Run) -> Plainly {
        if self.len() >= self.terms.capacity {
            return Err(NotPlain);
        }
        self.waiting.push_back(load);
        self.received += 1;
        self.most = self.most.max(self.len());
        let soon_us = run.now_us + run.hop_us;
        if self.free_us > soon_us {
            return Ok(());
        }
        let sub = self.sub;
        for (slot, reader) in self.readers.iter_mut().enumerate() {
            if reader.busy_until_us <= soon_us && !reader.due {
                reader.due = true;
                run.agenda.add(soon_us, Task::deliver(sub, slot));
            }
        }
        Ok(())
    }

    /// An event for a consumer, when there is one, and its delivery.
    #[inline]
    pub(super) fn take(
        &mut self,
        deliveries: &mut Deliveries,
        now_us: u64,
    ) -> Result<Option<(LoadId, Place)>, NotPlain> {
        while let Some((due_us, ticket)) = self.expiring.front() {
            if !deliveries.is_open(*ticket) {
                self.expiring.pop_front();
            } else if *due_us <= now_us {
                // It comes again.
                return Err(NotPlain);
            } else {
                break;
            }
        }
        if self.under_way >= self.terms.concurrency {
            return Ok(None);
        }
        let Some(load) = self.waiting.pop_front() else {
            return Ok(None);
        };
        let ticket = deliveries.open(self.sub).ok_or(NotPlain)?;
        let due_us = now_us + self.terms.visibility_us;
        self.expiring.push_back((due_us, ticket));
        self.under_way += 1;
        self.sent += 1;
        Ok(Some((load, ticket.place)))
    }

    /// What it counted is said of the run.
    pub(super) fn tell(&self, shape: &Shape, run: &mut Run) {
        let held = &shape.subs[self.sub];
        run.meters[held.channel].received += self.received;
        run.meters[held.channel].sent += self.sent;
        run.passed[held.edge].passed += self.sent;
        run.waiting_max[held.channel] = self.most as u64;
    }

    /// One delivery fewer is under way.
    pub(super) fn settle(&mut self) {
        self.under_way -= 1;
    }

    /// A consumer looks, because it was noted that it does.
    #[inline]
    pub(super) fn looks(&mut self, slot: usize, expired: bool) {
        let reader = &mut self.readers[slot];
        if expired {
            reader.timer_us = u64::MAX;
        } else {
            reader.due = false;
        }
    }

    /// A consumer is at something until then.
    #[inline]
    pub(super) fn set_busy(&mut self, slot: usize, until_us: u64) {
        self.readers[slot].busy_until_us = until_us;
        let until = self.readers.iter().map(|reader| reader.busy_until_us);
        self.free_us = until.min().unwrap_or_default();
    }

    #[inline]
    pub(super) fn set_free(&mut self, slot: usize) {
        self.readers[slot].busy_until_us = 0;
        self.free_us = 0;
    }

    /// What was settled may be for any consumer.
    pub(super) fn wake_all_after(&mut self, run: &mut Run) {
        if self.free_us <= run.now_us + run.hop_us {
            (0..self.readers.len()).for_each(|slot| self.wake_after(slot, run));
        }
    }

    /// A consumer looks again, soon or when a delivery would count as lost. One that is busy looks when it
    /// is done.
    #[inline(always)]
    pub(super) fn wake_after(&mut self, slot: usize, run: &mut Run) {
        let soon_us = run.now_us + run.hop_us;
        if self.readers[slot].busy_until_us <= soon_us {
            self.wake(slot, soon_us, run);
        }
    }

    fn wake(&mut self, slot: usize, soon_us: u64, run: &mut Run) {
        let reader = &mut self.readers[slot];
        let sub = self.sub;
        if self.under_way < self.terms.concurrency && !self.waiting.is_empty() {
            if !reader.due {
                reader.due = true;
                run.agenda.add(soon_us, Task::deliver(sub, slot));
            }
        } else if let Some((due_us, _)) = self.expiring.front()
            && *due_us < reader.timer_us
        {
            reader.timer_us = *due_us;
            let at_us = (*due_us).max(run.now_us + 1);
            run.agenda.add(at_us, Task::expire(sub, slot));
        }
    }
}
