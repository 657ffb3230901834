//! The partitions of a log and the positions of its readers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use graph_model::event::Event;
use graph_model::id::EdgeId;

use super::{Delivered, GivenUp, Terms, Ticket};
use crate::operator::{Failure, FailureClass};

/// Deliveries of one reader of one partition that wait for their acknowledgement, at most.
const WINDOW: usize = 256;

/// Events in order of arrival, split by key.
#[derive(Debug)]
pub(super) struct Partitions(Vec<Partition>);

#[derive(Debug, Default)]
struct Partition {
    /// Position of the oldest event that is kept.
    base: u64,
    events: VecDeque<Event>,
    readers: BTreeMap<EdgeId, Reader>,
}

/// How far a consumer group is.
#[derive(Debug, Default)]
struct Reader {
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

impl Partitions {
    pub(super) fn new(count: u32) -> Partitions {
        Partitions((0..count.max(1)).map(|_| Partition::default()).collect())
    }

    pub(super) fn count(&self) -> u32 {
        self.0.len() as u32
    }

    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|partition| partition.events.len()).sum()
    }

    pub(super) fn push(&mut self, event: Event, partition: u32) {
        self.0[partition as usize].events.push_back(event);
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
    pub(super) fn set_readers(&mut self, readers: &[EdgeId], renamed: &BTreeMap<EdgeId, EdgeId>) {
        for partition in &mut self.0 {
            let mut before = std::mem::take(&mut partition.readers);
            for reader in readers {
                let old = renamed.get(reader).unwrap_or(reader);
                let held = before.remove(old).unwrap_or_else(|| Reader {
                    next: partition.base,
                    acknowledged: partition.base,
                    ..Reader::default()
                });
                partition.readers.insert(reader.clone(), held);
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
        out: &mut Vec<Delivered>,
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
        let room = WINDOW.saturating_sub(reader.in_flight).min(max);
        for _ in 0..room {
            let Some(event) = events.get((reader.next - *base) as usize) else {
                break;
            };
            let position = reader.next;
            reader.next += 1;
            if reader.ahead.contains(&position) {
                continue;
            }
            reader.in_flight += 1;
            out.push(Delivered {
                ticket: Ticket {
                    seq: position,
                    attempt: reader.round,
                },
                event: event.clone(),
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
    ) -> Option<GivenUp> {
        let held = &mut self.0[partition as usize];
        let reader = held.readers.get_mut(reader)?;
        if reader.round != ticket.attempt {
            return None;
        }
        reader.in_flight -= 1;
        match outcome {
            Ok(()) => {
                reader.ahead.insert(ticket.seq);
                reader.advance();
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
                reader.advance();
                reader.next = reader.acknowledged;
                given_up = held
                    .events
                    .get((position - held.base) as usize)
                    .map(|event| GivenUp {
                        event: event.clone(),
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
        given_up
    }

    pub(super) fn is_ready(&self, reader: &EdgeId, partition: u32, now_us: u64) -> bool {
        let held = &self.0[partition as usize];
        let end = held.base + held.events.len() as u64;
        held.readers.get(reader).is_some_and(|reader| {
            let open = reader.failed.is_none() && reader.due_us <= now_us;
            open && reader.in_flight < WINDOW && reader.next < end
        })
    }

    pub(super) fn next_due_us(&self, reader: &EdgeId, partition: u32, now_us: u64) -> Option<u64> {
        let reader = self.0[partition as usize].readers.get(reader)?;
        (reader.due_us > now_us).then_some(reader.due_us)
    }

    /// Takes out every event that some reader has not acknowledged.
    pub(super) fn drain(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        for partition in &mut self.0 {
            partition.base += partition.events.len() as u64;
            events.extend(partition.events.drain(..));
            for reader in partition.readers.values_mut() {
                *reader = Reader {
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
        let unread = |partition: &Partition| {
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

impl Partition {
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

impl Reader {
    fn advance(&mut self) {
        while self.ahead.remove(&self.acknowledged) {
            self.acknowledged += 1;
        }
    }
}
