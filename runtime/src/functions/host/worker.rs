//! Runs one function for one node: keeps an instance warm, throws it away after a trap.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::take;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::Store;

use super::batch::Width;
use super::contract::{Batched, Capability, Connected, FunctionEvent};
use super::engine::{DebugLess, Metering};
use super::error::FunctionFailure;
use super::imports::{CallWorld, Done, Emitted, Imports, LogLine, OutputCheck, StateWrite, Terms};
use super::lent::{Lent, lend};
use super::limits::Limits;
use super::load::{Entry, LoadedFunction};
use super::pace::{self, Pace};

/// How a node runs its function.
#[derive(Debug, Clone, Default)]
pub struct WorkerConfig {
    /// The node's id; part of the ids of the events it emits.
    pub name: String,
    /// What a call may use.
    pub limits: Limits,
    /// The settings the function can read.
    pub config: BTreeMap<String, String>,
    /// The output ports it can emit on.
    pub ports: BTreeSet<String>,
    /// Looks at each event it emits.
    pub check: Option<OutputCheck>,
    /// What of its imports it may use; all of them without it.
    pub granted: Option<BTreeSet<Capability>>,
    /// Gives each event an instance of its own: nothing is left from one to the next, for some
    /// 50 µs an event.
    pub fresh_per_event: bool,
    /// Events after which a warm instance is replaced.
    pub recycle_after: Option<u32>,
}

/// An event to handle.
pub struct Call<'a> {
    /// The event; it stays with the caller, to be retried or dead-lettered.
    pub event: &'a FunctionEvent,
    /// The input port it arrived at.
    pub port: &'a str,
    /// Where time, chance and state come from.
    pub world: &'a mut dyn CallWorld,
}

/// What came of a call.
#[derive(Debug)]
pub struct CallReport {
    /// What the function did, or why nothing.
    pub outcome: Result<Outcome, FunctionFailure>,
    /// What it logged, also when it failed.
    pub logs: Vec<LogLine>,
    /// Log lines past the limit.
    pub logs_dropped: u32,
    /// What it used.
    pub cost: CallCost,
}

/// What a function did with an event: all of it takes effect, or none.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Events to send on, in their order.
    pub emitted: Vec<Emitted>,
    /// Changes to what the node remembers, one a key, sorted by key.
    pub state_writes: Vec<StateWrite>,
}

/// What a call used. Times are for people: they differ from run to run.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct CallCost {
    /// The time to start an instance; none when a warm one was there.
    pub start_time: Option<Duration>,
    /// The time in `handle`.
    pub handle_time: Duration,
    /// The most memory the instance had so far.
    pub peak_bytes: u64,
    /// Instructions, where the host counts them.
    pub instructions: Option<u64>,
    /// Calls back into the host.
    pub host_calls: u32,
}

/// Runs one function for one node.
///
/// [`handle`](Self::handle) is synchronous: of all imports only `http` waits for anything, the
/// simulator has no executor, and a synchronous call saves the switch of stacks that an
/// asynchronous one needs. A task on tokio calls it as it calls any operator; it comes back within
/// `time_millis_max`. A function that imports `http` may take `wall_millis_max`: call it from a
/// thread that may block.
#[derive(Debug)]
pub struct FunctionWorker {
    pub(super) function: Arc<LoadedFunction>,
    pub(super) terms: Arc<Terms>,
    fresh_per_event: bool,
    recycle_after: Option<u32>,
    pub(super) instance: Option<Instance>,
    pub(super) width: Width,
}

#[derive(Debug)]
pub(super) struct Instance {
    pub(super) store: Store<Imports>,
    pub(super) function: DebugLess<Entered>,
    pub(super) handled: u32,
}

/// A function that has an instance, by the way in which it takes its events.
pub(super) enum Entered {
    Each(Connected),
    Batched(Batched),
}

impl FunctionWorker {
    pub(super) fn new(function: Arc<LoadedFunction>, config: WorkerConfig) -> Self {
        let WorkerConfig {
            name,
            limits,
            config,
            ports,
            check,
            granted,
            fresh_per_event,
            recycle_after,
        } = config;
        let terms = Arc::new(Terms {
            name,
            limits,
            config,
            ports,
            check,
            granted,
        });
        Self {
            function,
            terms,
            fresh_per_event,
            recycle_after,
            instance: None,
            width: Width::default(),
        }
    }

    /// The function it runs.
    pub fn function(&self) -> &Arc<LoadedFunction> {
        &self.function
    }

    /// Whether an instance is there for the next event.
    pub fn is_warm(&self) -> bool {
        self.instance.is_some()
    }

    /// Gives the instance back, as when the node is idle; the next event starts another.
    pub fn cool_down(&mut self) {
        self.instance = None;
    }

    /// Handles one event. To a function that takes many at a time, it is a batch of one.
    pub fn handle(&mut self, call: Call<'_>) -> CallReport {
        let Call { event, port, world } = call;
        if self.function.takes_batches() {
            return self.handle_alone(event, port);
        }
        let host = Arc::clone(&self.function.host);
        let _ticking = host.ticking();
        let (mut instance, start_time) = match self.take_instance(world) {
            Ok(taken) => taken,
            Err(report) => return *report,
        };
        let Instance {
            store, function, ..
        } = &mut instance;
        store.data_mut().done.cause_id.clone_from(&event.id);
        let began = Instant::now(); // measuring only
        let returned = self.arm(store).and_then(|()| {
            lend(store, lent_place, world, |store| match &function.0 {
                Entered::Each(function) => function.call_handle(store, event, port),
                Entered::Batched(_) => Err(wasmtime::Error::msg("it takes batches of events")),
            })
        });
        let handle_time = began.elapsed();
        let (outcome, usable) = match returned {
            Ok(Ok(())) => (Ok(()), true),
            Ok(Err(failure)) => (Err(failure.into()), true),
            // A trap may leave the instance's memory half-changed.
            Err(error) => (Err(self.broke(&error, handle_time, &instance)), false),
        };
        let outcome = Self::shaped(outcome, instance.store.data_mut());
        let report = self.report(&mut instance.store, outcome, start_time, handle_time);
        self.give_back(instance, 1, usable);
        report
    }

