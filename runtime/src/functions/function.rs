//! WebAssembly functions as nodes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use graph_model::catalog::{
    Behaviour, Family, FieldSpec, FieldType, KindSpec, PortSpec, ReachKind,
};
use graph_model::event::{Event, extension};
use graph_model::value::Value;
use rand_core::Rng;
use rand_pcg::Pcg64Mcg;
use runtime_protocol::Problem;
use rustc_hash::FxHashMap;
use smol_str::{SmolStr, format_smolstr};

use super::host::{
    Call, CallWorld, FunctionEvent, FunctionFailure, FunctionPayload, FunctionWorker, Limits,
    StateChange, StateUnavailable, StateWrite, WorkerConfig,
};
use crate::catalog::with_reliability;
use crate::kind::{Build, Kind, Make};
use crate::operator::{Context, Failure, FailureClass, Operator, Output};

pub(crate) fn kind() -> Kind {
    Kind {
        spec: spec(),
        make: Make::Operator(make),
    }
}

fn make(build: &Build) -> Result<Box<dyn Operator>, Problem> {
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
    let loaded = build.shared.functions.load(&build.path("component")?);
    let function = loaded.map_err(|error| build.problem(format!("`component`: {error}")))?;
    let limits = Limits {
        time_millis_max: u64::try_from(build.duration("time_limit")?.as_millis())
            .unwrap_or(u64::MAX)
            .max(1),
        memory_bytes_max: build.bytes("memory_limit")?,
        ..Limits::default()
    };
    let config = build.table("config").into_iter();
    let worker = function.worker(WorkerConfig {
        name: build.id.to_string(),
        limits,
        config: config
            .map(|(name, text)| (name.into(), text.into()))
            .collect(),
        ports: ports.keys().cloned().collect(),
        check: None,
        fresh_per_event: build.flag("fresh"),
        recycle_after: None,
    });
    Ok(Box::new(Function {
        worker,
        ports,
        ty: build.optional_text("output_type"),
        memory: Memory::default(),
    }))
}

struct Function {
    worker: FunctionWorker,
    ports: BTreeMap<String, u16>,
    /// Type of events for which the function names none.
    ty: Option<SmolStr>,
    memory: Memory,
}

impl Operator for Function {
    fn on_event(&mut self, event: Event, _input: usize, ctx: &Context<'_>, out: &mut Output) {
        match self.call(&event, ctx) {
            Ok(emitted) => emitted
                .into_iter()
                .for_each(|(port, event)| out.emit(port, event)),
            Err(failure) => out.fail(event, failure),
        }
    }
}

impl Function {
    /// What the function sends; when it fails, nothing is sent and nothing remembered.
    fn call(&mut self, event: &Event, ctx: &Context<'_>) -> Result<Vec<(u16, Event)>, Failure> {
        self.memory.forget(ctx.now_ms);
        let mut world = World {
            now_ms: ctx.now_ms,
            chance: Pcg64Mcg::new(u128::from(ctx.random)),
            memory: &self.memory,
        };
        let report = self.worker.handle(Call {
            event: &to_function(event),
            port: "in",
            world: &mut world,
        });
        let outcome = report.outcome.map_err(|failure| classify(&failure))?;
        let mut emitted = Vec::with_capacity(outcome.emitted.len());
        for sent in outcome.emitted {
            let Some(port) = self.ports.get(&sent.port) else {
                let port = &sent.port;
                return Err(Failure::fatal(format_smolstr!("there is no port `{port}`")));
            };
            emitted.push((*port, self.to_event(event, sent.event)?));
        }
        self.memory.write(outcome.state_writes, ctx.now_ms)?;
        Ok(emitted)
    }

    fn to_event(&self, cause: &Event, sent: FunctionEvent) -> Result<Event, Failure> {
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
        } else if let Some(ty) = &self.ty {
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
        let held = self.memory.entries.get(key);
        Ok(held.map(|held| held.value.clone()))
    }
}

/// Bytes of keys and values that an instance remembers at most.
const MEMORY_BYTES_MAX: usize = 64 << 20;

/// What an instance of a function remembers; gone when the run ends.
#[derive(Default)]
struct Memory {
    entries: FxHashMap<String, Remembered>,
    /// Keys by the time at which they are forgotten.
    ends: BTreeSet<(i64, String)>,
    bytes: usize,
}

struct Remembered {
    value: Vec<u8>,
    ends_ms: Option<i64>,
}

impl Memory {
    /// Takes all changes or none.
    fn write(&mut self, writes: Vec<StateWrite>, now_ms: i64) -> Result<(), Failure> {
        let mut bytes = self.bytes;
        for StateWrite { key, change } in &writes {
            if let Some(held) = self.entries.get(key) {
                bytes -= key.len() + held.value.len();
            }
            if let StateChange::Put { value, .. } = change {
                bytes += key.len() + value.len();
            }
        }
        if bytes > MEMORY_BYTES_MAX && bytes > self.bytes {
            return Err(Failure::transient(format_smolstr!(
                "the function would remember {bytes} bytes, limit {MEMORY_BYTES_MAX}; let it forget what is old"
            )));
        }
        for StateWrite { key, change } in writes {
            self.remove(&key);
            if let StateChange::Put { value, ttl_millis } = change {
                let ends_ms = ttl_millis
                    .map(|ttl| now_ms.saturating_add(i64::try_from(ttl).unwrap_or(i64::MAX)));
                if let Some(ends_ms) = ends_ms {
                    self.ends.insert((ends_ms, key.clone()));
                }
                self.bytes += key.len() + value.len();
                self.entries.insert(key, Remembered { value, ends_ms });
            }
        }
        Ok(())
    }

