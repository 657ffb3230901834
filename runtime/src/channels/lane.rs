//! A waiting line with redelivery: what a queue is, and what a subscription of a topic has.
//!
//! Like all channel code it is a plain state machine: the caller brings the time.

use std::collections::{BTreeMap, VecDeque};

use graph_model::event::Event;
use smol_str::SmolStr;

use super::{Delivered, GivenUp, Settled, Terms, Ticket, partition_of};
use crate::operator::{Failure, FailureClass};

/// Events that wait, are being handled, or pause before they come again.
#[derive(Debug)]
pub(super) struct Lane<M> {
    /// What has no group is for any consumer.
    ready: VecDeque<Entry<M>>,
    /// What has one, by the consumer that it is for.
    kept: BTreeMap<u32, VecDeque<Entry<M>>>,
    /// How many consumers there are.
    slots: u32,
    /// By the time at which they are due.
    delayed: BTreeMap<(u64, u64), Entry<M>>,
    in_flight: InFlight<M>,
    /// When deliveries in flight count as lost; the visibility timeout is the same for all, so they
    /// expire in the order in which they went out.
    expiring: VecDeque<(u64, u64, u32)>,
    /// Groups of which an event is ready, delayed or in flight, and the events behind it.
    groups: BTreeMap<SmolStr, VecDeque<Entry<M>>>,
    behind: usize,
    next_seq: u64,
}

#[derive(Debug)]
struct Entry<M> {
    seq: u64,
    event: Event,
    mark: M,
    /// Deliveries so far.
    attempts: u32,
    group: Option<SmolStr>,
}

impl<M> Default for Lane<M> {
    fn default() -> Lane<M> {
        Lane {
            ready: VecDeque::new(),
            kept: BTreeMap::new(),
            slots: 0,
            delayed: BTreeMap::new(),
            in_flight: InFlight(Vec::new()),
            expiring: VecDeque::new(),
            groups: BTreeMap::new(),
            behind: 0,
            next_seq: 0,
        }
    }
}

impl<M: Clone> Lane<M> {
    pub(super) fn len(&self) -> usize {
        let kept: usize = self.kept.values().map(VecDeque::len).sum();
        self.ready.len() + kept + self.delayed.len() + self.in_flight.0.len() + self.behind
    }

    pub(super) fn push(&mut self, event: Event, group: Option<SmolStr>, mark: M) {
        let entry = Entry {
            seq: self.next_seq,
            event,
            mark,
            attempts: 0,
            group,
        };
        self.next_seq += 1;
        if let Some(group) = &entry.group {
            if let Some(behind) = self.groups.get_mut(group) {
                behind.push_back(entry);
                self.behind += 1;
                return;
            }
            self.groups.insert(group.clone(), VecDeque::new());
        }
        self.make_ready(entry);
    }

    fn make_ready(&mut self, entry: Entry<M>) {
        match entry.group.as_deref() {
            None => self.ready.push_back(entry),
            Some(group) => {
                let slot = partition_of(group, self.slots);
                self.kept.entry(slot).or_default().push_back(entry);
            }
        }
    }

    /// A group stays with one consumer, whose operators know its past.
    fn set_slots(&mut self, slots: u32) {
        if slots == self.slots {
            return;
        }
        self.slots = slots;
        for entry in self.drain_ready() {
            self.make_ready(entry);
        }
    }

    /// Oldest first.
    fn drain_ready(&mut self) -> Vec<Entry<M>> {
        let kept = std::mem::take(&mut self.kept).into_values().flatten();
        let mut entries: Vec<Entry<M>> = self.ready.drain(..).chain(kept).collect();
        entries.sort_by_key(|entry| entry.seq);
        entries
    }

    /// The oldest event for this consumer.
    fn next_for(&mut self, slot: u32) -> Option<Entry<M>> {
        if let Some(kept) = self.kept.get_mut(&slot)
            && let Some(first) = kept.front()
            && self.ready.front().is_none_or(|any| first.seq < any.seq)
        {
            return kept.pop_front();
        }
        self.ready.pop_front()
    }

    /// Hands out what is due, at most `max` events and no more at once than the terms allow.
    pub(super) fn take(
        &mut self,
        slot: u32,
        max: usize,
        terms: &Terms,
        now_us: u64,
        out: &mut Vec<Delivered<M>>,
        given_up: &mut Vec<GivenUp<M>>,
    ) {
        self.set_slots(terms.concurrency as u32);
        self.expire(terms, now_us, given_up);
        while let Some(delayed) = self.delayed.first_entry()
            && delayed.key().0 <= now_us
        {
            let entry = delayed.remove();
            self.make_ready(entry);
        }
        let room = terms.concurrency.saturating_sub(self.in_flight.0.len());
        for _ in 0..max.min(room) {
            let Some(mut entry) = self.next_for(slot) else {
                break;
            };
            entry.attempts += 1;
            let ticket = Ticket {
                seq: entry.seq,
                attempt: entry.attempts,
            };
            self.expiring
                .push_back((now_us + terms.visibility_us, entry.seq, entry.attempts));
            out.push(Delivered {
                ticket,
                event: entry.event.clone(),
                mark: entry.mark.clone(),
            });
            self.in_flight.insert(entry);
        }
    }