    /// The warm instance, or one that is started, with the time that this took. When that fails, the report of
    /// a call that did not begin.
    pub(super) fn take_instance(
        &mut self,
        world: &mut dyn CallWorld,
    ) -> Result<(Instance, Option<Duration>), Box<CallReport>> {
        if let Some(warm) = self.instance.take() {
            return Ok((warm, None));
        }
        let mut store = self.store();
        let began = Instant::now(); // measuring only
        let started = self.start(&mut store, world);
        let elapsed = began.elapsed();
        match started {
            Ok(function) => {
                let instance = Instance {
                    store,
                    function: DebugLess(function),
                    handled: 0,
                };
                Ok((instance, Some(elapsed)))
            }
            Err(error) => {
                let failure = FunctionFailure::of(&error, &self.terms.limits, elapsed, false);
                let start_time = Some(elapsed);
                let report = self.report(&mut store, Err(failure), start_time, Duration::ZERO);
                Err(Box::new(report))
            }
        }
    }

    /// Why a call broke off.
    pub(super) fn broke(
        &self,
        error: &wasmtime::Error,
        used: Duration,
        instance: &Instance,
    ) -> FunctionFailure {
        FunctionFailure::of(error, &self.terms.limits, used, instance.handled > 0)
    }

    /// Keeps an instance that handled so many events more for the next ones, unless it is done with.
    pub(super) fn give_back(&mut self, mut instance: Instance, events: u32, usable: bool) {
        instance.handled = instance.handled.saturating_add(events);
        let worn = self
            .recycle_after
            .is_some_and(|events| instance.handled >= events);
        if usable && !self.fresh_per_event && !worn {
            self.instance = Some(instance);
        }
    }

    /// How many events an instance may still handle.
    pub(super) fn room(&self) -> usize {
        if self.fresh_per_event {
            return 1;
        }
        let handled = self.instance.as_ref().map_or(0, |held| held.handled);
        let room = self
            .recycle_after
            .map(|events| events - handled.min(events));
        room.map_or(usize::MAX, |room| room.max(1) as usize)
    }

    fn store(&self) -> Store<Imports> {
        let mut store = Store::new(
            &self.function.host.engine,
            Imports::new(Arc::clone(&self.terms)),
        );
        store.limiter(|imports| &mut imports.meter);
        if self.function.host.metering == Metering::Time {
            store.epoch_deadline_callback(pace::look);
        }
        store
    }

    fn start(
        &self,
        store: &mut Store<Imports>,
        world: &mut dyn CallWorld,
    ) -> wasmtime::Result<Entered> {
        self.arm(store)?;
        lend(store, lent_place, world, |store| {
            Ok(match &self.function.entry.0 {
                Entry::Each(pre) => Entered::Each(pre.instantiate(store)?),
                Entry::Batched(pre) => Entered::Batched(pre.instantiate(store)?),
            })
        })
    }

    /// Sets what the next entry into the function may use.
    pub(super) fn arm(&self, store: &mut Store<Imports>) -> wasmtime::Result<()> {
        let limits = &self.terms.limits;
        match self.function.host.metering {
            Metering::Time => {
                let (pace, ticks) = Pace::begin(limits);
                store.set_epoch_deadline(ticks);
                store.data_mut().pace = Some(pace);
            }
            Metering::Instructions => store.set_fuel(limits.instructions_max)?,
        }
        Ok(())
    }

    /// A call fails when it sent what does not have the shape of its port, whatever it made of the refusal:
    /// one that overlooks it would lose the event.
    fn shaped(
        outcome: Result<(), FunctionFailure>,
        imports: &mut Imports,
    ) -> Result<(), FunctionFailure> {
        match (outcome, imports.done.misshapen.take()) {
            (
                Ok(())
                | Err(
                    FunctionFailure::Invalid(_)
                    | FunctionFailure::Transient(_)
                    | FunctionFailure::Fatal(_)
                    | FunctionFailure::Trap { .. },
                ),
                Some((port, reason)),
            ) => Err(FunctionFailure::Misshapen { port, reason }),
            (outcome, _) => outcome,
        }
    }

    /// Takes from the store what the call left there.
    pub(super) fn report(
        &self,
        store: &mut Store<Imports>,
        outcome: Result<(), FunctionFailure>,
        start_time: Option<Duration>,
        handle_time: Duration,
    ) -> CallReport {
        let instructions = match self.function.host.metering {
            Metering::Time => None,
            Metering::Instructions => store
                .get_fuel()
                .ok()
                .map(|left| self.terms.limits.instructions_max.saturating_sub(left)),
        };
        let imports = store.data_mut();
        let done = take(&mut imports.done);
        let cost = CallCost {
            start_time,
            handle_time,
            peak_bytes: imports.meter.peak_bytes(),
            instructions,
            host_calls: done.host_calls,
        };
        let Done {
            emitted,
            writes,
            logs,
            logs_dropped,
            ..
        } = done;
        let outcome = outcome.map(|()| Outcome {
            emitted,
            state_writes: writes
                .into_iter()
                .map(|(key, change)| StateWrite { key, change })
                .collect(),
        });
        CallReport {
            outcome,
            logs,
            logs_dropped,
            cost,
        }
    }
}

pub(super) fn lent_place(store: &mut Store<Imports>) -> &mut Lent {
    &mut store.data_mut().world
}
