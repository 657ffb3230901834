//! A running flow: built from a plan, and rebuilt around what goes on when the plan changes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use graph_model::catalog::Catalog;
use graph_model::id::{EdgeId, NodeId};
use graph_model::value::Value;
use runtime_protocol::{Counters, Problem};
use smol_str::SmolStr;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use super::channel::Channel;
use super::env::Env;
use super::feed::SourceFeed;
use super::gate::Mode;
use super::inbox::Inbox;
use super::line::{Code, Line, LineState, Op};
use super::meters::EdgeMeter;
use super::sink::{SinkSlot, SinkState, close};
use super::wire::{Exits, Item, Target, Wire};
use super::workers::{FailedState, FailedWay, Subscription, work_inbox, work_subscription};
use crate::channels::{ChannelKind, ChannelState, Terms};
use crate::kind::{Build, Kind, Make};
use crate::operator::{Failure, Operator};
use crate::plan::{EdgeIndex, Head, NodeIndex, Plan, Role};
use crate::rim::{Feed, Sink, Source};
use crate::shared::Shared;
use crate::world::World;

/// Makes nodes out of rows of the catalog.
pub(crate) struct Maker {
    pub kinds: BTreeMap<SmolStr, Kind>,
    pub catalog: Catalog,
    pub project: PathBuf,
    pub world: Arc<dyn World>,
    pub shared: Arc<Shared>,
}

/// A flow at work.
pub(crate) struct Flow {
    pub plan: Plan,
    env: Arc<Env>,
    /// By number in the plan and by instance.
    lines: Vec<Vec<Arc<Line>>>,
    inboxes: BTreeMap<NodeIndex, Arc<[Arc<Inbox>]>>,
    sinks: BTreeMap<NodeId, Arc<SinkSlot>>,
    channels: BTreeMap<NodeId, Arc<Channel>>,
    failed_ways: Vec<Arc<FailedWay>>,
    sources: BTreeMap<NodeId, RunningSource>,
}

#[derive(Clone)]
struct RunningSource {
    feed: Arc<SourceFeed>,
    address: Option<SmolStr>,
    task: Arc<Mutex<Option<JoinHandle<()>>>>,
}

/// Nodes made for a plan that what runs cannot provide.
#[derive(Default)]
pub(crate) struct Fresh {
    operators: BTreeMap<NodeId, Vec<Box<dyn Operator>>>,
    sinks: BTreeMap<NodeId, Box<dyn Sink>>,
    sources: BTreeMap<NodeId, Box<dyn Source>>,
    keys: BTreeMap<NodeId, graph_model::expr::Expr>,
    terms: BTreeMap<NodeId, Terms>,
}

/// What a rebuild changed, in nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changed {
    pub kept: u32,
    pub started: u32,
    pub stopped: u32,
}

/// What is under way in a flow that is about to be rebuilt.
#[derive(Default)]
struct Carried {
    operators: BTreeMap<(NodeId, u32), (Code, u32)>,
    sinks: BTreeMap<NodeId, Box<dyn Sink>>,
    hands: BTreeMap<NodeId, Vec<(Item, u32)>>,
    /// Events that had arrived in front of a node.
    arrived: Vec<OnEdge>,
    /// Events that waited to be sent.
    leaving: Vec<OnEdge>,
    /// Events in front of an operator, with its instance.
    at_nodes: Vec<(NodeId, u32, Item)>,
}

/// An event on an edge of the flow that is rebuilt.
struct OnEdge {
    edge: EdgeId,
    /// Instance of the sender.
    instance: u32,
    /// Instance of the receiver.
    slot: u32,
    item: Item,
}

impl Maker {
    pub(crate) fn plan(
        &self,
        document: &Arc<graph_model::document::Document>,
    ) -> Result<Plan, Vec<Problem>> {
        crate::plan::plan(document, &self.catalog, |kind| {
            self.kinds.get(kind).map(|kind| kind.make.role())
        })
    }

