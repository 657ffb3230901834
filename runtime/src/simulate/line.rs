//! Lines in a simulation: operators that hand events to each other within one step.

use std::collections::VecDeque;
use std::rc::Rc;

use super::handle::Begun;
use super::outcome::Ended;
use super::run::{Item, Parcel, Run, Sender};
use super::service::Warmth;
use super::shape::Target;
use crate::operator::Operator;
use crate::plan::{Head, LineIndex, Role};

/// One instance of a line; made when its first event comes.
pub(super) struct Instance {
    pub(super) ops: Vec<Op>,
    /// Events that wait for room.
    pub(super) outbox: VecDeque<Parcel>,
    /// It goes on no earlier.
    pub(super) retry_us: u64,
    /// What it is at.
    pub(super) busy: Option<Busy>,
}

/// The handling of an event that takes time.
pub(super) struct Busy {
    pub(super) op: usize,
    pub(super) until_us: u64,
    pub(super) begun: Begun,
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

impl Instance {
    pub(super) fn is_quiet(&self) -> bool {
        self.busy.is_none()
            && self.outbox.is_empty()
            && self.ops.iter().all(|op| op.pending.is_empty())
    }

    /// Whether it is at something that lasts longer.
    pub(super) fn is_busy_after(&self, at_us: u64) -> bool {
        let busy = self.busy.as_ref();
        busy.is_some_and(|busy| busy.until_us > at_us)
    }

    pub(super) fn waiting(&self) -> usize {
        let pending = self.ops.iter().map(|op| op.pending.len());
        self.outbox.len() + pending.sum::<usize>() + usize::from(self.busy.is_some())
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
        let shape = Rc::clone(&self.shape);
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
            busy: None,
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
            if let Some(busy) = &held.busy {
                if busy.until_us > self.now_us {
                    break;
                }
                let Some(Busy { op, begun, .. }) = held.busy.take() else {
                    break;
                };
                keep = self.finish(line, number, &mut held, op, begun);
            } else {
                let Some(op) = self
                    .shape
                    .next_op(line, |op| !held.ops[op].pending.is_empty())
                else {
                    break;
                };
                let Some(item) = held.ops[op].pending.pop_front() else {
                    break;
                };
                keep = self.handle(line, number, &mut held, op, item);
            }
            if !keep {
                break;
            }
        }
        let quiet = held.is_quiet();
        if keep {
            self.lines[line][number] = Some(held);
        } else {
            // The one that takes its place has to start.
            for &node in &self.shape.plan.lines[line].nodes {
                if let Some(warmth) = self.warmth.get_mut(&(node, number)) {
                    *warmth = Warmth::default();
                }
            }
            self.abandon(held);
        }
        if quiet || !keep {
            self.look_for_more(line, number);
        }
    }

    /// A line that has worked everything off looks at what waits for it.
    fn look_for_more(&mut self, line: LineIndex, number: usize) {
        let shape = Rc::clone(&self.shape);
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
}
