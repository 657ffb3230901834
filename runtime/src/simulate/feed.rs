//! Sources at work: they hand in what is due, and what they heard of stores.

use std::rc::Rc;
use std::sync::Arc;

use graph_model::catalog::Delivery;
use graph_model::event::Event;
use graph_model::value::{Object, Value};
use runtime_protocol::Problem;
use smol_str::format_smolstr;

use super::agenda::Task;
use super::channel::Told;
use super::run::{Origin, Parked, Root, Run};
use super::shape::Model;
use super::source::{GAP_US, SourceModel};
use super::stores::{Heard, RowChange};
use super::trace::What;
use super::world::EPOCH_MS;
use crate::delivery::Share;
use crate::operator::{Failure, FailureClass};
use crate::plan::NodeIndex;
use crate::sources::{Record, Stamp};
use crate::world::World;

/// Deliveries of a change, or of a request, before it is given up.
const TRIES_MAX: u32 = 5;
/// Pause before the second one; doubled each time.
const PAUSE_US: u64 = 500_000;

impl Run {
    /// Lets sources that have events of their own begin.
    pub(super) fn begin_sources(&mut self) {
        let shape = Rc::clone(&self.shape);
        for (node, held) in shape.nodes.iter().enumerate() {
            let Model::Source { source, .. } = &held.model else {
                continue;
            };
            match source {
                SourceModel::Records {
                    records, trouble, ..
                } => {
                    if let Some(trouble) = trouble {
                        self.note(Problem::at(&shape.plan.nodes[node].id, trouble.clone()));
                    }
                    if records.is_empty() {
                        continue;
                    }
                }
                SourceModel::Generator(generator) => {
                    self.sources[node].generator = Some(generator.clone());
                }
                SourceModel::Schedule(schedule) => {
                    if let Some(due_ms) = schedule.after(EPOCH_MS) {
                        self.agenda.add(since_epoch_us(due_ms), Task::source(node));
                    }
                    continue;
                }
                SourceModel::Given | SourceModel::Changes { .. } => continue,
            }
            self.agenda.add(0, Task::source(node));
        }
    }

    /// A source hands in what is due.
    pub(super) fn look_for_events(&mut self, node: NodeIndex) {
        let shape = Rc::clone(&self.shape);
        let Model::Source { source, .. } = &shape.nodes[node].model else {
            return;
        };
        if let SourceModel::Changes { .. } = source {
            return self.hand_in_change(node);
        }
        if let Some((event, root)) = self.sources[node].heard.pop_front() {
            if !self.sources[node].heard.is_empty() {
                self.agenda.add(self.now_us + GAP_US, Task::source(node));
            }
            return self.arrive(node, event, Origin::Store(root));
        }
        if self.is_over() || !self.own_events {
            return;
        }
        if self.is_blocked(node) {
            return self.agenda.add(self.now_us + GAP_US, Task::source(node));
        }
        match self.next_of_its_own(node, source) {
            Some(Ok(event)) => self.arrive(node, event, Origin::Outside),
            Some(Err((event, failure))) => self.refuse(node, &event, &failure, Root::default()),
            None => {}
        }
    }

    /// The next event that a source has of its own. When the one after it is due is noted.
    pub(super) fn next_of_its_own(
        &mut self,
        node: NodeIndex,
        source: &SourceModel,
    ) -> Option<Record> {
        let made = self.sources[node].made;
        match source {
            SourceModel::Records {
                records, gap_us, ..
            } => {
                let record = records.get(made as usize)?;
                self.sources[node].made += 1;
                if made + 1 < records.len() as u64 {
                    self.agenda.add(self.now_us + gap_us, Task::source(node));
                }
                Some(record.clone())
            }
            SourceModel::Generator(_) => {
                let number = self.next_made_up(node)?;
                let now_ms = self.stage.world.now_ms();
                let generator = self.sources[node].generator.as_mut()?;
                Some(Ok(generator.event(number, now_ms)))
            }
            SourceModel::Schedule(schedule) => {
                self.sources[node].made += 1;
                let due_ms = self.stage.world.now_ms();
                if let Some(next_ms) = schedule.after(due_ms) {
                    self.agenda.add(since_epoch_us(next_ms), Task::source(node));
                }
                Some(Ok(schedule.event(made + 1, due_ms)))
            }
            SourceModel::Given | SourceModel::Changes { .. } => None,
        }
    }

    /// The number of the next event of a generator, which is yet to be made. When the one after it is due
    /// is noted.
    pub(super) fn next_made_up(&mut self, node: NodeIndex) -> Option<u64> {
        let source = &mut self.sources[node];
        let generator = source.generator.as_ref()?;
        let number = source.made;
        if number >= generator.count() {
            return None;
        }
        source.made += 1;
        let random = || self.stage.world.random();
        let due_us = generator.next_due_us(source.made, source.due_us, random);
        source.due_us = due_us.unwrap_or(self.now_us + GAP_US);
        let due_us = source.due_us.max(self.now_us);
        self.agenda.add(due_us, Task::source(node));
        Some(number)
    }

