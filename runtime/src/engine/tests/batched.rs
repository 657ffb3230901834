//! Functions that take many events at a time, in a flow: nobody can tell.

use std::fs;

use super::*;

const COMPUTE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../tests/benches/functions/compute/compute.wasm"
);
const FUNCTION: &str = r#"function {"component": "f.wasm", "ports": ["ok"]}"#;
/// A call for each event.
const SINGLE: &str = r#"function {"component": "f.wasm", "ports": ["ok"], "fresh": true}"#;
const MAP: &str = r#"map {"expr": ".v2 = .value * 1.1 | .big = (.value >= 90)"}"#;
const EVENTS: usize = 700;

/// A flow that computes in this node, of more events than go into a batch.
fn start(node: &str) -> Bench {
    let bench = Bench::new();
    let file = bench.project.path().join("f.wasm");
    fs::copy(COMPUTE, file).expect("the component is there");
    let port = if node == MAP { "out" } else { "ok" };
    let lines = format!(
        r#"in: generator {{"count": {EVENTS}, "rate": 0, "seed": 7, "fields": [
            {{"name": "id", "makes": "counter"}},
            {{"name": "key", "makes": "key", "prefix": "k", "max": 9}},
            {{"name": "t0", "makes": "counter"}},
            {{"name": "value", "makes": "number", "min": 0, "max": 100, "decimals": 2}}]}}
        same: map {{"expr": "."}}
        f: {node}
        out: view
        in.out -> same.in
        same.out -> f.in
        f.{port} -> out.in"#
    );
    let lines = lines.replace("[\n", "[").replace("},\n", "},");
    bench
        .call(Command::Deploy { flow: flow(&lines) })
        .expect("deploys");
    bench
}

fn rows(node: &str) -> Vec<String> {
    let bench = start(node);
    bench.call(Command::Start).expect("starts");
    bench.rows("out", EVENTS)
}

#[test]
fn a_flow_gives_the_same_in_the_same_order_as_with_single_calls() {
    let rows = rows(FUNCTION);
    assert_eq!(rows, self::rows(SINGLE));
    assert_eq!(rows, self::rows(MAP));
    let ids = rows.iter().map(|row| {
        let row = Value::parse(row.as_bytes(), 1_000).expect("JSON");
        row.get("id").and_then(Value::as_i64)
    });
    let ids: Vec<_> = ids.collect();
    assert!(ids.is_sorted() && ids.len() == EVENTS, "{ids:?}");
}

#[test]
fn a_flow_that_is_paused_and_stepped_gives_the_same() {
    const STEPS: u64 = 40;
    let bench = start(FUNCTION);
    bench.call(Command::Start).expect("starts");
    bench.call(Command::Pause).expect("pauses");
    let received = || bench.counters().nodes["f"].received;
    // What was at work when the pause came ends first.
    let settled = || {
        let mut before = received();
        loop {
            std::thread::sleep(Duration::from_millis(100));
            let now = received();
            if now == before {
                return now;
            }
            before = now;
        }
    };
    let before = settled();
    for _ in 0..STEPS {
        let step = Command::Step {
            node: Some("f".into()),
        };
        bench.call(step).expect("steps");
        bench.call(Command::Step { node: None }).expect("steps");
        std::thread::sleep(Duration::from_millis(2));
    }
    let after = settled();
    assert!(after <= before + 2 * STEPS, "{before} to {after}");
    bench.call(Command::Resume).expect("resumes");
    assert_eq!(bench.rows("out", EVENTS), rows(MAP));
}

#[test]
fn what_calls_cost_is_told_by_event() {
    let bench = start(FUNCTION);
    bench.call(Command::Start).expect("starts");
    bench.rows("out", EVENTS);
    let cost = bench.counters().functions["f"].clone();
    assert_eq!(cost.imports, ["output"]);
    let counts = (cost.first.count, cost.warm.count, cost.failed);
    assert_eq!(counts, (1, EVENTS as u64 - 1, 0));
}
