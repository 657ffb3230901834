//! A node whose events are handled by code in the sandbox.

mod ahead;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use graph_model::event::{Event, EventContext, extension};
use graph_model::id::NodeId;
use graph_model::value::Value;
use rand_core::Rng;
use rand_pcg::Pcg64Mcg;
use runtime_protocol::Problem;
use runtime_protocol::function::Tried;
use smol_str::{SmolStr, format_smolstr};
use tokio::runtime::{Handle, RuntimeFlavor};

use self::ahead::Ahead;
use super::costs::{Costs, micros};
use super::fields;
use super::host::{
    Call, CallCost, CallReport, CallWorld, Capability, Emitted, FunctionEvent, FunctionFailure,
    FunctionPayload, FunctionWorker, HttpError, HttpResponse, LogLine, Sending, StateUnavailable,
    StateWrite, WorkerConfig,
};
use super::loaded::Slot;
use super::logs::{Logs, told};
use super::memory::Memory;
use super::requests::Requests;
use super::secrets::Secrets;
use super::shapes::Shapes;
use super::states::States;
use crate::kind::Build;
use crate::operator::{Context, Failure, FailureClass, Operator, Output};
use crate::shared::lock;

pub(super) struct Sandboxed {
    node: NodeId,
    slot: Arc<Slot>,
    /// Of the function that the worker runs.
    version: u64,
    worker: FunctionWorker,
    config: WorkerConfig,
    ports: BTreeMap<String, u16>,
    shapes: Shapes,
    secrets: Secrets,
    requests: Requests,
    memory: Arc<Mutex<Memory>>,
    /// Where the memory is kept; not at all without it, nor before the first event.
    states: Option<Arc<States>>,
    attached: bool,
    /// What it has computed of events that it has not been given yet.
    ahead: Ahead,
    costs: Arc<Costs>,
    logs: Arc<Logs>,
}

/// Events by the port that they leave by.
type Sent = Vec<(u16, Event)>;

/// What a call sends, and what it remembers.
type Done = (Sent, Vec<StateWrite>);

/// What a call left behind, whatever came of it.
struct Spent {
    logs: Vec<LogLine>,
    logs_dropped: u32,
    cost: CallCost,
}

impl Operator for Sandboxed {
    fn on_event(&mut self, event: Event, _input: usize, ctx: &Context<'_>, out: &mut Output) {
        match self.handle(&event, ctx) {
            Ok(sent) => sent
                .into_iter()
                .for_each(|(port, event)| out.emit(port, event)),
            Err(failure) => out.fail(event, failure),
        }
    }
}

impl Sandboxed {
    /// Runs `function` as the node says: with its ports, limits and settings, and `given` beside these.
    /// Unless it is `live` it reaches nothing outside.
    pub(super) fn new(
        build: &Build,
        slot: Arc<Slot>,
        given: impl IntoIterator<Item = (String, String)>,
        live: bool,
    ) -> Result<Sandboxed, Problem> {
        let mut ports = BTreeMap::new();
        for name in build.texts("ports") {
            let port = build.output(&name).filter(|_| name != "failed");
            let port = port.ok_or_else(|| {
                build.problem(format!(
                    "`ports`: `{name}` is no name for a port; choose another"
                ))
            })?;
            ports.insert(name.to_string(), port);
        }
        let shapes = Shapes::of(build, ports.keys())?;
        let given: Vec<(String, String)> = given.into_iter().collect();
        let mut granted = fields::granted(build)?;
        if let Some(granted) = granted.as_mut().filter(|_| !given.is_empty()) {
            // What is given is read as a setting.
            granted.insert(Capability::Config);
        }
        let network = match &build.shared.network {
            _ if !live => Err("there is no network while a function is tried"),
            None => Err("there is no network in a simulation"),
            Some(network) => Ok(network),
        };
        let settings = build.table("config").into_iter();
        let settings = settings.map(|(name, text)| (name.into(), text.into()));
        let config = WorkerConfig {
            name: build.id.to_string(),
            limits: fields::limits(build)?,
            config: settings.chain(given).collect(),
            ports: ports.keys().cloned().collect(),
            check: shapes.check(),
            granted,
            fresh_per_event: build.flag("fresh"),
            recycle_after: Some(fields::small(build.whole("recycle")?))
                .filter(|events| *events > 0),
        };
        slot.used_by(build.id);
        let (function, version) = slot.current();
        Ok(Sandboxed {
            worker: function.worker(config.clone()),
            slot,
            version,
            config,
            ports,
            shapes,
            secrets: Secrets::of(build, network.is_ok())?,
            requests: Requests::of(build, network)?,
            memory: Arc::default(),
            states: build
                .flag("keep_state")
                .then(|| Arc::clone(&build.shared.states)),
            attached: false,
            ahead: Ahead::default(),
            costs: build.shared.costs(build.id),
            logs: Arc::clone(&build.shared.logs),
            node: build.id.clone(),
        })
    }

