//! A running flow: what it consists of, and what can be asked of it.

mod builder;
mod maker;
mod rebuild;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use graph_model::id::{EdgeId, NodeId};
use runtime_protocol::{Counters, Problem};
use smol_str::SmolStr;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use crate::live::channel::Channel;
use crate::live::env::Env;
use crate::live::feed::SourceFeed;
use crate::live::gate::Mode;
use crate::live::inbox::Inbox;
use crate::live::line::Line;
use crate::live::sink::SinkSlot;
use crate::live::wire::Item;
use crate::live::workers::{FailedWay, Subscription, watch_idle, work_inbox, work_subscription};
use crate::operator::Failure;
use crate::plan::{Head, NodeIndex, Plan};
use crate::rim::{Feed, Source};
use crate::world::World;

use self::builder::Builder;
pub(crate) use self::maker::{Fresh, Maker, terms};
use self::rebuild::Carried;

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

/// What a rebuild changed, in nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changed {
    pub kept: u32,
    pub started: u32,
    pub stopped: u32,
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

    /// Whether no source has anything to hand in and nothing is under way.
    pub(crate) fn is_idle(&self) -> bool {
        let moved = self.moved();
        // What was written last may be news to a source.
        self.sources_at_rest() && self.is_quiet() && self.sources_at_rest() && moved == self.moved()
    }

    /// Whether no source has anything at hand that it has not handed in.
    fn sources_at_rest(&self) -> bool {
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
            for line in &self.lines[number] {
                tokio::spawn(watch_idle(Arc::clone(line)));
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
