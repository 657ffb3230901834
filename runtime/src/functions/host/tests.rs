//! Functions that behave and functions that do not: what the host gives, refuses and survives.

mod batches;
mod cache;
mod handling;
mod limits;
mod loading;
mod memory;
mod outside;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use expect_test::{Expect, expect};
use tempfile::tempdir;

use super::*;

const MIB: u64 = 1 << 20;

static HOST: LazyLock<Arc<FunctionHost>> =
    LazyLock::new(|| FunctionHost::new(HostConfig::default()).expect("the host starts"));
static MISBEHAVE: LazyLock<Arc<LoadedFunction>> =
    LazyLock::new(|| load("runtime/tests/fixtures/misbehave.wasm"));
static ORDER_TAX: LazyLock<Arc<LoadedFunction>> =
    LazyLock::new(|| load("samples/functions/order-tax/order-tax.wasm"));
static SEVERITY_JS: LazyLock<Arc<LoadedFunction>> =
    LazyLock::new(|| load("samples/functions/severity-js/severity-js.wasm"));

fn in_project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn load(path: &str) -> Arc<LoadedFunction> {
    HOST.load_file(&in_project(path))
        .expect("the function loads")
}

/// A world that stands still: one time, bytes that count up, what is in the map.
#[derive(Default)]
struct Still {
    drawn: u8,
    state: BTreeMap<String, Vec<u8>>,
    state_is_down: bool,
}

impl CallWorld for Still {
    fn now_millis(&mut self) -> u64 {
        1_700_000_000_000
    }
    fn fill_random(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.drawn += 1;
            *byte = self.drawn;
        }
    }
    fn state_get(&mut self, key: &str) -> Result<Option<Vec<u8>>, StateUnavailable> {
        if self.state_is_down {
            return Err(StateUnavailable("the store is locked".into()));
        }
        Ok(self.state.get(key).cloned())
    }
    fn secret(&mut self, name: &str) -> Option<String> {
        (name == "KEY").then(|| "hidden".to_owned())
    }
    fn send(&mut self, sending: Sending) -> Result<HttpResponse, HttpError> {
        let Sending {
            request, patience, ..
        } = sending;
        let Some(place) = request.url.strip_prefix("http://listed/") else {
            return Err(HttpError::NotListed(request.url));
        };
        if let Some(millis) = place.strip_prefix("slow/") {
            let takes = Duration::from_millis(millis.parse().expect("a number"));
            std::thread::sleep(takes.min(patience));
            if takes > patience {
                return Err(HttpError::Timeout(patience.as_millis() as u64));
            }
        }
        let body = format!("{} {place} {}", request.method, request.body.len());
        Ok(HttpResponse {
            status: 200,
            headers: Vec::new(),
            body: body.into(),
        })
    }
}

fn event(data: FunctionPayload) -> FunctionEvent {
    FunctionEvent {
        id: "e1".into(),
        source: "test".into(),
        type_: "test".into(),
        subject: None,
        time_ms: 0,
        datacontenttype: String::new(),
        extensions: vec![("traceparent".into(), "00-1".into())],
        data,
    }
}

fn config() -> WorkerConfig {
    let ports = ["ok", "told", "rejected"].map(String::from).into();
    WorkerConfig {
        name: "node".into(),
        ports,
        ..WorkerConfig::default()
    }
}

fn limited(limit: impl FnOnce(&mut Limits)) -> WorkerConfig {
    let mut config = config();
    limit(&mut config.limits);
    config
}

fn handle_in(
    world: &mut dyn CallWorld,
    worker: &mut FunctionWorker,
    data: FunctionPayload,
) -> CallReport {
    worker.handle(Call {
        event: &event(data),
        port: "in",
        world,
    })
}

/// Lets the misbehaving function take its steps.
fn take(worker: &mut FunctionWorker, steps: &str) -> CallReport {
    handle_in(
        &mut Still::default(),
        worker,
        FunctionPayload::Text(steps.into()),
    )
}

/// What was emitted, a line an event.
fn told(report: CallReport) -> Vec<String> {
    let outcome = report.outcome.expect("the function handles the event");
    outcome
        .emitted
        .into_iter()
        .map(|emitted| format!("{}: {}", emitted.port, text(&emitted.event)))
        .collect()
}

fn text(event: &FunctionEvent) -> &str {
    match &event.data {
        FunctionPayload::Json(text) | FunctionPayload::Text(text) => text,
        FunctionPayload::None | FunctionPayload::Bytes(_) => "",
    }
}

fn failure(report: CallReport) -> FunctionFailure {
    report.outcome.expect_err("the function fails")
}

/// After whatever happened, the next event is handled, by an instance that knows of nothing.
fn assert_recovered(worker: &mut FunctionWorker) {
    assert!(!worker.is_warm());
    assert_eq!(told(take(worker, "count")), ["told: 1"]);
    assert!(worker.is_warm());
}

// Normal calls.

/// Why a component cannot be loaded.
fn refusal(bytes: &[u8]) -> String {
    HOST.load(bytes)
        .expect_err("the function is refused")
        .to_string()
}

/// A component that is written as text.
fn component(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("the text is valid")
}
