//! The partitions of a log and the positions of its readers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use graph_model::event::Event;
use graph_model::id::EdgeId;

use super::{Delivered, GivenUp, Settled, Subscriber, Terms, Ticket};
use crate::operator::{Failure, FailureClass};

/// Deliveries of one reader of one partition that wait for their acknowledgement, at most.
const WINDOW: usize = 256;

/// Events in order of arrival, split by key.
#[derive(Debug)]
pub(super) struct Partitions<M>(Vec<Partition<M>>);

#[derive(Debug)]
struct Partition<M> {
    /// Position of the oldest event that is kept.
    base: u64,
    events: VecDeque<Slot<M>>,
    readers: BTreeMap<EdgeId, Reader>,
}

/// What stands at a position.
#[derive(Debug)]
enum Slot<M> {
    Event(Event, M),
    /// The delivery that brought it is under way: nobody reads it, nor what is behind it.
    Open(Event, M),
    /// That delivery was given up: readers pass over it.
    Gone,
}

/// How far a consumer group is.
#[derive(Debug, Default)]
struct Reader {
    one_by_one: bool,
    /// The position that goes out next.
    next: u64,
    /// Everything before it is acknowledged.
    acknowledged: u64,
    /// Acknowledged positions behind one that is not.
    ahead: BTreeSet<u64>,
    in_flight: usize,
    /// The first position that failed; nothing goes out until all in flight have settled.
    failed: Option<(u64, Failure)>,
    /// How often the position at `retried.0` was tried.
    retried: (u64, u32),
    /// No delivery before this time.
    due_us: u64,
    /// Counts the times that reading went back; older deliveries no longer matter.
    round: u32,
}

impl<M: Clone> Partitions<M> {
    pub(super) fn new(count: u32) -> Partitions<M> {
        let empty = |_| Partition {
            base: 0,
            events: VecDeque::new(),
            readers: BTreeMap::new(),
        };
        Partitions((0..count.max(1)).map(empty).collect())
    }

