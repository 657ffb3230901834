//! A run: everything that changes while a scenario plays, and how it goes from step to step.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use graph_model::event::Event;
use runtime_protocol::{EdgeCount, NodeCount, Problem};
use rustc_hash::FxHashMap;
use smol_str::SmolStr;

use super::agenda::{Agenda, Task};
use super::channel::{ChannelRun, Note, Office, Reader};
use super::desk::Desk;
use super::fault::Sort;
use super::latency::Latencies;
use super::line::Instance;
use super::load::Load;
use super::outcome::Ended;
use super::replay::{Replay, Spoken};
use super::scenario::{Limits, Scenario};
use super::service::Warmth;
use super::shape::{Model, Shape, Stage};
use super::source::SourceRun;
use super::stores::Content;
use super::strike::Strikes;
use super::trace::Trace;
use crate::channels::Delivered;
use crate::delivery::Share;
use crate::operator::Output;
use crate::plan::{EdgeIndex, LineIndex, NodeIndex, Role};

/// What was under way in a line that broke down is sent again after so long.
pub(super) const RESTART_US: u64 = 100_000;
/// Events that a line takes out of its inbox at once.
pub(super) const BATCH: usize = 256;

/// An event on its way.
pub(super) struct Item {
    pub event: Event,
    pub share: Share,
    /// Number of the input port.
    pub input: u16,
    pub root: Root,
    /// When it left the node before; what a channel holds waits since then.
    pub since_us: u64,
}

impl Item {
    /// The same once more, with a share of its own in the delivery.
    pub(super) fn copy(&self) -> Item {
        Item {
            event: self.event.clone(),
            share: self.share.clone(),
            ..*self
        }
    }
}

/// The fact from which an event follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Root {
    /// Its number; nothing when it follows from none.
    pub fact: Option<u32>,
    /// When it came in.
    pub came_us: u64,
}

/// What the driver keeps beside an event that a channel holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    pub root: Root,
    pub since_us: u64,
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
    pub(super) items: VecDeque<Waiting>,
    pub(super) waiting: Vec<u32>,
    pub(super) blocked: Vec<Sender>,
    pub(super) scheduled: bool,
}

/// An event in an inbox.
pub(super) struct Waiting {
    pub(super) lane: usize,
    /// The instance that sent it.
    pub(super) slot: usize,
    pub(super) item: Item,
}

/// Something that was held back.
pub(super) enum Parked {
    Deliver {
        sub: usize,
        slot: usize,
        item: Item,
    },
    Parcel(Parcel),
    /// A source that has broken down.
    Resume {
        node: NodeIndex,
    },
    Arrive {
        node: NodeIndex,
        event: Event,
        root: Root,
    },
}

/// Where an event of a source comes from.
#[derive(Clone, Copy)]
pub(super) enum Origin {
    /// It is a new fact.
    Outside,
    /// It tells what was written to a store, because of this fact.
    Store(Root),
}

/// A fact that came in.
pub(super) struct Came {
    pub(super) node: NodeIndex,
    /// Its number among those of its source.
    pub(super) number: usize,
    pub(super) at_us: u64,
    pub(super) event: Event,
}

pub(super) struct Run {
    pub(super) stage: Arc<Stage>,
    pub(super) shape: Rc<Shape>,
    pub(super) one_by_one: bool,
    /// Whether nodes take no time now, whatever is declared of them.
    pub(super) at_once: bool,
    /// Virtual time that an event takes from one line, channel or sink to the next.
    pub(super) hop_us: u64,
    pub(super) own_events: bool,
    pub(super) limits: Limits,
    pub(super) replay: Option<Arc<Replay>>,
    pub(super) spoken: Spoken,
    /// By the time of their coming.
    pub(super) facts: Vec<(NodeIndex, u64, Event)>,
    pub(super) next_fact: usize,
    pub(super) agenda: Agenda,
    pub(super) now_us: u64,
    pub(super) lines: Vec<Vec<Option<Box<Instance>>>>,
    pub(super) inboxes: Vec<Inbox>,
    /// First edge into each node.
    pub(super) first_in: Vec<Option<EdgeIndex>>,
    /// Of sinks, by node.
    pub(super) outboxes: Vec<VecDeque<Parcel>>,
    /// What sinks that take time are at, by node.
    pub(super) desks: Vec<Vec<Desk>>,
    pub(super) channels: Vec<Option<ChannelRun>>,
    /// By subscription and slot.
    pub(super) readers: Vec<Vec<Reader>>,
    pub(super) sources: Vec<SourceRun>,
    pub(super) contents: Vec<Content>,
    pub(super) dead: Vec<Event>,
    pub(super) meters: Vec<NodeCount>,
    pub(super) passed: Vec<EdgeCount>,
    pub(super) latencies: Vec<Latencies>,
    /// Of nodes that take time.
    pub(super) loads: Vec<Load>,
    /// Of nodes and instances that may have to start.
    pub(super) warmth: FxHashMap<(NodeIndex, usize), Warmth>,
    /// The most events that waited in front of a node, or in a channel.
    pub(super) waiting_max: Vec<u64>,
    /// Facts so far.
    pub(super) facts_came: u64,
    /// Whether somebody may ask for them later.
    pub(super) keeps_facts: bool,
    pub(super) came: Vec<Came>,
    /// Tries of facts that were refused and will come again.
    pub(super) tries: FxHashMap<u32, u32>,
    /// Facts behind the events that channels hold, by source and id; empty when no facts are kept.
    pub(super) behind: FxHashMap<(SmolStr, SmolStr), Root>,
    pub(super) strikes: Strikes,
    /// Wires and slots on which nothing goes before a time, as an earlier event is late.
    pub(super) held_wires: Vec<(EdgeIndex, usize, u64)>,
    pub(super) parked: Vec<Option<Parked>>,
    pub(super) free: Vec<usize>,
    pub(super) office: Arc<Office>,
    /// From which of their events on readers have to read again.
    pub(super) unread: BTreeMap<(usize, usize), u64>,
    pub(super) trace: Trace,
    pub(super) steps: u64,
    /// Bytes that each node holds for good.
    pub(super) grown: Vec<u64>,
    /// When what waits is weighed next, in tasks.
    pub(super) weigh_at: u64,
    pub(super) lost: u64,
    pub(super) notes: Vec<Problem>,
    pub(super) out: Output,
    /// Kept to be used again: notes of the office, deliveries, what a sink has in hand.
    pub(super) notes_read: Vec<Note>,
    pub(super) taken: Vec<Delivered<Mark>>,
    pub(super) hand: Vec<Item>,
    pub(super) ended: Option<Ended>,
    pub(super) ran_out: bool,
    /// The next line to be told that nothing more will come.
    pub(super) ending: usize,
}

