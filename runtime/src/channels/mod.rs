//! Channels: kinds that hold events between their producers and consumers.
//!
//! A [`ChannelState`] is a plain state machine. It knows no clock and wakes nobody: a driver tells
//! it the time and looks when something is due.

mod lane;
mod log;
mod partitions;
mod queue;
mod topic;

use std::collections::BTreeMap;

use graph_model::event::Event;
use graph_model::id::EdgeId;
use smol_str::SmolStr;

use self::lane::Lane;
use self::partitions::Partitions;
use crate::kind::Kind;
use crate::operator::Failure;

/// The kinds of this room; a new one is a file and a line here.
pub(crate) fn kinds() -> Vec<Kind> {
    vec![log::kind(), queue::kind(), topic::kind()]
}

/// Which semantics a channel has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelKind {
    Queue,
    Topic,
    Log,
}

/// What a channel promises, in microseconds and events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Events that it holds at most; further ones are refused.
    pub capacity: usize,
    /// Deliveries before an event is given up.
    pub max_attempts: u32,
    pub backoff_us: u64,
    pub visibility_us: u64,
    /// Deliveries at once.
    pub concurrency: usize,
}

/// Longest pause before an event comes again.
const PAUSE_US_MAX: u64 = 60_000_000;

/// Names one delivery: an event and which time it went out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    seq: u64,
    attempt: u32,
}

/// An event on its way to a consumer.
#[derive(Clone, Debug)]
pub struct Delivered {
    pub ticket: Ticket,
    pub event: Event,
}

/// An event that failed as often as allowed, or that would fail for ever.
#[derive(Clone, Debug)]
pub struct GivenUp {
    pub event: Event,
    pub attempts: u32,
    pub failure: Failure,
}

/// The content of a channel.
#[derive(Debug)]
pub struct ChannelState {
    terms: Terms,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Queue(Lane),
    Topic(BTreeMap<EdgeId, Lane>),
    Log(Partitions),
}

impl Terms {
    fn pause_us(&self, attempts: u32) -> u64 {
        let doubled = self
            .backoff_us
            .saturating_mul(1 << (attempts.max(1) - 1).min(30));
        doubled.min(PAUSE_US_MAX)
    }
}

impl ChannelState {
    pub fn new(kind: ChannelKind, partitions: u32, terms: Terms) -> ChannelState {
        let content = match kind {
            ChannelKind::Queue => Content::Queue(Lane::default()),
            ChannelKind::Topic => Content::Topic(BTreeMap::new()),
            ChannelKind::Log => Content::Log(Partitions::new(partitions)),
        };
        ChannelState { terms, content }
    }

    pub fn set_terms(&mut self, terms: Terms) {
        self.terms = terms;
    }

    /// Names the subscriptions. Those that stay keep what they hold; `renamed` (new to old) says
    /// which ones take the place of another. Answers the events of those that went away.
    pub fn set_readers(
        &mut self,
        readers: &[EdgeId],
        renamed: &BTreeMap<EdgeId, EdgeId>,
    ) -> Vec<Event> {
        match &mut self.content {
            Content::Queue(_) => Vec::new(),
            Content::Topic(lanes) => {
                let mut before = std::mem::take(lanes);
                for reader in readers {
                    let old = renamed.get(reader).unwrap_or(reader);
                    lanes.insert(reader.clone(), before.remove(old).unwrap_or_default());
                }
                before
                    .into_values()
                    .flat_map(|mut lane| lane.drain())
                    .collect()
            }
            Content::Log(partitions) => {
                partitions.set_readers(readers, renamed);
                Vec::new()
            }
        }
    }

