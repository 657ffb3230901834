//! A line at work: operators that hand events to each other within one call.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use graph_model::event::Event;
use graph_model::expr::{Env as Variables, Expr};
use graph_model::id::NodeId;
use tokio::sync::{Mutex, MutexGuard};

use super::dead::with_cause;
use super::env::Env;
use super::gate::Mode;
use super::listen;
use super::meters::{NodeMeter, add};
use super::wire::{Exits, Item};
use crate::bindings::EventBindings;
use crate::channels::partition_of;
use crate::delivery::Share;
use crate::operator::{Context, Failure, FailureClass, Operator, Output, Waiting};

/// Longest pause between two tries of an operator.
const PAUSE_MS_MAX: u64 = 30_000;

/// One instance of a line.
pub(crate) struct Line {
    pub env: Arc<Env>,
    state: Mutex<LineState>,
}

pub(crate) struct LineState {
    /// A rebuilt flow has taken everything out: look for the line again.
    pub retired: bool,
    pub ops: Vec<Op>,
    pub exits: Exits,
    instance: u32,
    instances: u32,
    out: Output,
}

/// An operator in its line.
pub(crate) struct Op {
    pub id: NodeId,
    pub code: Code,
    pub pending: VecDeque<Item>,
    /// Wires by output port.
    pub outs: Vec<Vec<usize>>,
    pub failed: Option<usize>,
    pub meter: Arc<NodeMeter>,
    /// Tries of one event before it is given up.
    pub attempts_max: u32,
    pub retry_pause_ms: u64,
    /// Tries of the first pending event so far.
    pub tries: u32,
    /// Since when it has had no event, in microseconds of the run; nothing once it was told.
    pub idle_since_us: Option<u64>,
}

/// What an operator runs.
pub(crate) enum Code {
    /// A source: its events come in from outside.
    Source,
    Operator(Box<dyn Operator>),
    Repartition {
        key: Expr,
        partitions: u32,
    },
}

/// Why a line stopped.
enum Halt {
    /// Nothing is left to do.
    Done,
    /// The gate is not open.
    Gate,
    /// An event is tried again after this pause.
    Retry(Duration),
}

impl Line {
    pub(crate) fn new(env: &Arc<Env>, state: LineState) -> Line {
        Line {
            env: Arc::clone(env),
            state: Mutex::new(state),
        }
    }

    pub(crate) async fn lock(&self) -> MutexGuard<'_, LineState> {
        self.state.lock().await
    }

    /// Whether nothing is under way in it.
    pub(crate) fn is_quiet(&self) -> bool {
        self.state
            .try_lock()
            .is_ok_and(|state| state.retired || state.is_empty())
    }

    /// Events under way in front of each operator, unless the line is at work.
    pub(crate) fn pending(&self) -> Vec<(NodeId, u64)> {
        let Ok(state) = self.state.try_lock() else {
            return Vec::new();
        };
        let ops = state.ops.iter();
        ops.map(|op| (op.id.clone(), op.pending.len() as u64))
            .collect()
    }

    /// Works until nothing is left, with pauses for back-pressure, retries and the gate; meanwhile
    /// the line is not locked. Answers nothing when the line was retired.
    pub(crate) async fn work_off<'l>(
        &'l self,
        mut state: MutexGuard<'l, LineState>,
    ) -> Option<MutexGuard<'l, LineState>> {
        let mut change = None;
        loop {
            let halt = state.advance(&self.env);
            let full = state.exits.flush(&self.env);
            if matches!(halt, Halt::Done) && full.is_none() {
                return Some(state);
            }
            let early = change.take();
            if let Some(room) = full {
                let waiting = listen(&room);
                let changed = self.env.gate.changed();
                // Room, or a rebuild, may have come between the try and the wait.
                let held = self.env.gate.mode() == Mode::Held;
                if held || state.exits.flush(&self.env).is_some() {
                    drop(state);
                    if !held {
                        tokio::select! {
                            () = waiting => {}
                            () = changed => {}
                        }
                    }
                    state = self.lock().await;
                }
            } else if let Halt::Retry(pause) = halt {
                drop(state);
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = self.env.gate.changed() => {}
                }
                state = self.lock().await;
            } else if let Some(changed) = early {
                drop(state);
                changed.await;
                state = self.lock().await;
            } else {
                // Look once more, so that no change between looking and waiting is missed.
                change = Some(self.env.gate.changed());
                continue;
            }
            if state.retired {
                return None;
            }
        }
    }
}

