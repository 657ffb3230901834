//! Lines of plain runs: operators that hand events to each other within one step.

use std::collections::VecDeque;
use std::rc::Rc;

use super::super::agenda::Task;
use super::super::latency::Latencies;
use super::super::run::Run;
use super::super::service::Service;
use super::super::shape::Shape;
use super::super::world::ms_at;
use super::lazy::Lazy;
use super::loads::{Load, LoadId};
use super::site::Site;
use super::tally::Tally;
use super::way::{Way, ways};
use super::{NotPlain, Plainly};
use crate::operator::{Context, Operator};
use crate::plan::{LineIndex, NodeIndex, Role};
use crate::world::World;

/// One instance of a line.
pub(super) struct Hand {
    line: LineIndex,
    slot: usize,
    /// How many instances the line has.
    instances: u32,
    /// The subscription that it handles the events of.
    sub: Option<usize>,
    ops: Vec<Op>,
    /// Events that wait for its operators.
    pending: usize,
    busy: Option<Busy>,
}

struct Op {
    node: NodeIndex,
    /// Nothing for sources.
    code: Option<Box<dyn Operator>>,
    /// Whether every event leaves it as it came.
    hands_on: bool,
    service: Option<Service>,
    /// Where its wires lead, by port.
    ways: Vec<Vec<Way>>,
    pending: VecDeque<LoadId>,
    tally: Tally,
    /// Events that left it, by port.
    sent: Vec<u64>,
    waits: Latencies,
    services: Latencies,
}

/// The handling of an event that takes time.
struct Busy {
    op: usize,
    until_us: u64,
    load: LoadId,
}

impl Hand {
    /// The instances of a line.
    pub(super) fn all_of(run: &Run, shape: &Shape, line: LineIndex) -> Result<Vec<Hand>, NotPlain> {
        let held = &shape.plan.lines[line];
        let op = |&node: &NodeIndex| {
            let code = match shape.plan.nodes[node].role {
                Role::Operator => {
                    let operator = run.stage.operator(&shape.plan, node);
                    Some(operator.map_err(|_| NotPlain)?)
                }
                _ => None,
            };
            Ok(Op {
                node,
                hands_on: code.as_ref().is_some_and(|code| code.hands_on()),
                code,
                service: shape.nodes[node].service,
                ways: ways(shape, node)?,
                pending: VecDeque::new(),
                tally: Tally::default(),
                sent: vec![0; shape.plan.nodes[node].outs.len()],
                waits: Latencies::default(),
                services: Latencies::default(),
            })
        };
        let hand = |slot| {
            Ok(Hand {
                line,
                slot,
                instances: held.instances,
                sub: shape.sub_of[line],
                ops: held.nodes.iter().map(op).collect::<Result<_, _>>()?,
                pending: 0,
                busy: None,
            })
        };
        (0..held.instances as usize).map(hand).collect()
    }

    /// Whether it is at something that takes longer.
    pub(super) fn is_busy(&self, now_us: u64) -> bool {
        self.busy
            .as_ref()
            .is_some_and(|busy| busy.until_us > now_us)
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.busy.is_none() && self.pending == 0
    }

    pub(super) fn waiting(&self) -> usize {
        self.pending + usize::from(self.busy.is_some())
    }

    pub(super) fn loads(&self) -> impl Iterator<Item = LoadId> {
        let busy = self.busy.iter().map(|busy| busy.load);
        let pending = self.ops.iter().flat_map(|op| &op.pending);
        pending.copied().chain(busy)
    }

    /// What it counted is said of the run.
    pub(super) fn tell(&self, run: &mut Run) {
        let shape = Rc::clone(&run.shape);
        for op in &self.ops {
            op.tally.tell(op.node, run);
            let outs = &shape.plan.nodes[op.node].outs;
            for (edges, sent) in outs.iter().zip(&op.sent) {
                run.meters[op.node].sent += sent;
                for edge in edges {
                    run.passed[*edge].passed += sent;
                }
            }
            run.loads[op.node].waits.add_all(&op.waits);
            run.loads[op.node].services.add_all(&op.services);
        }
    }

    /// Works until nothing is left to do or something has to be waited for.
    pub(super) fn work(&mut self, site: &mut Site) -> Plainly {
        loop {
            if self.is_busy(site.run.now_us) {
                return Ok(());
            }
            if let Some(Busy { op, load, .. }) = self.busy.take() {
                if let Some(sub) = self.sub {
                    site.queues[sub].set_free(self.slot);
                }
                self.call(site, op, load)?;
            } else if let Some((op, load)) = self.next(site.shape) {
                self.begin(site, op, load)?;
            } else {
                break;
            }
        }
        if let Some(sub) = self.sub {
            site.queues[sub].wake_after(self.slot, site.run);
        }
        Ok(())
    }

