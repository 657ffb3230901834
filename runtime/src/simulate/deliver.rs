//! Readers take what channels hand out.

use std::rc::Rc;
use std::sync::Arc;

use super::agenda::Task;
use super::channel::{Ack, Copy, Reread};
use super::fault::FaultKind;
use super::run::{Item, Parcel, Parked, RESTART_US, Run};
use super::shape::{Model, Target};
use super::trace::What;
use crate::channels::ChannelKind;
use crate::delivery::Share;

/// Deliveries that a reader is handed at once.
const BATCH: usize = 256;
/// Past deliveries of a reader that may come once more.
const HISTORY_MAX: usize = 256;

impl Run {
    /// A reader looks soon. One that is busy looks when it is done.
    pub(super) fn wake_reader(&mut self, sub: usize, slot: usize) {
        if self.is_busy(sub, slot) {
            return;
        }
        let soon_us = self.now_us + self.hop_us;
        let reader = &mut self.readers[sub][slot];
        if !std::mem::replace(&mut reader.due, true) {
            let at_us = soon_us.max(reader.held_until_us);
            self.agenda.add(at_us, Task::deliver(sub, slot));
        }
    }

    /// Whether the line of a reader is at something that lasts longer than a look takes to come about.
    fn is_busy(&self, sub: usize, slot: usize) -> bool {
        let soon_us = self.now_us + self.hop_us;
        let line = &self.lines[self.shape.subs[sub].line][slot];
        line.as_ref()
            .is_some_and(|line| line.is_busy_after(soon_us))
    }

    /// A reader takes what its channel hands out, and its line handles it.
    pub(super) fn deliver(&mut self, sub: usize, slot: usize, expired: bool) {
        let shape = Rc::clone(&self.shape);
        let held = &shape.subs[sub];
        let reader = &mut self.readers[sub][slot];
        if expired {
            reader.timer_us = 0;
        } else {
            reader.due = false;
        }
        if reader.held_until_us > self.now_us {
            return self.wake_reader(sub, slot);
        }
        let (Model::Channel(channel), Some(run)) = (
            &shape.nodes[held.channel].model,
            &self.channels[held.channel],
        ) else {
            return;
        };
        let post = Arc::clone(&run.post);
        let Some(mut line) = self.take_instance(held.line, slot) else {
            return;
        };
        if !line.is_quiet() {
            // It looks again when it has worked off what it has.
            self.lines[held.line][slot] = Some(line);
            return;
        }
        // Competing consumers take turns.
        let max = if channel.kind == ChannelKind::Queue {
            1
        } else {
            BATCH
        };
        let mut lost = Vec::new();
        let mut taken = std::mem::take(&mut self.taken);
        post.state().take(
            &held.reader,
            slot as u32,
            max,
            self.now_us,
            &mut taken,
            &mut lost,
        );
        for one in lost {
            self.meters[held.channel].failed += 1;
            let root = self.root_of(&one.event, one.mark);
            self.channel_gives_up(held.channel, &one, root);
        }
        self.meters[held.channel].sent += taken.len() as u64;
        for one in taken.drain(..) {
            let root = self.root_of(&one.event, one.mark);
            let share = Share::open(Ack {
                post: Arc::clone(&post),
                reader: held.reader.clone(),
                sub,
                slot,
                ticket: one.ticket,
                event: one.event.context.id.clone(),
                root,
            });
            let id = &shape.plan.nodes[held.channel].id;
            let event_id = &one.event.context.id;
            self.trace
                .add(self.now_us, What::Delivered, id, 0, event_id, root);
            self.trace.keep(slot, &one.event);
            let item = Item {
                event: one.event,
                share,
                input: shape.plan.edges[held.edge].input,
                root,
                since_us: one.mark.since_us,
            };
            self.hand_to_reader(sub, slot, item, &mut line);
        }
        self.taken = taken;
        self.work(held.line, slot, line);
        self.wake_after(sub, slot);
    }