    /// Makes every node that `running` cannot provide; says everything that stands in the way.
    pub(crate) fn make(&self, plan: &Plan, running: Option<&Flow>) -> Result<Fresh, Vec<Problem>> {
        let mut fresh = Fresh::default();
        let mut problems = Vec::new();
        for node in &plan.nodes {
            let same = running.filter(|flow| plan.same_node(&flow.plan, &node.id, &self.catalog));
            if let Err(problem) = self.make_node(plan, node, same, &mut fresh) {
                problems.push(problem);
            }
        }
        if problems.is_empty() {
            Ok(fresh)
        } else {
            Err(problems)
        }
    }

    fn make_node(
        &self,
        plan: &Plan,
        node: &crate::plan::PlanNode,
        same: Option<&Flow>,
        fresh: &mut Fresh,
    ) -> Result<(), Problem> {
        let kind = &self.kinds[&node.node.kind];
        let build = Build {
            id: &node.id,
            node: &node.node,
            spec: &kind.spec,
            document: &plan.document,
            project: &self.project,
            world: Arc::clone(&self.world),
            shared: &self.shared,
        };
        match &kind.make {
            Make::Operator(make) => {
                let instances = node.line.map_or(1, |line| plan.lines[line].instances);
                if same.is_none_or(|flow| flow.instances_of(&node.id) != instances) {
                    let made: Result<Vec<_>, Problem> =
                        (0..instances).map(|_| make(&build)).collect();
                    fresh.operators.insert(node.id.clone(), made?);
                }
            }
            Make::Repartition => {
                fresh.keys.insert(node.id.clone(), build.expr("key")?);
            }
            Make::Sink(make) => {
                if same.is_none() {
                    fresh.sinks.insert(node.id.clone(), make(&build)?);
                }
            }
            Make::Source(make) => {
                if same.is_none() {
                    fresh.sources.insert(node.id.clone(), make(&build)?);
                }
            }
            Make::Channel(kind) => {
                fresh.terms.insert(node.id.clone(), terms(*kind, &build)?);
                let key = match kind {
                    ChannelKind::Queue => build.optional_expr("group")?,
                    ChannelKind::Log => build.optional_expr("key")?,
                    ChannelKind::Topic => None,
                };
                if let Some(key) = key {
                    fresh.keys.insert(node.id.clone(), key);
                }
            }
        }
        Ok(())
    }

    fn number(&self, plan: &Plan, node: NodeIndex, field: &str) -> Option<u64> {
        let node = &plan.nodes[node].node;
        let value = self.kinds[&node.kind].spec.config(node, field)?;
        value.as_i64().and_then(|number| u64::try_from(number).ok())
    }

    fn pause_ms(&self, plan: &Plan, node: NodeIndex) -> u64 {
        let node = &plan.nodes[node].node;
        let value = self.kinds[&node.kind].spec.config(node, "retry_pause");
        value
            .and_then(Value::as_str)
            .and_then(graph_model::units::parse_duration)
            .map_or(200, |pause| pause.as_millis() as u64)
    }
}

fn terms(kind: ChannelKind, build: &Build) -> Result<Terms, Problem> {
    let micros = |duration: Duration| duration.as_micros() as u64;
    Ok(Terms {
        capacity: build.whole("capacity")? as usize,
        max_attempts: build.whole("max_attempts")? as u32,
        backoff_us: micros(build.duration("backoff")?),
        visibility_us: match kind {
            ChannelKind::Log => u64::MAX / 2,
            ChannelKind::Queue | ChannelKind::Topic => micros(build.duration("visibility")?),
        },
        concurrency: match kind {
            ChannelKind::Queue => build.whole("concurrency")?.max(1) as usize,
            ChannelKind::Topic | ChannelKind::Log => 256,
        },
    })
}

