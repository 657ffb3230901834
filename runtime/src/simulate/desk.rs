//! Sinks that take time: whoever sends events in an order is served one after the other, deliveries of a
//! queue side by side.

use std::rc::Rc;

use graph_model::event::Event;

use super::agenda::Task;
use super::fault::Point;
use super::handle::Begun;
use super::run::{Run, Waiting};
use crate::plan::NodeIndex;

/// An event that a sink is at, for one of those who send to it.
pub(super) struct Desk {
    lane: usize,
    slot: usize,
    until_us: u64,
    begun: Begun,
}

impl Desk {
    pub(super) fn event(&self) -> &Event {
        &self.begun.item.event
    }
}

impl Run {
    /// Ends what is due, and begins what can be.
    pub(super) fn write_in_time(&mut self, node: NodeIndex, inbox: usize) {
        while let Some(at) = self.desks[node]
            .iter()
            .position(|desk| desk.until_us <= self.now_us)
        {
            let begun = self.desks[node].remove(at).begun;
            if begun.broken == Some(Point::BeforeEffect) {
                self.take_away(&begun.item);
                for desk in std::mem::take(&mut self.desks[node]) {
                    self.take_away(&desk.begun.item);
                }
                break;
            }
            self.write_one(node, begun);
        }
        let shape = Rc::clone(&self.shape);
        while self.desks[node].len() < shape.nodes[node].instances_max
            && let Some(Waiting { lane, slot, item }) = self.next_served(node, inbox)
        {
            let (begun, _) = self.begin(node, 0, item);
            let Some(takes_us) = self.takes_us(node, 0, &begun) else {
                self.write_one(node, begun);
                continue;
            };
            let until_us = self.now_us.saturating_add(takes_us);
            self.agenda.add(until_us, Task::write(node));
            self.desks[node].push(Desk {
                lane,
                slot,
                until_us,
                begun,
            });
            let most = &mut self.loads[node].workers;
            *most = (self.desks[node].len() as u64).max(*most);
        }
    }

    /// The oldest event that need not wait for another one of the same sender.
    fn next_served(&mut self, node: NodeIndex, inbox: usize) -> Option<Waiting> {
        let desks = &self.desks[node];
        let lanes = &self.shape.inboxes[inbox].lanes;
        let mut waiting = self.inboxes[inbox].items.iter();
        let at = waiting.position(|held| {
            let of_same = |desk: &Desk| (desk.lane, desk.slot) == (held.lane, held.slot);
            !lanes[held.lane] || !desks.iter().any(of_same)
        })?;
        let place = &mut self.inboxes[inbox];
        let taken = place.items.remove(at)?;
        place.waiting[taken.lane] -= 1;
        let blocked = std::mem::take(&mut place.blocked);
        self.wake_senders(blocked);
        Some(taken)
    }
}