impl LineState {
    pub(crate) fn new(ops: Vec<Op>, exits: Exits, instance: u32, instances: u32) -> LineState {
        LineState {
            retired: false,
            ops,
            exits,
            instance,
            instances,
            out: Output::default(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.exits.is_empty() && self.ops.iter().all(|op| op.pending.is_empty())
    }

    /// Sends an event out of a port of an operator.
    pub(crate) fn emit(
        &mut self,
        op: usize,
        port: usize,
        event: Event,
        share: Share,
        slot: u32,
        env: &Env,
    ) {
        let count = self.ops[op].outs.get(port).map_or(0, Vec::len);
        for number in 1..count {
            let wire = self.ops[op].outs[port][number];
            let sent = self
                .exits
                .send(wire, event.clone(), share.clone(), slot, env);
            self.hand_on(sent);
        }
        if count > 0 {
            let wire = self.ops[op].outs[port][0];
            let sent = self.exits.send(wire, event, share, slot, env);
            self.hand_on(sent);
        }
    }

    /// Ends an event that an operator cannot handle.
    pub(crate) fn fail(
        &mut self,
        op: usize,
        event: &Event,
        failure: &Failure,
        tries: u32,
        share: Share,
        env: &Env,
    ) {
        let held = &self.ops[op];
        match held.failed.filter(|port| !held.outs[*port].is_empty()) {
            Some(port) => {
                held.meter.dead.fetch_add(1, Relaxed);
                let dead = with_cause(event, held.id.as_str(), &failure.message, tries);
                let slot = self.instance;
                self.emit(op, port, dead, share, slot, env);
            }
            None => env.give_up(&held.id, &held.meter, event, tries, failure, &share),
        }
    }

    /// No more events will come: lets every operator send what it holds back.
    pub(crate) fn end(&mut self, env: &Env) {
        let all: Vec<usize> = (0..self.ops.len()).collect();
        self.end_some(&all, env);
    }

    /// Lets these operators, upstream first, send what they hold back.
    pub(crate) fn end_some(&mut self, ops: &[usize], env: &Env) {
        for &op in ops {
            self.run(op, usize::MAX, env);
            self.release(op, env, |operator, ctx, out| operator.on_end(ctx, out));
        }
    }

    /// Tells operators that have had no event for as long as they wait. Answers when to look again;
    /// nothing where none of them waits so.
    pub(crate) fn tell_idle(&mut self, env: &Env) -> Option<Duration> {
        let mut next: Option<u64> = None;
        for op in 0..self.ops.len() {
            let held = &mut self.ops[op];
            let Code::Operator(operator) = &held.code else {
                continue;
            };
            let Some(idle_ms) = operator.idle_ms() else {
                continue;
            };
            let idle_us = idle_ms.saturating_mul(1_000);
            let now_us = env.world.elapsed_us();
            let due_us = held.idle_since_us.map_or(idle_us, |since| {
                since.saturating_add(idle_us).saturating_sub(now_us)
            });
            if due_us == 0 && held.pending.is_empty() {
                held.idle_since_us = None;
                self.release(op, env, |operator, ctx, out| operator.on_idle(ctx, out));
            }
            let look_us = if due_us == 0 { idle_us } else { due_us };
            next = Some(next.map_or(look_us, |next| next.min(look_us)));
        }
        next.map(Duration::from_micros)
    }

    /// Lets operators wait anew, as after a pause in which no event could come.
    pub(crate) fn wait_anew(&mut self, env: &Env) {
        let now_us = env.world.elapsed_us();
        for op in &mut self.ops {
            op.idle_since_us = op.idle_since_us.map(|_| now_us);
        }
    }

    /// Lets an operator send what it holds back.
    fn release(
        &mut self,
        op: usize,
        env: &Env,
        tell: impl FnOnce(&mut dyn Operator, &Context<'_>, &mut Output),
    ) {
        let (now_ms, random) = (env.world.now_ms(), env.world.random());
        let ctx = Context {
            now_ms,
            random,
            instance: self.instance,
            instances: self.instances,
            ..Context::default()
        };
        let mut out = std::mem::take(&mut self.out);
        if let Code::Operator(operator) = &mut self.ops[op].code {
            tell(&mut **operator, &ctx, &mut out);
        }
        let sent = self.wired(op, &out);
        for (port, event) in out.emitted.drain(..) {
            self.emit(op, port.into(), event, Share::none(), self.instance, env);
        }
        add(&self.ops[op].meter.sent, sent);
        for (event, failure) in out.failed.drain(..) {
            self.fail(op, &event, &failure, 1, Share::none(), env);
        }
        self.out = out;
    }

    /// How many of the emitted events go anywhere.
    fn wired(&self, op: usize, out: &Output) -> u64 {
        let outs = &self.ops[op].outs;
        let leads = |port: u16| {
            outs.get(usize::from(port))
                .is_some_and(|wires| !wires.is_empty())
        };
        out.emitted.iter().filter(|(port, _)| leads(*port)).count() as u64
    }

    fn hand_on(&mut self, sent: Option<(usize, Item)>) {
        if let Some((op, item)) = sent {
            self.ops[op].pending.push_back(item);
        }
    }

    fn advance(&mut self, env: &Env) -> Halt {
        for op in 0..self.ops.len() {
            if self.ops[op].pending.is_empty() {
                continue;
            }
            let retry = match env.gate.mode() {
                Mode::Open => self.run(op, usize::MAX, env),
                Mode::Held => return Halt::Gate,
                Mode::Paused => {
                    let mut retry = None;
                    while retry.is_none()
                        && !self.ops[op].pending.is_empty()
                        && env.gate.take_step(&self.ops[op].id)
                    {
                        retry = self.run(op, 1, env);
                    }
                    retry
                }
            };
            if let Some(pause) = retry {
                return Halt::Retry(pause);
            }
        }
        if self.ops.iter().all(|op| op.pending.is_empty()) {
            Halt::Done
        } else {
            Halt::Gate
        }
    }

    /// Lets an operator handle pending events, at most `max`. Answers the pause before it tries the
    /// first one again.
    fn run(&mut self, op: usize, max: usize, env: &Env) -> Option<Duration> {
        let began_us = env.world.elapsed_us();
        let mut pending = std::mem::take(&mut self.ops[op].pending);
        let mut code = std::mem::replace(&mut self.ops[op].code, Code::Source);
        let mut out = std::mem::take(&mut self.out);
        let (now_ms, chance) = (env.world.now_ms(), env.world.random());
        let (mut received, mut sent, mut pause) = (0_u64, 0_u64, None);
        while received < max as u64
            && let Some(item) = pending.pop_front()
        {
            received += 1;
            let Item {
                event,
                share,
                input,
            } = item;
            match &mut code {
                Code::Source => {}
                Code::Operator(operator) => {
                    let seed = mixed(chance.wrapping_add(received));
                    let ctx = Context {
                        now_ms,
                        random: seed,
                        instance: self.instance,
                        instances: self.instances,
                        share: Some(&share),
                        // One that is stepped has nothing behind it.
                        waiting: (max == usize::MAX).then_some(&pending as &dyn Waiting),
                    };
                    operator.on_event(event, input.into(), &ctx, &mut out);
                }
                Code::Repartition { key, partitions } => {
                    match partition(key, *partitions, &event, now_ms) {
                        Ok(slot) => {
                            sent += 1;
                            self.emit(op, 0, event, share.clone(), slot, env);
                        }
                        Err(failure) => out.fail(event, failure),
                    }
                }
            }
            sent += self.wired(op, &out);
            let mut share = Some(share);
            let last = out.emitted.len() + out.failed.len();
            for (number, (port, event)) in out.emitted.drain(..).enumerate() {
                let part = if number + 1 == last {
                    share.take()
                } else {
                    share.clone()
                };
                let slot = self.instance;
                self.emit(op, port.into(), event, part.unwrap_or_default(), slot, env);
            }
            if !out.failed.is_empty() {
                let held = &mut self.ops[op];
                held.tries += 1;
                let (tries, most) = (held.tries, held.attempts_max);
                add(&held.meter.failed, out.failed.len() as u64);
                let alone = out.failed.len() == 1;
                for (event, failure) in out.failed.drain(..) {
                    let share = share.clone().unwrap_or_default();
                    if alone && failure.class != FailureClass::Invalid && tries < most {
                        let held = &self.ops[op];
                        held.meter.retried.fetch_add(1, Relaxed);
                        let doubled = held.retry_pause_ms << (tries - 1).min(16);
                        pause = Some(Duration::from_millis(doubled.min(PAUSE_MS_MAX)));
                        pending.push_front(Item {
                            event,
                            share,
                            input,
                        });
                        received -= 1; // it is counted when it is handled
                    } else {
                        self.fail(op, &event, &failure, tries, share, env);
                    }
                }
                if pause.is_some() {
                    break;
                }
            }
            self.ops[op].tries = 0;
        }
        // A loop within the line cannot be, so nothing was handed to this operator meanwhile.
        let held = &mut self.ops[op];
        held.pending = pending;
        held.code = code;
        if received > 0 {
            held.idle_since_us = Some(began_us);
        }
        add(&held.meter.received, received);
        add(&held.meter.sent, sent);
        add(
            &held.meter.busy_us,
            env.world.elapsed_us().saturating_sub(began_us),
        );
        self.out = out;
        pause
    }
}

impl Waiting for VecDeque<Item> {
    fn at(&self, place: usize) -> Option<&Event> {
        self.get(place).map(|item| &item.event)
    }
}

/// The instance that the key of an event places it with.
pub(crate) fn partition(
    key: &Expr,
    partitions: u32,
    event: &Event,
    now_ms: i64,
) -> Result<u32, Failure> {
    let bindings = EventBindings { event, now_ms };
    let value = key.eval(&event.data, &Variables::new(&bindings));
    value
        .map(|value| partition_of(&value.to_text(), partitions))
        .map_err(|error| Failure::invalid(format!("the key `{}`: {error}", key.code())))
}

/// Spreads a counted number over all 64 bits (the finaliser of `SplitMix64`).
fn mixed(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
