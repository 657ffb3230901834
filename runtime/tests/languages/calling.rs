//! Calls of a component, with nothing around it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use runtime::functions::host::{
    Call, CallReport, CallWorld, FunctionEvent, FunctionHost, FunctionPayload, FunctionWorker,
    HostConfig, LoadedFunction, StateUnavailable, WorkerConfig,
};

use crate::building::{SCRIPT, samples};

static HOST: LazyLock<Arc<FunctionHost>> =
    LazyLock::new(|| FunctionHost::new(HostConfig::default()).expect("the host starts"));

/// A world in which nothing is there.
struct Empty;

impl CallWorld for Empty {
    fn now_millis(&mut self) -> u64 {
        0
    }
    fn fill_random(&mut self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
    fn state_get(&mut self, _key: &str) -> Result<Option<Vec<u8>>, StateUnavailable> {
        Ok(None)
    }
}

/// The function of a file, compiled once: an interpreter takes seconds.
fn loaded(component: &Path) -> Arc<LoadedFunction> {
    static LOADED: Mutex<BTreeMap<PathBuf, Arc<LoadedFunction>>> = Mutex::new(BTreeMap::new());
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    let load = || HOST.load_file(component).expect("the host takes it");
    Arc::clone(loaded.entry(component.to_owned()).or_insert_with(load))
}

pub(crate) fn worker(component: &Path, settings: &[(&str, &str)]) -> FunctionWorker {
    let function = loaded(component);
    let mut config = WorkerConfig {
        name: "node".into(),
        ports: ["ok", "rejected"].map(String::from).into(),
        config: settings
            .iter()
            .map(|(key, value)| ((*key).into(), (*value).into()))
            .collect(),
        ..WorkerConfig::default()
    };
    // Other tests run beside this one; no time limit is looked at here.
    config.limits.time_millis_max = 60_000;
    function.worker(config)
}

/// An instance of an `order-tax`. A script is given to its component as a node of that kind gives it.
pub(crate) fn order_tax_worker(
    language: &str,
    folder: &str,
    component: &Path,
    settings: &[(&str, &str)],
) -> FunctionWorker {
    if language != SCRIPT {
        return worker(component, settings);
    }
    let script = samples().join(folder).join("order-tax.js");
    let script = fs::read_to_string(script).expect("there");
    let given = [("script", script.as_str()), ("first_port", "ok")];
    worker(component, &[settings, &given].concat())
}

pub(crate) fn handle(worker: &mut FunctionWorker, event: &FunctionEvent) -> CallReport {
    worker.handle(Call {
        event,
        port: "in",
        world: &mut Empty,
    })
}

pub(crate) fn json_event(text: &str) -> FunctionEvent {
    FunctionEvent {
        id: "e1".into(),
        source: "test".into(),
        type_: "order".into(),
        subject: Some("a1".into()),
        time_ms: 1_700_000_000_123,
        datacontenttype: "application/json".into(),
        extensions: vec![("traceparent".into(), "00-1".into())],
        data: FunctionPayload::Json(text.into()),
    }
}