impl Run {
    pub(super) fn new(stage: &Arc<Stage>, shape: &Rc<Shape>, scenario: &Scenario) -> Run {
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
            if let Some(node) = node.filter(|node| plan.nodes[*node].role == Role::Source) {
                facts.push((node, fact.at_us, fact.event.clone()));
                continue;
            }
            let message = "a fact is for a source that is not there; choose another";
            let problem = Problem::at(&fact.source, message);
            if !notes.contains(&problem) {
                notes.push(problem);
            }
        }
        if !scenario.one_by_one {
            facts.sort_by_key(|(_, at_us, _)| *at_us);
        }
        let instances = plan.lines.iter().map(|line| line.instances as usize);
        let mut run = Run {
            stage: Arc::clone(stage),
            one_by_one: scenario.one_by_one,
            at_once: scenario.one_by_one,
            hop_us: scenario.hop_us,
            own_events: scenario.own_events,
            limits: scenario.limits,
            replay: scenario.replay.clone(),
            spoken: Spoken::default(),
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
                    waiting: vec![0; inbox.lanes.len()],
                    ..Inbox::default()
                })
                .collect(),
            first_in: plan
                .nodes
                .iter()
                .map(|node| node.ins.first().copied())
                .collect(),
            outboxes: (0..nodes).map(|_| VecDeque::new()).collect(),
            desks: (0..nodes).map(|_| Vec::new()).collect(),
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
            loads: vec![Load::default(); nodes],
            warmth: FxHashMap::default(),
            waiting_max: vec![0; nodes],
            facts_came: 0,
            keeps_facts: scenario.keep_facts || !scenario.faults.is_empty(),
            came: Vec::new(),
            tries: FxHashMap::default(),
            behind: FxHashMap::default(),
            strikes: Strikes::new(&scenario.faults, plan),
            held_wires: Vec::new(),
            parked: Vec::new(),
            free: Vec::new(),
            office,
            unread: BTreeMap::new(),
            trace: Trace::new(scenario.record),
            steps: 0,
            grown: vec![0; nodes],
            weigh_at: 0,
            lost: 0,
            notes,
            out: Output::default(),
            notes_read: Vec::new(),
            taken: Vec::new(),
            hand: Vec::new(),
            ended: None,
            ran_out: false,
            ending: 0,
            shape: Rc::clone(shape),
        };
        if scenario.partitions.is_some() && !scenario.one_by_one {
            run.strikes.counted.insert(Sort::Partitions, 1);
        }
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

    pub(super) fn perform(&mut self, task: Task) {
        match task {
            Task::Arrive => {
                if self.is_over() {
                    self.next_fact = self.facts.len();
                } else {
                    self.bring_fact();
                    self.note_next_fact();
                }
            }
            Task::Source(node) => self.look_for_events(node as usize),
            Task::Work { line, instance } => self.work_inbox(line as usize, instance as usize),
            Task::Write(node) => self.write(node as usize),
            Task::Deliver { sub, slot } => self.deliver(sub as usize, slot as usize, false),
            Task::Expire { sub, slot } => self.deliver(sub as usize, slot as usize, true),
            Task::Idle { line, instance } => self.tell_idle(line as usize, instance as usize),
            Task::Lead(node) => self.lead_on(node as usize),
            Task::Parked(number) => self.unpark(number as usize),
        }
    }

    /// Nothing is under way: the next fact comes, or what is held back, or the end.
    pub(super) fn rest(&mut self) {
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

    pub(super) fn move_to(&mut self, at_us: u64) {
        self.now_us = self.now_us.max(at_us);
        self.stage.world.move_to(self.now_us);
    }

    /// Whether sources take nothing in any more.
    pub(super) fn is_over(&mut self) -> bool {
        self.ran_out |= self.now_us > self.limits.duration_us;
        self.ran_out
    }

    pub(super) fn holds_anything(&self) -> bool {
        let mut channels = self.channels.iter().enumerate();
        channels.any(|(node, channel)| {
            channel.as_ref().is_some_and(|channel| {
                let has_readers = matches!(&self.shape.nodes[node].model, Model::Channel(held) if !held.subs.is_empty());
                has_readers && channel.held() > 0
            })
        })
    }
}
