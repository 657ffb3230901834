//! Functions that behave and functions that do not: what the host gives, refuses and survives.

mod batches;
mod cache;
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

#[test]
fn orders_are_taxed_or_rejected() {
    let check = |order: &str, expect: Expect| {
        let mut worker = ORDER_TAX.worker(config());
        let report = handle_in(
            &mut Still::default(),
            &mut worker,
            FunctionPayload::Json(order.into()),
        );
        expect.assert_eq(&match report.outcome {
            Ok(outcome) => format!(
                "{} {}",
                outcome.emitted[0].port,
                text(&outcome.emitted[0].event)
            ),
            Err(failure) => failure.to_string(),
        });
    };
    check(
        r#"{"orderId": "a1", "total": 100.1, "country": "IT", "note": "gift"}"#,
        expect![[
            r#"ok {"orderId":"a1","total":100.1,"country":"IT","note":"gift","tax":22.02,"taxRate":0.22}"#
        ]],
    );
    check(
        r#"{"orderId": "a1", "items": [{"price": 9.99, "quantity": 3}, {"price": 1}], "country": "DE"}"#,
        expect![[
            r#"ok {"orderId":"a1","items":[{"price":9.99,"quantity":3},{"price":1}],"country":"DE","tax":5.88,"taxRate":0.19}"#
        ]],
    );
    check(
        r#"{"orderId": "a1", "total": 5, "items": [{"price": 4}], "country": "IT"}"#,
        expect![[
            r#"rejected {"orderId":"a1","total":5,"items":[{"price":4}],"country":"IT","reason":"total is 5, but the items sum to 4"}"#
        ]],
    );
    check(
        r#"{"orderId": "a1", "total": 5, "country": "XX"}"#,
        expect![[
            r#"rejected {"orderId":"a1","total":5,"country":"XX","reason":"no tax rate for country \"XX\""}"#
        ]],
    );
    check(
        r#"{"total": 5, "country": "IT"}"#,
        expect![[r#"rejected {"total":5,"country":"IT","reason":"orderId is missing"}"#]],
    );
    check(
        "[1]",
        expect![
            "the function refused the event: payload is not a json object: invalid type: sequence, expected a map at line 1 column 0"
        ],
    );
}

#[test]
fn settings_reach_the_function() {
    let order = r#"{"orderId": "a1", "total": 100, "country": "XX"}"#;
    let tax = |rates: &str| {
        let config = WorkerConfig {
            config: [("rates".into(), rates.into())].into(),
            ..config()
        };
        let mut worker = ORDER_TAX.worker(config);
        handle_in(
            &mut Still::default(),
            &mut worker,
            FunctionPayload::Json(order.into()),
        )
    };
    assert!(told(tax(r#"{"XX": 0.5}"#))[0].contains(r#""tax":50.0"#));
    assert_eq!(failure(tax("half")).kind(), "fatal");
}

#[test]
fn an_emitted_event_keeps_its_context_and_gets_an_id_from_its_cause() {
    let mut worker = ORDER_TAX.worker(config());
    let order = FunctionPayload::Json(r#"{"orderId": "a1", "total": 1, "country": "IT"}"#.into());
    let outcome = handle_in(&mut Still::default(), &mut worker, order)
        .outcome
        .expect("it is taxed");
    let FunctionEvent {
        id,
        source,
        type_,
        extensions,
        ..
    } = &outcome.emitted[0].event;
    assert_eq!(
        (id.as_str(), source.as_str(), type_.as_str()),
        ("e1/node.0", "test", "order.taxed")
    );
    assert_eq!(extensions, &event(FunctionPayload::None).extensions);
}

#[test]
fn javascript_grades_readings() {
    let check = |worker: &mut FunctionWorker, reading: &str, expect: Expect| {
        let report = handle_in(
            &mut Still::default(),
            worker,
            FunctionPayload::Json(reading.into()),
        );
        let mut lines: Vec<_> = report
            .logs
            .iter()
            .map(|line| line.message.clone())
            .collect();
        lines.push(match report.outcome {
            Ok(outcome) => format!(
                "{} {}",
                outcome.emitted[0].port,
                text(&outcome.emitted[0].event)
            ),
            Err(failure) => failure.to_string(),
        });
        expect.assert_eq(&lines.join("\n"));
    };
    let mut worker = SEVERITY_JS.worker(config());
    check(
        &mut worker,
        r#"{"sensor": "s1", "celsius": 21.5, "room": "B"}"#,
        expect![[r#"ok {"sensor":"s1","celsius":21.5,"room":"B","severity":"normal"}"#]],
    );
    check(
        &mut worker,
        r#"{"sensor": "s1", "celsius": 99}"#,
        expect![[r#"
            s1 is at 99 degrees
            ok {"sensor":"s1","celsius":99,"severity":"critical"}"#]],
    );
    check(
        &mut worker,
        r#"{"sensor": "s1", "celsius": -300}"#,
        expect!["the function refused the event: s1 is at -300 degrees, below absolute zero"],
    );
    check(
        &mut worker,
        r#"{"sensor": "s1", "celsius": "warm"}"#,
        expect!["the function refused the event: celsius of s1 is not a number"],
    );
    check(
        &mut worker,
        r#"{"celsius": 1}"#,
        expect!["the function refused the event: sensor is missing"],
    );
    assert!(worker.is_warm());

    let strict = [(
        "thresholds".into(),
        r#"{"warning": 10, "critical": 20}"#.into(),
    )]
    .into();
    let mut worker = SEVERITY_JS.worker(WorkerConfig {
        config: strict,
        ..config()
    });
    check(
        &mut worker,
        r#"{"sensor": "s1", "celsius": 15}"#,
        expect![[r#"ok {"sensor":"s1","celsius":15,"severity":"warning"}"#]],
    );
}

#[test]
fn time_and_chance_come_from_the_caller() {
    let mut worker = MISBEHAVE.worker(config());
    for _ in 0..2 {
        let report = take(&mut worker, "now\nrandom 4\nport");
        assert_eq!(
            told(report),
            ["told: 1700000000000", "told: [1, 2, 3, 4]", "told: in"]
        );
    }
}

#[test]
fn the_function_says_what_becomes_of_an_event() {
    let mut worker = MISBEHAVE.worker(config());
    for (steps, expected, retryable) in [
        (
            "invalid no order",
            FunctionFailure::Invalid("no order".into()),
            false,
        ),
        (
            "transient later",
            FunctionFailure::Transient("later".into()),
            true,
        ),
        (
            "fatal no key",
            FunctionFailure::Fatal("no key".into()),
            false,
        ),
    ] {
        let failure = failure(take(&mut worker, steps));
        assert_eq!(failure, expected);
        assert_eq!(failure.retryable(), retryable);
        assert!(
            worker.is_warm(),
            "a failure that is said leaves the instance whole"
        );
    }
}

// Instances.

#[test]
fn a_warm_instance_serves_many_events_a_fresh_one_only_one() {
    let counts = |config: WorkerConfig| {
        let mut worker = MISBEHAVE.worker(config);
        [(); 4].map(|()| {
            let report = take(&mut worker, "count");
            let started = report.cost.start_time.is_some();
            (told(report).remove(0), started)
        })
    };
    let told = |count: u32, started| (format!("told: {count}"), started);
    assert_eq!(
        counts(config()),
        [
            told(1, true),
            told(2, false),
            told(3, false),
            told(4, false)
        ]
    );
    assert_eq!(
        counts(WorkerConfig {
            fresh_per_event: true,
            ..config()
        }),
        [(); 4].map(|()| told(1, true))
    );
    assert_eq!(
        counts(WorkerConfig {
            recycle_after: Some(2),
            ..config()
        }),
        [told(1, true), told(2, false), told(1, true), told(2, false)]
    );
}

#[test]
fn a_cooled_worker_starts_again() {
    let mut worker = MISBEHAVE.worker(config());
    take(&mut worker, "count");
    worker.cool_down();
    assert_recovered(&mut worker);
}

#[test]
fn workers_can_move_to_other_threads() {
    let mut worker = MISBEHAVE.worker(config());
    take(&mut worker, "count");
    let report = std::thread::spawn(move || take(&mut worker, "count"))
        .join()
        .expect("the thread ends");
    assert_eq!(told(report), ["told: 2"]);
}

#[test]
fn a_full_pool_says_so() {
    let host = FunctionHost::new(HostConfig {
        instances_max: 1,
        ..HostConfig::default()
    })
    .expect("the host starts");
    if !host.pooling() {
        return; // nothing is pooled, so nothing can be full
    }
    let function = host
        .load_file(&in_project("runtime/tests/fixtures/misbehave.wasm"))
        .expect("it loads");
    let (mut first, mut second) = (function.worker(config()), function.worker(config()));
    take(&mut first, "count");
    let failure = failure(take(&mut second, "count"));
    assert_eq!(failure.kind(), "no_room");
    assert!(failure.retryable());
    drop(first);
    assert_recovered(&mut second);
}

// Limits.

#[test]
fn an_endless_loop_is_stopped() {
    let mut worker = MISBEHAVE.worker(limited(|limits| limits.time_millis_max = 30));
    let failure = failure(take(&mut worker, "emit ok lost\nloop"));
    let FunctionFailure::Timeout {
        limit_millis: 30,
        used,
    } = failure
    else {
        panic!("{failure:?}")
    };
    // Held loosely above: the machine may be busy.
    assert!(
        used >= Duration::from_millis(30) && used < Duration::from_secs(5),
        "{used:?}"
    );
    assert!(failure.retryable());
    assert_recovered(&mut worker);
}

#[test]
fn the_ticker_wakes_after_a_rest() {
    let mut worker = MISBEHAVE.worker(limited(|limits| limits.time_millis_max = 10));
    for _ in 0..3 {
        std::thread::sleep(Duration::from_millis(200));
        assert_eq!(failure(take(&mut worker, "loop")).kind(), "timeout");
    }
}

#[test]
fn where_instructions_are_counted_the_same_call_stops_at_the_same_place() {
    let config = HostConfig {
        metering: Metering::Instructions,
        ..HostConfig::default()
    };
    let host = FunctionHost::new(config).expect("the host starts");
    let function = host
        .load_file(&in_project("runtime/tests/fixtures/misbehave.wasm"))
        .expect("it loads");
    let mut worker = function.worker(limited(|limits| limits.instructions_max = 1_000_000));
    let mut instructions = [(); 2].map(|()| {
        worker.cool_down();
        take(&mut worker, "count")
            .cost
            .instructions
            .expect("instructions are counted")
    });
    instructions.sort_unstable();
    assert!(
        instructions[0] > 100 && instructions[0] == instructions[1],
        "{instructions:?}"
    );
    assert_eq!(
        failure(take(&mut worker, "loop")),
        FunctionFailure::OutOfInstructions { limit: 1_000_000 }
    );
    assert_recovered(&mut worker);
}

#[test]
fn eating_memory_ends_in_figures() {
    let mut worker = MISBEHAVE.worker(limited(|limits| limits.memory_bytes_max = 16 * MIB));
    let report = take(&mut worker, "eat");
    let peak_bytes = report.cost.peak_bytes;
    let failure = failure(report);
    let FunctionFailure::OutOfMemory {
        wanted,
        limit,
        peak,
        warm: false,
    } = failure
    else {
        panic!("{failure:?}")
    };
    assert!(wanted > limit && limit == 16 * MIB && peak > 14 * MIB && peak <= limit);
    assert_eq!(peak, peak_bytes);
    assert!(
        !failure.retryable(),
        "a fresh instance would fare no better"
    );
    let figures = FunctionFailure::OutOfMemory {
        wanted: 17_091_789,
        limit,
        peak: 16_671_000,
        warm: false,
    };
    assert_eq!(
        figures.to_string(),
        "wanted 16.3 MiB, limit 16 MiB, peak 15.9 MiB; raise memory_limit or hold less at a time"
    );
    assert_recovered(&mut worker);
}

#[test]
fn memory_that_does_not_even_start_is_refused() {
    let mut worker = MISBEHAVE.worker(limited(|limits| limits.memory_bytes_max = 1 << 16));
    assert_eq!(failure(take(&mut worker, "count")).kind(), "out_of_memory");
    assert!(!worker.is_warm());
}

#[test]
fn a_panic_is_a_trap_that_says_where() {
    let mut worker = MISBEHAVE.worker(config());
    take(&mut worker, "count");
    let report = take(&mut worker, "panic the cat came in");
    assert!(
        report.logs[0].message.contains("the cat came in"),
        "{:?}",
        report.logs
    );
    let failure = failure(report);
    let FunctionFailure::Trap {
        message,
        backtrace,
        warm: true,
    } = &failure
    else {
        panic!("{failure:?}")
    };
    assert_eq!(message, "wasm `unreachable` instruction executed");
    assert!(
        backtrace.iter().any(|name| name.contains("give_up")),
        "{backtrace:?}"
    );
    assert!(
        failure.retryable(),
        "what earlier events left behind may be the cause"
    );
    assert_recovered(&mut worker);
}

#[test]
fn a_panic_of_a_fresh_instance_is_not_retried() {
    let mut worker = MISBEHAVE.worker(WorkerConfig {
        fresh_per_event: true,
        ..config()
    });
    assert!(!failure(take(&mut worker, "panic")).retryable());
}

#[test]
fn endless_recursion_is_a_trap() {
    let mut worker = MISBEHAVE.worker(config());
    let failure = failure(take(&mut worker, "recurse"));
    assert_eq!(failure.kind(), "trap", "{failure}");
    assert_recovered(&mut worker);
}

#[test]
fn output_is_limited_in_number_and_bytes() {
    let mut worker = MISBEHAVE.worker(limited(|limits| {
        limits.events_max = 3;
        limits.output_bytes_max = 1_000;
    }));
    let report = told(take(&mut worker, "emit ok a\nbig 2000"));
    assert_eq!(report, ["ok: a", "told: EmitError::TooLarge(1000)"]);
    // The third place is for what the function has to tell; the rest it hears, and gives up.
    let failure = failure(take(&mut worker, "flood 10"));
    assert_eq!(failure.kind(), "trap", "{failure}");
    assert_recovered(&mut worker);

    let mut worker = MISBEHAVE.worker(config());
    assert_eq!(
        told(take(&mut worker, "flood 10"))
            .last()
            .map(String::as_str),
        Some("told: 10 sent")
    );
}

#[test]
fn an_unknown_port_is_told_to_the_function() {
    let mut worker = MISBEHAVE.worker(config());
    assert_eq!(
        told(take(&mut worker, "emit nowhere a\nemit ok b")),
        ["told: EmitError::NoSuchPort", "ok: b"]
    );
}

#[test]
fn an_event_of_the_wrong_shape_fails_the_call_also_when_the_function_goes_on() {
    let check = OutputCheck::new(|port, offered| match (port, offered) {
        ("ok", Offered::Event(event)) if text(event) == "bad" => {
            Err("it is no `word`: `/a` is missing".into())
        }
        _ => Ok(()),
    });
    let mut worker = MISBEHAVE.worker(WorkerConfig {
        check: Some(check),
        ..config()
    });
    let why = "what it sent to `ok` was refused, since it is no `word`: `/a` is missing; mend the function, or change the type of the port";
    for steps in [
        "emit ok bad\nemit ok good",
        "emit ok bad\nemit ok bad",
        "emit ok bad\ntransient later",
        "emit ok bad\npanic no event",
    ] {
        let failure = failure(take(&mut worker, steps));
        assert_eq!(
            (failure.kind(), failure.retryable()),
            ("misshapen", false),
            "{steps}"
        );
        assert_eq!(failure.to_string(), why);
        assert_eq!(told(take(&mut worker, "emit ok good")), ["ok: good"]);
    }
}

#[test]
fn what_is_not_granted_ends_the_call() {
    let granted = [Capability::Output, Capability::Clock].into();
    let mut worker = MISBEHAVE.worker(WorkerConfig {
        granted: Some(granted),
        ..config()
    });
    assert_eq!(told(take(&mut worker, "count\nnow")).len(), 2);
    for (steps, what) in [
        ("get a", Capability::State),
        ("put a b", Capability::State),
        ("delete a", Capability::State),
        ("random 4", Capability::Random),
        ("config a", Capability::Config),
        ("log 1", Capability::Logging),
    ] {
        let failure = failure(take(&mut worker, steps));
        assert_eq!(failure, FunctionFailure::NotGranted(what), "{steps}");
        assert!(!failure.retryable());
        assert!(
            failure
                .to_string()
                .starts_with(&format!("asked for `{what}`, which"))
        );
        assert_recovered(&mut worker);
    }
    let mut worker = MISBEHAVE.worker(WorkerConfig {
        granted: Some([Capability::State].into()),
        ..config()
    });
    let failure = failure(take(&mut worker, "emit ok a"));
    assert_eq!(failure, FunctionFailure::NotGranted(Capability::Output));
}

#[test]
fn log_lines_past_the_limit_are_dropped_and_counted() {
    let mut worker = MISBEHAVE.worker(limited(|limits| limits.log_lines_max = 5));
    let report = take(&mut worker, "log 8");
    assert_eq!((report.logs.len(), report.logs_dropped), (5, 3));
    assert_eq!(report.logs[4].message, "line 4");
    let mut worker = MISBEHAVE.worker(limited(|limits| limits.log_bytes_max = 12));
    assert_eq!(take(&mut worker, "log 8").logs.len(), 2);
}

#[test]
fn pestering_the_host_ends() {
    let mut worker = MISBEHAVE.worker(limited(|limits| limits.host_calls_max = 50));
    assert_eq!(
        failure(take(&mut worker, "pester")),
        FunctionFailure::TooManyHostCalls { limit: 50 }
    );
    assert_recovered(&mut worker);
}

#[test]
fn a_draw_of_chance_is_limited() {
    let mut worker = MISBEHAVE.worker(config());
    let failure = failure(take(&mut worker, "random 65537"));
    assert!(
        failure
            .to_string()
            .contains("asked for 65537 random bytes at once, limit 65536"),
        "{failure}"
    );
}

#[test]
fn text_that_is_no_utf_8_ends_the_call() {
    let bytes = fs::read(in_project("runtime/tests/fixtures/misbehave.wasm")).expect("is there");
    // The source of what it emits: the only text of its data that stands alone.
    let (good, bad) = (b"misbehavetold", b"misbehav\xfftold");
    let at = bytes.windows(good.len()).position(|at| at == good);
    let mut broken = bytes.clone();
    let at = at.expect("stands in its data");
    broken[at..at + bad.len()].copy_from_slice(bad);
    let function = HOST.load(&broken).expect("is a component all the same");
    let mut worker = function.worker(config());
    let FunctionFailure::Trap { message, .. } = failure(take(&mut worker, "count")) else {
        panic!("it ends");
    };
    assert!(message.contains("utf-8"), "{message}");
    assert!(!worker.is_warm());
    let rejected = failure(take(&mut worker, "invalid because"));
    assert_eq!(rejected, FunctionFailure::Invalid("because".into()));
}

// State, and all or nothing.

#[test]
fn a_call_reads_its_own_writes_and_returns_them() {
    let mut world = Still {
        state: [("old".into(), b"1".to_vec())].into(),
        ..Still::default()
    };
    let mut worker = MISBEHAVE.worker(config());
    let steps = "get old\nput new 2\nget new\ndelete old\nget old\nget none";
    let report = handle_in(&mut world, &mut worker, FunctionPayload::Text(steps.into()));
    let outcome = report.outcome.expect("the function handles the event");
    let told: Vec<_> = outcome
        .emitted
        .iter()
        .map(|emitted| text(&emitted.event))
        .collect();
    assert_eq!(
        told,
        [
            r#"Ok(Some(Ok("1")))"#,
            "Ok(())",
            r#"Ok(Some(Ok("2")))"#,
            "Ok(())",
            "Ok(None)",
            "Ok(None)"
        ]
    );
    let put = StateChange::Put {
        value: b"2".to_vec(),
        ttl_millis: None,
    };
    assert_eq!(
        outcome.state_writes,
        [
            StateWrite {
                key: "new".into(),
                change: put
            },
            StateWrite {
                key: "old".into(),
                change: StateChange::Delete
            }
        ]
    );
    assert_eq!(
        told_in(&mut world, &mut worker, "get old"),
        r#"Ok(Some(Ok("1")))"#,
        "nothing is committed here"
    );
}

fn told_in(world: &mut Still, worker: &mut FunctionWorker, steps: &str) -> String {
    let report = handle_in(world, worker, FunctionPayload::Text(steps.into()));
    let outcome = report.outcome.expect("the function handles the event");
    text(&outcome.emitted[0].event).to_owned()
}

#[test]
fn state_that_is_down_or_full_is_told_to_the_function() {
    let mut worker = MISBEHAVE.worker(limited(|limits| limits.state_bytes_max = 100));
    let mut down = Still {
        state_is_down: true,
        ..Still::default()
    };
    assert_eq!(
        told_in(&mut down, &mut worker, "get old"),
        r#"Err(StateError::Unavailable("the store is locked"))"#
    );
    assert_eq!(
        told(take(&mut worker, "write 200")),
        ["told: Err(StateError::Quota(100))"]
    );
}

#[test]
fn a_failed_call_leaves_nothing_behind() {
    let mut worker = MISBEHAVE.worker(config());
    for end in ["invalid so", "transient so", "fatal so", "panic so"] {
        let report = take(&mut worker, &format!("emit ok lost\nput lost 1\n{end}"));
        assert!(report.outcome.is_err());
        let next = take(&mut worker, "get lost")
            .outcome
            .expect("the function handles the event");
        assert_eq!(next.emitted.len(), 1);
        assert_eq!(text(&next.emitted[0].event), "Ok(None)");
        assert_eq!(next.state_writes, []);
    }
}

// Loading.

fn refusal(bytes: &[u8]) -> String {
    HOST.load(bytes)
        .expect_err("the function is refused")
        .to_string()
}

fn component(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("the text is valid")
}

#[test]
fn imports_are_the_list_of_what_a_function_may_use() {
    use Capability::{Clock, Config, Logging, Output, Random, State};
    let imports =
        |function: &LoadedFunction| function.info().imports.iter().copied().collect::<Vec<_>>();
    assert_eq!(
        imports(&ORDER_TAX),
        [Config, Logging, Output],
        "without state, clock and chance"
    );
    assert_eq!(
        imports(&MISBEHAVE),
        [Config, Clock, Logging, Output, Random, State]
    );
}

#[test]
fn built_components_are_the_recorded_ones() {
    let built = fs::read_to_string(in_project("samples/functions/built.json"))
        .expect("the record is there");
    for function in [&*MISBEHAVE, &*ORDER_TAX, &*SEVERITY_JS] {
        assert!(
            built.contains(&function.info().sha256),
            "run samples/functions/build"
        );
    }
}

#[test]
fn what_is_no_function_is_refused_with_a_hint() {
    let check = |bytes: &[u8], expect: Expect| expect.assert_eq(&refusal(bytes));
    check(
        b"hello, world",
        expect![
            "not a WebAssembly file; choose the `.wasm` component that the function's build made"
        ],
    );
    check(
        &component("(module)"),
        expect![
            "a core WebAssembly module, not a component; componentize it, as with `wasm-tools component new`"
        ],
    );
    check(
        &component("(component)"),
        expect![
            "the function does not export `handle`, nor `handle-all`; build it for the world `flow:function/function@0.1.0`"
        ],
    );
    check(
        &component(
            r#"(component
                (import "wasi:cli/environment@0.2.0" (instance))
                (import "flow:function/files@0.1.0" (instance))
                (import "flow:function/output@0.2.0" (instance))
                (import "flow:function/clock@0.1.7" (instance)))"#,
        ),
        expect![
            "the function imports `wasi:cli/environment@0.2.0`, `flow:function/files@0.1.0`, `flow:function/output@0.2.0`, which functions are not given; use only `flow:function@0.1`"
        ],
    );
}

#[test]
fn a_handle_of_another_type_is_refused() {
    let text = r#"(component
        (core module $code (func (export "handle")))
        (core instance $code (instantiate $code))
        (func (export "handle") (canon lift (core func $code "handle"))))"#;
    let refusal = refusal(&component(text));
    assert!(
        refusal.starts_with("the function does not fit the contract"),
        "{refusal}"
    );
}

#[test]
fn a_truncated_file_is_refused() {
    let whole = fs::read(in_project("runtime/tests/fixtures/misbehave.wasm"))
        .expect("the fixture is there");
    let refusal = refusal(&whole[..whole.len() / 2]);
    assert!(
        refusal.starts_with("not a valid component: ") && refusal.contains("copy it whole"),
        "{refusal}"
    );
}

#[test]
fn a_missing_file_is_named() {
    let error = HOST
        .load_file(Path::new("no/such.wasm"))
        .expect_err("there is no such file")
        .to_string();
    assert!(
        error.starts_with("cannot read the function: ") && error.ends_with("no/such.wasm"),
        "{error}"
    );
}
