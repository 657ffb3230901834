//! Channels in a simulation: who is told what, and when readers look.

use std::sync::{Arc, Mutex, MutexGuard};

use graph_model::event::Event;
use graph_model::expr::Env as Variables;
use graph_model::id::EdgeId;
use smol_str::SmolStr;

use super::agenda::Task;
use super::fault::FaultKind;
use super::run::{HOP_US, Item, Parcel, Parked, Run, Sender};
use super::shape::{ChannelShape, Model, Target};
use super::trace::What;
use super::world::VirtualWorld;
use crate::bindings::EventBindings;
use crate::channels::{ChannelKind, ChannelState, GivenUp, Spot, Ticket};
use crate::delivery::{Settle, Share};
use crate::live::with_cause;
use crate::operator::Failure;
use crate::plan::NodeIndex;
use crate::shared::lock;
use crate::world::World;

/// Deliveries that a reader is handed at once.
const BATCH: usize = 256;
/// Past deliveries of a reader that may come once more.
const HISTORY_MAX: usize = 256;

/// A channel in a run.
pub(super) struct ChannelRun {
    pub post: Arc<Post>,
    /// Events that leave by its failed port.
    pub given_up: std::collections::VecDeque<Item>,
    pub leading: bool,
    /// Who waits for room.
    pub blocked: Vec<Sender>,
}

/// What deliveries of a channel reach when they are settled.
pub(super) struct Post {
    node: NodeIndex,
    state: Mutex<ChannelState>,
    office: Arc<Office>,
}

/// Where everything that is settled is noted down until the driver looks.
pub(super) struct Office {
    notes: Mutex<Vec<Note>>,
    world: Arc<VirtualWorld>,
}

pub(super) enum Note {
    Delivery {
        channel: NodeIndex,
        sub: usize,
        slot: usize,
        event: SmolStr,
        fact: Option<u32>,
        failed: bool,
        given_up: Option<GivenUp>,
    },
    /// An event of a transactional log can be read, or was never there.
    Decided { channel: NodeIndex },
    Source {
        node: NodeIndex,
        event: Event,
        fact: Option<u32>,
        outcome: Result<(), Failure>,
    },
}

/// A reader of one subscription: a partition, or one of the competing consumers.
#[derive(Clone, Default)]
pub(super) struct Reader {
    /// Whether it looks soon.
    due: bool,
    /// When a look of its own accord is noted.
    timer_us: u64,
    /// Deliveries go on no earlier.
    pub(super) held_until_us: u64,
    history: Vec<(Event, Option<u32>)>,
}

/// Tells a channel what became of a delivery.
struct Ack {
    post: Arc<Post>,
    reader: EdgeId,
    sub: usize,
    slot: usize,
    ticket: Ticket,
    event: SmolStr,
    fact: Option<u32>,
}

/// Tells a source what became of an event that it handed in.
pub(super) struct Told {
    pub office: Arc<Office>,
    pub node: NodeIndex,
    pub event: Event,
    pub fact: Option<u32>,
}

/// Takes part in the delivery of a copy, which nobody waits for.
pub(super) struct Copy;

impl Office {
    pub(super) fn new(world: &Arc<VirtualWorld>) -> Office {
        Office {
            notes: Mutex::default(),
            world: Arc::clone(world),
        }
    }

    fn note(&self, note: Note) {
        lock(&self.notes).push(note);
    }
}

impl ChannelRun {
    pub(super) fn new(node: NodeIndex, shape: &ChannelShape, office: &Arc<Office>) -> ChannelRun {
        let mut state = ChannelState::new(shape.kind, shape.partitions, shape.terms.clone());
        let nobody = state.set_readers(&shape.readers, &std::collections::BTreeMap::new());
        debug_assert!(nobody.is_empty(), "it was empty");
        ChannelRun {
            post: Arc::new(Post {
                node,
                state: Mutex::new(state),
                office: Arc::clone(office),
            }),
            given_up: std::collections::VecDeque::new(),
            leading: false,
            blocked: Vec::new(),
        }
    }

    pub(super) fn held(&self) -> usize {
        self.post.state().held() + self.given_up.len()
    }
}

impl Post {
    fn state(&self) -> MutexGuard<'_, ChannelState> {
        lock(&self.state)
    }
}

