//! Channels take events in, and hear what became of their deliveries.

use std::rc::Rc;
use std::sync::Arc;

use graph_model::event::Event;
use graph_model::expr::Env as Variables;
use smol_str::SmolStr;

use super::agenda::Task;
use super::channel::Note;
use super::run::{Item, Mark, Parcel, Root, Run, Sender};
use super::shape::{ChannelShape, Model};
use super::trace::What;
use crate::bindings::EventBindings;
use crate::channels::{ChannelKind, GivenUp};
use crate::delivery::Share;
use crate::live::with_cause;
use crate::operator::Failure;
use crate::plan::NodeIndex;
use crate::world::World;

impl Run {
    /// Offers an event to a channel; hands it back when that is full.
    pub(super) fn offer(&mut self, node: NodeIndex, item: Item, who: Sender) -> Result<(), Item> {
        let shape = Rc::clone(&self.shape);
        let (Model::Channel(channel), Some(held)) =
            (&shape.nodes[node].model, &self.channels[node])
        else {
            return Ok(());
        };
        let key = match key_of(channel, &item.event, self.stage.world.now_ms()) {
            Ok(key) => key,
            Err(failure) => {
                self.meters[node].failed += 1;
                let lost = GivenUp {
                    event: item.event,
                    attempts: 1,
                    failure,
                    mark: Mark {
                        root: item.root,
                        since_us: item.since_us,
                    },
                };
                self.channel_gives_up(node, &lost, item.root);
                return Ok(());
            }
        };
        let slot = match (channel.kind, &key) {
            (ChannelKind::Log, key) => {
                let partition = crate::channels::first_or_of(key.as_deref(), channel.partitions);
                Some(partition as usize)
            }
            _ => None,
        };
        let Item {
            event,
            share,
            input,
            root,
            since_us,
        } = item;
        if self.keeps_facts && root.fact.is_some() {
            self.behind.insert(event_key(&event), root);
        }
        let mark = Mark { root, since_us };
        let post = Arc::clone(&held.post);
        let mut state = post.state();
        let offered = state.offer(event, key, !share.is_none(), mark);
        let held_now = state.held() as u64;
        let stuck = offered.is_err() && state.is_stuck();
        drop(state);
        match offered {
            Ok(None) => {}
            Ok(Some(spot)) => {
                let post = Arc::clone(&post);
                share.bind(move |well| post.decide(spot, well));
            }
            Err(event) => {
                let failure = Failure::transient(format!(
                    "`{}` is full of events whose deliveries are under way; raise its capacity",
                    shape.plan.nodes[node].id
                ));
                if stuck && share.give_up(&failure) {
                    self.meters[node].failed += 1;
                    return Ok(());
                }
                if let Some(held) = &mut self.channels[node]
                    && !held.blocked.contains(&who)
                {
                    held.blocked.push(who);
                }
                return Err(Item {
                    event,
                    share,
                    input,
                    root,
                    since_us,
                });
            }
        }
        self.meters[node].received += 1;
        self.waiting_max[node] = self.waiting_max[node].max(held_now);
        self.wake_readers(node, slot);
        Ok(())
    }

    /// The fact behind an event that a channel holds. Where facts are kept, what an operator held back
    /// is known again by its id.
    pub(super) fn root_of(&self, event: &Event, mark: Mark) -> Root {
        if self.keeps_facts {
            let known = self.behind.get(&event_key(event)).copied();
            known.unwrap_or_default()
        } else {
            mark.root
        }
    }

    /// Readers of a channel look soon; those of a partition when one is named.
    pub(super) fn wake_readers(&mut self, node: NodeIndex, slot: Option<usize>) {
        let shape = Rc::clone(&self.shape);
        let Model::Channel(channel) = &shape.nodes[node].model else {
            return;
        };
        for &sub in &channel.subs {
            match slot {
                Some(slot) => self.wake_reader(sub, slot),
                None => (0..self.readers[sub].len()).for_each(|slot| self.wake_reader(sub, slot)),
            }
        }
    }

    /// Works off what was settled.
    pub(super) fn read_notes(&mut self) {
        if !self.office.any() {
            return;
        }
        let mut notes = std::mem::take(&mut self.notes_read);
        while self.office.read(&mut notes) {
            for note in notes.drain(..) {
                self.read_note(note);
            }
        }
        self.notes_read = notes;
        self.read_on();
    }

