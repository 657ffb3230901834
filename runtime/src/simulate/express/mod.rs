//! Plays plain runs faster: nobody records them, nothing goes wrong in them by plan, and events only
//! come, wait, take time, and are written.
//!
//! The same things are due at the same times and in the same order as in the general driver, by the
//! same chance and on the same operators. What is left out is what only matters when an event fails,
//! comes again, or is looked at; events that no operator looks at are not even made. When something of
//! that kind comes up after all, or a limit does, the run is given up, and the general driver plays it
//! from its beginning.

#![expect(
    clippy::inline_always,
    reason = "steps are so short that calls between them count"
)]

mod hand;
mod inbox;
mod lazy;
mod loads;
mod queue;
mod site;
mod tally;
mod way;

use std::rc::Rc;

use graph_model::catalog::{Behaviour, Delivery};
use rustc_hash::FxHashSet;

use self::hand::Hand;
use self::inbox::Inbox;
use self::lazy::{Lazy, Newest};
use self::loads::{Load, LoadId};
use self::queue::Queue;
use self::site::Site;
use self::way::Way;
use super::agenda::Task;
use super::limits::{LOOK_EVERY, WEIGH_EVERY, weight};
use super::outcome::Ended;
use super::run::Run;
use super::shape::{Model, NodeShape, Shape, Target};
use super::source::{GAP_US, SourceModel};
use crate::channels::ChannelKind;
use crate::plan::{Head, NodeIndex};

/// Something came up that only the general driver plays.
pub(super) struct NotPlain;

/// What comes of a part of a run.
type Plainly = Result<(), NotPlain>;

/// A run from its beginning to its end, unless something comes up; then it has to begin again.
pub(super) fn play(run: &mut Run) -> Result<(), NotPlain> {
    let shape = Rc::clone(&run.shape);
    Express::new(run, &shape)?.play()
}

struct Express<'r> {
    /// By line and instance.
    hands: Vec<Vec<Hand>>,
    site: Site<'r>,
}

impl<'r> Express<'r> {
    fn new(run: &'r mut Run, shape: &'r Shape) -> Result<Express<'r>, NotPlain> {
        let lines = 0..shape.plan.lines.len();
        let hands = lines.map(|line| Hand::all_of(run, shape, line));
        Ok(Express {
            hands: hands.collect::<Result<_, _>>()?,
            site: Site::new(run, shape)?,
        })
    }

    fn play(&mut self) -> Plainly {
        while let Some((at_us, task)) = self.site.run.agenda.pop() {
            // When nothing but timers was left, a flow that holds nothing is at rest.
            if task.is_timer() && self.site.run.agenda.is_at_rest() && !self.holds_anything() {
                break;
            }
            let run = &mut *self.site.run;
            run.now_us = run.now_us.max(at_us);
            match task {
                Task::Source(node) => self.bring(node as usize)?,
                Task::Deliver { sub, slot } => self.deliver(sub as usize, slot as usize, false)?,
                Task::Expire { sub, slot } => self.deliver(sub as usize, slot as usize, true)?,
                Task::Work { line, instance } => {
                    let hand = &mut self.hands[line as usize][instance as usize];
                    hand.work(&mut self.site)?;
                }
                Task::Write(node) => self.site.write(node as usize)?,
                Task::Arrive | Task::Lead(_) | Task::Parked(_) | Task::Idle { .. } => {
                    return Err(NotPlain);
                }
            }
            if !self.site.deliveries.settled.is_empty() {
                self.site.read_settled();
            }
            if self.site.run.agenda.noted().is_multiple_of(LOOK_EVERY) {
                self.look_at_limits()?;
            }
        }
        self.site.show_newest()?;
        self.site.tell();
        for hand in self.hands.iter().flatten() {
            hand.tell(self.site.run);
        }
        let run = &mut *self.site.run;
        run.move_to(run.now_us);
        run.ended = Some(if run.ran_out {
            Ended::Duration
        } else {
            Ended::Idle
        });
        Ok(())
    }

    /// A source hands in what is due.
    fn bring(&mut self, node: NodeIndex) -> Plainly {
        let site = &mut self.site;
        let Model::Source { source, .. } = &site.shape.nodes[node].model else {
            return Err(NotPlain);
        };
        let run = &mut *site.run;
        if run.is_over() {
            return Ok(());
        }
        let line = site.shape.plan.nodes[node].line.ok_or(NotPlain)?;
        let hand = &mut self.hands[line][0];
        if !hand.is_quiet() {
            run.agenda.add(run.now_us + GAP_US, Task::source(node));
            return Ok(());
        }
        let event = if let SourceModel::Generator(_) = source {
            let number = run.next_made_up(node);
            number.map(|number| Lazy::Due {
                source: node,
                number,
            })
        } else {
            run.move_to(run.now_us);
            let event = run.next_of_its_own(node, source);
            let event = event.transpose().map_err(|_| NotPlain)?;
            event.map(Lazy::Made)
        };
        let Some(event) = event else {
            return Ok(());
        };
        run.facts_came += 1;
        run.meters[node].received += 1;
        let load = site.loads.add(Load {
            event,
            came_us: run.now_us,
            since_us: run.now_us,
            delivery: None,
            input: 0,
        });
        hand.emit(site, 0, 0, load)?;
        if !hand.is_quiet() {
            hand.work(site)?;
        }
        Ok(())
    }

    /// A consumer takes what waits, and its line handles it.
    fn deliver(&mut self, sub: usize, slot: usize, expired: bool) -> Plainly {
        let site = &mut self.site;
        site.queues[sub].looks(slot, expired);
        let held = &site.shape.subs[sub];
        let hand = &mut self.hands[held.line][slot];
        if !hand.is_quiet() {
            // It looks again when it has worked off what it has.
            return Ok(());
        }
        let taken = site.queues[sub].take(&mut site.deliveries, site.run.now_us)?;
        if let Some((load, delivery)) = taken {
            site.loads[load].delivery = Some(delivery);
            match site.ways[sub] {
                Way::Op { op, input } => {
                    site.loads[load].input = input;
                    hand.begin(site, op, load)?;
                }
                Way::Inbox { inbox, lane } => site.put(inbox, lane, load)?,
                Way::Queue { .. } => return Err(NotPlain),
            }
        }
        if !hand.is_busy(site.run.now_us) {
            hand.work(site)?;
        }
        site.queues[sub].wake_after(slot, site.run);
        Ok(())
    }

    fn holds_anything(&self) -> bool {
        self.site.queues.iter().any(|queue| queue.len() > 0)
    }

    /// A limit may be near: whether it is reached, and where, the general driver says.
    fn look_at_limits(&mut self) -> Plainly {
        let in_flight = self.in_flight();
        let shown = self
            .site
            .sinks
            .iter()
            .filter_map(|sink| sink.newest.as_ref());
        let shown = shown.map(Newest::bytes).sum::<u64>();
        let run = &mut *self.site.run;
        let (limits, noted) = (run.limits, run.agenda.noted());
        let mut bytes = run.grown() + shown;
        if noted >= run.weigh_at {
            run.weigh_at = noted + WEIGH_EVERY.max(in_flight.saturating_mul(4));
            bytes += self.weight();
        }
        let is_near = noted > limits.steps_max.saturating_mul(16)
            || in_flight > limits.in_flight_max
            || bytes > limits.bytes_max;
        if is_near { Err(NotPlain) } else { Ok(()) }
    }

    fn in_flight(&self) -> u64 {
        let queues = self.site.queues.iter().map(Queue::len);
        let hands = self.hands.iter().flatten().map(Hand::waiting);
        let inboxes = self.site.inboxes.iter().map(Inbox::len);
        queues.chain(hands).chain(inboxes).sum::<usize>() as u64
    }

    /// At least what the general driver finds waiting: there a channel holds what is under way as well.
    fn weight(&self) -> u64 {
        let mut known = FxHashSet::default();
        let queues = self.site.queues.iter().flat_map(Queue::waiting);
        let hands = self.hands.iter().flatten().flat_map(Hand::loads);
        let inboxes = self.site.inboxes.iter().flat_map(Inbox::loads);
        let weight = |load: LoadId| {
            let event = &self.site.loads[load].event;
            event.weight(&self.site.heaviest, |event| weight(event, &mut known))
        };
        let loads = queues.chain(hands).chain(inboxes);
        2 * loads.map(weight).sum::<u64>()
    }
}

