//! A run: everything that changes while a scenario plays, and how it goes from step to step.

use std::collections::VecDeque;
use std::sync::Arc;

use graph_model::catalog::Delivery;
use graph_model::document::WhenFull;
use graph_model::event::Event;
use runtime_protocol::{EdgeCount, NodeCount, Problem};
use rustc_hash::FxHashMap;
use smol_str::SmolStr;

use super::agenda::{Agenda, Task};
use super::channel::{ChannelRun, Office, Reader};
use super::fault::FaultKind;
use super::latency::Latencies;
use super::line::Instance;
use super::outcome::{Ended, Limit};
use super::scenario::{Fact, Limits, Scenario};
use super::shape::{Model, Shape, Stage, Target};
use super::source::SourceRun;
use super::stores::Content;
use super::strike::Strikes;
use super::trace::{Trace, What};
use crate::delivery::Share;
use crate::live::with_cause;
use crate::operator::{Failure, Output};
use crate::plan::{EdgeIndex, Head, LineIndex, NodeIndex, Role};

/// Virtual time that an event takes from one line, channel or sink to the next.
pub(super) const HOP_US: u64 = 1_000;
/// What was under way in a line that broke down is sent again after so long.
const RESTART_US: u64 = 100_000;
/// Events that a line takes out of its inbox at once.
const BATCH: usize = 256;
/// Limits that cost more to look at are looked at after so many steps.
const LOOK_EVERY: u64 = 256;

/// An event on its way.
pub(super) struct Item {
    pub event: Event,
    pub share: Share,
    /// Number of the input port.
    pub input: u16,
    /// Number of the fact from which it follows.
    pub fact: Option<u32>,
}

/// An event in front of a wire.
pub(super) struct Parcel {
    pub edge: EdgeIndex,
    /// Which instance of the receiver it is for.
    pub slot: usize,
    pub item: Item,
}

/// Who sends, and waits when there is no room.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sender {
    Line { line: LineIndex, instance: usize },
    Sink(NodeIndex),
}

/// Events that wait for one instance of a node.
#[derive(Default)]
pub(super) struct Inbox {
    pub items: VecDeque<(usize, Item)>,
    waiting: Vec<u32>,
    blocked: Vec<Sender>,
    pub scheduled: bool,
}

/// Something that was held back.
pub(super) enum Parked {
    Deliver {
        sub: usize,
        slot: usize,
        item: Item,
    },
    Parcel(Parcel),
    Arrive {
        node: NodeIndex,
        event: Event,
        fact: Option<u32>,
    },
}

/// Where an event of a source comes from.
#[derive(Clone, Copy)]
pub(super) enum Origin {
    /// It is a new fact.
    Outside,
    /// It tells what was written to a store, because of this fact if it is known.
    Store(Option<u32>),
}

/// A fact that came in.
pub(super) struct Came {
    node: NodeIndex,
    /// Its number among those of its source.
    number: usize,
    at_us: u64,
    event: Event,
    tries: u32,
}

pub(super) struct Run {
    pub stage: Arc<Stage>,
    pub shape: Arc<Shape>,
    pub one_by_one: bool,
    pub own_events: bool,
    limits: Limits,
    /// By the time of their coming.
    facts: Vec<(NodeIndex, u64, Event)>,
    next_fact: usize,
    pub agenda: Agenda,
    pub now_us: u64,
    pub lines: Vec<Vec<Option<Box<Instance>>>>,
    pub inboxes: Vec<Inbox>,
    /// First edge into each node.
    pub first_in: Vec<Option<EdgeIndex>>,
    /// Of sinks, by node.
    pub outboxes: Vec<VecDeque<Parcel>>,
    pub channels: Vec<Option<ChannelRun>>,
    /// By subscription and slot.
    pub readers: Vec<Vec<Reader>>,
    pub sources: Vec<SourceRun>,
    pub contents: Vec<Content>,
    pub dead: Vec<Event>,
    pub meters: Vec<NodeCount>,
    pub passed: Vec<EdgeCount>,
    pub latencies: Vec<Latencies>,
    pub came: Vec<Came>,
    /// Facts behind the events that channels hold, by source and id.
    pub behind: FxHashMap<(SmolStr, SmolStr), u32>,
    pub strikes: Strikes,
    /// Wires and slots on which nothing goes before a time, as an earlier event is late.
    held_wires: Vec<(EdgeIndex, usize, u64)>,
    parked: Vec<Option<Parked>>,
    free: Vec<usize>,
    pub office: Arc<Office>,
    pub trace: Trace,
    pub steps: u64,
    pub grown: u64,
    pub lost: u64,
    pub notes: Vec<Problem>,
    pub out: Output,
    pub ended: Option<Ended>,
    ran_out: bool,
    /// The next line to be told that nothing more will come.
    ending: usize,
}