    fn forget(&mut self, now_ms: i64) {
        while let Some((ends_ms, key)) = self.ends.first()
            && *ends_ms <= now_ms
        {
            let key = key.clone();
            self.remove(&key);
        }
    }

    fn remove(&mut self, key: &str) {
        if let Some(held) = self.entries.remove(key) {
            self.bytes -= key.len() + held.value.len();
            if let Some(ends_ms) = held.ends_ms {
                self.ends.remove(&(ends_ms, key.to_owned()));
            }
        }
    }
}

fn spec() -> KindSpec {
    KindSpec {
        id: "function".into(),
        family: Family::Function,
        title: "Function".into(),
        summary: "Runs your code on each event, in a sandbox.".into(),
        doc: "A WebAssembly component with the contract `flow:function`. What it sends is released when it returns; when it fails, nothing of it is kept. It has no access to anything but what its imports name. What it remembers with `state` is kept in memory for each partition, at most 64 MiB, and does not outlive the run. A trap or too much memory in an instance that had handled other events, and a passed time limit, are tried again; otherwise the event is at fault.".into(),
        icon: "function".into(),
        inputs: vec![PortSpec::data("in", "Events to handle")],
        outputs: vec![PortSpec::each("ports", "Events that the function sends here"), PortSpec::failed("Events that were given up, with their cause")],
        config: with_reliability(vec![FieldSpec::new("component", "Component", FieldType::Path { folder: false }, "WebAssembly component inside the project").reaches(ReachKind::Component).required(), FieldSpec::new("ports", "Ports", FieldType::Texts, "Names of its output ports").default_to(vec!["ok".into()]), FieldSpec::new("config", "Configuration", FieldType::Table, "What the function reads with `config.get`"), FieldSpec::new("output_type", "Output type", FieldType::EventType, "Type of what it sends when it names none itself"), FieldSpec::new("time_limit", "Time limit", FieldType::Duration, "Longest call").default_to("1s").advanced(), FieldSpec::new("memory_limit", "Memory limit", FieldType::Bytes, "Largest memory").default_to("64 MiB").advanced(), FieldSpec::new("fresh", "Fresh instance", FieldType::Bool, "A new instance for each event: slower, and nothing is carried over").default_to(false).advanced()]),
        behaviour: Behaviour::Opaque { ty: Some("output_type".into()) },
        resource: None,
        since: "0.1.0".into(),
    }
}

#[cfg(test)]
mod tests {
    use graph_model::event::extension;
    use graph_model::value;

    use super::*;
    use crate::delivery::Share;
    use crate::operators::testing::{Bench, event};

    const ORDER_TAX: &str = "samples/functions/order-tax/order-tax.wasm";

    fn order_tax() -> Bench {
        let ports = value!(["ok", "rejected"]);
        Bench::new("function", value!({"component": ORDER_TAX, "ports": ports}))
    }

    #[test]
    fn what_a_function_sends_leaves_by_its_ports() {
        let mut bench = order_tax();
        let order = value!({"orderId": "o1", "country": "IT", "total": 100});
        let output = bench.handle(event("e1", 5, order), &Share::none());
        let (port, sent) = &output.emitted[0];
        assert_eq!((*port, sent.data.get("tax")), (0, Some(&value!(22))));
        let context = &sent.context;
        assert_eq!((&*context.id, &*context.ty), ("e1/node.0", "order.taxed"));
        assert_eq!((&*context.source, context.time_ms), ("bench", 5));
        assert_eq!(context.extensions[extension::CAUSATION], "e1");
        assert!(bench.feed(value!({"orderId": "o2"}))[0].starts_with("rejected {"));
    }

    #[test]
    fn a_failure_of_the_function_is_one_of_the_event() {
        let line = order_tax().feed(value!(null)).join("");
        assert!(
            line.starts_with("failed Invalid: the function refused the event:"),
            "{line}"
        );
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

    #[test]
    fn a_node_without_a_usable_component_is_refused() {
        for (config, message) in [
            (value!({}), "`component` is empty; fill it in"),
            (
                value!({"component": "samples/index.json"}),
                "`component`: not a WebAssembly file; choose the `.wasm` component that the function's build made",
            ),
            (
                value!({"component": ORDER_TAX, "ports": ["failed"]}),
                "`ports`: `failed` is no name for a port; choose another",
            ),
        ] {
            assert_eq!(Bench::refusal("function", config), message);
        }
    }

    #[test]
    fn memory_is_bounded_and_forgets_in_time() {
        let put = |key: &str, bytes, ttl_millis| StateWrite {
            key: key.into(),
            change: StateChange::Put {
                value: vec![0; bytes],
                ttl_millis,
            },
        };
        let mut memory = Memory::default();
        let writes = vec![put("a", 9, Some(100)), put("b", 4, None)];
        memory.write(writes, 0).expect("there is room");
        memory
            .write(vec![put("a", 1, Some(200))], 50)
            .expect("there is room");
        memory.forget(249);
        assert_eq!((memory.bytes, memory.entries.len()), (7, 2));
        memory.forget(250);
        assert_eq!((memory.bytes, memory.ends.len()), (5, 0));
        assert!(
            memory
                .write(vec![put("c", MEMORY_BYTES_MAX, None)], 0)
                .is_err()
        );
        assert_eq!(memory.bytes, 5);
    }
}
