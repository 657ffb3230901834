//! What a line does with one event: it begins, may take time, and brings something about.

use std::rc::Rc;

use graph_model::event::Event;

use super::agenda::Task;
use super::fault::{FaultKind, Point};
use super::line::{Busy, Instance};
use super::load::Call;
use super::run::{Item, Parcel, Root, Run};
use super::service::Start;
use super::shape::{Model, Target};
use crate::delivery::Share;
use crate::live::{partition, with_cause};
use crate::operator::{Context, Failure, FailureClass};
use crate::plan::{EdgeIndex, LineIndex, NodeIndex};
use crate::world::World;

/// Longest pause between two tries of an operator.
const PAUSE_US_MAX: u64 = 30_000_000;

/// Why an event is given up that a node can never handle.
pub(super) const REFUSED: &str = "it cannot be handled";

/// An event that is being handled.
pub(super) struct Begun {
    pub(super) item: Item,
    /// Where, around it, the node breaks down.
    pub(super) broken: Option<Point>,
}

impl Run {
    /// Lets an operator handle an event, for as long as that takes. Answers whether its line is still
    /// there.
    pub(super) fn handle(
        &mut self,
        line: LineIndex,
        number: usize,
        held: &mut Instance,
        op: usize,
        item: Item,
    ) -> bool {
        let node = self.shape.plan.lines[line].nodes[op];
        let (begun, kind) = self.begin(node, number, item);
        if let Some(FaultKind::Clock { ms }) = kind {
            held.ops[op].clock_ms = ms;
        }
        let Some(takes_us) = self.takes_us(node, number, &begun) else {
            return self.finish(line, number, held, op, begun);
        };
        let until_us = self.now_us.saturating_add(takes_us);
        held.busy = Some(Busy {
            op,
            until_us,
            begun,
        });
        let instance = number;
        self.agenda.add(until_us, Task::work(line, instance));
        true
    }

    /// A node takes an event in hand; something may go wrong with it.
    pub(super) fn begin(
        &mut self,
        node: NodeIndex,
        instance: usize,
        item: Item,
    ) -> (Begun, Option<FaultKind>) {
        self.count_step(node, instance, &item);
        let kind = if self.strikes.any {
            self.strikes.at_node(node)
        } else {
            None
        };
        let mut broken = None;
        if let Some(kind) = kind {
            self.trace_fault(node, kind, &item);
            match kind {
                FaultKind::Crash(point) => broken = Some(point),
                FaultKind::Recycle => broken = Some(Point::AfterAck),
                FaultKind::Refuse => self.strikes.refuse(node, &item.event.context.id),
                FaultKind::Slow { times } => self.strikes.slow_down(node, times),
                _ => {}
            }
        }
        (Begun { item, broken }, kind)
    }

    /// How long the handling takes that has just begun; nothing when it is done at once.
    pub(super) fn takes_us(
        &mut self,
        node: NodeIndex,
        instance: usize,
        begun: &Begun,
    ) -> Option<u64> {
        let service = self.shape.nodes[node].service?;
        if self.at_once {
            return None;
        }
        let mut takes_us = service.draw_us(&self.stage.world);
        takes_us = takes_us.saturating_mul(self.strikes.times(node));
        if let Some(start) = service.start {
            takes_us = self.start(start, node, instance, takes_us);
        }
        if begun.broken == Some(Point::BeforeEffect) {
            // It breaks down in the middle.
            takes_us /= 2;
        }
        let load = &mut self.loads[node];
        load.waits.add(self.now_us - begun.item.since_us);
        load.services.add(takes_us);
        if self.trace.keeps_events() {
            load.calls.push(Call {
                came_us: begun.item.since_us,
                began_us: self.now_us,
                takes_us,
                fact: begun.item.root.fact,
            });
        }
        Some(takes_us)
    }

    /// How long a call takes on an instance that may have to start, and would take so long on a warm one.
    pub(super) fn start(
        &mut self,
        start: Start,
        node: NodeIndex,
        instance: usize,
        warm_us: u64,
    ) -> u64 {
        let warmth = self.warmth.entry((node, instance));
        let warmth = warmth.or_insert_with(|| start.begin());
        start.call(warmth, self.now_us, warm_us)
    }