impl Run {
    pub(super) fn new(stage: &Arc<Stage>, shape: &Arc<Shape>, scenario: &Scenario) -> Run {
        stage.world.reset(scenario.seed);
        let plan = &shape.plan;
        let office = Arc::new(Office::new(&stage.world));
        let channel = |node: NodeIndex| match &shape.nodes[node].model {
            Model::Channel(channel) => Some(ChannelRun::new(node, channel, &office)),
            _ => None,
        };
        let nodes = plan.nodes.len();
        let mut notes = Vec::new();
        let mut facts = Vec::with_capacity(scenario.facts.len());
        for fact in scenario.facts.iter() {
            let node = plan.nodes.iter().position(|node| node.id == fact.source);
            match node.filter(|node| plan.nodes[*node].role == Role::Source) {
                Some(node) => facts.push((node, fact.at_us, fact.event.clone())),
                None => {
                    let message = "a fact is for a source that is not there; choose another";
                    let problem = Problem::at(&fact.source, message);
                    if !notes.contains(&problem) {
                        notes.push(problem);
                    }
                }
            }
        }
        if !scenario.one_by_one {
            facts.sort_by_key(|(_, at_us, _)| *at_us);
        }
        let instances = plan.lines.iter().map(|line| line.instances as usize);
        let mut run = Run {
            stage: Arc::clone(stage),
            one_by_one: scenario.one_by_one,
            own_events: scenario.own_events,
            limits: scenario.limits,
            facts,
            next_fact: 0,
            agenda: Agenda::default(),
            now_us: 0,
            lines: instances
                .map(|count| (0..count).map(|_| None).collect())
                .collect(),
            inboxes: shape
                .inboxes
                .iter()
                .map(|inbox| Inbox {
                    waiting: vec![0; inbox.lanes],
                    ..Inbox::default()
                })
                .collect(),
            first_in: (0..nodes).map(|node| plan.ins(node).next()).collect(),
            outboxes: (0..nodes).map(|_| VecDeque::new()).collect(),
            channels: (0..nodes).map(channel).collect(),
            readers: shape
                .subs
                .iter()
                .map(|sub| vec![Reader::default(); plan.lines[sub.line].instances as usize])
                .collect(),
            sources: (0..nodes).map(|_| SourceRun::default()).collect(),
            contents: shape
                .places
                .iter()
                .map(|place| place.content.clone())
                .collect(),
            dead: Vec::new(),
            meters: vec![NodeCount::default(); nodes],
            passed: vec![EdgeCount::default(); plan.edges.len()],
            latencies: vec![Latencies::default(); nodes],
            came: Vec::new(),
            behind: FxHashMap::default(),
            strikes: Strikes::new(&scenario.faults, plan),
            held_wires: Vec::new(),
            parked: Vec::new(),
            free: Vec::new(),
            office,
            trace: Trace::new(scenario.record),
            steps: 0,
            grown: 0,
            lost: 0,
            notes,
            out: Output::default(),
            ended: None,
            ran_out: false,
            ending: 0,
            shape: Arc::clone(shape),
        };
        if run.own_events {
            run.begin_sources();
        }
        run.note_next_fact();
        run
    }

    /// Does the next thing; answers whether there was one.
    pub(super) fn step(&mut self) -> bool {
        if self.ended.is_some() {
            return false;
        }
        if self.agenda.is_at_rest() && !self.holds_anything() {
            self.rest();
            self.read_notes();
            return self.ended.is_none();
        }
        let Some((at_us, task)) = self.agenda.pop() else {
            self.rest();
            self.read_notes();
            return self.ended.is_none();
        };
        self.move_to(at_us);
        self.perform(task);
        self.read_notes();
        self.look_at_limits();
        true
    }

    fn perform(&mut self, task: Task) {
        match task {
            Task::Arrive => {
                if self.is_over() {
                    self.next_fact = self.facts.len();
                } else {
                    self.bring_fact();
                    self.note_next_fact();
                }
            }
            Task::Source(node) => self.look_for_events(node),
            Task::Work { line, instance } => self.work_inbox(line, instance),
            Task::Write(node) => self.write(node),
            Task::Deliver { sub, slot } => self.deliver(sub, slot, false),
            Task::Expire { sub, slot } => self.deliver(sub, slot, true),
            Task::Idle { line, instance } => self.tell_idle(line, instance),
            Task::Lead(node) => self.lead_on(node),
            Task::Parked(number) => self.unpark(number),
        }
    }