    /// Hands a delivery to a line, unless something goes wrong with it on the way.
    pub(super) fn hand_to_reader(
        &mut self,
        sub: usize,
        slot: usize,
        item: Item,
        line: &mut super::line::Instance,
    ) {
        let shape = Rc::clone(&self.shape);
        let edge = shape.subs[sub].edge;
        self.passed[edge].passed += 1;
        if !self.strikes.any {
            return self.enter(edge, slot, item, line);
        }
        let kind = self.strikes.at_edge(edge);
        if self.strikes.replays_edge(edge) {
            let reader = &mut self.readers[sub][slot];
            if reader.history.len() >= HISTORY_MAX {
                reader.history.pop_front();
                reader.forgotten += 1;
            }
            reader.history.push_back((item.event.clone(), item.root));
        }
        if let Some(kind) = kind {
            self.trace_fault(shape.plan.edges[edge].to, kind, &item);
        }
        let is_log = matches!(
            &shape.nodes[shape.subs[sub].channel].model,
            Model::Channel(channel) if channel.kind == ChannelKind::Log
        );
        // What comes behind something that is held up waits for it, to the end of the same moment.
        let until_us = self.readers[sub][slot].held_until_us;
        let held_us = (until_us > 0).then_some(until_us);
        let held_us = held_us.and_then(|until_us| until_us.checked_sub(self.now_us));
        match kind {
            Some(FaultKind::Duplicate { after_us }) => {
                let again = Item {
                    event: item.event.clone(),
                    share: Share::open(Copy),
                    input: item.input,
                    root: item.root,
                    since_us: item.since_us,
                };
                self.park(
                    after_us,
                    Parked::Deliver {
                        sub,
                        slot,
                        item: again,
                    },
                );
                self.enter(edge, slot, item, line);
            }
            Some(FaultKind::Replay { back }) => {
                let from = self.readers[sub][slot]
                    .got()
                    .saturating_sub(u64::from(back) + 1);
                let again = self.read_again(sub, slot, from);
                for item in std::iter::once(item).chain(again) {
                    match held_us {
                        Some(rest_us) => self.park(rest_us, Parked::Deliver { sub, slot, item }),
                        None => self.enter(edge, slot, item, line),
                    }
                }
            }
            Some(FaultKind::Delay { by_us }) => {
                let mut until_us = self.now_us + by_us;
                if is_log {
                    // Nor does it overtake what is held already.
                    let held = &mut self.readers[sub][slot].held_until_us;
                    until_us = until_us.max(*held);
                    *held = until_us;
                }
                self.park(until_us - self.now_us, Parked::Deliver { sub, slot, item });
            }
            // What comes behind it in its partition waits for it.
            _ => match held_us {
                Some(rest_us) => self.park(rest_us, Parked::Deliver { sub, slot, item }),
                None => self.enter(edge, slot, item, line),
            },
        }
    }

    /// What a reader gets that reads from an earlier place on, to the newest that it got.
    fn read_again(&self, sub: usize, slot: usize, from: u64) -> Vec<Item> {
        let reader = &self.readers[sub][slot];
        let again = (reader.forgotten..).zip(&reader.history);
        let again = again.filter(|(number, _)| *number >= from);
        let items = again.map(|(number, (event, root))| Item {
            event: event.clone(),
            share: Share::open(Reread {
                office: Arc::clone(&self.office),
                sub,
                slot,
                number,
            }),
            input: self.shape.plan.edges[self.shape.subs[sub].edge].input,
            root: *root,
            since_us: self.now_us,
        });
        items.collect()
    }

    /// Readers that broke down while they read again do so once more, and nothing newer overtakes that.
    pub(super) fn read_on(&mut self) {
        for ((sub, slot), from) in std::mem::take(&mut self.unread) {
            let held = &mut self.readers[sub][slot].held_until_us;
            *held = (*held).max(self.now_us + RESTART_US);
            let rest_us = *held - self.now_us;
            for item in self.read_again(sub, slot, from) {
                self.park(rest_us, Parked::Deliver { sub, slot, item });
            }
        }
    }

    /// A delivery enters the line behind its channel.
    pub(super) fn enter(
        &mut self,
        edge: usize,
        slot: usize,
        item: Item,
        line: &mut super::line::Instance,
    ) {
        match self.shape.targets[edge] {
            Target::Op(op) => line.ops[op].pending.push_back(item),
            _ => line.outbox.push_back(Parcel { edge, slot, item }),
        }
    }

    /// A reader looks again, soon or when its channel says so. One that is busy looks when it is done.
    pub(super) fn wake_after(&mut self, sub: usize, slot: usize) {
        if self.is_busy(sub, slot) {
            return;
        }
        let shape = Rc::clone(&self.shape);
        let held = &shape.subs[sub];
        let Some(run) = &self.channels[held.channel] else {
            return;
        };
        let mut state = run.post.state();
        let ready = state.is_ready(&held.reader, slot as u32, self.now_us);
        let due_us = state.next_due_us(&held.reader, slot as u32, self.now_us);
        drop(state);
        if ready {
            self.wake_reader(sub, slot);
        } else if let Some(due_us) = due_us {
            let reader = &mut self.readers[sub][slot];
            if reader.timer_us == 0 || due_us < reader.timer_us {
                reader.timer_us = due_us;
                let at_us = due_us.max(self.now_us + 1);
                self.agenda.add(at_us, Task::expire(sub, slot));
            }
        }
    }
}