    /// The handling of an event ends. Answers whether its line is still there.
    pub(super) fn finish(
        &mut self,
        line: LineIndex,
        number: usize,
        held: &mut Instance,
        op: usize,
        begun: Begun,
    ) -> bool {
        let Begun { item, broken } = begun;
        let kept = match broken {
            Some(Point::BeforeEffect) => {
                self.take_away(&item);
                return false;
            }
            Some(Point::BeforeAck) => Some(item.copy()),
            Some(Point::AfterAck) | None => None,
        };
        let retried = self.call(line, number, held, op, item);
        if broken.is_none() {
            return true;
        }
        // An attempt that failed brought nothing about; otherwise that goes its whole way first.
        if !retried {
            let before = std::mem::replace(&mut self.at_once, true);
            'whole: for later in op + 1..held.ops.len() {
                while let Some(item) = held.ops[later].pending.pop_front() {
                    if !self.handle(line, number, held, later, item) {
                        break 'whole;
                    }
                }
            }
            self.at_once = before;
            while let Some(parcel) = held.outbox.pop_front() {
                self.send_off(parcel);
            }
            if let Some(item) = kept {
                self.take_away(&item);
            }
        }
        false
    }

    /// Calls an operator; answers whether it tries the same event again.
    fn call(
        &mut self,
        line: LineIndex,
        number: usize,
        held: &mut Instance,
        op: usize,
        item: Item,
    ) -> bool {
        let Item {
            event,
            share,
            input,
            root,
            since_us,
        } = item;
        let shape = Rc::clone(&self.shape);
        let node = shape.plan.lines[line].nodes[op];
        let now_ms = self
            .stage
            .world
            .now_ms()
            .saturating_add(held.ops[op].clock_ms);
        let ctx = Context {
            now_ms,
            random: self.stage.world.random(),
            instance: number as u32,
            instances: shape.plan.lines[line].instances,
            share: Some(&share),
            waiting: None,
        };
        let mut out = std::mem::take(&mut self.out);
        let refused = self.strikes.any && self.strikes.refuses(node, &event.context.id);
        match (&mut held.ops[op].code, &shape.nodes[node].model) {
            _ if refused => out.fail(event, Failure::fatal(REFUSED)),
            (Some(operator), _) => operator.on_event(event, input.into(), &ctx, &mut out),
            (None, Model::Repartition { key, partitions }) => {
                match partition(key, *partitions, &event, now_ms) {
                    Ok(slot) => {
                        self.emit(line, held, op, 0, event, &share, root, slot as usize);
                    }
                    Err(failure) => out.fail(event, failure),
                }
            }
            (None, _) => {}
        }
        for (port, mut event) in out.emitted.drain(..) {
            if let Some(replay) = &self.replay {
                let id = &shape.plan.nodes[node].id;
                replay.apply(id, root.fact, &mut event, &mut self.spoken);
            }
            self.emit(line, held, op, port.into(), event, &share, root, number);
        }
        let mut retried = false;
        if out.failed.is_empty() {
            held.ops[op].tries = 0;
        } else {
            held.ops[op].tries += 1;
            let (tries, model) = (held.ops[op].tries, &shape.nodes[node]);
            self.meters[node].failed += out.failed.len() as u64;
            let alone = out.failed.len() == 1;
            for (event, failure) in out.failed.drain(..) {
                if alone && failure.class != FailureClass::Invalid && tries < model.attempts_max {
                    self.meters[node].retried += 1;
                    let pause_us = model.pause_us << (tries - 1).min(16);
                    held.retry_us = self.now_us + pause_us.min(PAUSE_US_MAX);
                    let instance = number;
                    self.agenda.add(held.retry_us, Task::work(line, instance));
                    held.ops[op].pending.push_front(Item {
                        event,
                        share: share.clone(),
                        input,
                        root,
                        since_us,
                    });
                    retried = true;
                } else {
                    self.fail(line, held, op, &event, &failure, tries, &share, root);
                }
            }
            if !retried {
                held.ops[op].tries = 0;
            }
        }
        self.out = out;
        self.wait_for_idle(line, number, held, op);
        retried
    }

    /// Sends an event out of a port of an operator.
    #[expect(
        clippy::too_many_arguments,
        reason = "the parts of one item at one port"
    )]
    pub(super) fn emit(
        &mut self,
        line: LineIndex,
        held: &mut Instance,
        op: usize,
        port: usize,
        event: Event,
        share: &Share,
        root: Root,
        slot: usize,
    ) {
        let shape = Rc::clone(&self.shape);
        let node = shape.plan.lines[line].nodes[op];
        let Some(edges) = shape.plan.nodes[node].outs.get(port) else {
            return;
        };
        self.note_leaving(node, port, slot, &event, root);
        let mut send = |edge: EdgeIndex, event| {
            self.passed[edge].passed += 1;
            let item = Item {
                event,
                share: share.clone(),
                input: shape.plan.edges[edge].input,
                root,
                since_us: self.now_us,
            };
            match shape.targets[edge] {
                Target::Op(op) => held.ops[op].pending.push_back(item),
                _ => held.outbox.push_back(Parcel { edge, slot, item }),
            }
        };
        if let Some((last, others)) = edges.split_last() {
            for edge in others {
                send(*edge, event.clone());
            }
            send(*last, event);
        }
    }

    /// Ends an event that an operator cannot handle.
    #[expect(
        clippy::too_many_arguments,
        reason = "the parts of one item and its failure"
    )]
    pub(super) fn fail(
        &mut self,
        line: LineIndex,
        held: &mut Instance,
        op: usize,
        event: &Event,
        failure: &Failure,
        tries: u32,
        share: &Share,
        root: Root,
    ) {
        let shape = Rc::clone(&self.shape);
        let node = &shape.plan.nodes[shape.plan.lines[line].nodes[op]];
        match node.failed.filter(|port| !node.outs[*port].is_empty()) {
            Some(port) => {
                self.meters[shape.plan.lines[line].nodes[op]].dead += 1;
                let dead = with_cause(event, node.id.as_str(), &failure.message, tries);
                self.emit(line, held, op, port, dead, share, root, 0);
            }
            None => self.give_up(
                shape.plan.lines[line].nodes[op],
                event,
                tries,
                failure,
                share,
                root,
            ),
        }
    }
}