    /// Nothing is under way: the next fact comes, or what is held back, or the end.
    fn rest(&mut self) {
        if self.one_by_one && self.next_fact < self.facts.len() {
            let at_us = self.facts[self.next_fact].1;
            self.move_to(at_us.max(self.now_us));
            return self.bring_fact();
        }
        if self.ending < self.shape.plan.lines.len() {
            self.ending += 1;
            return self.end_line(self.ending - 1);
        }
        self.ended = Some(if self.ran_out {
            Ended::Duration
        } else {
            Ended::Idle
        });
    }

    fn move_to(&mut self, at_us: u64) {
        self.now_us = self.now_us.max(at_us);
        self.stage.world.move_to(self.now_us);
    }

    /// Whether sources take nothing in any more.
    pub(super) fn is_over(&mut self) -> bool {
        self.ran_out |= self.now_us > self.limits.duration_us;
        self.ran_out
    }

    fn holds_anything(&self) -> bool {
        let mut channels = self.channels.iter().enumerate();
        channels.any(|(node, channel)| {
            channel.as_ref().is_some_and(|channel| {
                let has_readers = matches!(&self.shape.nodes[node].model, Model::Channel(held) if !held.subs.is_empty());
                has_readers && channel.held() > 0
            })
        })
    }

    fn note_next_fact(&mut self) {
        if !self.one_by_one
            && let Some((_, at_us, _)) = self.facts.get(self.next_fact)
        {
            self.agenda.add(*at_us, Task::Arrive);
        }
    }

    fn bring_fact(&mut self) {
        if let Some((node, _, event)) = self.facts.get(self.next_fact).cloned() {
            self.next_fact += 1;
            self.arrive(node, event, Origin::Outside);
        }
    }

    /// An event comes in at a source.
    pub(super) fn arrive(&mut self, node: NodeIndex, event: Event, origin: Origin) {
        let fact = match origin {
            Origin::Store(fact) => fact,
            Origin::Outside => {
                self.came.push(Came {
                    node,
                    number: self.sources[node].sent.len(),
                    at_us: self.now_us,
                    event: event.clone(),
                    tries: 0,
                });
                Some((self.came.len() - 1) as u32)
            }
        };
        let mut again = Vec::new();
        if self.strikes.any {
            self.sources[node].sent.push((event.clone(), fact));
            match self.strikes.at_node(node) {
                Some(kind @ FaultKind::Late { by_us }) => {
                    self.count_fault_at(node, kind, &event, fact);
                    return self.park(by_us, Parked::Arrive { node, event, fact });
                }
                Some(kind @ FaultKind::Duplicate { after_us }) => {
                    self.count_fault_at(node, kind, &event, fact);
                    let event = event.clone();
                    self.park(after_us, Parked::Arrive { node, event, fact });
                }
                Some(kind @ FaultKind::Replay { back }) => {
                    self.count_fault_at(node, kind, &event, fact);
                    let sent = &self.sources[node].sent;
                    again = sent[sent.len().saturating_sub(back as usize + 1)..].to_vec();
                }
                _ => {}
            }
        }
        self.enter_flow(node, event, fact);
        for (event, fact) in again {
            self.enter_flow(node, event, fact);
        }
    }

    fn enter_flow(&mut self, node: NodeIndex, event: Event, fact: Option<u32>) {
        let shape = Arc::clone(&self.shape);
        let held = &shape.plan.nodes[node];
        self.meters[node].received += 1;
        let id = &event.context.id;
        self.trace
            .add(self.now_us, What::Arrived, &held.id, 0, id, fact);
        let share = self.share_of(node, &event, fact);
        let Some(line) = held.line else { return };
        if let Some(mut instance) = self.take_instance(line, 0) {
            self.emit(line, &mut instance, 0, 0, event, share, fact, 0);
            self.work(line, 0, instance);
        }
    }

    /// Whether the line of a source waits for room.
    pub(super) fn is_blocked(&self, node: NodeIndex) -> bool {
        let line = self.shape.plan.nodes[node].line;
        let instance = line.and_then(|line| self.lines[line][0].as_ref());
        instance.is_some_and(|instance| !instance.is_quiet())
    }

    /// Counts the tries of a fact that whoever brought it sends again.
    pub(super) fn tries_of(&mut self, fact: Option<u32>) -> u32 {
        let came = fact.map(|fact| &mut self.came[fact as usize]);
        came.map_or(u32::MAX, |came| {
            came.tries += 1;
            came.tries
        })
    }