    pub(super) fn read_note(&mut self, note: Note) {
        let (channel, sub_slot) = match note {
            Note::Source {
                node,
                event,
                root,
                outcome,
            } => return self.source_told(node, event, root, outcome),
            Note::Unread { sub, slot, number } => {
                let from = self.unread.entry((sub, slot)).or_insert(number);
                *from = (*from).min(number);
                return;
            }
            Note::Decided { channel } => (channel, None),
            Note::Delivery {
                channel,
                sub,
                slot,
                event,
                root,
                failed,
                given_up,
            } => {
                let what = if failed { What::Nacked } else { What::Acked };
                let id = &self.shape.plan.nodes[channel].id;
                self.trace.add(self.now_us, what, id, 0, &event, root);
                if failed {
                    self.meters[channel].failed += 1;
                    if given_up.is_none() {
                        self.meters[channel].retried += 1;
                    }
                }
                if let Some(lost) = given_up {
                    self.channel_gives_up(channel, &lost, root);
                }
                (channel, Some((sub, slot)))
            }
        };
        match sub_slot {
            // What one consumer released may be for another one.
            Some((sub, _)) if self.is_queue(channel) => {
                (0..self.readers[sub].len()).for_each(|slot| self.wake_after(sub, slot));
            }
            Some((sub, slot)) => self.wake_after(sub, slot),
            None => self.wake_readers(channel, None),
        }
        let blocked = self.channels[channel].as_mut();
        let blocked = blocked.map(|held| std::mem::take(&mut held.blocked));
        self.wake_senders(blocked.unwrap_or_default());
    }

    pub(super) fn is_queue(&self, node: NodeIndex) -> bool {
        matches!(&self.shape.nodes[node].model, Model::Channel(channel) if channel.kind == ChannelKind::Queue)
    }

    pub(super) fn channel_gives_up(&mut self, node: NodeIndex, lost: &GivenUp<Mark>, root: Root) {
        self.meters[node].dead += 1;
        let shape = Rc::clone(&self.shape);
        let held = &shape.plan.nodes[node];
        let message = &lost.failure.message;
        let dead = with_cause(&lost.event, held.id.as_str(), message, lost.attempts);
        let id = &dead.context.id;
        self.trace
            .add(self.now_us, What::GivenUp, &held.id, 0, id, root);
        self.trace.keep(0, &dead);
        let led_on = held.failed.is_some_and(|port| !held.outs[port].is_empty());
        if !led_on {
            return self.keep_dead(node, dead);
        }
        if let Some(run) = &mut self.channels[node] {
            run.given_up.push_back(Item {
                event: dead,
                share: Share::none(),
                input: 0,
                root,
                since_us: self.now_us,
            });
            if !std::mem::replace(&mut run.leading, true) {
                self.agenda.add(self.now_us + self.hop_us, Task::lead(node));
            }
        }
    }

    /// Given-up events leave a channel by its failed port.
    pub(super) fn lead_on(&mut self, node: NodeIndex) {
        let shape = Rc::clone(&self.shape);
        let held = &shape.plan.nodes[node];
        let Some(port) = held.failed else { return };
        if let Some(run) = &mut self.channels[node] {
            run.leading = false;
        }
        while let Some(item) = self.channels[node]
            .as_mut()
            .and_then(|run| run.given_up.pop_front())
        {
            for &edge in &held.outs[port] {
                self.passed[edge].passed += 1;
                let parcel = Parcel {
                    edge,
                    slot: 0,
                    item: Item {
                        event: item.event.clone(),
                        share: Share::none(),
                        input: shape.plan.edges[edge].input,
                        root: item.root,
                        since_us: item.since_us,
                    },
                };
                self.force(parcel);
            }
        }
    }
}

/// Which event it is, for those who look up the fact behind it.
fn event_key(event: &Event) -> (SmolStr, SmolStr) {
    (event.context.source.clone(), event.context.id.clone())
}

fn key_of(channel: &ChannelShape, event: &Event, now_ms: i64) -> Result<Option<SmolStr>, Failure> {
    let Some(key) = &channel.key else {
        return Ok(None);
    };
    let bindings = EventBindings { event, now_ms };
    let value = key.eval(&event.data, &Variables::new(&bindings));
    value
        .map(|value| Some(value.to_text()))
        .map_err(|error| Failure::invalid(format!("the key `{}`: {error}", key.code())))
}