impl Flow {
    /// Builds the flow of a plan around what is under way in `running`: what did not change goes
    /// on, and no event under way is lost. The gate is left as it was.
    pub(crate) async fn build(
        maker: &Maker,
        env: &Arc<Env>,
        plan: Plan,
        mut fresh: Fresh,
        running: Option<Arc<Flow>>,
    ) -> (Arc<Flow>, Changed) {
        let mode = env.gate.mode();
        env.gate.set(Mode::Held);
        let mut carried = Carried::default();
        let ids = plan.nodes.iter().map(|node| &node.id);
        let staying: BTreeSet<NodeId> = ids
            .filter(|id| !fresh.operators.contains_key(*id))
            .cloned()
            .collect();
        if let Some(running) = &running {
            running.retire(&staying, &mut carried).await;
        }
        let mut changed = Changed::default();
        for node in &plan.nodes {
            let new = fresh.operators.contains_key(&node.id)
                || fresh.sinks.contains_key(&node.id)
                || fresh.sources.contains_key(&node.id)
                || running
                    .as_ref()
                    .is_none_or(|flow| !flow.plan.document.nodes.contains_key(&node.id));
            if new {
                changed.started += 1;
            } else {
                changed.kept += 1;
            }
        }
        if let Some(running) = &running {
            let held = running.plan.nodes.len() as u32;
            changed.stopped = held.saturating_sub(changed.kept);
        }

        let mut builder = Builder {
            maker,
            env,
            plan: &plan,
            inboxes: BTreeMap::new(),
            lanes: BTreeMap::new(),
            channels: BTreeMap::new(),
            sources: BTreeMap::new(),
        };
        builder.place_inboxes();
        let mut orphans = builder.place_channels(&fresh, running.as_deref());
        let starting = builder.place_sources(&mut fresh, running.as_deref());
        let mut lines = Vec::new();
        let mut subscriptions = Vec::new();
        for number in 0..plan.lines.len() {
            let instances = (0..plan.lines[number].instances)
                .map(|instance| {
                    let (line, wire) = builder.line(number, instance, &mut fresh, &mut carried);
                    if let (Some(wire), Head::Subscription(edge)) = (wire, plan.lines[number].head)
                    {
                        let channel = &plan.nodes[plan.edges[edge].from].id;
                        subscriptions.push(Subscription {
                            channel: Arc::clone(&builder.channels[channel]),
                            edge: plan.edges[edge].id.clone(),
                            slot: instance,
                            line: Arc::clone(&line),
                            wire,
                        });
                    }
                    line
                })
                .collect();
            lines.push(instances);
        }
        let sinks = builder.place_sinks(&mut fresh, &mut carried);
        let failed_ways = builder.place_failed_ways();
        let Builder {
            inboxes,
            lanes,
            channels,
            sources,
            ..
        } = builder;
        let flow = Arc::new(Flow {
            env: Arc::clone(env),
            lines,
            inboxes,
            sinks,
            channels,
            failed_ways,
            sources,
            plan,
        });

        let leaving_sinks = std::mem::take(&mut carried.sinks);
        if let Some(running) = &running {
            flow.put_back(&running.plan, carried, &lanes).await;
        }
        for (id, event) in orphans.drain(..) {
            env.bury(
                &id,
                &event,
                1,
                "its subscription was removed; inject it where it belongs",
            );
        }
        flow.start_workers(subscriptions);
        if let Some(running) = &running {
            running.leave(&flow, leaving_sinks).await;
        }
        env.gate.set(mode);
        flow.start_sources(starting, &maker.world).await;
        (flow, changed)
    }

    /// Where its sources listen.
    pub(crate) fn addresses(&self) -> BTreeMap<NodeId, SmolStr> {
        let sources = self.sources.iter();
        sources
            .filter_map(|(id, source)| Some((id.clone(), source.address.clone()?)))
            .collect()
    }

    /// Whether no source has anything at hand that it has not handed in.
    pub(crate) fn sources_at_rest(&self) -> bool {
        self.sources.values().all(|source| source.feed.is_at_rest())
    }