    /// Takes an event in, or hands it back when the channel is full. `key` places it: the partition
    /// of a log, the group of a queue.
    pub fn offer(&mut self, event: Event, key: Option<SmolStr>) -> Result<(), Event> {
        let capacity = self.terms.capacity;
        match &mut self.content {
            Content::Queue(lane) => {
                if lane.len() >= capacity {
                    return Err(event);
                }
                lane.push(event, key);
            }
            Content::Topic(lanes) => {
                if lanes.values().any(|lane| lane.len() >= capacity) {
                    return Err(event);
                }
                for lane in lanes.values_mut() {
                    lane.push(event.clone(), None);
                }
            }
            Content::Log(partitions) => {
                if partitions.len() >= capacity && !partitions.forget_oldest_unread() {
                    return Err(event);
                }
                let partition =
                    partition_of(key.as_deref().unwrap_or_default(), partitions.count());
                partitions.push(event, partition);
            }
        }
        Ok(())
    }

    /// Hands out events to a consumer of the subscription `reader`; `slot` is its partition, or
    /// which of the competing consumers of a queue it is.
    pub fn take(
        &mut self,
        reader: &EdgeId,
        slot: u32,
        max: usize,
        now_us: u64,
        given_up: &mut Vec<GivenUp>,
    ) -> Vec<Delivered> {
        let mut out = Vec::new();
        match &mut self.content {
            Content::Queue(lane) => lane.take(slot, max, &self.terms, now_us, &mut out, given_up),
            Content::Topic(lanes) => {
                if let Some(lane) = lanes.get_mut(reader) {
                    lane.take(slot, max, &self.terms, now_us, &mut out, given_up);
                }
            }
            Content::Log(partitions) => partitions.take(reader, slot, max, now_us, &mut out),
        }
        out
    }

    /// A delivery was handled or failed.
    pub fn settle(
        &mut self,
        reader: &EdgeId,
        slot: u32,
        ticket: Ticket,
        outcome: Result<(), Failure>,
        now_us: u64,
    ) -> Option<GivenUp> {
        match &mut self.content {
            Content::Queue(lane) => lane.settle(ticket, outcome, &self.terms, now_us),
            Content::Topic(lanes) => {
                let lane = lanes.get_mut(reader)?;
                lane.settle(ticket, outcome, &self.terms, now_us)
            }
            Content::Log(partitions) => {
                partitions.settle(reader, slot, ticket, outcome, &self.terms, now_us)
            }
        }
    }

    /// When a consumer should look again although nobody wakes it.
    pub fn next_due_us(&self, reader: &EdgeId, slot: u32, now_us: u64) -> Option<u64> {
        match &self.content {
            Content::Queue(lane) => lane.next_due_us(),
            Content::Topic(lanes) => lanes.get(reader)?.next_due_us(),
            Content::Log(partitions) => partitions.next_due_us(reader, slot, now_us),
        }
    }

    /// Events that wait or are being handled.
    pub fn held(&self) -> usize {
        match &self.content {
            Content::Queue(lane) => lane.len(),
            Content::Topic(lanes) => lanes.values().map(Lane::len).sum(),
            Content::Log(partitions) => partitions.outstanding(),
        }
    }

    /// Whether a consumer would be handed anything now.
    pub fn is_ready(&mut self, reader: &EdgeId, slot: u32, now_us: u64) -> bool {
        match &mut self.content {
            Content::Queue(lane) => lane.is_ready(slot, &self.terms, now_us),
            Content::Topic(lanes) => lanes
                .get_mut(reader)
                .is_some_and(|lane| lane.is_ready(slot, &self.terms, now_us)),
            Content::Log(partitions) => partitions.is_ready(reader, slot, now_us),
        }
    }

    /// Takes everything out that is not being handled, oldest first.
    pub fn drain(&mut self) -> Vec<Event> {
        match &mut self.content {
            Content::Queue(lane) => lane.drain(),
            Content::Topic(lanes) => lanes.values_mut().flat_map(Lane::drain).collect(),
            Content::Log(partitions) => partitions.drain(),
        }
    }
}

