//! Sources and sinks of plain runs.

use std::collections::VecDeque;

use super::super::agenda::Task;
use super::super::run::Root;
use super::super::shape::{InboxShape, Model, Owner, Target};
use super::super::source::GAP_US;
use super::hand::Hand;
use super::{Express, Load, NotPlain, Plainly};
use crate::plan::{EdgeIndex, NodeIndex};
use crate::world::World;

/// Events that a sink writes at once, at most.
const BATCH: usize = 256;

/// Events that wait for a sink, with the wire that each came along.
pub(super) struct Inbox {
    items: VecDeque<(usize, Load)>,
    /// By wire.
    waiting: Vec<u32>,
    scheduled: bool,
}

impl Inbox {
    pub(super) fn new(shape: &InboxShape) -> Inbox {
        Inbox {
            items: VecDeque::new(),
            waiting: vec![0; shape.lanes.len()],
            scheduled: false,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn loads(&self) -> impl Iterator<Item = &Load> {
        self.items.iter().map(|(_, load)| load)
    }
}

impl Express<'_> {
    /// A source hands in what is due.
    pub(super) fn bring(&mut self, node: NodeIndex) -> Plainly {
        let Model::Source { source, .. } = &self.shape.nodes[node].model else {
            return Err(NotPlain);
        };
        let run = &mut *self.run;
        if run.is_over() {
            return Ok(());
        }
        let line = self.shape.plan.nodes[node].line.ok_or(NotPlain)?;
        let hand = self.hands[line][0].as_deref();
        if !hand.is_some_and(Hand::is_quiet) {
            run.agenda.add(run.now_us + GAP_US, Task::Source(node));
            return Ok(());
        }
        let event = match run.next_of_its_own(node, source) {
            Some(Ok(event)) => event,
            Some(Err(_)) => return Err(NotPlain),
            None => return Ok(()),
        };
        let root = Root {
            fact: Some(run.facts_came as u32),
            came_us: run.now_us,
        };
        run.facts_came += 1;
        run.meters[node].received += 1;
        let mut hand = self.take_hand(line, 0)?;
        self.emit(line, &mut hand, 0, 0, event, root, None)?;
        if !hand.is_quiet() {
            self.work(line, 0, &mut hand)?;
        }
        self.hands[line][0] = Some(hand);
        Ok(())
    }

    /// An event waits for a sink.
    pub(super) fn put(&mut self, edge: EdgeIndex, load: Load) -> Plainly {
        let Target::Inbox { first, lane, .. } = self.shape.targets[edge] else {
            return Err(NotPlain);
        };
        let held = &self.shape.plan.edges[edge];
        let inbox = &mut self.inboxes[first];
        if inbox.waiting[lane] >= held.capacity {
            return Err(NotPlain);
        }
        inbox.waiting[lane] += 1;
        inbox.items.push_back((lane, load));
        let waiting = inbox.items.len() as u64;
        let most = &mut self.run.waiting_max[held.to];
        *most = waiting.max(*most);
        self.wake_inbox(first);
        Ok(())
    }

    fn wake_inbox(&mut self, inbox: usize) {
        let held = &mut self.inboxes[inbox];
        if let Owner::Sink(node) = self.shape.inboxes[inbox].owner
            && !held.items.is_empty()
            && !std::mem::replace(&mut held.scheduled, true)
        {
            let soon_us = self.run.now_us + self.run.hop_us;
            self.run.agenda.add(soon_us, Task::Write(node));
        }
    }

    /// A sink writes what waits for it.
    pub(super) fn write(&mut self, node: NodeIndex) -> Plainly {
        let (Some(inbox), Model::Sink { store, place }) =
            (self.run.inbox_of(node), &self.shape.nodes[node].model)
        else {
            return Err(NotPlain);
        };
        self.inboxes[inbox].scheduled = false;
        let now_ms = self.run.stage.world.now_ms();
        for _ in 0..BATCH {
            let Some((lane, load)) = self.inboxes[inbox].items.pop_front() else {
                break;
            };
            self.inboxes[inbox].waiting[lane] -= 1;
            self.count_step(node, &load)?;
            let content = &mut self.run.contents[*place];
            let wrote = store
                .write(&load.event, now_ms, content)
                .map_err(|_| NotPlain)?;
            self.run.grow(node, wrote.grown);
            self.release(load.delivery);
        }
        self.wake_inbox(inbox);
        Ok(())
    }
}