    /// Lets it begin with what the node remembers by now: with a copy, for which nobody has to wait.
    pub(super) fn recall(&mut self, instance: u32) -> Result<(), Failure> {
        if let Some(states) = &self.states {
            let held = states.of(&self.node, instance)?;
            self.memory = Arc::new(Mutex::new(lock(&held).clone()));
        }
        Ok(())
    }

    /// Handles an event without any effect, and tells all about it.
    pub(super) fn try_on(&mut self, event: &Event, ctx: &Context<'_>) -> Tried {
        let (report, sent) = self.call(event, ctx);
        let (sent, failed) = match sent {
            Ok((sent, _)) => (sent, None),
            Err(failure) => (Vec::new(), Some(failure.message.to_string())),
        };
        let named = |port: u16| {
            let mut ports = self.ports.iter();
            let found = ports.find(|(_, held)| **held == port);
            found
                .map(|(name, _)| SmolStr::from(name))
                .unwrap_or_default()
        };
        let logged = report.logs.iter();
        Tried {
            sent: sent
                .into_iter()
                .map(|(port, event)| (named(port), event))
                .collect(),
            failed,
            logged: logged.map(|line| told(&self.node, line)).collect(),
            start_us: report.cost.start_time.map(micros).unwrap_or_default(),
            handle_us: micros(report.cost.handle_time),
            peak_bytes: report.cost.peak_bytes,
        }
    }

    /// What the function sends and remembers; when it fails, nothing is sent and nothing remembered.
    fn handle(&mut self, event: &Event, ctx: &Context<'_>) -> Result<Sent, Failure> {
        self.refresh();
        if self.worker.function().takes_batches() {
            return self.handle_batched(event, ctx);
        }
        if let Some(states) = self.states.as_ref().filter(|_| !self.attached) {
            self.memory = states.of(&self.node, ctx.instance)?;
            self.attached = true;
        }
        let (report, done) = self.call(event, ctx);
        let function = self.worker.function().info();
        self.costs.add(function, &report.cost, done.is_err());
        self.logs.add(&self.node, report.logs, report.logs_dropped);
        let (sent, writes) = done?;
        let mut memory = lock(&self.memory);
        memory.check(&writes)?;
        if let Some(states) = &self.states {
            states.write(&self.node, ctx.instance, &writes, ctx.now_ms)?;
        }
        memory.write(writes, ctx.now_ms);
        drop(memory);
        Ok(sent)
    }

    /// Takes a function that was swapped.
    fn refresh(&mut self) {
        if self.slot.version() != self.version {
            let (function, version) = self.slot.current();
            self.worker = function.worker(self.config.clone());
            self.version = version;
            self.ahead = Ahead::default();
        }
    }

    /// A call, of which nothing is kept yet.
    fn call(&mut self, event: &Event, ctx: &Context<'_>) -> (Spent, Result<Done, Failure>) {
        self.refresh();
        if self.worker.function().takes_batches() {
            let (spent, sent) = self.call_alone(event);
            return (spent, sent.map(|sent| (sent, Vec::new())));
        }
        let mut memory = lock(&self.memory);
        memory.forget(ctx.now_ms);
        let mut world = World {
            now_ms: ctx.now_ms,
            chance: Pcg64Mcg::new(u128::from(ctx.random)),
            memory: &memory,
            secrets: &self.secrets,
            requests: &self.requests,
        };
        let call = Call {
            event: &FunctionEvent::from(event),
            port: "in",
            world: &mut world,
        };
        let worker = &mut self.worker;
        let waits = worker.function().info().imports.contains(&Capability::Http);
        let CallReport {
            outcome,
            mut logs,
            logs_dropped,
            cost,
        } = if waits {
            aside(|| worker.handle(call))
        } else {
            worker.handle(call)
        };
        drop(memory);
        self.hide_in(&mut logs);
        let done = outcome
            .map_err(|failure| classify(&failure, &self.secrets))
            .and_then(|outcome| {
                let sent = outcome.emitted.into_iter();
                let sent = sent
                    .map(|sent| self.leave(event, sent))
                    .collect::<Result<_, _>>();
                Ok((sent?, outcome.state_writes))
            });
        let spent = Spent {
            logs,
            logs_dropped,
            cost,
        };
        (spent, done)
    }

    /// Takes secrets out of what the function logged.
    fn hide_in(&self, logs: &mut [LogLine]) {
        for line in logs {
            line.message = self.secrets.hidden(&line.message);
            for (_, value) in &mut line.fields {
                *value = self.secrets.hidden(value);
            }
        }
    }

    /// An event of the function on its way out.
    fn leave(&self, cause: &Event, sent: Emitted) -> Result<(u16, Event), Failure> {
        let Some(port) = self.ports.get(&sent.port) else {
            let port = &sent.port;
            return Err(Failure::fatal(format_smolstr!("there is no port `{port}`")));
        };
        if let FunctionPayload::Json(text) | FunctionPayload::Text(text) = &sent.event.data {
            self.keep_in(&sent.port, text)?;
        }
        let ty = self.shapes.ty(&sent.port);
        Ok((*port, to_event(cause, sent.event, ty)?))
    }

