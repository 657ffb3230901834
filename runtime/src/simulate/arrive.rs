//! How facts come into a flow, and come again.

use std::rc::Rc;

use graph_model::catalog::Delivery;
use graph_model::event::Event;

use super::agenda::Task;
use super::channel::BROKE_DOWN;
use super::fault::FaultKind;
use super::handle::REFUSED;
use super::run::{Came, Item, Origin, Parked, RESTART_US, Root, Run};
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
        let root = match origin {
            Origin::Store(root) => root,
            Origin::Outside => self.note_fact(node, &event),
        };
        let mut again = Vec::new();
        if self.strikes.any {
            self.sources[node].sent.push((event.clone(), root));
            match self.strikes.at_node(node) {
                Some(kind @ FaultKind::Late { by_us }) => {
                    self.count_fault_at(node, kind, &event, root);
                    return self.park(by_us, Parked::Arrive { node, event, root });
                }
                Some(kind @ FaultKind::Duplicate { after_us }) => {
                    self.count_fault_at(node, kind, &event, root);
                    let event = event.clone();
                    self.park(after_us, Parked::Arrive { node, event, root });
                }
                Some(FaultKind::Refuse) => {
                    self.count_fault_at(node, FaultKind::Refuse, &event, root);
                    return self.refuse(node, &event, &Failure::fatal(REFUSED), root);
                }
                Some(kind @ FaultKind::Replay { back }) => {
                    self.count_fault_at(node, kind, &event, root);
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
        self.enter_flow(node, event, root);
        for (event, root) in again {
            self.enter_flow(node, event, root);
        }
    }

    /// A fact came in.
    fn note_fact(&mut self, node: NodeIndex, event: &Event) -> Root {
        let root = Root {
            fact: Some(self.facts_came as u32),
            came_us: self.now_us,
        };
        self.facts_came += 1;
        if self.keeps_facts {
            self.came.push(Came {
                node,
                number: self.sources[node].sent.len(),
                at_us: self.now_us,
                event: event.clone(),
            });
        }
        root
    }

    pub(super) fn enter_flow(&mut self, node: NodeIndex, event: Event, root: Root) {
        let shape = Rc::clone(&self.shape);
        let held = &shape.plan.nodes[node];
        self.meters[node].received += 1;
        let id = &event.context.id;
        self.trace
            .add(self.now_us, What::Arrived, &held.id, 0, id, root);
        self.trace.keep(0, &event);
        let share = self.share_of(node, &event, root);
        let Some(line) = held.line else { return };
        if let Some(mut instance) = self.take_instance(line, 0) {
            self.emit(line, &mut instance, 0, 0, event, &share, root, 0);
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
    pub(super) fn tries_of(&mut self, root: Root) -> u32 {
        let Some(fact) = root.fact else {
            return u32::MAX;
        };
        let tries = self.tries.entry(fact).or_default();
        *tries += 1;
        *tries
    }

    /// A fact comes no more, unless something may go wrong and send it again.
    pub(super) fn forget_tries(&mut self, root: Root) {
        if let Some(fact) = root.fact.filter(|_| !self.keeps_facts) {
            self.tries.remove(&fact);
        }
    }

    /// An event that whoever handled it took away with itself. Who delivers it is told; a source that
    /// can read again does so; from others it is lost.
    pub(super) fn take_away(&mut self, item: &Item) {
        let failure = Failure::transient(BROKE_DOWN);
        if item.share.give_up(&failure) {
            return;
        }
        let shape = Rc::clone(&self.shape);
        let resumable = item.root.fact.map(|fact| &self.came[fact as usize]);
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
        for (event, root) in rest {
            self.enter_flow(node, event, root);
        }
    }

    pub(super) fn count_fault_at(
        &mut self,
        node: NodeIndex,
        kind: FaultKind,
        event: &Event,
        root: Root,
    ) {
        let id = &self.shape.plan.nodes[node].id;
        let sort = kind.sort() as u16;
        self.trace
            .add(self.now_us, What::Fault, id, sort, &event.context.id, root);
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
