//! What is counted of a run, and where it is cut off.

use graph_model::event::Event;
use graph_model::id::NodeId;
use runtime_protocol::Problem;

use super::channel::ChannelRun;
use super::fault::FaultKind;
use super::outcome::{Ended, Limit};
use super::run::{Item, LOOK_EVERY, Root, Run};
use super::trace::What;
use crate::delivery::Share;
use crate::live::with_cause;
use crate::operator::Failure;
use crate::plan::NodeIndex;

impl Run {
    /// The end of an event that no wire leads on.
    pub(super) fn give_up(
        &mut self,
        node: NodeIndex,
        event: &Event,
        tries: u32,
        failure: &Failure,
        share: &Share,
        root: Root,
    ) {
        let id = &self.shape.plan.nodes[node].id;
        self.trace
            .add(self.now_us, What::GivenUp, id, 0, &event.context.id, root);
        let dead = || with_cause(event, id.as_str(), &failure.message, tries);
        self.trace.keep_made(dead);
        if !share.give_up(failure) {
            self.meters[node].dead += 1;
            self.dead.push(dead());
        }
    }

    /// An event leaves a node by a port, whether a wire leads it on or not; `slot` is the instance that
    /// sends it.
    pub(super) fn note_leaving(
        &mut self,
        node: NodeIndex,
        port: usize,
        slot: usize,
        event: &Event,
        root: Root,
    ) {
        let from = &self.shape.plan.nodes[node];
        let (at_us, port_number) = (self.now_us, port as u16);
        if from.outs[port].is_empty() {
            self.trace
                .keep_unled(at_us, &from.id, port_number, event, root);
            return;
        }
        self.meters[node].sent += 1;
        let event_id = &event.context.id;
        self.trace
            .add(at_us, What::Emitted, &from.id, port_number, event_id, root);
        self.trace.keep(slot, event);
    }

    /// A node handles an event.
    pub(super) fn count_step(&mut self, node: NodeIndex, instance: usize, item: &Item) {
        self.steps += 1;
        self.meters[node].received += 1;
        if item.root.fact.is_some() {
            let since_us = self.now_us - item.root.came_us;
            self.latencies[node].add(since_us);
        }
        let id = &self.shape.plan.nodes[node].id;
        let event = &item.event.context.id;
        self.trace
            .add(self.now_us, What::Handled, id, item.input, event, item.root);
        self.trace.keep(instance, &item.event);
        if self.steps >= self.limits.steps_max && self.ended.is_none() {
            self.ended = Some(Ended::Limit {
                limit: Limit::Steps(self.limits.steps_max),
                node: self.busiest(),
            });
        }
    }

    pub(super) fn look_at_limits(&mut self) {
        if self.ended.is_some() || !self.agenda.noted().is_multiple_of(LOOK_EVERY) {
            return;
        }
        // Nobody may go on for ever, even without handling anything.
        let tasks_max = self
            .limits
            .steps_max
            .saturating_mul(16)
            .saturating_add(100_000);
        if self.agenda.noted() > tasks_max {
            self.ended = Some(Ended::Limit {
                limit: Limit::Steps(self.limits.steps_max),
                node: self.busiest(),
            });
            return;
        }
        let in_flight = self.in_flight();
        let bytes = self.grown + self.trace.weight();
        let limit = if in_flight > self.limits.in_flight_max {
            Limit::InFlight(self.limits.in_flight_max)
        } else if bytes > self.limits.bytes_max {
            Limit::Bytes(self.limits.bytes_max)
        } else {
            return;
        };
        self.ended = Some(Ended::Limit {
            limit,
            node: self.busiest(),
        });
    }

    pub(super) fn in_flight(&self) -> u64 {
        let inboxes = self.inboxes.iter().map(|inbox| inbox.items.len());
        let channels = self.channels.iter().flatten().map(ChannelRun::held);
        let lines = self.lines.iter().flatten().flatten();
        let lines = lines.map(|line| line.waiting());
        let parked = self.parked.len() - self.free.len();
        inboxes.chain(channels).chain(lines).sum::<usize>() as u64 + parked as u64
    }

    pub(super) fn note(&mut self, problem: Problem) {
        if !self.notes.contains(&problem) {
            self.notes.push(problem);
        }
    }

    pub(super) fn trace_fault(&mut self, node: NodeIndex, kind: FaultKind, item: &Item) {
        let id = &self.shape.plan.nodes[node].id;
        let event = &item.event.context.id;
        let sort = kind.sort() as u16;
        self.trace
            .add(self.now_us, What::Fault, id, sort, event, item.root);
    }

    /// The node that has handled the most events.
    pub(super) fn busiest(&self) -> Option<NodeId> {
        let meters = self.meters.iter().enumerate();
        let busiest = meters.max_by_key(|(node, meter)| (meter.received, usize::MAX - node));
        busiest.map(|(node, _)| self.shape.plan.nodes[node].id.clone())
    }
}