    /// Whether nothing is under way anywhere: not in lines, inboxes, channels or sinks.
    pub(crate) fn is_quiet(&self) -> bool {
        let moved = self.moved();
        !self.env.has_adrift()
            && self.lines.iter().flatten().all(|line| line.is_quiet())
            && self.inboxes.values().all(|inboxes| inboxes.iter().all(|inbox| inbox.is_empty()))
            && self.failed_ways.iter().all(|way| way.is_quiet())
            && self.sinks.values().all(|sink| sink.is_quiet())
            && self.channels.values().all(|channel| channel.held() == 0 || !self.has_readers(&channel.id))
            // An event may have moved from a place not yet looked at to one already looked at.
            && moved == self.moved()
    }

    /// Changes whenever a node takes an event.
    fn moved(&self) -> u64 {
        let nodes = self.plan.nodes.iter();
        nodes
            .map(|node| self.env.meters.node(&node.id).count().received)
            .sum()
    }

    fn has_readers(&self, channel: &NodeId) -> bool {
        let nodes = &self.plan.nodes;
        let node = nodes.iter().find(|node| node.id == *channel);
        node.is_some_and(|node| node.outs.iter().any(|edges| !edges.is_empty()))
    }

    /// Takes nothing new, finishes what is under way, lets operators send what they hold back.
    pub(crate) async fn drain(&self) {
        for source in self.sources.values() {
            source.feed.stop();
        }
        for source in self.sources.values() {
            if let Some(task) = source.task.lock().await.take() {
                let abort = task.abort_handle();
                let ended = tokio::time::timeout(Duration::from_secs(5), task).await;
                if ended.is_err() {
                    let message = "the source did not stop within 5 s and was cut off";
                    self.env
                        .troubles
                        .report(Problem::at(&source.feed.id, message));
                    abort.abort();
                }
            }
        }
        self.quiet().await;
        for line in self.lines.iter().flatten() {
            let mut state = line.lock().await;
            state.end(&self.env);
            drop(line.work_off(state).await);
            self.quiet().await;
        }
        for sink in self.sinks.values() {
            sink.close().await;
        }
        self.abandon().await;
    }

    /// Ends all work at once. What channels still hold becomes dead letters.
    pub(crate) async fn abandon(&self) {
        self.env.gate.set(Mode::Held);
        for source in self.sources.values() {
            source.feed.stop();
            source.feed.lead_to(None);
            if let Some(task) = source.task.lock().await.take() {
                task.abort();
            }
        }
        for line in self.lines.iter().flatten() {
            let mut state = line.lock().await;
            state.retired = true;
            let message = "the run was stopped before it was handled; inject it again";
            for op in &mut state.ops {
                for item in op.pending.drain(..) {
                    self.env.give_up(
                        &op.id,
                        &op.meter,
                        &item.event,
                        1,
                        &Failure::transient(message),
                        &item.share,
                    );
                }
            }
        }
        for sink in self.sinks.values() {
            sink.state.lock().await.retired = true;
        }
        for way in &self.failed_ways {
            way.state.lock().await.retired = true;
        }
        for channel in self.channels.values() {
            if self.has_readers(&channel.id) {
                channel.replace(None);
            }
        }
        self.env.gate.set(Mode::Held); // wakes the workers, which see that they are retired
    }