/// The partition of a key: the same on every machine and in every version. FNV-1a spreads the text,
/// the multiplication its high bits.
pub fn partition_of(key: &str, partitions: u32) -> u32 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in key.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((u128::from(hash) * u128::from(partitions.max(1))) >> 64) as u32
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use graph_model::event::EventContext;
    use graph_model::value::Value;

    use super::*;

    struct Bench {
        state: ChannelState,
        given_up: Vec<GivenUp>,
        now_us: u64,
    }

    impl Bench {
        fn new(kind: ChannelKind, partitions: u32) -> Bench {
            let terms = Terms {
                capacity: 4,
                max_attempts: 2,
                backoff_us: 100,
                visibility_us: 1_000,
                concurrency: 2,
            };
            let mut state = ChannelState::new(kind, partitions, terms);
            state.set_readers(&["a".into(), "b".into()], &BTreeMap::new());
            Bench {
                state,
                given_up: Vec::new(),
                now_us: 0,
            }
        }

        fn offer(&mut self, id: &str, key: &str) -> bool {
            let context = EventContext {
                id: id.into(),
                ..EventContext::default()
            };
            let event = Event {
                context: Arc::new(context),
                data: Value::Null,
            };
            let key = (!key.is_empty()).then(|| key.into());
            self.state.offer(event, key).is_ok()
        }

        fn take(&mut self, reader: &str) -> Vec<Delivered> {
            self.take_at(reader, 0)
        }

        fn take_at(&mut self, reader: &str, slot: u32) -> Vec<Delivered> {
            let (reader, given_up) = (reader.into(), &mut self.given_up);
            self.state.take(&reader, slot, 10, self.now_us, given_up)
        }

        /// Of both consumers of a queue, by id.
        fn take_all(&mut self) -> Vec<Delivered> {
            let mut taken = self.take_at("a", 0);
            taken.extend(self.take_at("a", 1));
            taken.sort_by_key(|one| one.event.context.id.clone());
            taken
        }

        fn settle(&mut self, reader: &str, delivered: &Delivered, outcome: Result<(), Failure>) {
            let ticket = delivered.ticket;
            let given_up = self
                .state
                .settle(&reader.into(), 0, ticket, outcome, self.now_us);
            self.given_up.extend(given_up);
        }
    }

    fn ids(delivered: &[Delivered]) -> String {
        let ids: Vec<&str> = delivered
            .iter()
            .map(|one| one.event.context.id.as_str())
            .collect();
        ids.join(" ")
    }

    #[test]
    fn a_queue_delivers_again_until_attempts_run_out() {
        let mut bench = Bench::new(ChannelKind::Queue, 1);
        bench.offer("1", "");
        let first = bench.take("a");
        assert_eq!(ids(&first), "1");
        assert!(bench.take("b").is_empty(), "consumers compete");
        bench.settle("a", &first[0], Err(Failure::transient("down")));
        assert!(bench.take("a").is_empty(), "it pauses first");
        bench.now_us = 100;
        let second = bench.take("b");
        bench.settle("b", &first[0], Ok(()));
        assert_eq!(bench.state.held(), 1, "an old ticket settles nothing");
        bench.settle("b", &second[0], Err(Failure::transient("down")));
        assert_eq!((bench.given_up.len(), bench.given_up[0].attempts), (1, 2));
        assert_eq!(bench.state.held(), 0);
    }

    #[test]
    fn what_is_invalid_is_not_tried_again() {
        let mut bench = Bench::new(ChannelKind::Queue, 1);
        bench.offer("1", "");
        let taken = bench.take("a");
        bench.settle("a", &taken[0], Err(Failure::invalid("no number")));
        assert_eq!(bench.given_up[0].attempts, 1);
    }

    #[test]
    fn a_delivery_that_nobody_settles_comes_again() {
        let mut bench = Bench::new(ChannelKind::Queue, 1);
        bench.offer("1", "");
        bench.take("a");
        bench.now_us = 1_000;
        assert!(bench.take("a").is_empty(), "expired, pausing");
        bench.now_us = 1_100;
        assert_eq!(ids(&bench.take("a")), "1");
    }

    #[test]
    fn a_group_keeps_its_order_also_over_failures() {
        let mut bench = Bench::new(ChannelKind::Queue, 1);
        for (id, group) in [("1", "x"), ("2", "x"), ("3", "y")] {
            bench.offer(id, group);
        }
        let taken = bench.take_all();
        assert_eq!(ids(&taken), "1 3");
        bench.settle("a", &taken[0], Err(Failure::transient("down")));
        bench.settle("a", &taken[1], Ok(()));
        assert!(bench.take_all().is_empty(), "2 waits behind 1");
        bench.now_us = 100;
        let again = bench.take_all();
        assert_eq!(ids(&again), "1");
        bench.settle("a", &again[0], Ok(()));
        assert_eq!(ids(&bench.take_all()), "2");
    }

    #[test]
    fn a_group_stays_with_one_consumer() {
        let mut bench = Bench::new(ChannelKind::Queue, 1);
        let mut handled_by: BTreeMap<String, u32> = BTreeMap::new();
        for round in 0..40 {
            let group = format!("g{}", round % 8);
            bench.offer(&group, &group);
            // Whoever comes first does not get what is for the other.
            for slot in [round % 2, (round + 1) % 2] {
                for one in bench.take_at("a", slot) {
                    let group = one.event.context.id.to_string();
                    assert_eq!(*handled_by.entry(group).or_insert(slot), slot);
                    bench.settle("a", &one, Ok(()));
                }
            }
        }
        assert_eq!(handled_by.len(), 8);
        assert!(handled_by.values().any(|slot| *slot == 0));
        assert!(handled_by.values().any(|slot| *slot == 1));
    }

    #[test]
    fn a_full_channel_hands_events_back() {
        for kind in [ChannelKind::Queue, ChannelKind::Topic, ChannelKind::Log] {
            let mut bench = Bench::new(kind, 1);
            let accepted: Vec<bool> = (0..5).map(|id| bench.offer(&id.to_string(), "")).collect();
            assert_eq!(accepted, [true, true, true, true, false], "{kind:?}");
        }
    }

    #[test]
    fn each_subscription_of_a_topic_gets_each_event() {
        let mut bench = Bench::new(ChannelKind::Topic, 1);
        bench.offer("1", "");
        assert_eq!(
            (ids(&bench.take("a")), ids(&bench.take("b"))),
            ("1".into(), "1".into())
        );
        let left = bench
            .state
            .set_readers(&["c".into()], &[("c".into(), "a".into())].into());
        assert!(left.is_empty(), "both are in flight");
    }

    #[test]
    fn a_log_goes_back_to_the_last_acknowledged_position() {
        let mut bench = Bench::new(ChannelKind::Log, 1);
        for id in ["1", "2", "3"] {
            bench.offer(id, "k");
        }
        let taken = bench.take("a");
        assert_eq!(ids(&taken), "1 2 3");
        bench.settle("a", &taken[0], Ok(()));
        bench.settle("a", &taken[1], Err(Failure::transient("down")));
        bench.settle("a", &taken[2], Ok(()));
        assert!(bench.take("a").is_empty(), "it pauses first");
        bench.now_us = 100;
        let again = bench.take("a");
        assert_eq!(ids(&again), "2 3", "a suffix is replayed");
        bench.settle("a", &again[1], Ok(()));
        bench.settle("a", &again[0], Err(Failure::transient("down")));
        assert_eq!(bench.given_up.len(), 1);
        assert!(bench.take("a").is_empty(), "3 is done already");
        assert_eq!(bench.state.held(), 3, "b has read nothing yet");
        for delivered in bench.take("b") {
            bench.settle("b", &delivered, Ok(()));
        }
        assert_eq!(bench.state.held(), 0);
    }

    #[test]
    fn keys_are_spread_over_partitions() {
        let mut counts = [0_u32; 8];
        for key in 0..8_000 {
            counts[partition_of(&format!("customer-{key}"), 8) as usize] += 1;
        }
        assert!(
            counts.iter().all(|count| (900..1_100).contains(count)),
            "{counts:?}"
        );
        assert_eq!(
            partition_of("customer-1", 8),
            0,
            "the place of a key never changes"
        );
    }
}
