//! Builds the parts of a flow from a plan.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use graph_model::id::{EdgeId, NodeId};
use graph_model::value::Value;
use smol_str::SmolStr;
use tokio::sync::Mutex;

use crate::channels::{ChannelState, Subscriber};
use crate::live::channel::Channel;
use crate::live::env::Env;
use crate::live::feed::SourceFeed;
use crate::live::inbox::Inbox;
use crate::live::line::{Code, Line, LineState, Op};
use crate::live::sink::{SinkSlot, SinkState};
use crate::live::wire::{Exits, Target, Wire};
use crate::live::workers::{FailedState, FailedWay};
use crate::plan::{EdgeIndex, Head, NodeIndex, Plan, Role};
use crate::rim::Source;

use super::rebuild::Carried;
use super::{Flow, Fresh, Maker, RunningSource};

/// The parts of a flow while it is built.
pub(super) struct Builder<'b> {
    pub(super) maker: &'b Maker,
    pub(super) env: &'b Arc<Env>,
    pub(super) plan: &'b Plan,
    pub(super) inboxes: BTreeMap<NodeIndex, Arc<[Arc<Inbox>]>>,
    /// Number of an edge in the inboxes of its receiver.
    pub(super) lanes: BTreeMap<EdgeIndex, usize>,
    pub(super) channels: BTreeMap<NodeId, Arc<Channel>>,
    pub(super) sources: BTreeMap<NodeId, RunningSource>,
}

