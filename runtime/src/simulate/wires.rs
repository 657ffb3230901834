//! Wires: how events get from one line, channel or sink to the next, and what waits for room.

use std::collections::VecDeque;
use std::rc::Rc;

use graph_model::document::WhenFull;

use super::agenda::Task;
use super::fault::FaultKind;
use super::run::{BATCH, Inbox, Item, Parcel, Parked, Run, Sender, Waiting};
use super::shape::Target;
use super::trace::What;
use crate::operator::Failure;
use crate::plan::{EdgeIndex, Head, LineIndex, Role};

impl Run {
    pub(super) fn work_inbox(&mut self, line: LineIndex, instance: usize) {
        let shape = Rc::clone(&self.shape);
        let Some(mut held) = self.take_instance(line, instance) else {
            return;
        };
        if let Head::Inbox(node) = shape.plan.lines[line].head
            && let Some(edge) = self.first_in[node]
            && let Target::Inbox { first, .. } = shape.targets[edge]
        {
            self.inboxes[first + instance].scheduled = false;
            if held.is_quiet() {
                self.take_from_inbox(first + instance, BATCH, &mut held.ops[0].pending);
            }
        }
        self.work(line, instance, held);
    }

    /// Sends what waits; answers whether all of it could go.
    pub(super) fn flush(&mut self, outbox: &mut VecDeque<Parcel>, who: Sender) -> bool {
        while let Some(parcel) = outbox.pop_front() {
            if let Err(parcel) = self.pass(parcel, who) {
                outbox.push_front(parcel);
                return false;
            }
        }
        true
    }

    pub(super) fn pass(&mut self, parcel: Parcel, who: Sender) -> Result<(), Parcel> {
        let Parcel { edge, slot, item } = parcel;
        let shape = Rc::clone(&self.shape);
        let held = &shape.plan.edges[edge];
        match shape.targets[edge] {
            Target::Op(_) | Target::Reply => Ok(()),
            Target::Channel(node) => match self.offer(node, item, who) {
                Ok(()) => Ok(()),
                Err(item) if held.looping => {
                    self.full(edge, &item);
                    Ok(())
                }
                Err(item) => Err(Parcel { edge, slot, item }),
            },
            Target::Inbox { first, count, lane } => {
                let inbox = first + slot % count;
                // What goes wrong behind a channel does so when that hands events out.
                let from_channel = matches!(shape.plan.nodes[held.from].role, Role::Channel(_));
                if self.strikes.any && !from_channel {
                    let Some(item) = self.strike_wire(edge, slot, item) else {
                        return Ok(());
                    };
                    return self.put(edge, slot, inbox, lane, item, who);
                }
                self.put(edge, slot, inbox, lane, item, who)
            }
        }
    }

    pub(super) fn put(
        &mut self,
        edge: EdgeIndex,
        slot: usize,
        inbox: usize,
        lane: usize,
        item: Item,
        who: Sender,
    ) -> Result<(), Parcel> {
        let shape = Rc::clone(&self.shape);
        let held = &shape.plan.edges[edge];
        let place = &mut self.inboxes[inbox];
        if place.waiting[lane] >= held.capacity {
            match held.when_full {
                WhenFull::Block if held.looping => {
                    self.full(edge, &item);
                    return Ok(());
                }
                WhenFull::Block => {
                    if !place.blocked.contains(&who) {
                        place.blocked.push(who);
                    }
                    return Err(Parcel { edge, slot, item });
                }
                WhenFull::DeadLetter => {
                    self.full(edge, &item);
                    return Ok(());
                }
                WhenFull::DropOldest => {
                    let oldest = place.items.iter().position(|held| held.lane == lane);
                    if let Some(Waiting { item, .. }) = oldest.and_then(|at| place.items.remove(at))
                    {
                        place.waiting[lane] -= 1;
                        self.drop_item(edge, &item);
                    }
                }
            }
        }
        let place = &mut self.inboxes[inbox];
        place.waiting[lane] += 1;
        place.items.push_back(Waiting { lane, slot, item });
        let waiting = place.items.len() as u64;
        let most = &mut self.waiting_max[shape.plan.edges[edge].to];
        *most = waiting.max(*most);
        self.wake_inbox(inbox);
        Ok(())
    }

    /// Hands an event on whatever the bound says, and behind what is late on the same wire.
    pub(super) fn send_off(&mut self, parcel: Parcel) {
        match self.held_until_us(parcel.edge, parcel.slot) {
            Some(until_us) => self.park(until_us - self.now_us, Parked::Parcel(parcel)),
            None => self.force(parcel),
        }
    }

