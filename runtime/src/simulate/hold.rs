//! What operators hold back, and when they send it.

use super::agenda::Task;
use super::line::Instance;
use super::run::{Item, Root, Run};
use crate::delivery::Share;
use crate::operator::{Context, Operator, Output};
use crate::plan::LineIndex;
use crate::world::World;

impl Run {
    /// A line is gone, and with it what it had in hand.
    pub(super) fn abandon(&mut self, mut held: Box<Instance>) {
        let outbox = held.outbox.drain(..).map(|parcel| parcel.item);
        let mut items: Vec<Item> = outbox.collect();
        items.extend(held.busy.take().map(|busy| busy.begun.item));
        for op in &mut held.ops {
            items.extend(op.pending.drain(..));
        }
        drop(held);
        for item in items {
            self.take_away(&item);
        }
    }

    /// Notes when an operator will have waited long enough.
    pub(super) fn wait_for_idle(
        &mut self,
        line: LineIndex,
        instance: usize,
        held: &mut Instance,
        op: usize,
    ) {
        if self.one_by_one {
            return;
        }
        let Some(idle_ms) = held.ops[op].code.as_ref().and_then(|code| code.idle_ms()) else {
            return;
        };
        held.ops[op].idle_since_us = Some(self.now_us);
        let at_us = self.now_us.saturating_add(idle_ms.saturating_mul(1_000));
        self.agenda.add(at_us, Task::idle(line, instance));
    }

    /// Tells operators that have had no event for as long as they wait.
    pub(super) fn tell_idle(&mut self, line: LineIndex, number: usize) {
        let Some(mut held) = self.lines[line][number].take() else {
            return;
        };
        for op in 0..held.ops.len() {
            let waited = &mut held.ops[op];
            let idle_ms = waited.code.as_ref().and_then(|code| code.idle_ms());
            if let (Some(idle_ms), Some(since)) = (idle_ms, waited.idle_since_us)
                && since.saturating_add(idle_ms.saturating_mul(1_000)) <= self.now_us
                && waited.pending.is_empty()
                && held.busy.is_none()
            {
                waited.idle_since_us = None;
                self.release(line, number, &mut held, op, |operator, ctx, out| {
                    operator.on_idle(ctx, out);
                });
            }
        }
        self.work(line, number, held);
    }

    /// No more events will come: lets every operator of a line send what it holds back.
    pub(super) fn end_line(&mut self, line: LineIndex) {
        let before = std::mem::replace(&mut self.at_once, true);
        for number in 0..self.lines[line].len() {
            let Some(mut held) = self.lines[line][number].take() else {
                continue;
            };
            for op in 0..held.ops.len() {
                // What the operators before it have just sent goes first.
                while let Some(item) = held.ops[op].pending.pop_front() {
                    if !self.handle(line, number, &mut held, op, item) {
                        break;
                    }
                }
                self.release(line, number, &mut held, op, |operator, ctx, out| {
                    operator.on_end(ctx, out);
                });
            }
            self.work(line, number, held);
        }
        self.at_once = before;
    }

    /// Lets an operator send what it holds back.
    pub(super) fn release(
        &mut self,
        line: LineIndex,
        number: usize,
        held: &mut Instance,
        op: usize,
        tell: impl FnOnce(&mut dyn Operator, &Context<'_>, &mut Output),
    ) {
        let ctx = Context {
            now_ms: self
                .stage
                .world
                .now_ms()
                .saturating_add(held.ops[op].clock_ms),
            random: self.stage.world.random(),
            instance: number as u32,
            instances: self.shape.plan.lines[line].instances,
            share: None,
            waiting: None,
        };
        let mut out = std::mem::take(&mut self.out);
        if let Some(operator) = &mut held.ops[op].code {
            tell(&mut **operator, &ctx, &mut out);
        }
        let node = self.shape.plan.lines[line].nodes[op];
        for (port, mut event) in out.emitted.drain(..) {
            if let Some(replay) = &self.replay {
                let id = &self.shape.plan.nodes[node].id;
                replay.apply(id, None, &mut event, &mut self.spoken);
            }
            self.emit(
                line,
                held,
                op,
                port.into(),
                event,
                &Share::none(),
                Root::default(),
                number,
            );
        }
        for (event, failure) in out.failed.drain(..) {
            self.fail(
                line,
                held,
                op,
                &event,
                &failure,
                1,
                &Share::none(),
                Root::default(),
            );
        }
        self.out = out;
    }
}
