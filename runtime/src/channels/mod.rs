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
    /// What a delivery brings can be read only when that is settled well.
    pub transactional: bool,
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
pub struct Delivered<M = ()> {
    pub ticket: Ticket,
    pub event: Event,
    pub mark: M,
}

/// An event that failed as often as allowed, or that would fail for ever.
#[derive(Clone, Debug)]
pub struct GivenUp<M = ()> {
    pub event: Event,
    pub attempts: u32,
    pub failure: Failure,
    pub mark: M,
}

/// What the end of a delivery means for its channel.
#[derive(Debug)]
pub struct Settled<M = ()> {
    /// The event was not handed out again before.
    pub counts: bool,
    pub given_up: Option<GivenUp<M>>,
}

impl<M> Settled<M> {
    const OUTDATED: Settled<M> = Settled {
        counts: false,
        given_up: None,
    };
    /// Whoever handed it out is gone, so it does not come again.
    const LAST: Settled<M> = Settled {
        counts: true,
        given_up: None,
    };
}

/// One that is handed the events of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscriber {
    pub edge: EdgeId,
    /// Each event of a partition is settled before the next one goes out, so that none that was
    /// handled well comes again.
    pub one_by_one: bool,
}

/// The place of an event in a transactional log whose delivery is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    partition: u32,
    position: u64,
}

/// The content of a channel. Each event has a mark, which its driver put there to find it again.
#[derive(Debug)]
pub struct ChannelState<M = ()> {
    terms: Terms,
    content: Content<M>,
}

#[derive(Debug)]
enum Content<M> {
    Queue(Lane<M>),
    Topic(BTreeMap<EdgeId, Lane<M>>),
    Log(Partitions<M>),
}

impl Terms {
    fn pause_us(&self, attempts: u32) -> u64 {
        let doubled = self
            .backoff_us
            .saturating_mul(1 << (attempts.max(1) - 1).min(30));
        doubled.min(PAUSE_US_MAX)
    }
}

