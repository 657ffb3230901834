//! Rebuilds a flow in mid-run: takes out what is under way, and puts it where it belongs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use graph_model::id::{EdgeId, NodeId};

use crate::live::line::Code;
use crate::live::meters::EdgeMeter;
use crate::live::sink::close;
use crate::live::wire::Item;
use crate::operator::Failure;
use crate::plan::{EdgeIndex, Head, NodeIndex, Plan, Role};
use crate::rim::Sink;

use super::Flow;

/// What is under way in a flow that is about to be rebuilt.
#[derive(Default)]
pub(super) struct Carried {
    pub(super) operators: BTreeMap<(NodeId, u32), (Code, u32)>,
    pub(super) sinks: BTreeMap<NodeId, Box<dyn Sink>>,
    pub(super) hands: BTreeMap<NodeId, Vec<(Item, u32)>>,
    /// Events that had arrived in front of a node.
    pub(super) arrived: Vec<OnEdge>,
    /// Events that waited to be sent.
    pub(super) leaving: Vec<OnEdge>,
    /// Events in front of an operator, with its instance.
    pub(super) at_nodes: Vec<(NodeId, u32, Item)>,
}

/// An event on an edge of the flow that is rebuilt.
pub(super) struct OnEdge {
    pub(super) edge: EdgeId,
    /// Instance of the sender.
    pub(super) instance: u32,
    /// Instance of the receiver.
    pub(super) slot: u32,
    pub(super) item: Item,
}

impl Flow {
    /// Takes out everything that is under way. Operators that do not go on send what they hold back.
    pub(super) async fn retire(&self, staying: &BTreeSet<NodeId>, carried: &mut Carried) {
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
    pub(super) async fn put_back(
        &self,
        before: &Plan,
        carried: Carried,
        lanes: &BTreeMap<EdgeIndex, usize>,
    ) {
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

    pub(super) fn index_of(&self, id: &NodeId) -> Option<NodeIndex> {
        self.plan.nodes.iter().position(|node| node.id == *id)
    }

    fn lost(&self, at: &NodeId, message: &str, item: &Item) {
        let meter = self.env.meters.node(at);
        let failure = Failure::transient(message);
        self.env
            .give_up(at, &meter, &item.event, 1, &failure, &item.share);
    }

    /// Places an event in front of a node without waiting for anything.
    pub(super) async fn place(&self, node: NodeIndex, slot: u32, lane: Option<usize>, item: Item) {
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

    /// Ends what the next flow does not go on with.
    pub(super) async fn leave(&self, next: &Flow, sinks: BTreeMap<NodeId, Box<dyn Sink>>) {
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
