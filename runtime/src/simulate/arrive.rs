//! How facts come into a flow, and come again.

use std::sync::Arc;

use graph_model::catalog::Delivery;
use graph_model::event::Event;

use super::agenda::Task;
use super::fault::FaultKind;
use super::line::REFUSED;
use super::run::{Came, Item, Origin, Parked, RESTART_US, Run};
use super::scenario::Fact;
use super::shape::Model;
use super::trace::What;
use crate::operator::Failure;
use crate::plan::NodeIndex;

impl Run {
    pub(super) fn note_next_fact(&mut self) {
        if !self.one_by_one
            && let Some((_, at_us, _)) = self.facts.get(self.next_fact)
        {
            self.agenda.add(*at_us, Task::Arrive);
        }
    }

    pub(super) fn bring_fact(&mut self) {
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
                Some(FaultKind::Refuse) => {
                    self.count_fault_at(node, FaultKind::Refuse, &event, fact);
                    return self.refuse(node, &event, &Failure::fatal(REFUSED), fact);
                }
                Some(kind @ FaultKind::Replay { back }) => {
                    self.count_fault_at(node, kind, &event, fact);
                    let sent = &self.sources[node].sent;
                    again = sent[sent.len().saturating_sub(back as usize + 1)..].to_vec();
                }
                _ => {}
            }
        }
        if self.sources[node].resumes_at.is_some() {
            // It comes when the source has begun again.
            return;
        }
        self.enter_flow(node, &event, fact);
        for (event, fact) in again {
            self.enter_flow(node, &event, fact);
        }
    }

    pub(super) fn enter_flow(&mut self, node: NodeIndex, event: &Event, fact: Option<u32>) {
        let shape = Arc::clone(&self.shape);
        let held = &shape.plan.nodes[node];
        self.meters[node].received += 1;
        let id = &event.context.id;
        self.trace
            .add(self.now_us, What::Arrived, &held.id, 0, id, fact);
        self.trace.keep(0, event);
        let share = self.share_of(node, event, fact);
        let Some(line) = held.line else { return };
        if let Some(mut instance) = self.take_instance(line, 0) {
            self.emit(line, &mut instance, 0, 0, event, &share, fact, 0);
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

    /// An event that whoever handled it took away with itself. Who delivers it is told; a source that
    /// can read again does so; from others it is lost.
    pub(super) fn take_away(&mut self, item: &Item) {
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
                let source = &mut self.sources[node];
                let known = source.resumes_at;
                source.resumes_at = Some(known.map_or(number, |known| known.min(number)));
                if known.is_none() {
                    self.park(RESTART_US, Parked::Resume { node });
                }
            }
            None => self.lost += 1,
        }
    }

    /// A source reads again from where it has to, and goes on.
    pub(super) fn resume(&mut self, node: NodeIndex) {
        let Some(number) = self.sources[node].resumes_at.take() else {
            return;
        };
        let sent = &self.sources[node].sent;
        let rest = sent.get(number..).unwrap_or_default().to_vec();
        for (event, fact) in rest {
            self.enter_flow(node, &event, fact);
        }
    }

    pub(super) fn count_fault_at(
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