    /// The event whose turn it is, and the operator that it waits for.
    fn next(&mut self, shape: &Shape) -> Option<(usize, LoadId)> {
        if self.pending == 0 {
            return None;
        }
        let op = shape.next_op(self.line, |op| !self.ops[op].pending.is_empty())?;
        let load = self.ops[op].pending.pop_front()?;
        self.pending -= 1;
        Some((op, load))
    }

    /// An operator takes an event in hand, for as long as that takes.
    #[inline]
    pub(super) fn begin(&mut self, site: &mut Site, op: usize, load: LoadId) -> Plainly {
        let run = &mut *site.run;
        let held = &mut self.ops[op];
        let since_us = site.loads[load].since_us;
        held.tally.count(run, &site.loads[load])?;
        let Some(service) = &held.service else {
            return self.call(site, op, load);
        };
        let mut takes_us = service.draw_us(&run.stage.world);
        if let Some(start) = service.start {
            takes_us = run.start(start, held.node, self.slot, takes_us);
        }
        held.waits.add(run.now_us - since_us);
        held.services.add(takes_us);
        let until_us = run.now_us.saturating_add(takes_us);
        run.agenda.add(until_us, Task::work(self.line, self.slot));
        if let Some(sub) = self.sub {
            site.queues[sub].set_busy(self.slot, until_us);
        }
        self.busy = Some(Busy { op, until_us, load });
        Ok(())
    }

    #[inline]
    fn call(&mut self, site: &mut Site, op: usize, load: LoadId) -> Plainly {
        let world = &site.run.stage.world;
        // Every call has a number of its own, whether it is looked at or not.
        let random = world.random();
        let delivery = site.loads[load].delivery;
        if self.ops[op].hands_on {
            let shares = self.emit(site, op, 0, load)?;
            site.pass(delivery, shares);
            return Ok(());
        }
        let ctx = Context {
            now_ms: ms_at(site.run.now_us),
            random,
            instance: self.slot as u32,
            instances: self.instances,
            share: None,
            waiting: None,
        };
        let held = site.loads[load].clone_without_event();
        let event = site.loads.remove(load);
        let event = event.make(site.run, held.came_us).ok_or(NotPlain)?;
        let mut out = std::mem::take(&mut site.out);
        if let Some(code) = &mut self.ops[op].code {
            code.on_event(event, held.input.into(), &ctx, &mut out);
        }
        if !out.failed.is_empty() {
            return Err(NotPlain);
        }
        let mut shares = 0;
        for (port, event) in out.emitted.drain(..) {
            let load = site.loads.add(Load {
                event: Lazy::Made(event),
                ..held
            });
            shares += self.emit(site, op, port.into(), load)?;
        }
        site.out = out;
        site.pass(delivery, shares);
        Ok(())
    }

    /// Sends an event out of a port of an operator. Answers how many go on as part of its delivery.
    #[inline(always)]
    pub(super) fn emit(
        &mut self,
        site: &mut Site,
        op: usize,
        port: usize,
        load: LoadId,
    ) -> Result<u32, NotPlain> {
        let held = &mut self.ops[op];
        let ways = held.ways.get(port).filter(|ways| !ways.is_empty());
        let Some(ways) = ways else {
            drop(site.loads.remove(load));
            return Ok(0);
        };
        held.sent[port] += 1;
        site.loads[load].since_us = site.run.now_us;
        match ways[..] {
            [way] => self.send(site, way, load),
            _ => self.send_to_all(site, op, port, load),
        }
    }

    /// Sends an event along several wires. It is marked so that the way along one wire stays short.
    #[cold]
    fn send_to_all(
        &mut self,
        site: &mut Site,
        op: usize,
        port: usize,
        load: LoadId,
    ) -> Result<u32, NotPlain> {
        // It is made once for all.
        let held = &mut site.loads[load];
        let event = held.event.take();
        let event = event.make(site.run, held.came_us).ok_or(NotPlain)?;
        held.event = Lazy::Made(event);
        let count = self.ops[op].ways[port].len();
        let mut shares = 0;
        for nth in 1..=count {
            let load = if nth < count {
                site.loads.copy(load)
            } else {
                load
            };
            let way = self.ops[op].ways[port][nth - 1];
            shares += self.send(site, way, load)?;
        }
        Ok(shares)
    }

    /// Sends an event along a wire. Answers with 1 when it is still part of its delivery.
    #[inline(always)]
    fn send(&mut self, site: &mut Site, way: Way, load: LoadId) -> Result<u32, NotPlain> {
        match way {
            Way::Queue { sub } => {
                site.queues[sub].offer(load, site.run)?;
                Ok(0)
            }
            Way::Op { op, input } => {
                site.loads[load].input = input;
                self.ops[op].pending.push_back(load);
                self.pending += 1;
                Ok(1)
            }
            Way::Inbox { inbox, lane } => {
                site.put(inbox, lane, load)?;
                Ok(1)
            }
        }
    }
}
