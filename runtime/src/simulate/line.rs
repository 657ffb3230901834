//! Lines in a simulation: operators that hand events to each other within one step.

use std::collections::VecDeque;
use std::sync::Arc;

use graph_model::event::Event;

use super::agenda::Task;
use super::fault::{FaultKind, Point};
use super::outcome::Ended;
use super::run::{Item, Parcel, Run, Sender};
use super::shape::{Model, Target};
use crate::delivery::Share;
use crate::live::{partition, with_cause};
use crate::operator::{Context, Failure, FailureClass, Operator};
use crate::plan::{Head, LineIndex, Role};
use crate::world::World;

/// Longest pause between two tries of an operator.
const PAUSE_US_MAX: u64 = 30_000_000;

/// Why an event is given up that a node can never handle.
pub(super) const REFUSED: &str = "it cannot be handled";

/// One instance of a line; made when its first event comes.
pub(super) struct Instance {
    pub(super) ops: Vec<Op>,
    /// Events that wait for room.
    pub(super) outbox: VecDeque<Parcel>,
    /// It goes on no earlier.
    pub(super) retry_us: u64,
}

/// An operator in its line.
pub(super) struct Op {
    /// Nothing for sources, and for what only moves events.
    pub(super) code: Option<Box<dyn Operator>>,
    pub(super) pending: VecDeque<Item>,
    pub(super) tries: u32,
    /// Since when it has had no event; nothing once it was told.
    pub(super) idle_since_us: Option<u64>,
    pub(super) clock_ms: i64,
}

/// What breaks down around an event, and when.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Broken {
    BeforeAck,
    AfterAck,
}

impl Instance {
    pub(super) fn is_quiet(&self) -> bool {
        self.outbox.is_empty() && self.ops.iter().all(|op| op.pending.is_empty())
    }

    pub(super) fn waiting(&self) -> usize {
        self.outbox.len() + self.ops.iter().map(|op| op.pending.len()).sum::<usize>()
    }
}

impl Run {
    /// An instance, to be put back when it has worked. Nothing when it cannot be made.
    pub(super) fn take_instance(
        &mut self,
        line: LineIndex,
        number: usize,
    ) -> Option<Box<Instance>> {
        if let Some(held) = self.lines[line][number].take() {
            return Some(held);
        }
        let shape = Arc::clone(&self.shape);
        let mut ops = Vec::with_capacity(shape.plan.lines[line].nodes.len());
        for &node in &shape.plan.lines[line].nodes {
            let code = match shape.plan.nodes[node].role {
                Role::Operator => match self.stage.operator(&shape.plan, node) {
                    Ok(operator) => Some(operator),
                    Err(problem) => {
                        self.ended = Some(Ended::Broken(problem));
                        return None;
                    }
                },
                _ => None,
            };
            ops.push(Op {
                code,
                pending: VecDeque::new(),
                tries: 0,
                idle_since_us: None,
                clock_ms: 0,
            });
        }
        Some(Box::new(Instance {
            ops,
            outbox: VecDeque::new(),
            retry_us: 0,
        }))
    }

    /// Works until nothing is left to do or something has to be waited for.
    pub(super) fn work(&mut self, line: LineIndex, number: usize, mut held: Box<Instance>) {
        let who = Sender::Line {
            line,
            instance: number,
        };
        let mut keep = true;
        loop {
            if !self.flush(&mut held.outbox, who) || held.retry_us > self.now_us {
                break;
            }
            if self.ended.is_some() {
                break;
            }
            let Some(op) = held.ops.iter().position(|op| !op.pending.is_empty()) else {
                break;
            };
            let Some(item) = held.ops[op].pending.pop_front() else {
                break;
            };
            keep = self.handle(line, number, &mut held, op, item);
            if !keep {
                break;
            }
        }
        let quiet = held.is_quiet();
        if keep {
            self.lines[line][number] = Some(held);
        } else {
            self.abandon(held);
        }
        if quiet || !keep {
            self.look_for_more(line, number);
        }
    }

    /// A line that has worked everything off looks at what waits for it.
    pub(super) fn look_for_more(&mut self, line: LineIndex, number: usize) {
        let shape = Arc::clone(&self.shape);
        match shape.plan.lines[line].head {
            Head::Source(_) => {}
            Head::Inbox(node) => {
                if let Some(edge) = self.first_in[node]
                    && let Target::Inbox { first, .. } = shape.targets[edge]
                {
                    self.wake_inbox(first + number);
                }
            }
            Head::Subscription(_) => {
                if let Some(sub) = shape.sub_of[line] {
                    self.wake_after(sub, number);
                }
            }
        }
    }

