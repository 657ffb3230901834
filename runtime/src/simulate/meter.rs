//! What is counted of a run, and where it is cut off.

use graph_model::event::Event;
use runtime_protocol::Problem;

use super::fault::FaultKind;
use super::outcome::{Ended, Limit};
use super::run::{Item, Root, Run};
use super::trace::What;
use crate::delivery::Share;
use crate::live::with_cause;
use crate::operator::Failure;
use crate::plan::NodeIndex;

/// What a given-up event weighs beside its payload.
const DEAD_BYTES: usize = 512;

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
            let dead = dead();
            self.keep_dead(node, dead);
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
        if self.is_huge(&item.event) && self.ended.is_none() {
            self.ended = Some(Ended::Limit {
                limit: Limit::Bytes(self.limits.bytes_max),
                node: Some(self.shape.plan.nodes[node].id.clone()),
            });
        }
        if self.steps >= self.limits.steps_max && self.ended.is_none() {
            self.cut_off(Limit::Steps(self.limits.steps_max));
        }
    }

    /// Keeps a given-up event that no wire leads on.
    pub(super) fn keep_dead(&mut self, node: NodeIndex, dead: Event) {
        self.grow(node, (dead.data.weight() + DEAD_BYTES) as isize);
        self.dead.push(dead);
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
}
