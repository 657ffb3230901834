//! Plays plain runs faster: nobody records them, nothing goes wrong in them by plan, and events only
//! come, wait, take time, and are written.
//!
//! The same things are due at the same times and in the same order as in the general driver, by the
//! same chance and on the same operators. What is left out is what only matters when an event fails,
//! comes again, or is looked at. When something of that kind comes up after all, or a limit does, the
//! run is given up, and the general driver plays it from its beginning.

mod hand;
mod queue;
mod rim;

use std::rc::Rc;

use graph_model::catalog::{Behaviour, Delivery};
use graph_model::event::Event;
use rustc_hash::FxHashSet;

use self::hand::Hand;
use self::queue::{Deliveries, Queue, Reader};
use self::rim::Inbox;
use super::agenda::Task;
use super::limits::{LOOK_EVERY, WEIGH_EVERY, weight};
use super::outcome::Ended;
use super::run::{Root, Run};
use super::shape::{Model, Shape, Target};
use super::source::SourceModel;
use crate::channels::ChannelKind;
use crate::operator::Output;
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

/// An event on its way.
struct Load {
    event: Event,
    root: Root,
    /// When it left the node before.
    since_us: u64,
    /// The delivery that it is part of.
    delivery: Option<u32>,
    /// Number of the input port.
    input: u16,
}

struct Express<'r> {
    run: &'r mut Run,
    shape: &'r Shape,
    /// By line and instance.
    hands: Vec<Vec<Option<Box<Hand>>>>,
    /// By node; those of other nodes stay empty.
    queues: Vec<Queue>,
    /// By subscription and slot.
    readers: Vec<Vec<Reader>>,
    deliveries: Deliveries,
    /// By number of the inbox.
    inboxes: Vec<Inbox>,
    out: Output,
}

impl<'r> Express<'r> {
    fn new(run: &'r mut Run, shape: &'r Shape) -> Result<Express<'r>, NotPlain> {
        let lines = 0..shape.plan.lines.len();
        let hands = lines.map(|line| Hand::all_of(run, shape, line));
        let readers = shape.subs.iter();
        let readers = readers.map(|sub| shape.plan.lines[sub.line].instances as usize);
        Ok(Express {
            hands: hands.collect::<Result<_, _>>()?,
            queues: shape.nodes.iter().map(|_| Queue::default()).collect(),
            readers: readers
                .map(|count| vec![Reader::default(); count])
                .collect(),
            deliveries: Deliveries::default(),
            inboxes: shape.inboxes.iter().map(Inbox::new).collect(),
            out: Output::default(),
            run,
            shape,
        })
    }

    fn play(&mut self) -> Plainly {
        while !self.run.agenda.is_at_rest() || self.holds_anything() {
            let Some((at_us, task)) = self.run.agenda.pop() else {
                break;
            };
            self.run.move_to(at_us);
            match task {
                Task::Source(node) => self.bring(node)?,
                Task::Deliver { sub, slot } => self.deliver(sub, slot, false)?,
                Task::Expire { sub, slot } => self.deliver(sub, slot, true)?,
                Task::Work { line, instance } => self.go_on(line, instance)?,
                Task::Write(node) => self.write(node)?,
                Task::Arrive | Task::Lead(_) | Task::Parked(_) | Task::Idle { .. } => {
                    return Err(NotPlain);
                }
            }
            self.read_settled();
            self.look_at_limits()?;
        }
        self.run.ended = Some(if self.run.ran_out {
            Ended::Duration
        } else {
            Ended::Idle
        });
        Ok(())
    }

    fn holds_anything(&self) -> bool {
        self.queues.iter().any(|queue| queue.len() > 0)
    }

    /// A limit may be near: whether it is reached, and where, the general driver says.
    fn look_at_limits(&mut self) -> Plainly {
        let noted = self.run.agenda.noted();
        if !noted.is_multiple_of(LOOK_EVERY) {
            return Ok(());
        }
        let limits = self.run.limits;
        let in_flight = self.in_flight();
        let mut bytes = self.run.grown.iter().sum::<u64>();
        if noted >= self.run.weigh_at {
            self.run.weigh_at = noted + WEIGH_EVERY.max(in_flight.saturating_mul(4));
            bytes += self.weight();
        }
        let is_near = noted > limits.steps_max.saturating_mul(16)
            || in_flight > limits.in_flight_max
            || bytes > limits.bytes_max;
        if is_near { Err(NotPlain) } else { Ok(()) }
    }

    fn in_flight(&self) -> u64 {
        let queues = self.queues.iter().map(Queue::len);
        let hands = self.hands.iter().flatten().flatten();
        let inboxes = self.inboxes.iter().map(Inbox::len);
        let waiting = queues.chain(hands.map(|hand| hand.waiting()));
        waiting.chain(inboxes).sum::<usize>() as u64
    }

    /// At least what the general driver finds waiting: there a channel holds what is under way as well.
    fn weight(&self) -> u64 {
        let mut known = FxHashSet::default();
        let queues = self.queues.iter().flat_map(Queue::waiting);
        let hands = self.hands.iter().flatten().flatten();
        let hands = hands.flat_map(|hand| hand.loads());
        let loads = queues
            .chain(hands)
            .chain(self.inboxes.iter().flat_map(Inbox::loads));
        2 * loads
            .map(|load| weight(&load.event, &mut known))
            .sum::<u64>()
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