    /// Lets an operator handle an event. Answers whether its line is still there.
    pub(super) fn handle(
        &mut self,
        line: LineIndex,
        number: usize,
        held: &mut Instance,
        op: usize,
        item: Item,
    ) -> bool {
        let shape = Arc::clone(&self.shape);
        let node = shape.plan.lines[line].nodes[op];
        self.count_step(node, number, &item);
        let mut broken = None;
        if self.strikes.any
            && let Some(kind) = self.strikes.at_node(node)
        {
            self.trace_fault(node, kind, &item);
            match kind {
                FaultKind::Crash(Point::BeforeEffect) => {
                    self.take_away(&item);
                    return false;
                }
                FaultKind::Crash(Point::BeforeAck) => broken = Some(Broken::BeforeAck),
                FaultKind::Crash(Point::AfterAck) | FaultKind::Recycle => {
                    broken = Some(Broken::AfterAck);
                }
                FaultKind::Clock { ms } => held.ops[op].clock_ms = ms,
                FaultKind::Refuse => self.strikes.refuse(node, &item.event.context.id),
                _ => {}
            }
        }
        let kept = (broken == Some(Broken::BeforeAck)).then(|| Item {
            event: item.event.clone(),
            share: item.share.clone(),
            input: item.input,
            fact: item.fact,
        });
        let retried = self.call(line, number, held, op, item);
        match broken {
            None => {}
            // An attempt that failed brought nothing about.
            Some(_) if retried => return false,
            Some(_) => {
                // What it brought about goes its whole way first.
                'whole: for later in op + 1..held.ops.len() {
                    while let Some(item) = held.ops[later].pending.pop_front() {
                        if !self.handle(line, number, held, later, item) {
                            break 'whole;
                        }
                    }
                }
                while let Some(parcel) = held.outbox.pop_front() {
                    self.send_off(parcel);
                }
                if let Some(item) = kept {
                    self.take_away(&item);
                }
                return false;
            }
        }
        true
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
            fact,
        } = item;
        let shape = Arc::clone(&self.shape);
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
        };
        let mut out = std::mem::take(&mut self.out);
        let refused = self.strikes.any && self.strikes.refuses(node, &event.context.id);
        match (&mut held.ops[op].code, &shape.nodes[node].model) {
            _ if refused => out.fail(event, Failure::fatal(REFUSED)),
            (Some(operator), _) => operator.on_event(event, input.into(), &ctx, &mut out),
            (None, Model::Repartition { key, partitions }) => {
                match partition(key, *partitions, &event, now_ms) {
                    Ok(slot) => {
                        self.emit(line, held, op, 0, &event, &share, fact, slot as usize);
                    }
                    Err(failure) => out.fail(event, failure),
                }
            }
            (None, _) => {}
        }
        for (port, mut event) in out.emitted.drain(..) {
            if let Some(replay) = &self.replay {
                replay.apply(&shape.plan.nodes[node].id, &mut event);
            }
            self.emit(line, held, op, port.into(), &event, &share, fact, number);
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
                    self.agenda
                        .add(held.retry_us, Task::Work { line, instance });
                    held.ops[op].pending.push_front(Item {
                        event,
                        share: share.clone(),
                        input,
                        fact,
                    });
                    retried = true;
                } else {
                    self.fail(line, held, op, &event, &failure, tries, &share, fact);
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
        event: &Event,
        share: &Share,
        fact: Option<u32>,
        slot: usize,
    ) {
        let shape = Arc::clone(&self.shape);
        let node = shape.plan.lines[line].nodes[op];
        let Some(edges) = shape.plan.nodes[node].outs.get(port) else {
            return;
        };
        self.note_leaving(node, port, slot, event, fact);
        for &edge in edges {
            self.passed[edge].passed += 1;
            let item = Item {
                event: event.clone(),
                share: share.clone(),
                input: shape.plan.edges[edge].input,
                fact,
            };
            match shape.targets[edge] {
                Target::Op(op) => held.ops[op].pending.push_back(item),
                _ => held.outbox.push_back(Parcel { edge, slot, item }),
            }
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
        fact: Option<u32>,
    ) {
        let shape = Arc::clone(&self.shape);
        let node = &shape.plan.nodes[shape.plan.lines[line].nodes[op]];
        match node.failed.filter(|port| !node.outs[*port].is_empty()) {
            Some(port) => {
                self.meters[shape.plan.lines[line].nodes[op]].dead += 1;
                let dead = with_cause(event, node.id.as_str(), &failure.message, tries);
                self.emit(line, held, op, port, &dead, share, fact, 0);
            }
            None => self.give_up(
                shape.plan.lines[line].nodes[op],
                event,
                tries,
                failure,
                share,
                fact,
            ),
        }
    }
}