impl Builder<'_> {
    pub(super) fn place_inboxes(&mut self) {
        for (number, node) in self.plan.nodes.iter().enumerate() {
            let heads = |line: usize| self.plan.lines[line].head == Head::Inbox(number);
            let count = match (node.role, node.line) {
                (Role::Sink, _) => 1,
                (Role::Operator | Role::Repartition, Some(line)) if heads(line) => {
                    self.plan.lines[line].instances
                }
                _ => continue,
            };
            let inboxes: Arc<[Arc<Inbox>]> = (0..count).map(|_| Arc::new(Inbox::new())).collect();
            for &edge in &self.plan.nodes[number].ins {
                let held = &self.plan.edges[edge];
                for inbox in inboxes.iter() {
                    let lane = inbox.add_lane(held.id.clone(), held.capacity, held.when_full);
                    self.lanes.insert(edge, lane);
                }
            }
            self.inboxes.insert(number, inboxes);
        }
    }

    /// Answers events of subscriptions that went away, with their channel.
    pub(super) fn place_channels(
        &mut self,
        fresh: &Fresh,
        running: Option<&Flow>,
    ) -> Vec<(NodeId, graph_model::event::Event)> {
        let mut orphans = Vec::new();
        for node in &self.plan.nodes {
            let Role::Channel(kind) = node.role else {
                continue;
            };
            let terms = fresh.terms[&node.id].clone();
            let placed_alike = |flow: &&Flow| {
                let fields = ["key", "group", "partitions"];
                flow.plan.document.nodes.get(&node.id).is_some_and(|old| {
                    old.kind == node.node.kind
                        && fields
                            .iter()
                            .all(|field| old.config.get(field) == node.node.config.get(field))
                })
            };
            let kept = running
                .filter(placed_alike)
                .and_then(|flow| flow.channels.get(&node.id));
            let channel = kept.cloned().unwrap_or_else(|| {
                let spec = &self.maker.kinds[&node.node.kind].spec;
                let partitions = spec
                    .config(&node.node, "partitions")
                    .and_then(Value::as_i64)
                    .unwrap_or(1);
                let state =
                    ChannelState::new(kind, partitions.clamp(1, 1024) as u32, terms.clone());
                let key = fresh.keys.get(&node.id).cloned();
                Arc::new(Channel::new(node.id.clone(), key, state, self.env))
            });
            let mut readers = Vec::new();
            let mut has_failed_wire = false;
            for (port, edges) in node.outs.iter().enumerate() {
                if Some(port) == node.failed {
                    has_failed_wire = !edges.is_empty();
                } else {
                    readers.extend(edges.iter().map(|edge| self.plan.edges[*edge].id.clone()));
                }
            }
            let before = running
                .map(|flow| flow.readers_of(&node.id))
                .unwrap_or_default();
            // A wire that was cut to put something between has a new name.
            let gone = before.iter().filter(|edge| !readers.contains(edge));
            let came = readers.iter().filter(|edge| !before.contains(edge));
            let renamed = came.cloned().zip(gone.cloned()).collect();
            let readers: Vec<Subscriber> = readers
                .into_iter()
                .map(|edge| Subscriber {
                    one_by_one: self.leads_to_transactional(&edge, fresh),
                    edge,
                })
                .collect();
            let left = channel.refit(terms, &readers, &renamed, has_failed_wire);
            orphans.extend(left.into_iter().map(|event| (node.id.clone(), event)));
            self.channels.insert(node.id.clone(), channel);
        }
        orphans
    }

    /// Whether deliveries along an edge of a channel bring events into a transactional log.
    fn leads_to_transactional(&self, edge: &EdgeId, fresh: &Fresh) -> bool {
        let first = self.plan.edges.iter().find(|held| held.id == *edge);
        let mut next: Vec<NodeIndex> = first.map(|edge| edge.to).into_iter().collect();
        let mut seen = BTreeSet::new();
        while let Some(node) = next.pop().filter(|node| seen.insert(*node)) {
            let held = &self.plan.nodes[node];
            match held.role {
                Role::Channel(_) if fresh.terms[&held.id].transactional => return true,
                Role::Channel(_) | Role::Source => {}
                Role::Operator | Role::Repartition | Role::Sink => {
                    let outs = held.outs.iter().flatten();
                    next.extend(outs.map(|edge| self.plan.edges[*edge].to));
                }
            }
        }
        false
    }

    pub(super) fn place_sources(
        &mut self,
        fresh: &mut Fresh,
        running: Option<&Flow>,
    ) -> Vec<(NodeId, Box<dyn Source>)> {
        let mut starting = Vec::new();
        for node in self
            .plan
            .nodes
            .iter()
            .filter(|node| node.role == Role::Source)
        {
            let source = match fresh.sources.remove(&node.id) {
                Some(source) => {
                    let running = RunningSource {
                        feed: Arc::new(SourceFeed::new(node.id.clone(), self.env)),
                        address: source.address().map(SmolStr::from),
                        task: Arc::default(),
                    };
                    starting.push((node.id.clone(), source));
                    running
                }
                None => match running.and_then(|flow| flow.sources.get(&node.id)) {
                    Some(source) => source.clone(),
                    None => continue,
                },
            };
            self.sources.insert(node.id.clone(), source);
        }
        starting
    }

    /// Builds an instance of a line; with it, for a subscription, the number of its first wire.
    pub(super) fn line(
        &self,
        number: usize,
        instance: u32,
        fresh: &mut Fresh,
        carried: &mut Carried,
    ) -> (Arc<Line>, Option<usize>) {
        let line = &self.plan.lines[number];
        let mut wires = Vec::new();
        let mut ops = Vec::new();
        for &node in &line.nodes {
            let held = &self.plan.nodes[node];
            let (code, tries) = match held.role {
                Role::Source => (Code::Source, 0),
                Role::Repartition => {
                    let partitions = self
                        .maker
                        .number(self.plan, node, "partitions")
                        .unwrap_or(1);
                    let key = fresh.keys[&held.id].clone();
                    (
                        Code::Repartition {
                            key,
                            partitions: partitions.clamp(1, 1024) as u32,
                        },
                        0,
                    )
                }
                _ => match fresh.operators.get_mut(&held.id).and_then(Vec::pop) {
                    Some(operator) => (Code::Operator(operator), 0),
                    None => carried
                        .operators
                        .remove(&(held.id.clone(), instance))
                        .expect("what is not made anew is carried over"),
                },
            };
            let outs = self.outs(node, &mut wires);
            let attempts = self.maker.number(self.plan, node, "attempts").unwrap_or(1);
            ops.push(Op {
                id: held.id.clone(),
                code,
                pending: std::collections::VecDeque::new(),
                outs,
                failed: held.failed,
                meter: self.env.meters.node(&held.id),
                attempts_max: attempts.max(1) as u32,
                retry_pause_ms: self.maker.pause_ms(self.plan, node),
                tries,
                idle_since_us: Some(self.env.world.elapsed_us()),
            });
        }
        let first = match line.head {
            Head::Subscription(edge) => {
                wires.push(self.wire(edge));
                Some(wires.len() - 1)
            }
            Head::Source(_) | Head::Inbox(_) => None,
        };
        let state = LineState::new(ops, Exits::new(wires), instance, line.instances);
        let built = Arc::new(Line::new(self.env, state));
        if let Head::Source(node) = line.head
            && let Some(source) = self.sources.get(&self.plan.nodes[node].id)
        {
            source.feed.lead_to(Some(Arc::clone(&built)));
        }
        (built, first)
    }

    pub(super) fn place_sinks(
        &self,
        fresh: &mut Fresh,
        carried: &mut Carried,
    ) -> BTreeMap<NodeId, Arc<SinkSlot>> {
        let mut sinks = BTreeMap::new();
        for (number, node) in self.plan.nodes.iter().enumerate() {
            if node.role != Role::Sink {
                continue;
            }
            let mut wires = Vec::new();
            let outs = self.outs(number, &mut wires);
            let sink = fresh
                .sinks
                .remove(&node.id)
                .or_else(|| carried.sinks.remove(&node.id));
            let state = SinkState {
                retired: false,
                sink,
                hand: carried.hands.remove(&node.id).unwrap_or_default().into(),
                exits: Exits::new(wires),
                outs,
                failed: node.failed,
                attempts_max: self
                    .maker
                    .number(self.plan, number, "attempts")
                    .unwrap_or(3)
                    .max(1) as u32,
                retry_pause_ms: self.maker.pause_ms(self.plan, number),
            };
            let slot = SinkSlot {
                id: node.id.clone(),
                env: Arc::clone(self.env),
                inbox: Arc::clone(&self.inboxes[&number][0]),
                meter: self.env.meters.node(&node.id),
                state: Mutex::new(state),
            };
            sinks.insert(node.id.clone(), Arc::new(slot));
        }
        sinks
    }

    pub(super) fn place_failed_ways(&self) -> Vec<Arc<FailedWay>> {
        let mut ways = Vec::new();
        for node in &self.plan.nodes {
            let (Role::Channel(_), Some(port)) = (node.role, node.failed) else {
                continue;
            };
            if node.outs[port].is_empty() {
                continue;
            }
            let wires: Vec<Wire> = node.outs[port]
                .iter()
                .map(|edge| self.wire(*edge))
                .collect();
            ways.push(Arc::new(FailedWay {
                channel: Arc::clone(&self.channels[&node.id]),
                env: Arc::clone(self.env),
                state: Mutex::new(FailedState {
                    retired: false,
                    wires: (0..wires.len()).collect(),
                    exits: Exits::new(wires),
                }),
            }));
        }
        ways
    }

    pub(super) fn outs(&self, node: NodeIndex, wires: &mut Vec<Wire>) -> Vec<Vec<usize>> {
        let ports = self.plan.nodes[node].outs.iter();
        ports
            .map(|edges| {
                let numbers = edges.iter().map(|edge| {
                    wires.push(self.wire(*edge));
                    wires.len() - 1
                });
                numbers.collect()
            })
            .collect()
    }

    pub(super) fn wire(&self, edge: EdgeIndex) -> Wire {
        let held = &self.plan.edges[edge];
        let to = &self.plan.nodes[held.to];
        let target = match to.role {
            Role::Operator | Role::Repartition if held.fused => {
                let line = to
                    .line
                    .expect("a fused edge leads to an operator of a line");
                let nodes = &self.plan.lines[line].nodes;
                let op = nodes.iter().position(|node| *node == held.to);
                Target::Op(op.expect("a line lists its operators"))
            }
            Role::Operator | Role::Repartition | Role::Sink => Target::Inbox {
                instances: Arc::clone(&self.inboxes[&held.to]),
                lane: self.lanes[&edge],
            },
            Role::Channel(_) => Target::Channel(Arc::clone(&self.channels[&to.id])),
            Role::Source => Target::Reply(Arc::clone(&self.sources[&to.id].feed.replies)),
        };
        Wire {
            meter: self.env.meters.edge(&held.id),
            from: self.plan.nodes[held.from].id.clone(),
            target,
            input: held.input,
            looping: held.looping,
        }
    }
}
