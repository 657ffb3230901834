//! What may go wrong, and where the declared guarantees admit it.

use std::str::FromStr;
use std::sync::Arc;

use graph_model::catalog::{Behaviour, Catalog, Delivery};
use graph_model::document::{Document, Node, WhenFull};
use graph_model::id::{EdgeId, NodeId};
use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::service::Service;
use super::shape::several;
use crate::channels::ChannelKind;
use crate::plan::{Plan, Role};

/// Something that goes wrong at one place, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub kind: FaultKind,
    pub place: Place,
    /// At which of the events that pass there, counted from 0.
    pub nth: u64,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The event comes once more, so much later.
    Duplicate { after_us: u64 },
    /// So many events before it, and the event itself, come once more in their order.
    Replay { back: u32 },
    /// The event is lost.
    Lose,
    /// The event comes so much later; where an order is promised, so do those behind it.
    Delay { by_us: u64 },
    /// The fact comes in so much later; its own time stays.
    Late { by_us: u64 },
    /// What handles the event breaks down and begins anew, without its memory.
    Crash(Point),
    /// The instance that handled the event is thrown away, and with it its memory.
    Recycle,
    /// From this event on the clock of the node is wrong by so much.
    Clock { ms: i64 },
    /// From this event on the node takes so many times as long as it does.
    Slow { times: u32 },
    /// The node can never handle the event: it is tried as often as may be, and given up.
    Refuse,
}

/// When, within the handling of an event, something breaks down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    BeforeEffect,
    /// What the event brought about is done, and nobody was told.
    BeforeAck,
    AfterAck,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    Node(NodeId),
    Edge(EdgeId),
}

/// Sorts of faults, by which people name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sort {
    Duplicate,
    Replay,
    Lose,
    Delay,
    Late,
    Crash,
    Recycle,
    Clock,
    Partitions,
    Refuse,
    Slow,
}

/// A sort of fault that may happen at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted {
    pub sort: Sort,
    pub place: Place,
}

impl Sort {
    /// Those that promises admit; an event that cannot be handled is none of them.
    pub const ALL: [Sort; 10] = [
        Sort::Duplicate,
        Sort::Replay,
        Sort::Lose,
        Sort::Delay,
        Sort::Late,
        Sort::Crash,
        Sort::Recycle,
        Sort::Clock,
        Sort::Partitions,
        Sort::Slow,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Sort::Duplicate => "duplicate",
            Sort::Replay => "replay",
            Sort::Lose => "lose",
            Sort::Delay => "delay",
            Sort::Late => "late",
            Sort::Crash => "crash",
            Sort::Recycle => "recycle",
            Sort::Clock => "clock",
            Sort::Partitions => "partitions",
            Sort::Slow => "slow",
            Sort::Refuse => "refuse",
        }
    }
}

impl FromStr for Sort {
    type Err = String;

    fn from_str(text: &str) -> Result<Sort, String> {
        let mut all = Sort::ALL.into_iter();
        all.find(|sort| sort.name() == text).ok_or_else(|| {
            let names = Sort::ALL.map(Sort::name).join(", ");
            format!("`{text}` is no sort of fault; choose among {names}")
        })
    }
}

impl FaultKind {
    pub fn sort(self) -> Sort {
        match self {
            FaultKind::Duplicate { .. } => Sort::Duplicate,
            FaultKind::Replay { .. } => Sort::Replay,
            FaultKind::Lose => Sort::Lose,
            FaultKind::Delay { .. } => Sort::Delay,
            FaultKind::Late { .. } => Sort::Late,
            FaultKind::Crash(_) => Sort::Crash,
            FaultKind::Recycle => Sort::Recycle,
            FaultKind::Clock { .. } => Sort::Clock,
            FaultKind::Slow { .. } => Sort::Slow,
            FaultKind::Refuse => Sort::Refuse,
        }
    }
}

impl Fault {
    /// What may go wrong in a flow, and where: no more than what its channels, sources and wires
    /// promise to allow. Empty when the flow cannot be run.
    pub fn admitted(document: &Arc<Document>, catalog: &Catalog) -> Vec<Admitted> {
        let kinds = crate::catalog::kinds();
        let role = |kind: &str| {
            let row = kinds.iter().find(|row| row.spec.id == kind);
            row.map(|row| row.make.role())
        };
        match crate::plan::plan(document, catalog, role) {
            Ok(plan) => admitted(&plan, catalog),
            Err(_) => Vec::new(),
        }
    }

    /// Nodes that may meet an event which they cannot handle: all of them. No promise is broken then,
    /// so [`Fault::admitted`] has none of these.
    pub fn refusals(document: &Document) -> Vec<Admitted> {
        let nodes = document.nodes.keys();
        let refusals = nodes.map(|node| Admitted {
            sort: Sort::Refuse,
            place: Place::Node(node.clone()),
        });
        refusals.collect()
    }

