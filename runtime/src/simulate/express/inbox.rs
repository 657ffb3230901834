//! Events that wait for a sink of a plain run.

use std::collections::VecDeque;

use super::super::agenda::Task;
use super::super::run::Run;
use super::super::shape::{InboxShape, Owner, Shape};
use super::loads::LoadId;
use super::{NotPlain, Plainly};

pub(super) struct Inbox {
    owner: Owner,
    /// With the wire that each came along.
    items: VecDeque<(u32, LoadId)>,
    /// By wire: how many may still wait.
    lanes: Vec<u32>,
    scheduled: bool,
    /// The most that waited at once.
    most: usize,
}

impl Inbox {
    pub(super) fn new(shape: &Shape, inbox: &InboxShape) -> Inbox {
        let ins = match inbox.owner {
            Owner::Sink(node) => &shape.plan.nodes[node].ins[..],
            Owner::Line { .. } => &[],
        };
        let lanes = ins.iter().map(|edge| shape.plan.edges[*edge].capacity);
        Inbox {
            owner: inbox.owner,
            items: VecDeque::new(),
            lanes: lanes.collect(),
            scheduled: false,
            most: 0,
        }
    }

    /// What it counted is said of the run.
    pub(super) fn tell(&self, run: &mut Run) {
        if let Owner::Sink(node) = self.owner {
            run.waiting_max[node] = self.most as u64;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn loads(&self) -> impl Iterator<Item = LoadId> {
        self.items.iter().map(|(_, load)| *load)
    }

    /// An event along a wire. When there is no room on it, nothing is plain any more.
    #[inline]
    pub(super) fn push(&mut self, lane: u32, load: LoadId) -> Plainly {
        let room = &mut self.lanes[lane as usize];
        *room = room.checked_sub(1).ok_or(NotPlain)?;
        self.items.push_back((lane, load));
        self.most = self.most.max(self.items.len());
        Ok(())
    }

    #[inline]
    pub(super) fn pop(&mut self) -> Option<LoadId> {
        let (lane, load) = self.items.pop_front()?;
        self.lanes[lane as usize] += 1;
        Some(load)
    }

    /// Its sink looks into it soon, when something waits.
    #[inline]
    pub(super) fn wake(&mut self, run: &mut Run) {
        if let Owner::Sink(node) = self.owner
            && !self.scheduled
            && !self.items.is_empty()
        {
            self.scheduled = true;
            run.agenda.add(run.now_us + run.hop_us, Task::write(node));
        }
    }

    /// Its sink takes what is there.
    pub(super) fn looked_into(&mut self) {
        self.scheduled = false;
    }
}
