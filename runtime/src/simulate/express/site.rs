//! What lines of plain runs stand between: queues, inboxes and sinks.

use graph_model::event::Event;

use super::super::run::Run;
use super::super::shape::{Model, Shape};
use super::super::world::ms_at;
use super::inbox::Inbox;
use super::lazy::Newest;
use super::loads::{LoadId, Loads};
use super::queue::{Deliveries, Place, Queue};
use super::tally::Tally;
use super::way::Way;
use super::{NotPlain, Plainly};
use crate::operator::Output;
use crate::plan::NodeIndex;

/// Events that a sink writes at once, at most.
const BATCH: usize = 256;

/// Everything of a run but its lines.
pub(super) struct Site<'r> {
    pub(super) run: &'r mut Run,
    pub(super) shape: &'r Shape,
    /// By subscription.
    pub(super) queues: Vec<Queue<'r>>,
    /// Where the events of a subscription go.
    pub(super) ways: Vec<Way>,
    pub(super) loads: Loads,
    pub(super) deliveries: Deliveries,
    /// By number of the inbox.
    pub(super) inboxes: Vec<Inbox>,
    /// By node; those of other nodes stay empty.
    pub(super) sinks: Vec<Sink>,
    /// What an event that a source makes up weighs at most, by node.
    pub(super) heaviest: Vec<u64>,
    /// Kept to be used again.
    pub(super) out: Output,
}

/// A node that writes.
pub(super) struct Sink {
    inbox: Option<usize>,
    tally: Tally,
    /// Of a view that shows the newest events as they are.
    pub(super) newest: Option<Newest>,
}

impl<'r> Site<'r> {
    pub(super) fn new(run: &'r mut Run, shape: &'r Shape) -> Result<Site<'r>, NotPlain> {
        let nodes = 0..shape.nodes.len();
        let queues = (0..shape.subs.len()).map(|sub| Queue::of(shape, sub));
        let ways = shape.subs.iter().map(|sub| Way::of(shape, sub.edge));
        let inboxes = shape.inboxes.iter();
        let inboxes = inboxes.map(|inbox| Inbox::new(shape, inbox));
        let sink = |node| Sink {
            inbox: run.inbox_of(node),
            tally: Tally::default(),
            newest: Newest::of(shape, node),
        };
        Ok(Site {
            queues: queues.collect::<Result<_, _>>()?,
            ways: ways.collect::<Result<_, _>>()?,
            loads: Loads::default(),
            deliveries: Deliveries::default(),
            inboxes: inboxes.collect(),
            sinks: nodes.map(sink).collect(),
            heaviest: shape.nodes.iter().map(super::heaviest).collect(),
            out: Output::default(),
            run,
            shape,
        })
    }

    /// What nodes counted is said of the run.
    pub(super) fn tell(&mut self) {
        for queue in &self.queues {
            queue.tell(self.shape, self.run);
        }
        for inbox in &self.inboxes {
            inbox.tell(self.run);
        }
        for (node, sink) in self.sinks.iter().enumerate() {
            sink.tally.tell(node, self.run);
        }
    }

    /// An event of a delivery is through, and left so many others in its place.
    #[inline]
    pub(super) fn pass(&mut self, delivery: Option<Place>, shares: u32) {
        if shares == 1 {
            return;
        }
        let settled = delivery.and_then(|place| self.deliveries.pass(place, shares));
        if let Some(sub) = settled {
            self.queues[sub].settle();
        }
    }

    /// Consumers hear of what was settled.
    pub(super) fn read_settled(&mut self) {
        for sub in self.deliveries.settled.drain(..) {
            self.queues[sub].wake_all_after(self.run);
        }
    }

    /// An event waits for a sink.
    #[inline(always)]
    pub(super) fn put(&mut self, inbox: usize, lane: u32, load: LoadId) -> Plainly {
        let inbox = &mut self.inboxes[inbox];
        inbox.push(lane, load)?;
        inbox.wake(self.run);
        Ok(())
    }

    /// A sink writes what waits for it.
    pub(super) fn write(&mut self, node: NodeIndex) -> Plainly {
        let inbox = self.sinks[node].inbox.ok_or(NotPlain)?;
        self.inboxes[inbox].looked_into();
        for _ in 0..BATCH {
            let Some(load) = self.inboxes[inbox].pop() else {
                break;
            };
            let sink = &mut self.sinks[node];
            let held = &self.loads[load];
            let delivery = held.delivery;
            sink.tally.count(self.run, held)?;
            if let Some(newest) = &mut sink.newest {
                let weigh = |event: &Event| event.data.weight() as u64;
                let weight = held.event.weight(&self.heaviest, weigh);
                if let Some(gone) = newest.show(weight, load) {
                    drop(self.loads.remove(gone));
                }
            } else {
                self.store(node, load)?;
            }
            self.pass(delivery, 0);
        }
        self.inboxes[inbox].wake(self.run);
        Ok(())
    }

    fn store(&mut self, node: NodeIndex, load: LoadId) -> Plainly {
        let Model::Sink { store, place } = &self.shape.nodes[node].model else {
            return Err(NotPlain);
        };
        let run = &mut *self.run;
        let came_us = self.loads[load].came_us;
        let event = self.loads.remove(load);
        let event = event.make(run, came_us).ok_or(NotPlain)?;
        let now_ms = ms_at(run.now_us);
        let content = &mut run.contents[*place];
        let wrote = store.write(&event, now_ms, content);
        let wrote = wrote.map_err(|_| NotPlain)?;
        run.grow(node, wrote.grown);
        Ok(())
    }

    /// Whatever views show by now is made.
    pub(super) fn show_newest(&mut self) -> Plainly {
        for node in 0..self.sinks.len() {
            let newest = self.sinks[node].newest.take();
            for load in newest.into_iter().flat_map(Newest::into_loads) {
                self.store(node, load)?;
            }
        }
        Ok(())
    }
}