    fn work_inbox(&mut self, line: LineIndex, instance: usize) {
        let shape = Arc::clone(&self.shape);
        let Some(mut held) = self.take_instance(line, instance) else {
            return;
        };
        if let Head::Inbox(node) = shape.plan.lines[line].head
            && let Some(edge) = self.first_in[node]
            && let Target::Inbox { first, .. } = shape.targets[edge]
        {
            self.inboxes[first + instance].scheduled = false;
            if held.is_quiet() {
                let items = self.take_from_inbox(first + instance, BATCH);
                held.ops[0].pending.extend(items);
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

    fn pass(&mut self, parcel: Parcel, who: Sender) -> Result<(), Parcel> {
        let Parcel { edge, slot, item } = parcel;
        let shape = Arc::clone(&self.shape);
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

    fn put(
        &mut self,
        edge: EdgeIndex,
        slot: usize,
        inbox: usize,
        lane: usize,
        item: Item,
        who: Sender,
    ) -> Result<(), Parcel> {
        let shape = Arc::clone(&self.shape);
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
                    let oldest = place.items.iter().position(|(other, _)| *other == lane);
                    if let Some((_, item)) = oldest.and_then(|at| place.items.remove(at)) {
                        place.waiting[lane] -= 1;
                        self.drop_item(edge, &item);
                    }
                }
            }
        }
        let place = &mut self.inboxes[inbox];
        place.waiting[lane] += 1;
        place.items.push_back((lane, item));
        self.wake_inbox(inbox);
        Ok(())
    }

    /// Hands an event on whatever the bound says.
    pub(super) fn force(&mut self, parcel: Parcel) {
        let Parcel { edge, slot, item } = parcel;
        match self.shape.targets[edge] {
            Target::Inbox { first, count, lane } => {
                let inbox = first + slot % count;
                let place = &mut self.inboxes[inbox];
                place.waiting[lane] += 1;
                place.items.push_back((lane, item));
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
    fn strike_wire(&mut self, edge: EdgeIndex, slot: usize, item: Item) -> Option<Item> {
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
        let now_us = self.now_us;
        self.held_wires
            .retain(|(_, _, until_us)| *until_us > now_us);
        let held = self.held_wires.iter();
        let held = held.filter(|(held, at, _)| *held == edge && *at == slot);
        match held.map(|(_, _, until_us)| *until_us).max() {
            Some(until_us) => {
                let parcel = Parcel { edge, slot, item };
                self.park(until_us - now_us, Parked::Parcel(parcel));
                None
            }
            None => Some(item),
        }
    }

    pub(super) fn take_from_inbox(&mut self, inbox: usize, max: usize) -> Vec<Item> {
        let place = &mut self.inboxes[inbox];
        let count = place.items.len().min(max);
        let taken: Vec<(usize, Item)> = place.items.drain(..count).collect();
        for (lane, _) in &taken {
            place.waiting[*lane] -= 1;
        }
        if count > 0 {
            let blocked = std::mem::take(&mut place.blocked);
            self.wake_senders(blocked);
        }
        taken.into_iter().map(|(_, item)| item).collect()
    }

    pub(super) fn wake_senders(&mut self, senders: Vec<Sender>) {
        for sender in senders {
            let task = match sender {
                Sender::Line { line, instance } => Task::Work { line, instance },
                Sender::Sink(node) => Task::Write(node),
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
        self.agenda.add(at_us, Task::Parked(number));
    }

    fn unpark(&mut self, number: usize) {
        let Some(parked) = self.parked[number].take() else {
            return;
        };
        self.free.push(number);
        match parked {
            Parked::Arrive { node, event, fact } => self.enter_flow(node, event, fact),
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

    /// An event that whoever handled it took away with itself. Who delivers it is told; a source that
    /// can read again does so; from others it is lost.
    pub(super) fn take_away(&mut self, item: Item) {
        let failure = Failure::transient("what handled it broke down");
        if item.share.give_up(&failure) {
            return;
        }
        let shape = Arc::clone(&self.shape);
        let resumable = item.fact.map(|fact| &self.came[fact as usize]);
        let resumable = resumable.filter(|came| {
            matches!(
                &shape.nodes[came.node].model,
                Model::Source {
                    delivery: Delivery::Resumable,
                    ..
                }
            )
        });
        match resumable.map(|came| (came.node, came.number)) {
            Some((node, number)) => {
                let rest = self.sources[node].sent.get(number..).unwrap_or_default();
                for (event, fact) in rest.to_vec() {
                    self.park(RESTART_US, Parked::Arrive { node, event, fact });
                }
            }
            None => self.lost += 1,
        }
    }

    /// The end of an event that no wire leads on.
    pub(super) fn give_up(
        &mut self,
        node: NodeIndex,
        event: &Event,
        tries: u32,
        failure: &Failure,
        share: &Share,
        fact: Option<u32>,
    ) {
        let id = &self.shape.plan.nodes[node].id;
        self.trace
            .add(self.now_us, What::GivenUp, id, 0, &event.context.id, fact);
        if !share.give_up(failure) {
            self.meters[node].dead += 1;
            self.dead
                .push(with_cause(event, id.as_str(), &failure.message, tries));
        }
    }

    fn full(&mut self, edge: EdgeIndex, item: &Item) {
        self.passed[edge].dropped += 1;
        let shape = Arc::clone(&self.shape);
        let held = &shape.plan.edges[edge];
        let failure = Failure::transient(format!(
            "the wire {} is full; raise its capacity, or make what follows faster",
            held.id
        ));
        self.give_up(held.from, &item.event, 1, &failure, &item.share, item.fact);
    }

    fn drop_item(&mut self, edge: EdgeIndex, item: &Item) {
        self.passed[edge].dropped += 1;
        let id = &self.shape.plan.nodes[self.shape.plan.edges[edge].from].id;
        let event = &item.event.context.id;
        self.trace
            .add(self.now_us, What::Dropped, id, 0, event, item.fact);
    }

    /// A node handles an event.
    pub(super) fn count_step(&mut self, node: NodeIndex, item: &Item) {
        self.steps += 1;
        self.meters[node].received += 1;
        if let Some(fact) = item.fact {
            let since_us = self.now_us - self.came[fact as usize].at_us;
            self.latencies[node].add(since_us);
        }
        let id = &self.shape.plan.nodes[node].id;
        let event = &item.event.context.id;
        self.trace
            .add(self.now_us, What::Handled, id, item.input, event, item.fact);
        if self.steps >= self.limits.steps_max && self.ended.is_none() {
            self.ended = Some(Ended::Limit {
                limit: Limit::Steps(self.limits.steps_max),
                node: self.busiest(),
            });
        }
    }

    fn look_at_limits(&mut self) {
        if self.ended.is_some() || !self.agenda.noted().is_multiple_of(LOOK_EVERY) {
            return;
        }
        // Nobody may go on for ever, even without handling anything.
        let tasks_max = self
            .limits
            .steps_max
            .saturating_mul(16)
            .saturating_add(100_000);
        if self.agenda.noted() > tasks_max {
            self.ended = Some(Ended::Limit {
                limit: Limit::Steps(self.limits.steps_max),
                node: self.busiest(),
            });
            return;
        }
        let in_flight = self.in_flight();
        let bytes = self.grown + self.trace.weight();
        let limit = if in_flight > self.limits.in_flight_max {
            Limit::InFlight(self.limits.in_flight_max)
        } else if bytes > self.limits.bytes_max {
            Limit::Bytes(self.limits.bytes_max)
        } else {
            return;
        };
        self.ended = Some(Ended::Limit {
            limit,
            node: self.busiest(),
        });
    }

    fn in_flight(&self) -> u64 {
        let inboxes = self.inboxes.iter().map(|inbox| inbox.items.len());
        let channels = self.channels.iter().flatten().map(ChannelRun::held);
        let lines = self.lines.iter().flatten().flatten();
        let lines = lines.map(|line| line.waiting());
        let parked = self.parked.len() - self.free.len();
        inboxes.chain(channels).chain(lines).sum::<usize>() as u64 + parked as u64
    }

    pub(super) fn note(&mut self, problem: Problem) {
        if !self.notes.contains(&problem) {
            self.notes.push(problem);
        }
    }

    pub(super) fn trace_fault(&mut self, node: NodeIndex, kind: FaultKind, item: &Item) {
        let id = &self.shape.plan.nodes[node].id;
        let event = &item.event.context.id;
        let sort = kind.sort() as u16;
        self.trace
            .add(self.now_us, What::Fault, id, sort, event, item.fact);
    }

    fn count_fault_at(
        &mut self,
        node: NodeIndex,
        kind: FaultKind,
        event: &Event,
        fact: Option<u32>,
    ) {
        let id = &self.shape.plan.nodes[node].id;
        let sort = kind.sort() as u16;
        self.trace
            .add(self.now_us, What::Fault, id, sort, &event.context.id, fact);
    }

    /// Facts that came in from outside.
    pub(super) fn facts_that_came(&self) -> Vec<Fact> {
        let facts = self.came.iter().map(|came| Fact {
            source: self.shape.plan.nodes[came.node].id.clone(),
            at_us: came.at_us,
            event: came.event.clone(),
        });
        facts.collect()
    }
}
