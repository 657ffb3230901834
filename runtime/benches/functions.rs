//! What a call of a function costs, beside a bare call of the same component.
//!
//! The event is an order of about 1 KiB; the function reads it, adds its tax, and sends it on. In batches it is
//! one of bench A, with four fields, of which the function makes six.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use divan::Bencher;
use runtime::functions::host::{
    Call, CallWorld, FunctionEvent, FunctionHost, FunctionPayload, FunctionWorker, HostConfig,
    LoadedFunction, StateUnavailable, WorkerConfig,
};

fn main() {
    divan::main();
}

/// The host's own work, which is what users pay.
mod hosted {
    use super::{
        Bencher, FunctionHost, HostConfig, component, handle, handle_this, loaded, small, worker,
    };

    #[divan::bench(args = ["rust", "script"])]
    fn warm(bencher: Bencher, name: &str) {
        let mut worker = worker(&loaded(name), name, false);
        handle(&mut worker);
        bencher.bench_local(|| handle(&mut worker));
    }

    /// An event of 50 bytes, of which the call itself is the larger part.
    #[divan::bench(args = ["rust", "script"])]
    fn small_warm(bencher: Bencher, name: &str) {
        let mut worker = worker(&loaded(name), name, false);
        let order = small();
        handle_this(&mut worker, &order);
        bencher.bench_local(|| handle_this(&mut worker, &order));
    }

    #[divan::bench(args = ["rust", "script"])]
    fn fresh(bencher: Bencher, name: &str) {
        let mut worker = worker(&loaded(name), name, true);
        bencher.bench_local(|| handle(&mut worker));
    }

    /// From a host that has nothing in memory to the first answer, with compiled code in the cache.
    #[divan::bench(args = ["rust", "script"])]
    fn cold(bencher: Bencher, name: &str) {
        let folder = tempfile::tempdir().expect("a folder");
        let first = || {
            let host = FunctionHost::new(HostConfig {
                cache_folder: Some(folder.path().to_owned()),
                instances_max: 16,
                ..HostConfig::default()
            });
            let host = host.expect("starts");
            let function = host.load(&component(name)).expect("loads");
            handle(&mut worker(&function, name, false));
        };
        first();
        bencher.bench_local(first);
    }
}

/// Many events in a call: what an event costs is the time by the number of them.
mod batched {
    use std::sync::Arc;

    use divan::counter::ItemsCount;
    use graph_model::event::{Event, EventContext};
    use graph_model::value;
    use runtime::functions::host::Batch;

    use super::{Bencher, loaded, worker};

    const COUNTS: [usize; 2] = [1, 64];

    /// From events of the flow to payloads of the flow.
    #[divan::bench(args = COUNTS)]
    fn hosted(bencher: Bencher, count: usize) {
        let mut worker = worker(&loaded("compute"), "compute", false);
        let events: Vec<Event> = (0..count).map(event).collect();
        let mut batch = Batch::new("in");
        let bencher = bencher.counter(ItemsCount::new(count));
        bencher.bench_local(|| {
            for event in &events {
                batch.add(event);
            }
            let report = worker.handle_all(&batch);
            assert_eq!(batch.drain().count(), count);
            let last = report.answers.last().expect("an answer for each");
            let sent = last.outcome.as_ref().expect("is handled");
            assert_eq!(sent[0].port, "ok");
            report
        });
    }

    /// The bytes of a frame, in and out.
    #[divan::bench(args = COUNTS)]
    fn bare(bencher: Bencher, count: usize) {
        let mut batch = Batch::new("in");
        (0..count).for_each(|number| batch.add(&event(number)));
        super::bare::batches(bencher.counter(ItemsCount::new(count)), batch.frame());
    }

    fn event(number: usize) -> Event {
        let context = EventContext {
            id: format!("inject/{number}").into(),
            source: "/inject".into(),
            ty: "made".into(),
            time_ms: 1_700_000_000_000,
            ..EventContext::default()
        };
        let n = number as i64;
        Event {
            context: Arc::new(context),
            data: value!({"id": (n), "key": "k0042", "t0": (n), "value": (n as f64 * 1.37)}),
        }
    }
}

