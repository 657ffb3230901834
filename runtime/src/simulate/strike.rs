//! Faults in a run: which of them takes place when an event passes a place.

use std::collections::BTreeMap;

use smol_str::SmolStr;

use super::fault::{Fault, FaultKind, Place, Sort};
use crate::plan::{EdgeIndex, NodeIndex, Plan};

/// The faults of a run, by place.
#[derive(Default)]
pub(super) struct Strikes {
    nodes: Vec<Struck>,
    edges: Vec<Struck>,
    /// Events that nodes can never handle.
    refused: Vec<(NodeIndex, SmolStr)>,
    /// Nodes that take longer than they should, and how many times as long.
    slowed: Vec<(NodeIndex, u64)>,
    /// Whether there are any.
    pub(super) any: bool,
    pub(super) counted: BTreeMap<Sort, u64>,
}

/// A place and what goes wrong there.
#[derive(Clone, Default)]
struct Struck {
    passed: u64,
    faults: Vec<(u64, FaultKind)>,
    /// What passes may come once more.
    replays: bool,
}

impl Strikes {
    /// Faults at places that are not in the plan never take place.
    pub(super) fn new(faults: &[Fault], plan: &Plan) -> Strikes {
        if faults.is_empty() {
            return Strikes::default();
        }
        let mut strikes = Strikes {
            nodes: vec![Struck::default(); plan.nodes.len()],
            edges: vec![Struck::default(); plan.edges.len()],
            refused: Vec::new(),
            slowed: Vec::new(),
            any: true,
            counted: BTreeMap::new(),
        };
        for fault in faults {
            let struck = match &fault.place {
                Place::Node(id) => {
                    let node = plan.nodes.iter().position(|node| node.id == *id);
                    node.map(|node| &mut strikes.nodes[node])
                }
                Place::Edge(id) => {
                    let edge = plan.edges.iter().position(|edge| edge.id == *id);
                    edge.map(|edge| &mut strikes.edges[edge])
                }
            };
            if let Some(struck) = struck {
                struck.faults.push((fault.nth, fault.kind));
                struck.replays |= matches!(fault.kind, FaultKind::Replay { .. });
            }
        }
        strikes
    }

    /// What goes wrong with the next event at a node.
    pub(super) fn at_node(&mut self, node: NodeIndex) -> Option<FaultKind> {
        let struck = self.nodes.get_mut(node)?;
        Self::next(struck, &mut self.counted)
    }

    /// From now on the node can never handle the event.
    pub(super) fn refuse(&mut self, node: NodeIndex, event: &SmolStr) {
        self.refused.push((node, event.clone()));
    }

    pub(super) fn refuses(&self, node: NodeIndex, event: &SmolStr) -> bool {
        let mut refused = self.refused.iter();
        refused.any(|(at, id)| *at == node && id == event)
    }

    /// From now on the node takes so many times as long as it does.
    pub(super) fn slow_down(&mut self, node: NodeIndex, times: u32) {
        match self.slowed.iter_mut().find(|(at, _)| *at == node) {
            Some((_, held)) => *held = held.saturating_mul(times.into()),
            None => self.slowed.push((node, times.into())),
        }
    }

    /// How many times as long a node takes as it should.
    pub(super) fn times(&self, node: NodeIndex) -> u64 {
        let slowed = self.slowed.iter().find(|(at, _)| *at == node);
        slowed.map_or(1, |(_, times)| *times)
    }

    /// What goes wrong with the next event on an edge.
    pub(super) fn at_edge(&mut self, edge: EdgeIndex) -> Option<FaultKind> {
        let struck = self.edges.get_mut(edge)?;
        Self::next(struck, &mut self.counted)
    }

    /// Whether past deliveries on an edge may come once more.
    pub(super) fn replays_edge(&self, edge: EdgeIndex) -> bool {
        self.edges.get(edge).is_some_and(|struck| struck.replays)
    }

    fn next(struck: &mut Struck, counted: &mut BTreeMap<Sort, u64>) -> Option<FaultKind> {
        let nth = struck.passed;
        struck.passed += 1;
        let at = struck.faults.iter().position(|(at, _)| *at <= nth)?;
        let (_, kind) = struck.faults.swap_remove(at);
        *counted.entry(kind.sort()).or_default() += 1;
        Some(kind)
    }
}
