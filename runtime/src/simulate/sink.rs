//! Sinks in a simulation: they write to models of stores.

use std::rc::Rc;

use graph_model::event::Event;

use super::agenda::Task;
use super::fault::Point;
use super::handle::{Begun, REFUSED};
use super::run::{Item, Parcel, Root, Run, Sender};
use super::shape::{Model, Target};
use super::trace::What;
use crate::delivery::Share;
use crate::live::with_cause;
use crate::operator::Failure;
use crate::plan::NodeIndex;
use crate::rim::Sent;
use crate::world::World;

/// Events that a sink writes at once, at most.
const BATCH: usize = 256;

impl Run {
    /// A sink writes what waits for it.
    pub(super) fn write(&mut self, node: NodeIndex) {
        let shape = Rc::clone(&self.shape);
        let Some(inbox) = self.inbox_of(node) else {
            return;
        };
        self.inboxes[inbox].scheduled = false;
        let mut outbox = std::mem::take(&mut self.outboxes[node]);
        let free = self.flush(&mut outbox, Sender::Sink(node));
        self.outboxes[node] = outbox;
        if !free {
            return;
        }
        let takes_time = shape.nodes[node].service.is_some() && !self.at_once;
        if takes_time {
            self.write_in_time(node, inbox);
        } else {
            self.write_all(node, inbox);
        }
        let mut outbox = std::mem::take(&mut self.outboxes[node]);
        self.flush(&mut outbox, Sender::Sink(node));
        self.outboxes[node] = outbox;
        // What still waits for a sink that takes time waits for what is under way there.
        if !takes_time {
            self.wake_inbox(inbox);
        }
    }

    fn write_all(&mut self, node: NodeIndex, inbox: usize) {
        let mut hand = std::mem::take(&mut self.hand);
        self.take_from_inbox(inbox, BATCH, &mut hand);
        let mut rest = hand.drain(..);
        while let Some(item) = rest.next() {
            let (begun, _) = self.begin(node, 0, item);
            if begun.broken == Some(Point::BeforeEffect) {
                // It had taken all of them in hand.
                self.take_away(&begun.item);
                for item in rest.by_ref() {
                    self.take_away(&item);
                }
                break;
            }
            self.write_one(node, begun);
        }
        drop(rest);
        self.hand = hand;
    }

    /// Writes an event, and tells whoever delivered it unless the sink breaks down before.
    pub(super) fn write_one(&mut self, node: NodeIndex, begun: Begun) {
        let Begun { item, broken } = begun;
        let shape = Rc::clone(&self.shape);
        let Model::Sink { store, place } = &shape.nodes[node].model else {
            return;
        };
        let now_ms = self.stage.world.now_ms();
        let refused = self.strikes.any && self.strikes.refuses(node, &item.event.context.id);
        let wrote = if refused {
            Err(Failure::fatal(REFUSED))
        } else {
            store.write(&item.event, now_ms, &mut self.contents[*place])
        };
        match wrote {
            Ok(wrote) => {
                self.grow(node, wrote.grown);
                let id = &shape.plan.nodes[node].id;
                self.stage.shared.seen.write(id, &item.event);
                let event_id = &item.event.context.id;
                self.trace
                    .add(self.now_us, What::Written, id, 0, event_id, item.root);
                self.trace.keep(0, &item.event);
                let content = &self.contents[*place];
                self.trace.keep_shown(|| content.shown(&wrote));
                if let Some(heard) = &wrote.heard {
                    self.hear(*place, heard, item.root);
                }
                if let Some(Sent { port, event }) = wrote.sent {
                    self.send_on(node, port, &event, &item.share, item.root);
                }
            }
            Err(failure) => {
                self.meters[node].failed += 1;
                let held = &shape.plan.nodes[node];
                match held.failed.filter(|port| !held.outs[*port].is_empty()) {
                    Some(port) => {
                        self.meters[node].dead += 1;
                        let at = held.id.as_str();
                        let dead = with_cause(&item.event, at, &failure.message, 1);
                        self.send_on(node, port, &dead, &item.share, item.root);
                    }
                    None => {
                        self.give_up(node, &item.event, 1, &failure, &item.share, item.root);
                    }
                }
            }
        }
        if broken == Some(Point::BeforeAck) {
            self.take_away(&item);
        }
    }

    fn send_on(&mut self, node: NodeIndex, port: usize, event: &Event, share: &Share, root: Root) {
        let shape = Rc::clone(&self.shape);
        let Some(edges) = shape.plan.nodes[node].outs.get(port) else {
            return;
        };
        self.note_leaving(node, port, 0, event, root);
        for &edge in edges {
            self.passed[edge].passed += 1;
            let item = Item {
                event: event.clone(),
                share: share.clone(),
                input: shape.plan.edges[edge].input,
                root,
                since_us: self.now_us,
            };
            self.outboxes[node].push_back(Parcel {
                edge,
                slot: 0,
                item,
            });
        }
    }

    /// Somebody in front of it looks soon, when something waits there.
    pub(super) fn wake_inbox(&mut self, inbox: usize) {
        let held = &mut self.inboxes[inbox];
        if held.items.is_empty() || std::mem::replace(&mut held.scheduled, true) {
            return;
        }
        let task = match self.shape.inboxes[inbox].owner {
            super::shape::Owner::Line { line, instance } => Task::work(line, instance),
            super::shape::Owner::Sink(node) => Task::write(node),
        };
        self.agenda.add(self.now_us + self.hop_us, task);
    }

    pub(super) fn inbox_of(&self, node: NodeIndex) -> Option<usize> {
        let edge = self.first_in[node]?;
        match self.shape.targets[edge] {
            Target::Inbox { first, .. } => Some(first),
            _ => None,
        }
    }
}