impl Run {
    /// Whether this way is open to it, at its beginning.
    pub(super) fn is_plain(&self) -> bool {
        let nobody_looks = !self.trace.records() && !self.keeps_facts && self.replay.is_none();
        let begins = self.steps == 0 && self.ended.is_none() && self.facts.is_empty();
        nobody_looks && begins && !self.strikes.any && !self.one_by_one && flow_is_plain(self)
    }
}

fn flow_is_plain(run: &Run) -> bool {
    let shape = &run.shape;
    let plan = &shape.plan;
    let lines_are = plan
        .lines
        .iter()
        .all(|line| !matches!(line.head, Head::Inbox(_)));
    let edges_are = plan.edges.iter().all(|edge| !edge.looping);
    let asks = shape.targets.iter().any(|to| matches!(to, Target::Reply));
    let nodes_are = (0..plan.nodes.len()).all(|node| node_is_plain(run, shape, node));
    lines_are && edges_are && nodes_are && !asks
}

fn node_is_plain(run: &Run, shape: &Shape, node: NodeIndex) -> bool {
    let held = &shape.plan.nodes[node];
    if heaviest(&shape.nodes[node]) > run.limits.bytes_max {
        return false;
    }
    match &shape.nodes[node].model {
        Model::Source { source, delivery } => {
            let is_heard = matches!(
                source,
                SourceModel::Changes { .. } | SourceModel::Records { files: Some(_), .. }
            );
            !is_heard && *delivery != Delivery::CallerRetries
        }
        Model::Operator => remembers_nothing(&run.stage.kinds[&held.node.kind].spec.behaviour),
        Model::Repartition { .. } => false,
        Model::Sink { place, .. } => {
            shape.nodes[node].service.is_none()
                && shape.hearers[*place].is_empty()
                && held.outs.iter().all(Vec::is_empty)
        }
        Model::Channel(channel) => {
            channel.kind == ChannelKind::Queue && channel.key.is_none() && channel.subs.len() == 1
        }
    }
}

/// What an event that a node makes up weighs at most.
fn heaviest(node: &NodeShape) -> u64 {
    match &node.model {
        Model::Source {
            source: SourceModel::Generator(generator),
            ..
        } => generator.weight_max() as u64,
        _ => 0,
    }
}

/// Whether what an operator does follows from the event alone, and not from the delivery that it came with.
fn remembers_nothing(behaviour: &Behaviour) -> bool {
    matches!(
        behaviour,
        Behaviour::Map { .. }
            | Behaviour::Filter { .. }
            | Behaviour::Route { .. }
            | Behaviour::Split { .. }
            | Behaviour::Redact { .. }
            | Behaviour::Guard { .. }
            | Behaviour::Validate { .. }
    )
}