/// The same component with nothing around it: what wasmtime alone takes.
mod bare {
    use wasmtime::component::{Component, HasSelf, Linker};
    use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store};

    use self::flow::function::types::Payload;
    use self::flow::function::{clock, config, logging, output, random, state, types};
    use super::{Bencher, FunctionEvent, FunctionPayload, component};

    wasmtime::component::bindgen!({ path: "wit", world: "function" });

    /// The world of functions that take batches.
    mod batched {
        wasmtime::component::bindgen!({
            path: "wit",
            world: "batched",
            with: {
                "flow:function/logging": super::flow::function::logging,
                "flow:function/config": super::flow::function::config,
            },
        });
    }

    /// Answers without looking, but for the script where that is run.
    #[derive(Default)]
    struct Nothing {
        emitted: Vec<Event>,
    }

    impl types::Host for Nothing {}
    impl output::Host for Nothing {
        fn emit(&mut self, _port: String, event: Event) -> Result<(), output::EmitError> {
            self.emitted.push(event);
            Ok(())
        }
    }
    impl logging::Host for Nothing {
        fn log(&mut self, _: logging::Level, _: String, _: Vec<(String, String)>) {}
    }
    impl config::Host for Nothing {
        fn get(&mut self, key: String) -> Option<String> {
            let (_, held) = super::SETTINGS.iter().find(|(name, _)| *name == key)?;
            Some((*held).to_owned())
        }
    }
    impl state::Host for Nothing {
        fn get(&mut self, _key: String) -> Result<Option<Vec<u8>>, state::StateError> {
            Ok(None)
        }
        fn put(&mut self, _: String, _: Vec<u8>, _: Option<u64>) -> Result<(), state::StateError> {
            Ok(())
        }
        fn delete(&mut self, _key: String) -> Result<(), state::StateError> {
            Ok(())
        }
    }
    impl clock::Host for Nothing {
        fn now_ms(&mut self) -> u64 {
            0
        }
    }
    impl random::Host for Nothing {
        fn bytes(&mut self, len: u32) -> Vec<u8> {
            vec![0; len as usize]
        }
    }

    fn engine() -> Engine {
        let mut config = Config::new();
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(16);
        config
            .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
            .epoch_interruption(true);
        Engine::new(&config).expect("an engine")
    }

    pub(super) fn batches(bencher: Bencher, frame: &[u8]) {
        let engine = engine();
        let mut linker = Linker::new(&engine);
        batched::Batched::add_to_linker::<_, HasSelf<_>>(&mut linker, |data: &mut Nothing| data)
            .expect("links");
        let component = Component::from_binary(&engine, &component("compute")).expect("compiles");
        let mut store = store(&engine);
        let function =
            batched::Batched::instantiate(&mut store, &component, &linker).expect("starts");
        bencher.bench_local(|| {
            let answer = function.call_handle_all(&mut store, frame);
            answer.expect("returns")
        });
    }

    fn pre(name: &str) -> (Engine, FunctionPre<Nothing>) {
        let engine = engine();
        let component = Component::from_binary(&engine, &component(name)).expect("compiles");
        let pre = linked(&engine, &component);
        (engine, pre)
    }

    fn linked(engine: &Engine, component: &Component) -> FunctionPre<Nothing> {
        let mut linker = Linker::new(engine);
        Function::add_to_linker::<_, HasSelf<_>>(&mut linker, |data: &mut Nothing| data)
            .expect("links");
        let pre = linker.instantiate_pre(component).expect("fits");
        FunctionPre::new(pre).expect("fits")
    }

    fn store(engine: &Engine) -> Store<Nothing> {
        let mut store = Store::new(engine, Nothing::default());
        store.set_epoch_deadline(u64::MAX / 2);
        store
    }

    fn order() -> Event {
        guest(super::order())
    }

    fn guest(event: FunctionEvent) -> Event {
        let FunctionEvent {
            id,
            source,
            type_,
            data: FunctionPayload::Json(data),
            ..
        } = event
        else {
            unreachable!("an order is JSON")
        };
        Event {
            id,
            source,
            type_,
            subject: None,
            time_ms: 0,
            datacontenttype: "application/json".into(),
            extensions: Vec::new(),
            data: Payload::Json(data),
        }
    }

    #[divan::bench(args = ["rust", "script"])]
    fn small_warm(bencher: Bencher, name: &str) {
        calls(bencher, name, &guest(super::small()));
    }

    #[divan::bench(args = ["rust", "script"])]
    fn warm(bencher: Bencher, name: &str) {
        calls(bencher, name, &order());
    }

    fn calls(bencher: Bencher, name: &str, order: &Event) {
        let (engine, pre) = pre(name);
        let mut store = store(&engine);
        let function = pre.instantiate(&mut store).expect("starts");
        bencher.bench_local(|| call(&function, &mut store, order));
    }

    fn call(function: &Function, store: &mut Store<Nothing>, order: &Event) -> Option<Event> {
        let done = function.call_handle(&mut *store, order, "in");
        done.expect("returns").expect("is handled");
        store.data_mut().emitted.pop()
    }

    #[divan::bench(args = ["rust", "script"])]
    fn fresh(bencher: Bencher, name: &str) {
        let (engine, pre) = pre(name);
        let order = order();
        bencher.bench_local(|| {
            let mut store = store(&engine);
            let function = pre.instantiate(&mut store).expect("starts");
            call(&function, &mut store, &order);
        });
    }

    /// From nothing in memory to the first answer, by compiled code that nobody checks.
    #[divan::bench(args = ["rust", "script"])]
    #[expect(
        unsafe_code,
        reason = "what the hosted one does only after it has looked"
    )]
    fn cold(bencher: Bencher, name: &str) {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let compiled = engine()
            .precompile_component(&component(name))
            .expect("compiles");
        std::fs::write(&file, compiled).expect("is written");
        bencher.bench_local(|| {
            let engine = engine();
            // SAFETY: the same engine wrote the file just now.
            let component = unsafe { Component::deserialize_file(&engine, file.path()) };
            let pre = linked(&engine, &component.expect("is compiled"));
            let mut store = store(&engine);
            let function = pre.instantiate(&mut store).expect("starts");
            call(&function, &mut store, &order());
        });
    }
}

