//! How busy a node is that takes time: how long events wait for it, and how long it works on them.

use std::collections::BTreeMap;

use graph_model::id::NodeId;
use runtime_protocol::NodeCount;

use super::latency::Latencies;
use super::run::Run;
use crate::plan::Head;

/// The load of a node, in microseconds of virtual time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// From leaving the node before, through whatever channel, to the begin of handling.
    pub waits: Latencies,
    /// From the begin of handling to its end.
    pub services: Latencies,
    /// Events that it can handle at once.
    pub workers: u64,
    /// The most events that waited at once, in the channel or inbox in front of it.
    pub waiting_max: u64,
    /// Every call, in the order in which they began; kept where whole events are.
    pub calls: Vec<Call>,
}

/// The handling of one event by a node that takes time, in microseconds since the beginning of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// When the event left the node before.
    pub came_us: u64,
    pub began_us: u64,
    pub takes_us: u64,
    /// Number of the fact from which the event follows; nothing when it follows from none.
    pub fact: Option<u32>,
}

impl Call {
    pub fn ends_us(&self) -> u64 {
        self.began_us.saturating_add(self.takes_us)
    }
}

impl Load {
    /// The part of a run of such a length in which its workers were busy.
    pub fn utilisation(&self, run_us: u64) -> f64 {
        let all = run_us.max(1) as f64 * self.workers.max(1) as f64;
        self.services.sum_us() as f64 / all
    }

    /// How many events waited on average, over a run of such a length: each for as long as it did.
    pub fn waiting(&self, run_us: u64) -> f64 {
        self.waits.sum_us() as f64 / run_us.max(1) as f64
    }
}

impl Run {
    /// Counters of the nodes, with the time in which they were busy.
    pub(super) fn meters(&self) -> impl Iterator<Item = NodeCount> {
        let meters = self.meters.iter().zip(&self.loads);
        meters.map(|(meter, load)| NodeCount {
            busy_us: load.services.sum_us(),
            ..*meter
        })
    }

    /// Loads of the nodes that took time.
    pub(super) fn loads(&self) -> BTreeMap<NodeId, Load> {
        let plan = &self.shape.plan;
        let mut loads = BTreeMap::new();
        for (node, held) in plan.nodes.iter().enumerate() {
            if self.shape.nodes[node].service.is_none() {
                continue;
            }
            let mut load = self.loads[node].clone();
            let line = held.line.map(|line| &plan.lines[line]);
            if let Some(line) = line {
                load.workers = line.instances.into();
            }
            // Whatever waits for a line waits at its head.
            let head = line.and_then(|line| match line.head {
                Head::Subscription(edge) => Some(plan.edges[edge].from),
                Head::Inbox(node) => Some(node),
                Head::Source(_) => None,
            });
            load.waiting_max = self.waiting_max[head.unwrap_or(node)];
            loads.insert(held.id.clone(), load);
        }
        loads
    }
}
