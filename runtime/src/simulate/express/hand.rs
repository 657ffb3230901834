//! Lines of plain runs: operators that hand events to each other within one step.

use std::collections::VecDeque;

use super::super::agenda::Task;
use super::super::run::{Root, Run};
use super::super::shape::{Shape, Target};
use super::{Express, Load, NotPlain, Plainly};
use crate::operator::{Context, Operator};
use crate::plan::{LineIndex, Role};
use crate::world::World;
use graph_model::event::Event;

/// One instance of a line.
pub(super) struct Hand {
    ops: Vec<Op>,
    /// Events that wait for its operators.
    pending: usize,
    busy: Option<Busy>,
}

struct Op {
    /// Nothing for sources.
    code: Option<Box<dyn Operator>>,
    pending: VecDeque<Load>,
}

/// The handling of an event that takes time.
struct Busy {
    op: usize,
    until_us: u64,
    load: Load,
}

impl Hand {
    /// The instances of a line.
    pub(super) fn all_of(
        run: &Run,
        shape: &Shape,
        line: LineIndex,
    ) -> Result<Vec<Option<Box<Hand>>>, NotPlain> {
        let held = &shape.plan.lines[line];
        let op = |&node: &usize| {
            let code = match shape.plan.nodes[node].role {
                Role::Operator => {
                    let operator = run.stage.operator(&shape.plan, node);
                    Some(operator.map_err(|_| NotPlain)?)
                }
                _ => None,
            };
            Ok(Op {
                code,
                pending: VecDeque::new(),
            })
        };
        let hand = |_| {
            let ops = held.nodes.iter().map(op).collect::<Result<_, _>>()?;
            Ok(Some(Box::new(Hand {
                ops,
                pending: 0,
                busy: None,
            })))
        };
        (0..held.instances).map(hand).collect()
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.busy.is_none() && self.pending == 0
    }

    pub(super) fn waiting(&self) -> usize {
        self.pending + usize::from(self.busy.is_some())
    }

    pub(super) fn loads(&self) -> impl Iterator<Item = &Load> {
        let busy = self.busy.iter().map(|busy| &busy.load);
        self.ops.iter().flat_map(|op| &op.pending).chain(busy)
    }

    pub(super) fn push(&mut self, op: usize, load: Load) {
        self.ops[op].pending.push_back(load);
        self.pending += 1;
    }

    fn waits_for(&self, op: usize) -> bool {
        !self.ops[op].pending.is_empty()
    }

    fn pop(&mut self, op: usize) -> Option<Load> {
        let load = self.ops[op].pending.pop_front()?;
        self.pending -= 1;
        Some(load)
    }
}