    /// Chooses faults by a seed, for a run in which about so many events pass each place. Other
    /// numbers of partitions are no faults of one place and never chosen here.
    pub fn choose(admitted: &[Admitted], seed: u64, count: usize, events: u64) -> Vec<Fault> {
        let one_place = |one: &&Admitted| one.sort != Sort::Partitions;
        let places: Vec<&Admitted> = admitted.iter().filter(one_place).collect();
        if places.is_empty() {
            return Vec::new();
        }
        let mut chance = Pcg64Mcg::seed_from_u64(seed ^ 0x5eed_fa17);
        let mut below =
            move |end: u64| ((u128::from(chance.next_u64()) * u128::from(end.max(1))) >> 64) as u64;
        let choose = |_| {
            let Admitted { sort, place } = places[below(places.len() as u64) as usize];
            // Short, middling and long pauses matter alike: some outlast timeouts and windows.
            let mut span_us = || 1_000 << below(22);
            let kind = match sort {
                Sort::Duplicate => FaultKind::Duplicate {
                    after_us: span_us(),
                },
                Sort::Replay => FaultKind::Replay {
                    back: below(8) as u32,
                },
                Sort::Lose => FaultKind::Lose,
                Sort::Delay => FaultKind::Delay { by_us: span_us() },
                Sort::Late => FaultKind::Late { by_us: span_us() },
                Sort::Crash => FaultKind::Crash(match below(3) {
                    0 => Point::BeforeEffect,
                    1 => Point::BeforeAck,
                    _ => Point::AfterAck,
                }),
                Sort::Recycle => FaultKind::Recycle,
                Sort::Slow => FaultKind::Slow {
                    times: 2 << below(4),
                },
                Sort::Refuse => FaultKind::Refuse,
                Sort::Clock | Sort::Partitions => FaultKind::Clock {
                    ms: below(7_200_000) as i64 - 3_600_000,
                },
            };
            Fault {
                kind,
                place: place.clone(),
                nth: below(events),
            }
        };
        (0..count).map(choose).collect()
    }
}

fn admitted(plan: &Plan, catalog: &Catalog) -> Vec<Admitted> {
    let mut all = Vec::new();
    for node in &plan.nodes {
        let place = Place::Node(node.id.clone());
        let mut admit = |sorts: &[Sort]| {
            all.extend(sorts.iter().map(|&sort| Admitted {
                sort,
                place: place.clone(),
            }));
        };
        let kind = catalog.get(&node.node.kind);
        let behaviour = kind.map(|kind| &kind.behaviour);
        if kind.is_some_and(|kind| several(&node.node, kind).is_some()) {
            admit(&[Sort::Partitions]);
        }
        match (node.role, behaviour) {
            (Role::Source, Some(Behaviour::Source { delivery, .. })) => match delivery {
                Delivery::CallerRetries => admit(&[Sort::Duplicate, Sort::Late]),
                Delivery::Resumable => admit(&[Sort::Replay]),
                Delivery::Once => {}
            },
            (Role::Source, _) => admit(&[Sort::Replay]),
            (Role::Operator, Some(Behaviour::Opaque { .. })) => {
                admit(&[Sort::Crash, Sort::Recycle, Sort::Clock]);
            }
            (Role::Operator, _) => admit(&[Sort::Crash, Sort::Clock]),
            (Role::Repartition | Role::Sink, _) => admit(&[Sort::Crash]),
            (Role::Channel(_), _) => {}
        }
    }
    // Nobody promises that a call takes no longer today than it did.
    let slow = plan.nodes.iter().filter(|node| {
        let acts = matches!(node.role, Role::Operator | Role::Sink);
        acts && Service::of(&node.node.notes.declared).is_some()
    });
    all.extend(slow.map(|node| Admitted {
        sort: Sort::Slow,
        place: Place::Node(node.id.clone()),
    }));
    for edge in &plan.edges {
        let place = Place::Edge(edge.id.clone());
        let mut admit = |sort| {
            all.push(Admitted {
                sort,
                place: place.clone(),
            });
        };
        let from = &plan.nodes[edge.from];
        let is_failed = from.failed.is_some_and(|port| {
            from.outs[port]
                .iter()
                .any(|out| plan.edges[*out].id == edge.id)
        });
        match from.role {
            Role::Channel(ChannelKind::Log) if !is_failed => {
                admit(Sort::Replay);
                admit(Sort::Delay);
            }
            // A group waits for its first event, so what comes again does so in order.
            Role::Channel(ChannelKind::Queue) if !is_failed && is_grouped(&from.node) => {
                admit(Sort::Replay);
                admit(Sort::Delay);
            }
            Role::Channel(_) if !is_failed => {
                admit(Sort::Duplicate);
                admit(Sort::Delay);
            }
            _ if edge.fused => {}
            _ => match plan.nodes[edge.to].role {
                Role::Channel(_) | Role::Source => {}
                Role::Operator | Role::Repartition | Role::Sink => {
                    admit(Sort::Delay);
                    if edge.when_full == WhenFull::DropOldest {
                        admit(Sort::Lose);
                    }
                }
            },
        }
    }
    all
}

/// Whether a queue keeps the order of each group.
fn is_grouped(queue: &Node) -> bool {
    let group = queue.config_str("group");
    group.is_some_and(|group| !group.trim().is_empty())
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::Node(node) => write!(f, "node {node}"),
            Place::Edge(edge) => write!(f, "wire {edge}"),
        }
    }
}
