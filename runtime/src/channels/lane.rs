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
    /// By the consumer that they are for; what has no group is for any of them.
    ready: BTreeMap<Option<u32>, VecDeque<Entry<M>>>,
    /// How many consumers there are.
    slots: u32,
    /// By the time at which they are due.
    delayed: BTreeMap<(u64, u64), Entry<M>>,
    in_flight: BTreeMap<u64, Entry<M>>,
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
            ready: BTreeMap::new(),
            slots: 0,
            delayed: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            expiring: VecDeque::new(),
            groups: BTreeMap::new(),
            behind: 0,
            next_seq: 0,
        }
    }
}

impl<M: Clone> Lane<M> {
    pub(super) fn len(&self) -> usize {
        let ready: usize = self.ready.values().map(VecDeque::len).sum();
        ready + self.delayed.len() + self.in_flight.len() + self.behind
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
        let group = entry.group.as_deref();
        let slot = group.map(|group| partition_of(group, self.slots));
        self.ready.entry(slot).or_default().push_back(entry);
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
        let ready = std::mem::take(&mut self.ready);
        let mut entries: Vec<Entry<M>> = ready.into_values().flatten().collect();
        entries.sort_by_key(|entry| entry.seq);
        entries
    }

    /// The oldest event for this consumer.
    fn next_for(&mut self, slot: u32) -> Option<Entry<M>> {
        let oldest = |key: &Option<u32>| Some((self.ready.get(key)?.front()?.seq, *key));
        let (_, key) = [None, Some(slot)].iter().filter_map(oldest).min()?;
        self.ready.get_mut(&key)?.pop_front()
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
        let room = terms.concurrency.saturating_sub(self.in_flight.len());
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
            self.in_flight.insert(entry.seq, entry);
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
        if !self.in_flight.get(&ticket.seq).is_some_and(current) {
            return Settled::OUTDATED;
        }
        let given_up = match (self.in_flight.remove(&ticket.seq), outcome) {
            (Some(entry), Ok(())) => {
                self.release(entry.group);
                None
            }
            (Some(entry), Err(failure)) => self.failed(entry, failure, terms, now_us),
            (None, _) => None,
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
        let waits = |key: Option<u32>| self.ready.get(&key).is_some_and(|ready| !ready.is_empty());
        let due = self
            .delayed
            .keys()
            .next()
            .is_some_and(|(due, _)| *due <= now_us);
        self.in_flight.len() < terms.concurrency && (due || waits(None) || waits(Some(slot)))
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
            .values()
            .filter_map(|entry| entry.group.clone())
            .collect();
        self.groups.retain(|group, _| busy.contains(group));
        entries.sort_by_key(|entry| entry.seq);
        entries.into_iter().map(|entry| entry.event).collect()
    }

    fn expire(&mut self, terms: &Terms, now_us: u64, given_up: &mut Vec<GivenUp<M>>) {
        while let Some((due, seq, attempt)) = self.expiring.front().copied()
            && (due <= now_us || !self.in_flight.contains_key(&seq))
        {
            self.expiring.pop_front();
            if self
                .in_flight
                .get(&seq)
                .is_some_and(|entry| entry.attempts == attempt)
                && let Some(entry) = self.in_flight.remove(&seq)
            {
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
