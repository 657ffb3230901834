//! A node whose events are handled by code in the sandbox.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use graph_model::catalog::{FieldSpec, FieldType};
use graph_model::event::{Event, extension};
use graph_model::id::NodeId;
use graph_model::value::Value;
use rand_core::Rng;
use rand_pcg::Pcg64Mcg;
use runtime_protocol::Problem;
use runtime_protocol::function::Tried;
use smol_str::{SmolStr, format_smolstr};

use super::costs::{Costs, micros};
use super::host::{
    Call, CallCost, CallReport, CallWorld, Capability, Emitted, FunctionEvent, FunctionFailure,
    FunctionPayload, FunctionWorker, Limits, LogLine, StateUnavailable, StateWrite, WorkerConfig,
};
use super::loaded::Slot;
use super::logs::{Logs, told};
use super::memory::Memory;
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
    memory: Arc<Mutex<Memory>>,
    /// Where the memory is kept; not at all without it, nor before the first event.
    states: Option<Arc<States>>,
    attached: bool,
    costs: Arc<Costs>,
    logs: Arc<Logs>,
}

/// What a call may use, and how long an instance lives: fields of every kind that runs code.
pub(super) fn limit_fields() -> Vec<FieldSpec> {
    let defaults = Limits::default();
    let mebibytes = |bytes: u64| format!("{} MiB", bytes >> 20);
    let kibibytes = |bytes: u64| format!("{} KiB", bytes >> 10);
    let whole = FieldType::Integer {
        min: 0,
        max: i64::from(u32::MAX),
    };
    let row = |name: &str, title: &str, ty: FieldType, doc: &str| {
        FieldSpec::new(name, title, ty, doc).advanced()
    };
    vec![
        row(
            "may_use",
            "May use",
            FieldType::Texts,
            "What its code may ask of the engine, among `output`, `logging`, `config`, `state`, `clock` and `random`; all that it imports when nothing is said",
        ),
        row(
            "time_limit",
            "Time limit",
            FieldType::Duration,
            "Longest call",
        )
        .default_to("1s"),
        row(
            "memory_limit",
            "Memory limit",
            FieldType::Bytes,
            "Largest memory",
        )
        .default_to(mebibytes(defaults.memory_bytes_max)),
        row(
            "events_limit",
            "Events limit",
            whole.clone(),
            "Events that a call may send",
        )
        .default_to(i64::from(defaults.events_max)),
        row(
            "output_limit",
            "Output limit",
            FieldType::Bytes,
            "Bytes that a call may send",
        )
        .default_to(mebibytes(defaults.output_bytes_max)),
        row(
            "state_limit",
            "State limit",
            FieldType::Bytes,
            "Bytes that a call may remember",
        )
        .default_to(mebibytes(defaults.state_bytes_max)),
        row(
            "log_limit",
            "Log limit",
            FieldType::Bytes,
            "Bytes that a call may write to the log",
        )
        .default_to(kibibytes(defaults.log_bytes_max)),
        row(
            "calls_limit",
            "Calls limit",
            whole.clone(),
            "How often a call may ask the engine for something",
        )
        .default_to(i64::from(defaults.host_calls_max)),
        row(
            "keep_state",
            "Keep state",
            FieldType::Bool,
            "What it remembers outlives the run, in the folder `.weir` of the project",
        )
        .default_to(true),
        row(
            "fresh",
            "Fresh instance",
            FieldType::Bool,
            "A new instance for each event: slower, and nothing is carried over",
        )
        .default_to(false),
        row(
            "recycle",
            "Recycle after",
            whole,
            "Events after which a new instance takes over; 0 for never",
        )
        .default_to(0),
    ]
}

/// What the node lets its code ask of the engine; all that it imports when nothing is said.
fn granted(build: &Build) -> Result<Option<BTreeSet<Capability>>, Problem> {
    let names = build.texts("may_use");
    if names.is_empty() {
        return Ok(None);
    }
    let all = names.iter().map(|name| {
        Capability::named(name.trim()).ok_or_else(|| {
            let known: Vec<&str> = Capability::ALL.iter().map(|held| held.as_str()).collect();
            build.problem(format!(
                "`may_use`: there is nothing called `{name}`; choose among {}",
                known.join(", ")
            ))
        })
    });
    all.collect::<Result<_, _>>().map(Some)
}