    /// A store was written: those who hear of it do so soon.
    pub(super) fn hear(&mut self, place: usize, heard: &Heard, root: Root) {
        let shape = Rc::clone(&self.shape);
        for &node in &shape.hearers[place] {
            let Model::Source { source, .. } = &shape.nodes[node].model else {
                continue;
            };
            let now_ms = self.stage.world.now_ms();
            let pause_us = match (source, heard) {
                (
                    SourceModel::Changes {
                        name,
                        stamp,
                        poll_us,
                        ..
                    },
                    Heard::Row(change),
                ) => {
                    let run = &mut self.sources[node];
                    run.seq += 1;
                    let event = change_event(name, stamp, run.seq, change, now_ms);
                    run.heard.push_back((event, root));
                    if std::mem::replace(&mut run.waiting, true) {
                        continue;
                    }
                    *poll_us
                }
                (
                    SourceModel::Records {
                        files: Some((files, _)),
                        ..
                    },
                    Heard::Object(name, content),
                ) => {
                    let Some(file) = files.file(name) else {
                        continue;
                    };
                    let bytes = content.to_json() + "\n";
                    let cut = file.cut(bytes.as_bytes(), now_ms, &*self.stage.world);
                    let events = cut.into_iter().flatten().filter_map(Result::ok);
                    let run = &mut self.sources[node];
                    let waited = !run.heard.is_empty();
                    run.heard.extend(events.map(|event| (event, root)));
                    if waited || run.heard.is_empty() {
                        continue;
                    }
                    // A file counts as complete when it did not change for a while.
                    200_000
                }
                _ => continue,
            };
            self.agenda.add(self.now_us + pause_us, Task::source(node));
        }
    }

    pub(super) fn hand_in_change(&mut self, node: NodeIndex) {
        match self.sources[node].heard.front().cloned() {
            Some((event, root)) => self.arrive(node, event, Origin::Store(root)),
            None => self.sources[node].waiting = false,
        }
    }

    /// What a source handed in is settled.
    pub(super) fn source_told(
        &mut self,
        node: NodeIndex,
        event: Event,
        root: Root,
        outcome: Result<(), Failure>,
    ) {
        let shape = Rc::clone(&self.shape);
        let is_changes = matches!(
            &shape.nodes[node].model,
            Model::Source {
                source: SourceModel::Changes { .. },
                ..
            }
        );
        // A copy of a change that comes once more is none that the source still waits for.
        let is_next = |(held, _): &(Event, Root)| held.context.id == event.context.id;
        if is_changes && !self.sources[node].heard.front().is_some_and(is_next) {
            return;
        }
        let failure = match outcome {
            Ok(()) if is_changes => {
                self.sources[node].tries = 0;
                self.sources[node].heard.pop_front();
                return self.agenda.add(self.now_us, Task::source(node));
            }
            Ok(()) => return self.forget_tries(root),
            Err(failure) => failure,
        };
        let tries = if is_changes {
            self.sources[node].tries += 1;
            self.sources[node].tries
        } else {
            self.tries_of(root)
        };
        let ends = failure.class == FailureClass::Invalid || tries >= TRIES_MAX;
        let pause_us = PAUSE_US << tries.saturating_sub(1).min(16);
        match (is_changes, ends) {
            (true, true) => {
                self.sources[node].tries = 0;
                self.sources[node].heard.pop_front();
                self.refuse(node, &event, &failure, root);
                self.agenda.add(self.now_us, Task::source(node));
            }
            (true, false) => self.agenda.add(self.now_us + pause_us, Task::source(node)),
            // Whoever called is told, and asks no more.
            (false, true) => {
                self.forget_tries(root);
                self.meters[node].refused += 1;
            }
            (false, false) => self.park(pause_us, Parked::Arrive { node, event, root }),
        }
    }

    /// Who waits for the outcome of an event that a source hands in.
    pub(super) fn share_of(&self, node: NodeIndex, event: &Event, root: Root) -> Share {
        let told = matches!(
            &self.shape.nodes[node].model,
            Model::Source {
                source: SourceModel::Changes { .. },
                ..
            } | Model::Source {
                delivery: Delivery::CallerRetries,
                ..
            }
        );
        if !told {
            return Share::none();
        }
        Share::open(Told {
            office: Arc::clone(&self.office),
            node,
            event: event.clone(),
            root,
        })
    }

    /// A source cannot make an event of what it found.
    pub(super) fn refuse(&mut self, node: NodeIndex, event: &Event, failure: &Failure, root: Root) {
        self.meters[node].failed += 1;
        let Some(line) = self.shape.plan.nodes[node].line else {
            return;
        };
        if let Some(mut held) = self.take_instance(line, 0) {
            let id = &self.shape.plan.nodes[node].id;
            self.trace
                .add(self.now_us, What::GivenUp, id, 0, &event.context.id, root);
            self.fail(line, &mut held, 0, event, failure, 1, &Share::none(), root);
            self.work(line, 0, held);
        }
    }
}

fn change_event(name: &str, stamp: &Stamp, seq: u64, change: &RowChange, now_ms: i64) -> Event {
    let object = |cells: Option<&Object>| cells.map_or(Value::Null, |cells| cells.clone().into());
    let mut data = Object::with_capacity(4);
    data.insert("after", object(Some(&change.after)));
    data.insert("before", object(change.before.as_ref()));
    data.insert("key", change.key.clone());
    data.insert(
        "op",
        if change.before.is_some() {
            "update"
        } else {
            "insert"
        },
    );
    let id = format_smolstr!("{name}/{seq}");
    let mut event = stamp.event(id, now_ms, Value::from(data));
    Arc::make_mut(&mut event.context).subject = match &change.key {
        Value::Null => None,
        key => Some(key.to_text()),
    };
    event
}

fn since_epoch_us(time_ms: i64) -> u64 {
    u64::try_from(time_ms - EPOCH_MS).unwrap_or(0) * 1_000
}