impl Settle for Ack {
    fn settle(&self, outcome: Result<(), Failure>) -> bool {
        let office = &self.post.office;
        let now_us = office.world.elapsed_us();
        let failed = outcome.is_err();
        let mut state = self.post.state();
        let settled = state.settle(&self.reader, self.slot as u32, self.ticket, outcome, now_us);
        drop(state);
        office.note(Note::Delivery {
            channel: self.post.node,
            sub: self.sub,
            slot: self.slot,
            event: self.event.clone(),
            fact: self.fact,
            failed,
            given_up: settled.given_up,
        });
        settled.counts
    }
}

impl Settle for Told {
    fn settle(&self, outcome: Result<(), Failure>) -> bool {
        self.office.note(Note::Source {
            node: self.node,
            event: self.event.clone(),
            fact: self.fact,
            outcome,
        });
        true
    }
}

impl Settle for Copy {
    fn settle(&self, _outcome: Result<(), Failure>) -> bool {
        true
    }
}

impl Run {
    /// Offers an event to a channel; hands it back when that is full.
    pub(super) fn offer(&mut self, node: NodeIndex, item: Item, who: Sender) -> Result<(), Item> {
        let shape = Arc::clone(&self.shape);
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
                };
                self.channel_gives_up(node, lost, item.fact);
                return Ok(());
            }
        };
        let slot = match (channel.kind, &key) {
            (ChannelKind::Log, key) => {
                let key = key.as_deref().unwrap_or_default();
                Some(crate::channels::partition_of(key, channel.partitions) as usize)
            }
            _ => None,
        };
        let Item {
            event,
            share,
            input,
            fact,
        } = item;
        if let Some(fact) = fact {
            self.behind.insert(event_key(&event), fact);
        }
        let post = Arc::clone(&held.post);
        let mut state = post.state();
        let offered = state.offer(event, key, !share.is_none());
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
                    fact,
                });
            }
        }
        self.meters[node].received += 1;
        self.wake_readers(node, slot);
        Ok(())
    }

    /// Readers of a channel look soon; those of a partition when one is named.
    fn wake_readers(&mut self, node: NodeIndex, slot: Option<usize>) {
        let shape = Arc::clone(&self.shape);
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

    pub(super) fn wake_reader(&mut self, sub: usize, slot: usize) {
        let reader = &mut self.readers[sub][slot];
        if !std::mem::replace(&mut reader.due, true) {
            let at_us = (self.now_us + HOP_US).max(reader.held_until_us);
            self.agenda.add(at_us, Task::Deliver { sub, slot });
        }
    }

    /// A reader takes what its channel hands out, and its line handles it.
    pub(super) fn deliver(&mut self, sub: usize, slot: usize, expired: bool) {
        let shape = Arc::clone(&self.shape);
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
        let taken = {
            let mut state = post.state();
            state.take(&held.reader, slot as u32, max, self.now_us, &mut lost)
        };
        for one in lost {
            self.meters[held.channel].failed += 1;
            let fact = self.behind.get(&event_key(&one.event)).copied();
            self.channel_gives_up(held.channel, one, fact);
        }
        self.meters[held.channel].sent += taken.len() as u64;
        for one in taken {
            let fact = self.behind.get(&event_key(&one.event)).copied();
            let share = Share::open(Ack {
                post: Arc::clone(&post),
                reader: held.reader.clone(),
                sub,
                slot,
                ticket: one.ticket,
                event: one.event.context.id.clone(),
                fact,
            });
            let id = &shape.plan.nodes[held.channel].id;
            let event_id = &one.event.context.id;
            self.trace
                .add(self.now_us, What::Delivered, id, 0, event_id, fact);
            let item = Item {
                event: one.event,
                share,
                input: shape.plan.edges[held.edge].input,
                fact,
            };
            self.hand_to_reader(sub, slot, item, &mut line);
        }
        self.work(held.line, slot, line);
        self.wake_after(sub, slot);
    }

    /// Hands a delivery to a line, unless something goes wrong with it on the way.
    fn hand_to_reader(
        &mut self,
        sub: usize,
        slot: usize,
        item: Item,
        line: &mut super::line::Instance,
    ) {
        let shape = Arc::clone(&self.shape);
        let edge = shape.subs[sub].edge;
        self.passed[edge].passed += 1;
        if !self.strikes.any {
            return self.enter(edge, slot, item, line);
        }
        let kind = self.strikes.at_edge(edge);
        if self.strikes.replays_edge(edge) || matches!(kind, Some(FaultKind::Replay { .. })) {
            let history = &mut self.readers[sub][slot].history;
            if history.len() >= HISTORY_MAX {
                history.remove(0);
            }
            history.push((item.event.clone(), item.fact));
        }
        let copy = |event: &Event, fact| Item {
            event: event.clone(),
            share: Share::open(Copy),
            input: item.input,
            fact,
        };
        if let Some(kind) = kind {
            self.trace_fault(shape.plan.edges[edge].to, kind, &item);
        }
        let is_log = matches!(
            &shape.nodes[shape.subs[sub].channel].model,
            Model::Channel(channel) if channel.kind == ChannelKind::Log
        );
        match kind {
            Some(FaultKind::Duplicate { after_us }) => {
                let (again, fact) = (copy(&item.event, item.fact), item.fact);
                debug_assert_eq!(again.fact, fact);
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
                let history = &self.readers[sub][slot].history;
                let from = history.len().saturating_sub(back as usize + 1);
                let again: Vec<Item> = history[from..]
                    .iter()
                    .map(|(event, fact)| copy(event, *fact))
                    .collect();
                self.enter(edge, slot, item, line);
                for item in again {
                    self.enter(edge, slot, item, line);
                }
            }
            Some(FaultKind::Delay { by_us }) => {
                if is_log {
                    self.readers[sub][slot].held_until_us = self.now_us + by_us;
                }
                self.park(by_us, Parked::Deliver { sub, slot, item });
            }
            // What comes behind it in its partition waits for it.
            _ if self.readers[sub][slot].held_until_us > self.now_us => {
                let rest_us = self.readers[sub][slot].held_until_us - self.now_us;
                self.park(rest_us, Parked::Deliver { sub, slot, item });
            }
            _ => self.enter(edge, slot, item, line),
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

    /// Works off what was settled.
    pub(super) fn read_notes(&mut self) {
        loop {
            let mut notes = std::mem::take(&mut *lock(&self.office.notes));
            if notes.is_empty() {
                return;
            }
            for note in notes.drain(..) {
                self.read_note(note);
            }
        }
    }

    fn read_note(&mut self, note: Note) {
        let (channel, sub_slot) = match note {
            Note::Source {
                node,
                event,
                fact,
                outcome,
            } => return self.source_told(node, event, fact, outcome),
            Note::Decided { channel } => (channel, None),
            Note::Delivery {
                channel,
                sub,
                slot,
                event,
                fact,
                failed,
                given_up,
            } => {
                let what = if failed { What::Nacked } else { What::Acked };
                let id = &self.shape.plan.nodes[channel].id;
                self.trace.add(self.now_us, what, id, 0, &event, fact);
                if failed {
                    self.meters[channel].failed += 1;
                    if given_up.is_none() {
                        self.meters[channel].retried += 1;
                    }
                }
                if let Some(lost) = given_up {
                    self.channel_gives_up(channel, lost, fact);
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

    /// A reader looks again, now or when its channel says so.
    pub(super) fn wake_after(&mut self, sub: usize, slot: usize) {
        let shape = Arc::clone(&self.shape);
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
                self.agenda.add(at_us, Task::Expire { sub, slot });
            }
        }
    }

    fn is_queue(&self, node: NodeIndex) -> bool {
        matches!(&self.shape.nodes[node].model, Model::Channel(channel) if channel.kind == ChannelKind::Queue)
    }

    fn channel_gives_up(&mut self, node: NodeIndex, lost: GivenUp, fact: Option<u32>) {
        self.meters[node].dead += 1;
        let shape = Arc::clone(&self.shape);
        let held = &shape.plan.nodes[node];
        let message = &lost.failure.message;
        let dead = with_cause(&lost.event, held.id.as_str(), message, lost.attempts);
        let id = &dead.context.id;
        self.trace
            .add(self.now_us, What::GivenUp, &held.id, 0, id, fact);
        let led_on = held.failed.is_some_and(|port| !held.outs[port].is_empty());
        if !led_on {
            return self.dead.push(dead);
        }
        if let Some(run) = &mut self.channels[node] {
            run.given_up.push_back(Item {
                event: dead,
                share: Share::none(),
                input: 0,
                fact,
            });
            if !std::mem::replace(&mut run.leading, true) {
                self.agenda.add(self.now_us + HOP_US, Task::Lead(node));
            }
        }
    }

    /// Given-up events leave a channel by its failed port.
    pub(super) fn lead_on(&mut self, node: NodeIndex) {
        let shape = Arc::clone(&self.shape);
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
                        fact: item.fact,
                    },
                };
                self.force(parcel);
            }
        }
    }
}

impl Post {
    fn decide(&self, spot: Spot, well: bool) {
        self.state().decide(spot, well);
        self.office.note(Note::Decided { channel: self.node });
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