    async fn quiet(&self) {
        while !self.is_quiet() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Every count of the run, with what nodes hold and what waits on edges now.
    pub(crate) fn counters(&self) -> Counters {
        let mut counters = Counters {
            at_ms: self.env.at_ms(),
            ..Counters::default()
        };
        for edge in &self.plan.edges {
            counters
                .edges
                .insert(edge.id.clone(), self.env.meters.edge(&edge.id).count());
        }
        for node in &self.plan.nodes {
            counters
                .nodes
                .insert(node.id.clone(), self.env.meters.node(&node.id).count());
        }
        for inbox in self.inboxes.values().flat_map(|inboxes| inboxes.iter()) {
            for (edge, waiting) in inbox.waiting() {
                counters.edges.entry(edge).or_default().waiting += waiting;
            }
        }
        for channel in self.channels.values() {
            counters.nodes.entry(channel.id.clone()).or_default().held += channel.held() as u64;
        }
        for line in self.lines.iter().flatten() {
            for (id, pending) in line.pending() {
                counters.nodes.entry(id).or_default().held += pending;
            }
        }
        for sink in self.sinks.values() {
            if let Ok(state) = sink.state.try_lock() {
                counters.nodes.entry(sink.id.clone()).or_default().held += state.hand.len() as u64;
            }
        }
        counters
    }

    /// The feed of a source.
    pub(crate) fn feed(&self, id: &NodeId) -> Option<Arc<SourceFeed>> {
        self.sources.get(id).map(|source| Arc::clone(&source.feed))
    }

    /// Hands an event to the end of an edge; answers `false` when there is no such edge.
    pub(crate) async fn inject(&self, edge: &EdgeId, item: Item) -> bool {
        let Some(edge) = self.plan.edges.iter().find(|held| held.id == *edge) else {
            return false;
        };
        let meter = self.env.meters.edge(&edge.id);
        meter
            .passed
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if meter.tapped.load(std::sync::atomic::Ordering::Relaxed) {
            self.env
                .taps
                .observe(&edge.id, &item.event, self.env.at_ms());
        }
        let item = Item {
            input: edge.input,
            ..item
        };
        self.hand_to(edge.to, 0, None, item).await;
        true
    }

    fn instances_of(&self, id: &NodeId) -> u32 {
        let node = self.plan.nodes.iter().find(|node| node.id == *id);
        node.and_then(|node| node.line)
            .map_or(0, |line| self.plan.lines[line].instances)
    }

    /// Takes out everything that is under way. Operators that do not go on send what they hold back.
    async fn retire(&self, staying: &BTreeSet<NodeId>, carried: &mut Carried) {
        let leaving = |instance: u32, (meter, slot, item): (Arc<EdgeMeter>, u32, Item)| OnEdge {
            edge: meter.id.clone(),
            instance,
            slot,
            item,
        };
        for lines in &self.lines {
            for (instance, line) in (0_u32..).zip(lines) {
                let mut state = line.lock().await;
                state.retired = true;
                let ending: Vec<usize> = (0..state.ops.len())
                    .filter(|op| !staying.contains(&state.ops[*op].id))
                    .collect();
                state.end_some(&ending, &self.env);
                let waiting = state.exits.clear().into_iter();
                carried
                    .leaving
                    .extend(waiting.map(|waiting| leaving(instance, waiting)));
                for op in std::mem::take(&mut state.ops) {
                    let items = op.pending.into_iter();
                    carried
                        .at_nodes
                        .extend(items.map(|item| (op.id.clone(), instance, item)));
                    if staying.contains(&op.id) {
                        carried
                            .operators
                            .insert((op.id, instance), (op.code, op.tries));
                    }
                }
            }
        }
        for sink in self.sinks.values() {
            let mut state = sink.state.lock().await;
            state.retired = true;
            let waiting = state.exits.clear().into_iter();
            carried
                .leaving
                .extend(waiting.map(|waiting| leaving(0, waiting)));
            carried
                .hands
                .insert(sink.id.clone(), state.hand.drain(..).collect());
            if let Some(held) = state.sink.take() {
                carried.sinks.insert(sink.id.clone(), held);
            }
        }
        for way in &self.failed_ways {
            let mut state = way.state.lock().await;
            state.retired = true;
            let waiting = state.exits.clear().into_iter();
            carried
                .leaving
                .extend(waiting.map(|waiting| leaving(0, waiting)));
        }
        // Only now does nobody put anything into an inbox any more.
        for inboxes in self.inboxes.values() {
            for (slot, inbox) in (0_u32..).zip(inboxes.iter()) {
                let items = inbox.clear().into_iter();
                carried.arrived.extend(items.map(|(edge, item)| OnEdge {
                    edge,
                    instance: 0,
                    slot,
                    item,
                }));
            }
        }
    }

    /// Puts what was under way where it belongs now: events that had arrived to where they were,
    /// events that waited to be sent to the same wire. What was sent along a wire that is gone
    /// still arrives; only where its receiver is gone, too, it is sent anew.
    async fn put_back(&self, before: &Plan, carried: Carried, lanes: &BTreeMap<EdgeIndex, usize>) {
        let Carried {
            arrived,
            leaving,
            at_nodes,
            hands,
            ..
        } = carried;
        for (id, hand) in hands {
            for (item, _) in hand {
                self.lost(
                    &id,
                    "its sink was removed; inject it where it belongs",
                    &item,
                );
            }
        }
        for one in arrived {
            match self.same_edge(before, &one.edge) {
                Some(edge) => {
                    let lane = lanes.get(&edge).copied();
                    self.place(self.plan.edges[edge].to, one.slot, lane, one.item)
                        .await;
                }
                None => self.redirect(before, one).await,
            }
        }
        for one in leaving {
            if self.same_edge(before, &one.edge).is_none() {
                self.redirect(before, one).await;
                continue;
            }
            let OnEdge {
                edge,
                instance,
                slot,
                item,
            } = one;
            self.send_later(&edge, instance, slot, item).await;
        }
        for (id, instance, item) in at_nodes {
            match self.index_of(&id) {
                Some(node) => self.place(node, instance, None, item).await,
                None => self.lost(
                    &id,
                    "its node was removed; inject it where it belongs",
                    &item,
                ),
            }
        }
    }

    /// The edge, if it still leads from the same port to the same port.
    fn same_edge(&self, before: &Plan, id: &EdgeId) -> Option<EdgeIndex> {
        let now = self.plan.document.edges.get(id)?;
        let then = before.document.edges.get(id)?;
        (now.from == then.from && now.to == then.to)
            .then(|| self.plan.edges.iter().position(|edge| edge.id == *id))
            .flatten()
    }

    /// An event on a wire that is gone.
    async fn redirect(&self, before: &Plan, one: OnEdge) {
        let Some(old) = before.document.edges.get(&one.edge) else {
            return self.lost(
                &one.edge,
                "its wire was removed; inject it where it belongs",
                &one.item,
            );
        };
        if let Some(receiver) = self.index_of(&old.to.node) {
            return self.place(receiver, one.slot, None, one.item).await;
        }
        let edges = self.plan.document.edges.iter();
        let mut anew = edges
            .filter(|(_, edge)| edge.from == old.from)
            .map(|(id, _)| id);
        let Some(first) = anew.next() else {
            return self.lost(
                &old.to.node,
                "its node was removed; inject it where it belongs",
                &one.item,
            );
        };
        for edge in anew {
            let copy = Item {
                event: one.item.event.clone(),
                share: one.item.share.clone(),
                input: 0,
            };
            self.send_later(edge, one.instance, one.slot, copy).await;
        }
        self.send_later(first, one.instance, one.slot, one.item)
            .await;
    }

    /// Puts an event among those that wait to be sent along an edge.
    async fn send_later(&self, edge: &EdgeId, instance: u32, slot: u32, item: Item) {
        let Some(number) = self.plan.edges.iter().position(|held| held.id == *edge) else {
            return self.lost(
                edge,
                "its wire was removed; inject it where it belongs",
                &item,
            );
        };
        let held = &self.plan.edges[number];
        let item = Item {
            input: held.input,
            ..item
        };
        if held.fused {
            return self.place(held.to, instance, None, item).await;
        }
        let from = &self.plan.nodes[held.from];
        let subscribed = |line: &crate::plan::PlanLine| line.head == Head::Subscription(number);
        let line = from
            .line
            .or_else(|| self.plan.lines.iter().position(subscribed));
        if let Some(line) = line {
            let instances = &self.lines[line];
            let mut state = instances[instance as usize % instances.len()].lock().await;
            state.exits.wait(edge, slot, item);
        } else if let Some(sink) = self.sinks.get(&from.id) {
            sink.state.lock().await.exits.wait(edge, slot, item);
        } else if let Some(way) = self
            .failed_ways
            .iter()
            .find(|way| way.channel.id == from.id)
        {
            way.state.lock().await.exits.wait(edge, slot, item);
        }
    }

    fn index_of(&self, id: &NodeId) -> Option<NodeIndex> {
        self.plan.nodes.iter().position(|node| node.id == *id)
    }

    fn lost(&self, at: &NodeId, message: &str, item: &Item) {
        let meter = self.env.meters.node(at);
        let failure = Failure::transient(message);
        self.env
            .give_up(at, &meter, &item.event, 1, &failure, &item.share);
    }

    /// Places an event in front of a node without waiting for anything.
    async fn place(&self, node: NodeIndex, slot: u32, lane: Option<usize>, item: Item) {
        let held = &self.plan.nodes[node];
        if let (Some(lane), Some(inboxes)) = (lane, self.inboxes.get(&node)) {
            inboxes[slot as usize % inboxes.len()].force(lane, item);
            return;
        }
        match (held.role, held.line) {
            (Role::Operator | Role::Repartition, Some(line)) => {
                let instances = &self.lines[line];
                let mut state = instances[slot as usize % instances.len()].lock().await;
                if let Some(op) = state.ops.iter_mut().find(|op| op.id == held.id) {
                    op.pending.push_back(item);
                }
            }
            (Role::Sink, _) => {
                if let Some(sink) = self.sinks.get(&held.id) {
                    sink.state.lock().await.hand.push_back((item, 0));
                }
            }
            (Role::Channel(_), _) => {
                if let Some(channel) = self.channels.get(&held.id) {
                    let adrift = self.env.adrift();
                    let (channel, env) = (Arc::clone(channel), Arc::clone(&self.env));
                    tokio::spawn(async move {
                        channel.offer_patiently(item, &env).await;
                        drop(adrift);
                    });
                }
            }
            (Role::Source, _) => {
                if let Some(source) = self.sources.get(&held.id) {
                    source.feed.replies.answer(&item.event);
                }
            }
            (Role::Operator | Role::Repartition, None) => {}
        }
    }

    /// Places an event in front of a node and sees to it that it is handled.
    async fn hand_to(&self, node: NodeIndex, slot: u32, lane: Option<usize>, item: Item) {
        self.place(node, slot, lane, item).await;
        let held = &self.plan.nodes[node];
        if let Some(line) = held.line {
            let instances = &self.lines[line];
            kick(&instances[slot as usize % instances.len()]);
        }
        if let Some(sink) = self.sinks.get(&held.id) {
            sink.inbox.arrived.notify_one();
        }
    }

    fn start_workers(&self, subscriptions: Vec<Subscription>) {
        for subscription in subscriptions {
            tokio::spawn(work_subscription(subscription));
        }
        for (number, line) in self.plan.lines.iter().enumerate() {
            match line.head {
                Head::Inbox(node) => {
                    for (line, inbox) in self.lines[number].iter().zip(self.inboxes[&node].iter()) {
                        let id = self.plan.nodes[node].id.clone();
                        tokio::spawn(work_inbox(Arc::clone(line), Arc::clone(inbox), id));
                    }
                }
                Head::Source(_) => self.lines[number].iter().for_each(kick),
                Head::Subscription(_) => {}
            }
        }
        for sink in self.sinks.values() {
            tokio::spawn(Arc::clone(sink).work());
        }
        for way in &self.failed_ways {
            tokio::spawn(Arc::clone(way).work());
        }
    }

    async fn start_sources(
        &self,
        starting: Vec<(NodeId, Box<dyn Source>)>,
        world: &Arc<dyn World>,
    ) {
        for (id, source) in starting {
            let running = &self.sources[&id];
            let feed = Arc::clone(&running.feed);
            let line = Feed {
                line: Arc::clone(&running.feed) as Arc<dyn crate::rim::FeedLine>,
                world: Arc::clone(world),
            };
            let task = tokio::spawn(async move {
                let ended = tokio::spawn(source.run(line)).await;
                let problem = match ended {
                    Ok(Ok(())) => None,
                    Ok(Err(problem)) => Some(problem),
                    Err(error) if error.is_cancelled() => None,
                    Err(error) => Some(Problem::at(
                        &feed.id,
                        format!("the source broke down ({error}); report this"),
                    )),
                };
                if let Some(problem) = problem {
                    feed.env.troubles.report(problem);
                }
                feed.ended();
            });
            *running.task.lock().await = Some(task);
        }
    }

    /// Ends what the next flow does not go on with.
    async fn leave(&self, next: &Flow, sinks: BTreeMap<NodeId, Box<dyn Sink>>) {
        for (id, source) in &self.sources {
            let goes_on = next.sources.get(id);
            if goes_on.is_none_or(|next| !Arc::ptr_eq(&next.feed, &source.feed)) {
                source.feed.stop();
                source.feed.lead_to(None);
            }
        }
        for (id, channel) in &self.channels {
            let successor = next.channels.get(id);
            if successor.is_none_or(|next| !Arc::ptr_eq(next, channel)) {
                channel.replace(successor.cloned());
            }
        }
        for (id, sink) in sinks {
            close(sink, &id, &self.env).await;
        }
    }
}

/// Lets a line work off what it holds.
fn kick(line: &Arc<Line>) {
    let line = Arc::clone(line);
    tokio::spawn(async move {
        let state = line.lock().await;
        if !state.retired {
            drop(line.work_off(state).await);
        }
    });
}

/// The parts of a flow while it is built.
struct Builder<'b> {
    maker: &'b Maker,
    env: &'b Arc<Env>,
    plan: &'b Plan,
    inboxes: BTreeMap<NodeIndex, Arc<[Arc<Inbox>]>>,
    /// Number of an edge in the inboxes of its receiver.
    lanes: BTreeMap<EdgeIndex, usize>,
    channels: BTreeMap<NodeId, Arc<Channel>>,
    sources: BTreeMap<NodeId, RunningSource>,
}

impl Builder<'_> {
    fn place_inboxes(&mut self) {
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
            for edge in self.plan.ins(number) {
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
    fn place_channels(
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
            let left = channel.refit(terms, &readers, &renamed, has_failed_wire);
            orphans.extend(left.into_iter().map(|event| (node.id.clone(), event)));
            self.channels.insert(node.id.clone(), channel);
        }
        orphans
    }

    fn place_sources(
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
    fn line(
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

    fn place_sinks(
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

    fn place_failed_ways(&self) -> Vec<Arc<FailedWay>> {
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

    fn outs(&self, node: NodeIndex, wires: &mut Vec<Wire>) -> Vec<Vec<usize>> {
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

    fn wire(&self, edge: EdgeIndex) -> Wire {
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

impl Flow {
    fn readers_of(&self, channel: &NodeId) -> Vec<EdgeId> {
        let Some(node) = self.plan.nodes.iter().find(|node| node.id == *channel) else {
            return Vec::new();
        };
        let ports = node.outs.iter().enumerate();
        ports
            .filter(|(port, _)| Some(*port) != node.failed)
            .flat_map(|(_, edges)| edges)
            .map(|edge| self.plan.edges[*edge].id.clone())
            .collect()
    }
}