fn small(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
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
    pub(super) fn new(
        build: &Build,
        slot: Arc<Slot>,
        given: impl IntoIterator<Item = (String, String)>,
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
        let limits = Limits {
            time_millis_max: u64::try_from(build.duration("time_limit")?.as_millis())
                .unwrap_or(u64::MAX)
                .max(1),
            memory_bytes_max: build.bytes("memory_limit")?,
            events_max: small(build.whole("events_limit")?),
            output_bytes_max: build.bytes("output_limit")?,
            state_bytes_max: build.bytes("state_limit")?,
            log_bytes_max: build.bytes("log_limit")?,
            host_calls_max: small(build.whole("calls_limit")?),
            ..Limits::default()
        };
        let given: Vec<(String, String)> = given.into_iter().collect();
        let mut granted = granted(build)?;
        if let Some(granted) = granted.as_mut().filter(|_| !given.is_empty()) {
            // What is given is read as a setting.
            granted.insert(Capability::Config);
        }
        let settings = build.table("config").into_iter();
        let settings = settings.map(|(name, text)| (name.into(), text.into()));
        let config = WorkerConfig {
            name: build.id.to_string(),
            limits,
            config: settings.chain(given).collect(),
            ports: ports.keys().cloned().collect(),
            check: shapes.check(),
            granted,
            fresh_per_event: build.flag("fresh"),
            recycle_after: Some(small(build.whole("recycle")?)).filter(|events| *events > 0),
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
            memory: Arc::default(),
            states: build
                .flag("keep_state")
                .then(|| Arc::clone(&build.shared.states)),
            attached: false,
            costs: build.shared.costs(build.id),
            logs: Arc::clone(&build.shared.logs),
            node: build.id.clone(),
        })
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

    /// A call, of which nothing is kept yet.
    fn call(&mut self, event: &Event, ctx: &Context<'_>) -> (Spent, Result<Done, Failure>) {
        if self.slot.version() != self.version {
            let (function, version) = self.slot.current();
            self.worker = function.worker(self.config.clone());
            self.version = version;
        }
        let mut memory = lock(&self.memory);
        memory.forget(ctx.now_ms);
        let mut world = World {
            now_ms: ctx.now_ms,
            chance: Pcg64Mcg::new(u128::from(ctx.random)),
            memory: &memory,
        };
        let CallReport {
            outcome,
            logs,
            logs_dropped,
            cost,
        } = self.worker.handle(Call {
            event: &to_function(event),
            port: "in",
            world: &mut world,
        });
        drop(memory);
        let done = outcome
            .map_err(|failure| classify(&failure))
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

    /// An event of the function on its way out.
    fn leave(&self, cause: &Event, sent: Emitted) -> Result<(u16, Event), Failure> {
        let Some(port) = self.ports.get(&sent.port) else {
            let port = &sent.port;
            return Err(Failure::fatal(format_smolstr!("there is no port `{port}`")));
        };
        let ty = self.shapes.ty(&sent.port);
        Ok((*port, to_event(cause, sent.event, ty)?))
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
    let mut event = cause.derive(sent.id, data);
    let context = Arc::make_mut(&mut event.context);
    if !sent.source.is_empty() {
        context.source = sent.source.into();
    }
    if !sent.type_.is_empty() {
        context.ty = sent.type_.into();
    } else if let Some(ty) = ty {
        context.ty = ty.clone();
    }
    context.subject = sent.subject.map(SmolStr::from);
    context.time_ms = i64::try_from(sent.time_ms).unwrap_or(i64::MAX);
    for (name, text) in sent.extensions {
        // Where it comes from, the engine knows better.
        if name != extension::CAUSATION && name != extension::CORRELATION {
            context.extensions.insert(name.into(), text.into());
        }
    }
    Ok(event)
}

fn to_function(event: &Event) -> FunctionEvent {
    let context = &event.context;
    let extensions = context.extensions.iter();
    FunctionEvent {
        id: context.id.to_string(),
        source: context.source.to_string(),
        type_: context.ty.to_string(),
        subject: context.subject.as_ref().map(SmolStr::to_string),
        time_ms: u64::try_from(context.time_ms).unwrap_or_default(),
        datacontenttype: "application/json".into(),
        extensions: extensions
            .map(|(name, text)| (name.to_string(), text.to_string()))
            .collect(),
        data: match &event.data {
            Value::Null => FunctionPayload::None,
            data => FunctionPayload::Json(data.to_json()),
        },
    }
}

fn classify(failure: &FunctionFailure) -> Failure {
    let class = match failure {
        FunctionFailure::Fatal(_) => FailureClass::Fatal,
        failure if failure.retryable() => FailureClass::Transient,
        _ => FailureClass::Invalid,
    };
    // One line: a backtrace or a message of the function may have several.
    let message = failure.to_string();
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
            let found = classify(&failure);
            assert_eq!(found.class, class);
            assert!(!found.message.contains('\n'));
        }
    }
}
