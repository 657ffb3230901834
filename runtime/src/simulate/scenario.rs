//! What happens to a flow in one simulation.

use std::sync::Arc;

use graph_model::event::Event;
use graph_model::id::NodeId;

use super::fault::{Admitted, Fault, Sort};
use super::replay::Replay;

/// One run: what comes in, what goes wrong, and how far it goes.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Start of all chance.
    pub seed: u64,
    /// Facts that come in from outside, in any order.
    pub facts: Arc<[Fact]>,
    /// Whether sources that have events of their own (files, ticks, made-up events) bring them.
    pub own_events: bool,
    pub faults: Arc<[Fault]>,
    /// How many partitions, and consumers at once, there are at every place that has several.
    pub partitions: Option<u32>,
    /// Virtual time that an event takes from one line, channel or sink to the next, in microseconds.
    pub hop_us: u64,
    /// Each fact waits until everything before it has settled, nothing takes time, and facts come by
    /// event time.
    pub one_by_one: bool,
    pub limits: Limits,
    pub record: Record,
    /// Whether the outcome tells the facts that came in; long runs hold less without them.
    pub keep_facts: bool,
    /// What nodes say again as they said it in another run.
    pub replay: Option<Arc<Replay>>,
}

/// A fact and when it comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    pub source: NodeId,
    /// Since the beginning of the run.
    pub at_us: u64,
    pub event: Event,
}

/// Where a run is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Events handled, over all nodes.
    pub steps_max: u64,
    /// Virtual time after which sources take nothing in any more.
    pub duration_us: u64,
    /// Events that wait or are under way at once.
    pub in_flight_max: u64,
    /// Bytes that sinks, given-up events, the trace and what waits hold.
    pub bytes_max: u64,
}

/// What is kept of the steps of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Record {
    /// Nothing.
    Off,
    /// What identifies them.
    #[default]
    Hash,
    /// Each of them.
    Steps,
    /// Each of them, with the whole event and who handled it; what oracles ask for.
    Events,
}

impl Default for Scenario {
    fn default() -> Scenario {
        Scenario {
            seed: 0,
            facts: [].into(),
            own_events: true,
            faults: [].into(),
            partitions: None,
            hop_us: 1_000,
            one_by_one: false,
            limits: Limits::default(),
            record: Record::Hash,
            keep_facts: true,
            replay: None,
        }
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            steps_max: 1_000_000,
            duration_us: 3_600_000_000,
            in_flight_max: 100_000,
            bytes_max: 256 << 20,
        }
    }
}

impl Scenario {
    /// Lets things go wrong that the flow admits, chosen by the seed, in a run of about so many
    /// events; half of the seeds have another number of partitions where that may be.
    pub fn go_wrong(&mut self, admitted: &[Admitted], count: usize, events: u64) {
        self.faults = Fault::choose(admitted, self.seed, count, events).into();
        let may_differ = admitted.iter().any(|one| one.sort == Sort::Partitions);
        let others = [1, 2, 3, 5];
        self.partitions = (may_differ && self.seed % 2 == 1)
            .then(|| others[(self.seed / 2 % others.len() as u64) as usize]);
    }

    /// The reference of what these facts should come to: one instance of everything, each fact once,
    /// by event time, with everything settled in between, and nothing going wrong.
    #[must_use]
    pub fn reference(&self, facts: &[Fact]) -> Scenario {
        let mut sorted: Vec<Fact> = facts.to_vec();
        sorted.sort_by(|one, other| {
            let of = |fact: &Fact| fact.event.context.time_ms;
            of(one)
                .cmp(&of(other))
                .then_with(|| one.source.cmp(&other.source))
        });
        Scenario {
            seed: self.seed,
            facts: sorted.into(),
            own_events: false,
            faults: [].into(),
            partitions: Some(1),
            hop_us: self.hop_us,
            one_by_one: true,
            limits: Limits {
                duration_us: u64::MAX,
                ..self.limits
            },
            record: self.record,
            keep_facts: self.keep_facts,
            replay: self.replay.clone(),
        }
    }
}