impl<M: Clone> ChannelState<M> {
    pub fn new(kind: ChannelKind, partitions: u32, terms: Terms) -> ChannelState<M> {
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
        readers: &[Subscriber],
        renamed: &BTreeMap<EdgeId, EdgeId>,
    ) -> Vec<Event> {
        match &mut self.content {
            Content::Queue(_) => Vec::new(),
            Content::Topic(lanes) => {
                let mut before = std::mem::take(lanes);
                for Subscriber { edge, .. } in readers {
                    let old = renamed.get(edge).unwrap_or(edge);
                    lanes.insert(edge.clone(), before.remove(old).unwrap_or_default());
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
    /// of a log, the group of a queue. When its delivery is `under_way` and the channel is
    /// transactional, nobody is handed the event before [`ChannelState::decide`] is told of its spot.
    pub fn offer(
        &mut self,
        event: Event,
        key: Option<SmolStr>,
        under_way: bool,
        mark: M,
    ) -> Result<Option<Spot>, Event> {
        let capacity = self.terms.capacity;
        match &mut self.content {
            Content::Queue(lane) => {
                if lane.len() >= capacity {
                    return Err(event);
                }
                lane.push(event, key, mark);
            }
            Content::Topic(lanes) => {
                if lanes.values().any(|lane| lane.len() >= capacity) {
                    return Err(event);
                }
                for lane in lanes.values_mut() {
                    lane.push(event.clone(), None, mark.clone());
                }
            }
            Content::Log(partitions) => {
                if partitions.len() >= capacity && !partitions.forget_oldest_unread() {
                    return Err(event);
                }
                let partition = first_or_of(key.as_deref(), partitions.count());
                let open = under_way && self.terms.transactional;
                let position = partitions.push(event, partition, open, mark);
                return Ok(open.then_some(Spot {
                    partition,
                    position,
                }));
            }
        }
        Ok(None)
    }

    /// The delivery that brought an event is settled: the event can be read, or was never there.
    pub fn decide(&mut self, spot: Spot, well: bool) {
        if let Content::Log(partitions) = &mut self.content {
            partitions.decide(spot.partition, spot.position, well);
        }
    }

    /// Whether there will be room only when deliveries are settled that are under way elsewhere.
    pub fn is_stuck(&self) -> bool {
        match &self.content {
            Content::Log(partitions) => {
                partitions.len() >= self.terms.capacity && partitions.are_stuck()
            }
            Content::Queue(_) | Content::Topic(_) => false,
        }
    }

    /// Hands out events to a consumer of the subscription `reader`; `slot` is its partition, or
    /// which of the competing consumers of a queue it is.
    pub fn take(
        &mut self,
        reader: &EdgeId,
        slot: u32,
        max: usize,
        now_us: u64,
        out: &mut Vec<Delivered<M>>,
        given_up: &mut Vec<GivenUp<M>>,
    ) {
        match &mut self.content {
            Content::Queue(lane) => lane.take(slot, max, &self.terms, now_us, out, given_up),
            Content::Topic(lanes) => {
                if let Some(lane) = lanes.get_mut(reader) {
                    lane.take(slot, max, &self.terms, now_us, out, given_up);
                }
            }
            Content::Log(partitions) => partitions.take(reader, slot, max, now_us, out),
        }
    }

    /// A delivery was handled or failed.
    pub fn settle(
        &mut self,
        reader: &EdgeId,
        slot: u32,
        ticket: Ticket,
        outcome: Result<(), Failure>,
        now_us: u64,
    ) -> Settled<M> {
        match &mut self.content {
            Content::Queue(lane) => lane.settle(ticket, outcome, &self.terms, now_us),
            Content::Topic(lanes) => match lanes.get_mut(reader) {
                Some(lane) => lane.settle(ticket, outcome, &self.terms, now_us),
                None => Settled::LAST,
            },
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

    /// Looks at every event that it holds.
    pub(crate) fn each(&self, look: &mut dyn FnMut(&Event)) {
        match &self.content {
            Content::Queue(lane) => lane.each(look),
            Content::Topic(lanes) => lanes.values().for_each(|lane| lane.each(look)),
            Content::Log(partitions) => partitions.each(look),
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

    /// Takes everything out that is not being handled, oldest first. What waits for its delivery to be
    /// settled stays, with everything behind it.
    pub fn drain(&mut self) -> Vec<Event> {
        match &mut self.content {
            Content::Queue(lane) => lane.drain(),
            Content::Topic(lanes) => lanes.values_mut().flat_map(Lane::drain).collect(),
            Content::Log(partitions) => partitions.drain(),
        }
    }
}

/// The partition of an event: that of its key, or the first one, where everything is that has none.
pub fn first_or_of(key: Option<&str>, partitions: u32) -> u32 {
    key.map_or(0, |key| partition_of(key, partitions))
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
                transactional: false,
            };
            let mut state = ChannelState::new(kind, partitions, terms);
            state.set_readers(&["a", "b"].map(subscriber), &BTreeMap::new());
            Bench {
                state,
                given_up: Vec::new(),
                now_us: 0,
            }
        }

        fn transactional() -> Bench {
            let mut bench = Bench::new(ChannelKind::Log, 1);
            bench.state.terms.transactional = true;
            bench
        }

        /// An event whose delivery is under way.
        fn offer_open(&mut self, id: &str) -> Spot {
            let offered = self.offer_under_way(id, "", true);
            offered.expect("there is room").expect("it is open")
        }

        fn offer(&mut self, id: &str, key: &str) -> bool {
            self.offer_under_way(id, key, false).is_ok()
        }

        fn offer_under_way(
            &mut self,
            id: &str,
            key: &str,
            under_way: bool,
        ) -> Result<Option<Spot>, Event> {
            let context = EventContext {
                id: id.into(),
                ..EventContext::default()
            };
            let event = Event {
                context: Arc::new(context),
                data: Value::Null,
            };
            let key = (!key.is_empty()).then(|| key.into());
            self.state.offer(event, key, under_way, ())
        }

        fn take(&mut self, reader: &str) -> Vec<Delivered> {
            self.take_at(reader, 0)
        }

        fn take_at(&mut self, reader: &str, slot: u32) -> Vec<Delivered> {
            let (reader, given_up) = (reader.into(), &mut self.given_up);
            let mut out = Vec::new();
            let state = &mut self.state;
            state.take(&reader, slot, 10, self.now_us, &mut out, given_up);
            out
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
            let settled = self
                .state
                .settle(&reader.into(), 0, ticket, outcome, self.now_us);
            self.given_up.extend(settled.given_up);
        }
    }

    fn subscriber(edge: &str) -> Subscriber {
        Subscriber {
            edge: edge.into(),
            one_by_one: false,
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
            .set_readers(&[subscriber("c")], &[("c".into(), "a".into())].into());
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
    fn an_open_event_holds_up_what_is_behind_it() {
        let mut bench = Bench::transactional();
        let (first, second) = (bench.offer_open("1"), bench.offer_open("2"));
        bench.offer("3", "");
        let fourth = bench.offer_open("4");
        for (spot, well, readable) in [
            (second, true, ""),
            (first, false, "2 3"),
            (fourth, false, ""),
        ] {
            assert!(bench.take("a").is_empty());
            bench.state.decide(spot, well);
            let ready = bench.state.is_ready(&"a".into(), 0, 0);
            assert_eq!(ready, !readable.is_empty());
            let taken = bench.take("a");
            assert_eq!(ids(&taken), readable);
            for (reader, taken) in [("b", bench.take("b")), ("a", taken)] {
                for delivered in &taken {
                    bench.settle(reader, delivered, Ok(()));
                }
            }
        }
        assert_eq!(bench.state.held(), 0, "nothing is left of what never came");
        bench.state.decide(first, true);
        assert!(bench.take("a").is_empty());
    }

    #[test]
    fn a_failure_passes_over_what_never_came() {
        let mut bench = Bench::transactional();
        bench.offer("1", "");
        let second = bench.offer_open("2");
        bench.offer("3", "");
        bench.state.decide(second, false);
        let taken = bench.take("a");
        assert_eq!(ids(&taken), "1 3");
        bench.settle("a", &taken[1], Ok(()));
        bench.settle("a", &taken[0], Err(Failure::transient("down")));
        bench.now_us = 100;
        assert_eq!(ids(&bench.take("a")), "1 3");
    }

    #[test]
    fn a_log_is_stuck_when_only_other_deliveries_can_make_room() {
        let mut bench = Bench::transactional();
        let spots = ["1", "2", "3", "4"].map(|id| bench.offer_open(id));
        assert!(!bench.offer("5", "") && bench.state.is_stuck());
        bench.state.decide(spots[0], true);
        assert!(!bench.offer("5", "") && !bench.state.is_stuck());
        bench.state.decide(spots[1], false);
        for reader in ["a", "b"] {
            let taken = bench.take(reader);
            bench.settle(reader, &taken[0], Ok(()));
        }
        assert!(bench.offer("5", "") && bench.offer("6", ""));
    }

    #[test]
    fn what_leaves_a_log_leaves_in_order() {
        let mut bench = Bench::transactional();
        bench.offer("1", "");
        let second = bench.offer_open("2");
        bench.offer("3", "");
        let drained = |bench: &mut Bench| -> Vec<String> {
            let events = bench.state.drain();
            events
                .iter()
                .map(|one| one.context.id.to_string())
                .collect()
        };
        assert_eq!(drained(&mut bench), ["1"]);
        bench.state.decide(second, true);
        assert_eq!(drained(&mut bench), ["2", "3"]);
    }

    #[test]
    fn deliveries_that_go_one_by_one_wait_for_each_other() {
        let mut bench = Bench::new(ChannelKind::Log, 1);
        let reader = Subscriber {
            one_by_one: true,
            ..subscriber("a")
        };
        bench.state.set_readers(&[reader], &BTreeMap::new());
        bench.offer("1", "");
        bench.offer("2", "");
        let first = bench.take("a");
        assert_eq!(ids(&first), "1");
        assert!(bench.take("a").is_empty() && !bench.state.is_ready(&"a".into(), 0, 0));
        bench.settle("a", &first[0], Err(Failure::transient("down")));
        bench.now_us = 100;
        let again = bench.take("a");
        assert_eq!(ids(&again), "1");
        bench.settle("a", &again[0], Ok(()));
        assert_eq!(ids(&bench.take("a")), "2");
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