    pub(super) fn count(&self) -> u32 {
        self.0.len() as u32
    }

    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|partition| partition.events.len()).sum()
    }

    /// Answers the position of the event. It cannot be read while it is `open`.
    pub(super) fn push(&mut self, event: Event, partition: u32, open: bool, mark: M) -> u64 {
        let held = &mut self.0[partition as usize];
        let position = held.base + held.events.len() as u64;
        held.events.push_back(if open {
            Slot::Open(event, mark)
        } else {
            Slot::Event(event, mark)
        });
        position
    }

    /// Lets the event at an open position be read, or makes it as if it had never come.
    pub(super) fn decide(&mut self, partition: u32, position: u64, well: bool) {
        let held = &mut self.0[partition as usize];
        // It may have been forgotten to make room.
        let index = position.checked_sub(held.base);
        let Some(slot) = index.and_then(|index| held.events.get_mut(index as usize)) else {
            return;
        };
        *slot = match std::mem::replace(slot, Slot::Gone) {
            Slot::Open(event, mark) if well => Slot::Event(event, mark),
            _ => Slot::Gone,
        };
        for reader in held.readers.values_mut() {
            reader.advance(held.base, &held.events);
        }
        held.trim();
    }

    /// Whether no reader can move on before an open position is decided.
    pub(super) fn are_stuck(&self) -> bool {
        let mut fronts = self.0.iter().filter_map(|held| held.events.front());
        fronts.all(|front| matches!(front, Slot::Open(..)))
    }

    /// Without readers nothing is ever acknowledged: makes room by forgetting the oldest event.
    pub(super) fn forget_oldest_unread(&mut self) -> bool {
        let unread = self
            .0
            .iter_mut()
            .filter(|partition| partition.readers.is_empty());
        let Some(longest) = unread.max_by_key(|partition| partition.events.len()) else {
            return false;
        };
        let forgotten = longest.events.pop_front().is_some();
        longest.base += u64::from(forgotten);
        forgotten
    }

    /// Keeps the positions of readers that stay. A new reader begins at the oldest event; one that
    /// takes the place of another goes on where that one was.
    pub(super) fn set_readers(
        &mut self,
        readers: &[Subscriber],
        renamed: &BTreeMap<EdgeId, EdgeId>,
    ) {
        for partition in &mut self.0 {
            let mut before = std::mem::take(&mut partition.readers);
            for Subscriber { edge, one_by_one } in readers {
                let old = renamed.get(edge).unwrap_or(edge);
                let mut reader = before.remove(old).unwrap_or_else(|| Reader {
                    next: partition.base,
                    acknowledged: partition.base,
                    ..Reader::default()
                });
                reader.one_by_one = *one_by_one;
                reader.advance(partition.base, &partition.events);
                partition.readers.insert(edge.clone(), reader);
            }
            partition.trim();
        }
    }

    pub(super) fn take(
        &mut self,
        reader: &EdgeId,
        partition: u32,
        max: usize,
        now_us: u64,
        out: &mut Vec<Delivered<M>>,
    ) {
        let Partition {
            base,
            events,
            readers,
        } = &mut self.0[partition as usize];
        let Some(reader) = readers.get_mut(reader) else {
            return;
        };
        if reader.failed.is_some() || reader.due_us > now_us {
            return;
        }
        let mut room = reader.room().min(max);
        while room > 0
            && let Some(slot) = events.get((reader.next - *base) as usize)
        {
            let position = reader.next;
            let (event, mark) = match slot {
                Slot::Event(event, mark) => (event, mark),
                Slot::Open(..) => break,
                Slot::Gone => {
                    reader.next += 1;
                    continue;
                }
            };
            reader.next += 1;
            if reader.ahead.contains(&position) {
                continue;
            }
            room -= 1;
            reader.in_flight += 1;
            out.push(Delivered {
                ticket: Ticket {
                    seq: position,
                    attempt: reader.round,
                },
                event: event.clone(),
                mark: mark.clone(),
            });
        }
    }

    pub(super) fn settle(
        &mut self,
        reader: &EdgeId,
        partition: u32,
        ticket: Ticket,
        outcome: Result<(), Failure>,
        terms: &Terms,
        now_us: u64,
    ) -> Settled<M> {
        let held = &mut self.0[partition as usize];
        let Some(reader) = held.readers.get_mut(reader) else {
            return Settled::LAST;
        };
        if reader.round != ticket.attempt {
            return Settled::OUTDATED;
        }
        reader.in_flight -= 1;
        match outcome {
            Ok(()) => {
                reader.ahead.insert(ticket.seq);
                reader.advance(held.base, &held.events);
            }
            Err(failure) => {
                let earlier = reader
                    .failed
                    .as_ref()
                    .is_none_or(|(at, _)| ticket.seq < *at);
                if earlier {
                    reader.failed = Some((ticket.seq, failure));
                }
            }
        }
        let mut given_up = None;
        if reader.in_flight == 0
            && let Some((position, failure)) = reader.failed.take()
        {
            if reader.retried.0 != position {
                reader.retried = (position, 0);
            }
            reader.retried.1 += 1;
            reader.round += 1;
            let attempts = reader.retried.1;
            if failure.class == FailureClass::Invalid || attempts >= terms.max_attempts {
                reader.ahead.insert(position);
                reader.advance(held.base, &held.events);
                reader.next = reader.acknowledged;
                let slot = held.events.get((position - held.base) as usize);
                given_up = slot.and_then(Slot::event).map(|(event, mark)| GivenUp {
                    event: event.clone(),
                    mark: mark.clone(),
                    attempts,
                    failure,
                });
            } else {
                // Delivery goes on from the last acknowledged position: what came after it comes
                // again, as it does after the restart of a consumer.
                reader.ahead.clear();
                reader.next = reader.acknowledged;
                reader.due_us = now_us + terms.pause_us(attempts);
            }
        }
        held.trim();
        Settled {
            counts: true,
            given_up,
        }
    }

    pub(super) fn is_ready(&self, reader: &EdgeId, partition: u32, now_us: u64) -> bool {
        let held = &self.0[partition as usize];
        held.readers.get(reader).is_some_and(|reader| {
            let may_go = reader.failed.is_none() && reader.due_us <= now_us && reader.room() > 0;
            let mut rest = held.events.range((reader.next - held.base) as usize..);
            let next = rest.find(|slot| !matches!(slot, Slot::Gone));
            may_go && matches!(next, Some(Slot::Event(..)))
        })
    }

    pub(super) fn next_due_us(&self, reader: &EdgeId, partition: u32, now_us: u64) -> Option<u64> {
        let reader = self.0[partition as usize].readers.get(reader)?;
        (reader.due_us > now_us).then_some(reader.due_us)
    }

    pub(super) fn each(&self, look: &mut dyn FnMut(&Event)) {
        let slots = self.0.iter().flat_map(|partition| &partition.events);
        slots
            .filter_map(Slot::event)
            .for_each(|(event, _)| look(event));
    }

    /// Takes out every event that some reader has not acknowledged, up to the first open one.
    pub(super) fn drain(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        for partition in &mut self.0 {
            let is_open = |slot: &Slot<M>| matches!(slot, Slot::Open(..));
            let end = partition.events.iter().position(is_open);
            let taken = end.unwrap_or(partition.events.len());
            partition.base += taken as u64;
            events.extend(
                partition
                    .events
                    .drain(..taken)
                    .filter_map(|slot| match slot {
                        Slot::Event(event, _) => Some(event),
                        Slot::Open(..) | Slot::Gone => None,
                    }),
            );
            for reader in partition.readers.values_mut() {
                *reader = Reader {
                    one_by_one: reader.one_by_one,
                    next: partition.base,
                    acknowledged: partition.base,
                    round: reader.round + 1,
                    ..Reader::default()
                };
            }
        }
        events
    }

    /// Events that somebody still has to acknowledge.
    pub(super) fn outstanding(&self) -> usize {
        let unread = |partition: &Partition<M>| {
            let slowest = partition
                .readers
                .values()
                .map(|reader| reader.acknowledged)
                .min();
            let end = partition.base + partition.events.len() as u64;
            slowest.map_or(0, |slowest| (end - slowest) as usize)
        };
        self.0.iter().map(unread).sum()
    }
}

impl<M> Partition<M> {
    /// Forgets what all readers have acknowledged.
    fn trim(&mut self) {
        let Some(done) = self
            .readers
            .values()
            .map(|reader| reader.acknowledged)
            .min()
        else {
            return;
        };
        while self.base < done {
            self.events.pop_front();
            self.base += 1;
        }
    }
}

impl<M> Slot<M> {
    fn event(&self) -> Option<(&Event, &M)> {
        match self {
            Slot::Event(event, mark) | Slot::Open(event, mark) => Some((event, mark)),
            Slot::Gone => None,
        }
    }
}

impl Reader {
    /// Deliveries that may go out now, at most.
    fn room(&self) -> usize {
        let window = if self.one_by_one { 1 } else { WINDOW };
        window.saturating_sub(self.in_flight)
    }

    /// Moves over what is acknowledged and what is gone.
    fn advance<M>(&mut self, base: u64, events: &VecDeque<Slot<M>>) {
        let gone = |at: u64| matches!(events.get((at - base) as usize), Some(Slot::Gone));
        while self.ahead.remove(&self.acknowledged) || gone(self.acknowledged) {
            self.acknowledged += 1;
        }
        self.next = self.next.max(self.acknowledged);
    }
}