    /// A delivery was handled or failed. One that has come again in the meantime does not count.
    pub(super) fn settle(
        &mut self,
        ticket: Ticket,
        outcome: Result<(), Failure>,
        terms: &Terms,
        now_us: u64,
    ) -> Settled<M> {
        let current = |entry: &Entry<M>| entry.attempts == ticket.attempt;
        let Some(entry) = self.in_flight.take_if(ticket.seq, current) else {
            return Settled::OUTDATED;
        };
        let given_up = match outcome {
            Ok(()) => {
                self.release(entry.group);
                None
            }
            Err(failure) => self.failed(entry, failure, terms, now_us),
        };
        Settled {
            counts: true,
            given_up,
        }
    }

    /// When something changes by itself: a pause ends or a delivery expires.
    pub(super) fn next_due_us(&self) -> Option<u64> {
        let delayed = self.delayed.keys().next().map(|(due, _)| *due);
        let expiring = self.expiring.front().map(|(due, ..)| *due);
        delayed.into_iter().chain(expiring).min()
    }

    /// Whether this consumer would be handed anything now.
    pub(super) fn is_ready(&mut self, slot: u32, terms: &Terms, now_us: u64) -> bool {
        self.set_slots(terms.concurrency as u32);
        let kept = self.kept.get(&slot);
        let waits = !self.ready.is_empty() || kept.is_some_and(|kept| !kept.is_empty());
        let due = self
            .delayed
            .keys()
            .next()
            .is_some_and(|(due, _)| *due <= now_us);
        self.in_flight.0.len() < terms.concurrency && (due || waits)
    }

    pub(super) fn each(&self, look: &mut dyn FnMut(&Event)) {
        let kept = self.kept.values().flatten();
        let behind = self.groups.values().flatten();
        let entries = self.ready.iter().chain(kept).chain(behind);
        let under_way = self.delayed.values().chain(&self.in_flight.0);
        entries
            .chain(under_way)
            .for_each(|entry| look(&entry.event));
    }

    /// Takes everything out that is not in flight, oldest first.
    pub(super) fn drain(&mut self) -> Vec<Event> {
        let mut entries = self.drain_ready();
        entries.extend(std::mem::take(&mut self.delayed).into_values());
        for behind in self.groups.values_mut() {
            entries.extend(behind.drain(..));
        }
        self.behind = 0;
        let busy: Vec<SmolStr> = self
            .in_flight
            .0
            .iter()
            .filter_map(|entry| entry.group.clone())
            .collect();
        self.groups.retain(|group, _| busy.contains(group));
        entries.sort_by_key(|entry| entry.seq);
        entries.into_iter().map(|entry| entry.event).collect()
    }

    fn expire(&mut self, terms: &Terms, now_us: u64, given_up: &mut Vec<GivenUp<M>>) {
        while let Some((due, seq, attempt)) = self.expiring.front().copied()
            && (due <= now_us || self.in_flight.place(seq).is_none())
        {
            self.expiring.pop_front();
            let current = |entry: &Entry<M>| entry.attempts == attempt;
            if let Some(entry) = self.in_flight.take_if(seq, current) {
                let seconds = terms.visibility_us as f64 / 1e6;
                let failure = Failure::transient(format!(
                    "not handled within the visibility timeout of {seconds} s; raise it, or make the work shorter"
                ));
                given_up.extend(self.failed(entry, failure, terms, now_us));
            }
        }
    }

    fn failed(
        &mut self,
        entry: Entry<M>,
        failure: Failure,
        terms: &Terms,
        now_us: u64,
    ) -> Option<GivenUp<M>> {
        if failure.class == FailureClass::Invalid || entry.attempts >= terms.max_attempts {
            self.release(entry.group);
            return Some(GivenUp {
                event: entry.event,
                attempts: entry.attempts,
                failure,
                mark: entry.mark,
            });
        }
        let due = now_us + terms.pause_us(entry.attempts);
        self.delayed.insert((due, entry.seq), entry);
        None
    }

    /// The event of a group is done with: the next of the group may go.
    fn release(&mut self, group: Option<SmolStr>) {
        let Some(group) = group else { return };
        match self.groups.get_mut(&group).and_then(VecDeque::pop_front) {
            Some(next) => {
                self.behind -= 1;
                self.make_ready(next);
            }
            None => {
                self.groups.remove(&group);
            }
        }
    }
}

/// Events that are being handled, by their numbers. They are few: as many as may go out at once.
#[derive(Debug)]
struct InFlight<M>(Vec<Entry<M>>);

impl<M> InFlight<M> {
    fn place(&self, seq: u64) -> Option<usize> {
        self.0.binary_search_by_key(&seq, |entry| entry.seq).ok()
    }

    fn insert(&mut self, entry: Entry<M>) {
        let at = self.0.partition_point(|held| held.seq < entry.seq);
        self.0.insert(at, entry);
    }

    fn take_if(&mut self, seq: u64, wanted: impl FnOnce(&Entry<M>) -> bool) -> Option<Entry<M>> {
        let at = self.place(seq)?;
        wanted(&self.0[at]).then(|| self.0.remove(at))
    }
}