    /// Until when nothing goes along a wire, as an earlier event is late.
    fn held_until_us(&mut self, edge: EdgeIndex, slot: usize) -> Option<u64> {
        let now_us = self.now_us;
        self.held_wires
            .retain(|(_, _, until_us)| *until_us >= now_us);
        let held = self.held_wires.iter();
        let held = held.filter(|(held, at, _)| *held == edge && *at == slot);
        held.map(|(_, _, until_us)| *until_us).max()
    }

    /// Hands an event on whatever the bound says.
    pub(super) fn force(&mut self, parcel: Parcel) {
        let Parcel { edge, slot, item } = parcel;
        match self.shape.targets[edge] {
            Target::Inbox { first, count, lane } => {
                let inbox = first + slot % count;
                let place = &mut self.inboxes[inbox];
                place.waiting[lane] += 1;
                place.items.push_back(Waiting { lane, slot, item });
                self.wake_inbox(inbox);
            }
            Target::Channel(node) => {
                let nobody = Sender::Sink(node);
                if let Err(item) = self.offer(node, item, nobody) {
                    self.full(edge, &item);
                }
            }
            Target::Op(_) | Target::Reply => {}
        }
    }

    /// What goes wrong with an event on a wire; nothing is left when it does not go on now.
    pub(super) fn strike_wire(&mut self, edge: EdgeIndex, slot: usize, item: Item) -> Option<Item> {
        let to = self.shape.plan.edges[edge].to;
        let kind = self.strikes.at_edge(edge);
        if let Some(kind) = kind {
            self.trace_fault(to, kind, &item);
        }
        match kind {
            Some(FaultKind::Lose) => {
                self.drop_item(edge, &item);
                self.lost += 1;
                return None;
            }
            Some(FaultKind::Delay { by_us }) => {
                self.held_wires.push((edge, slot, self.now_us + by_us));
            }
            _ => {}
        }
        match self.held_until_us(edge, slot) {
            Some(until_us) => {
                let parcel = Parcel { edge, slot, item };
                self.park(until_us - self.now_us, Parked::Parcel(parcel));
                None
            }
            None => Some(item),
        }
    }

    /// Takes the oldest events out of an inbox.
    pub(super) fn take_from_inbox(
        &mut self,
        inbox: usize,
        max: usize,
        into: &mut impl Extend<Item>,
    ) {
        let Inbox {
            items,
            waiting,
            blocked,
            ..
        } = &mut self.inboxes[inbox];
        let count = items.len().min(max);
        into.extend(items.drain(..count).map(|held| {
            waiting[held.lane] -= 1;
            held.item
        }));
        if count > 0 {
            let blocked = std::mem::take(blocked);
            self.wake_senders(blocked);
        }
    }

    pub(super) fn wake_senders(&mut self, senders: Vec<Sender>) {
        for sender in senders {
            let task = match sender {
                Sender::Line { line, instance } => Task::work(line, instance),
                Sender::Sink(node) => Task::write(node),
            };
            self.agenda.add(self.now_us, task);
        }
    }

    pub(super) fn park(&mut self, pause_us: u64, parked: Parked) {
        let number = self.free.pop().unwrap_or_else(|| {
            self.parked.push(None);
            self.parked.len() - 1
        });
        self.parked[number] = Some(parked);
        let at_us = self.now_us.saturating_add(pause_us);
        self.agenda.add(at_us, Task::parked(number));
    }

    pub(super) fn unpark(&mut self, number: usize) {
        let Some(parked) = self.parked[number].take() else {
            return;
        };
        self.free.push(number);
        match parked {
            Parked::Arrive { node, event, root } => self.enter_flow(node, event, root),
            Parked::Resume { node } => self.resume(node),
            Parked::Parcel(parcel) => self.force(parcel),
            Parked::Deliver { sub, slot, item } => {
                let (line, edge) = (self.shape.subs[sub].line, self.shape.subs[sub].edge);
                if let Some(mut held) = self.take_instance(line, slot) {
                    self.enter(edge, slot, item, &mut held);
                    self.work(line, slot, held);
                }
            }
        }
    }

    pub(super) fn full(&mut self, edge: EdgeIndex, item: &Item) {
        self.passed[edge].dropped += 1;
        let shape = Rc::clone(&self.shape);
        let held = &shape.plan.edges[edge];
        let failure = Failure::transient(format!(
            "the wire {} is full; raise its capacity, or make what follows faster",
            held.id
        ));
        self.give_up(held.from, &item.event, 1, &failure, &item.share, item.root);
    }

    pub(super) fn drop_item(&mut self, edge: EdgeIndex, item: &Item) {
        self.passed[edge].dropped += 1;
        let id = &self.shape.plan.nodes[self.shape.plan.edges[edge].from].id;
        let event = &item.event.context.id;
        self.trace
            .add(self.now_us, What::Dropped, id, 0, event, item.root);
    }
}