impl Express<'_> {
    pub(super) fn take_hand(
        &mut self,
        line: LineIndex,
        slot: usize,
    ) -> Result<Box<Hand>, NotPlain> {
        self.hands[line][slot].take().ok_or(NotPlain)
    }

    /// A line that was at something looks at it again.
    pub(super) fn go_on(&mut self, line: LineIndex, slot: usize) -> Plainly {
        let mut hand = self.take_hand(line, slot)?;
        self.work(line, slot, &mut hand)?;
        self.hands[line][slot] = Some(hand);
        Ok(())
    }

    /// Works until nothing is left to do or something has to be waited for.
    pub(super) fn work(&mut self, line: LineIndex, slot: usize, hand: &mut Hand) -> Plainly {
        loop {
            if let Some(busy) = &hand.busy {
                if busy.until_us > self.run.now_us {
                    return Ok(());
                }
                let Some(Busy { op, load, .. }) = hand.busy.take() else {
                    return Ok(());
                };
                if let Some(sub) = self.shape.sub_of[line] {
                    self.readers[sub][slot].busy_until_us = 0;
                }
                self.call(line, slot, hand, op, load)?;
            } else if hand.pending > 0
                && let Some(op) = self.shape.next_op(line, |op| hand.waits_for(op))
                && let Some(load) = hand.pop(op)
            {
                self.begin(line, slot, hand, op, load)?;
            } else {
                break;
            }
        }
        if let Some(sub) = self.shape.sub_of[line] {
            self.wake_after(sub, slot);
        }
        Ok(())
    }

    /// An operator takes an event in hand, for as long as that takes.
    fn begin(
        &mut self,
        line: LineIndex,
        slot: usize,
        hand: &mut Hand,
        op: usize,
        load: Load,
    ) -> Plainly {
        let node = self.shape.plan.lines[line].nodes[op];
        self.count_step(node, &load)?;
        let Some(service) = self.shape.nodes[node].service else {
            return self.call(line, slot, hand, op, load);
        };
        let run = &mut *self.run;
        let mut takes_us = service.draw_us(&run.stage.world);
        if let Some(start) = service.start {
            takes_us = run.start(start, node, slot, takes_us);
        }
        let counted = &mut run.loads[node];
        counted.waits.add(run.now_us - load.since_us);
        counted.services.add(takes_us);
        let until_us = run.now_us.saturating_add(takes_us);
        run.agenda.add(
            until_us,
            Task::Work {
                line,
                instance: slot,
            },
        );
        if let Some(sub) = self.shape.sub_of[line] {
            self.readers[sub][slot].busy_until_us = until_us;
        }
        hand.busy = Some(Busy { op, until_us, load });
        Ok(())
    }

    pub(super) fn count_step(&mut self, node: usize, load: &Load) -> Plainly {
        let run = &mut *self.run;
        run.steps += 1;
        run.meters[node].received += 1;
        if load.root.fact.is_some() {
            run.latencies[node].add(run.now_us - load.root.came_us);
        }
        if run.steps >= run.limits.steps_max || run.is_huge(&load.event) {
            return Err(NotPlain);
        }
        Ok(())
    }

    fn call(
        &mut self,
        line: LineIndex,
        slot: usize,
        hand: &mut Hand,
        op: usize,
        load: Load,
    ) -> Plainly {
        let Load {
            event,
            root,
            delivery,
            input,
            ..
        } = load;
        let world = &self.run.stage.world;
        let ctx = Context {
            now_ms: world.now_ms(),
            random: world.random(),
            instance: slot as u32,
            instances: self.shape.plan.lines[line].instances,
            share: None,
            waiting: None,
        };
        let mut out = std::mem::take(&mut self.out);
        if let Some(code) = &mut hand.ops[op].code {
            code.on_event(event, input.into(), &ctx, &mut out);
        }
        if !out.failed.is_empty() {
            return Err(NotPlain);
        }
        for (port, event) in out.emitted.drain(..) {
            self.emit(line, hand, op, port.into(), event, root, delivery)?;
        }
        self.out = out;
        self.release(delivery);
        Ok(())
    }

    /// Sends an event out of a port of an operator.
    #[expect(
        clippy::too_many_arguments,
        reason = "the parts of one load at one port"
    )]
    pub(super) fn emit(
        &mut self,
        line: LineIndex,
        hand: &mut Hand,
        op: usize,
        port: usize,
        event: Event,
        root: Root,
        delivery: Option<u32>,
    ) -> Plainly {
        let node = self.shape.plan.lines[line].nodes[op];
        let edges = self.shape.plan.nodes[node].outs.get(port);
        let Some((last, others)) = edges.and_then(|edges| edges.split_last()) else {
            return Ok(());
        };
        self.run.meters[node].sent += 1;
        let mut event = Some(event);
        for edge in others.iter().chain([last]) {
            let sent = if edge == last {
                event.take()
            } else {
                event.clone()
            };
            let Some(event) = sent else { continue };
            self.run.passed[*edge].passed += 1;
            let load = Load {
                event,
                root,
                since_us: self.run.now_us,
                delivery,
                input: self.shape.plan.edges[*edge].input,
            };
            match self.shape.targets[*edge] {
                Target::Channel(channel) => self.offer(channel, load)?,
                Target::Op(op) => {
                    self.deliveries.share(delivery);
                    hand.push(op, load);
                }
                _ => {
                    self.deliveries.share(delivery);
                    self.put(*edge, load)?;
                }
            }
        }
        Ok(())
    }
}