const SCRIPT: &str = "
    const order = event.data;
    if (typeof order.total !== 'number') throw invalid('no total');
    return { ...order, tax: order.total * 0.22, taxRate: 0.22 };";

/// What the script's node is given.
const SETTINGS: [(&str, &str); 2] = [("script", SCRIPT), ("first_port", "ok")];

static HOST: LazyLock<Arc<FunctionHost>> =
    LazyLock::new(|| FunctionHost::new(HostConfig::default()).expect("starts"));

fn component(name: &str) -> Vec<u8> {
    let path = match name {
        "script" => "script/script.wasm",
        "compute" => "../tests/benches/functions/compute/compute.wasm",
        _ => "../samples/functions/order-tax/order-tax.wasm",
    };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read(path).expect("the component is there")
}

fn loaded(name: &str) -> Arc<LoadedFunction> {
    HOST.load(&component(name)).expect("loads")
}

fn worker(function: &Arc<LoadedFunction>, name: &str, fresh_per_event: bool) -> FunctionWorker {
    let mut config = WorkerConfig {
        name: "node".into(),
        ports: ["ok", "rejected"].map(String::from).into(),
        fresh_per_event,
        ..WorkerConfig::default()
    };
    if name == "script" {
        let settings = SETTINGS.map(|(name, held)| (name.into(), held.into()));
        config.config.extend(settings);
    }
    function.worker(config)
}

struct Still;

impl CallWorld for Still {
    fn now_millis(&mut self) -> u64 {
        0
    }
    fn fill_random(&mut self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
    fn state_get(&mut self, _key: &str) -> Result<Option<Vec<u8>>, StateUnavailable> {
        Ok(None)
    }
}

fn handle(worker: &mut FunctionWorker) {
    static ORDER: LazyLock<FunctionEvent> = LazyLock::new(order);
    handle_this(worker, &ORDER);
}

fn handle_this(worker: &mut FunctionWorker, event: &FunctionEvent) {
    let report = worker.handle(Call {
        event,
        port: "in",
        world: &mut Still,
    });
    let outcome = report.outcome.expect("is handled");
    assert_eq!(outcome.emitted[0].port, "ok");
}

fn small() -> FunctionEvent {
    FunctionEvent {
        data: FunctionPayload::Json(r#"{"orderId":"o-1","country":"IT","total":825}"#.into()),
        ..order()
    }
}

fn order() -> FunctionEvent {
    let items: Vec<String> = (0..12)
        .map(|n| {
            format!(
                r#"{{"sku":"article-number-{n:04}","price":12.5,"quantity":{n},"note":"none"}}"#
            )
        })
        .collect();
    FunctionEvent {
        id: "e1".into(),
        source: "bench".into(),
        type_: "order.placed".into(),
        subject: None,
        time_ms: 0,
        datacontenttype: "application/json".into(),
        extensions: Vec::new(),
        data: FunctionPayload::Json(format!(
            r#"{{"orderId":"o-1","country":"IT","total":825,"customer":{{"name":"Ann Example","city":"Bologna"}},"items":[{}]}}"#,
            items.join(",")
        )),
    }
}