    /// Lets no secret leave by a port.
    fn keep_in(&self, port: &str, text: &str) -> Result<(), Failure> {
        match self.secrets.found_in(text) {
            None => Ok(()),
            Some(name) => Err(Failure::invalid(format_smolstr!(
                "what it sent to `{port}` holds the secret `{name}`; mend the function, as everybody behind would see it"
            ))),
        }
    }
}

/// An event of a function as the flow has it; of type `ty` when the function names none.
fn to_event(cause: &Event, sent: FunctionEvent, ty: Option<&SmolStr>) -> Result<Event, Failure> {
    let data = match sent.data {
        FunctionPayload::None => Value::Null,
        FunctionPayload::Text(text) => Value::from(text),
        FunctionPayload::Json(text) => Value::parse(text.as_bytes(), usize::MAX)
            .map_err(|error| Failure::invalid(format_smolstr!("the function sent {error}")))?,
        FunctionPayload::Bytes(_) => {
            return Err(Failure::invalid(
                "the function sent bytes; send JSON or text",
            ));
        }
    };
    let extensions = sent.extensions.into_iter();
    let said = EventContext {
        id: sent.id.into(),
        source: sent.source.into(),
        ty: sent.type_.into(),
        time_ms: i64::try_from(sent.time_ms).unwrap_or(i64::MAX),
        subject: sent.subject.map(SmolStr::from),
        extensions: extensions
            .map(|(name, text)| (name.into(), text.into()))
            .collect(),
    };
    Ok(derived(cause, said, data, ty))
}

/// An event that says this of itself, and follows from another; of type `ty` when it names none.
fn derived(cause: &Event, said: EventContext, data: Value, ty: Option<&SmolStr>) -> Event {
    let mut event = cause.derive(said.id, data);
    let context = Arc::make_mut(&mut event.context);
    if !said.source.is_empty() {
        context.source = said.source;
    }
    if !said.ty.is_empty() {
        context.ty = said.ty;
    } else if let Some(ty) = ty {
        context.ty = ty.clone();
    }
    context.subject = said.subject;
    context.time_ms = said.time_ms;
    for (name, text) in said.extensions {
        // Where it comes from, the engine knows better.
        if name != extension::CAUSATION && name != extension::CORRELATION {
            context.extensions.insert(name, text);
        }
    }
    event
}

fn classify(failure: &FunctionFailure, secrets: &Secrets) -> Failure {
    let class = match failure {
        FunctionFailure::Fatal(_) => FailureClass::Fatal,
        failure if failure.retryable() => FailureClass::Transient,
        _ => FailureClass::Invalid,
    };
    // One line: a backtrace or a message of the function may have several.
    let message = secrets.hidden(&failure.to_string());
    let line: Vec<&str> = message.lines().map(str::trim).collect();
    Failure {
        class,
        message: line.join(" ").into(),
    }
}

/// What a call may see.
struct World<'f> {
    now_ms: i64,
    chance: Pcg64Mcg,
    memory: &'f Memory,
    secrets: &'f Secrets,
    requests: &'f Requests,
}

impl CallWorld for World<'_> {
    fn now_millis(&mut self) -> u64 {
        u64::try_from(self.now_ms).unwrap_or_default()
    }

    fn fill_random(&mut self, bytes: &mut [u8]) {
        self.chance.fill_bytes(bytes);
    }

    fn state_get(&mut self, key: &str) -> Result<Option<Vec<u8>>, StateUnavailable> {
        Ok(self.memory.get(key).map(<[u8]>::to_vec))
    }

    fn secret(&mut self, name: &str) -> Option<String> {
        self.secrets.get(name).map(str::to_owned)
    }

    fn send(&mut self, sending: Sending) -> Result<HttpResponse, HttpError> {
        self.requests.send(sending)
    }
}

/// Does what may wait for others, while what else runs on this thread goes on elsewhere.
fn aside<R>(work: impl FnOnce() -> R) -> R {
    match Handle::try_current().map(|engine| engine.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        // Nothing else runs here: a simulation, or a test.
        _ => work(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_say_whose_fault_they_are() {
        for (failure, class) in [
            (FunctionFailure::Invalid("x".into()), FailureClass::Invalid),
            (FunctionFailure::Fatal("x".into()), FailureClass::Fatal),
            (
                FunctionFailure::Transient("x".into()),
                FailureClass::Transient,
            ),
            (
                FunctionFailure::NoRoom("x\ny".into()),
                FailureClass::Transient,
            ),
            (
                FunctionFailure::TooManyHostCalls { limit: 1 },
                FailureClass::Invalid,
            ),
        ] {
            let found = classify(&failure, &Secrets::default());
            assert_eq!(found.class, class);
            assert!(!found.message.contains('\n'));
        }
    }
}
