//! How fast flows are played on virtual time.
//!
//!     cargo bench -p runtime --bench simulation -- queue [JOBS] [SEED]
//!     cargo bench -p runtime --bench simulation -- witness | day
//!
//! Answers one JSON object a line, as the peers in `tests/benches/queue.py` do. Without a name it plays
//! each of them in short.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use graph_model::catalog::Catalog;
use graph_model::document::Document;
use graph_model::event::{Event, EventContext, rfc3339};
use graph_model::value;
use graph_model::value::Value;
use runtime::simulate::{EPOCH_MS, Fact, Fault, Record, Scenario, Simulation};
use smol_str::format_smolstr;

/// The one that the program has.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Three workers, 2.7 arrivals a second, a second of work on average.
const QUEUE: &str = r#"{
  "version": 1,
  "nodes": {
    "jobs": {"kind": "generator", "config": {"rate": 2.7, "gaps": "exponential"}},
    "line": {"kind": "queue", "config": {"concurrency": 3, "capacity": 1000000, "visibility": "1d"}},
    "work": {"kind": "map", "config": {"expr": "."},
      "declared": {"duration_mean": "1s", "spread": "exponential"}},
    "done": {"kind": "view", "config": {"keep": 1}}
  },
  "edges": {
    "a": {"from": "jobs.out", "to": "line.in"},
    "b": {"from": "line.out", "to": "work.in"},
    "c": {"from": "work.out", "to": "done.in"}
  }
}"#;

/// A flow as small as witnesses are.
const SMALL: &str = r#"{
  "version": 1,
  "nodes": {
    "orders": {"kind": "generator", "config": {"rate": 1000, "count": 3,
      "fields": [{"name": "order", "makes": "counter"}, {"name": "amount", "makes": "integer"}]}},
    "line": {"kind": "queue"},
    "total": {"kind": "fold", "config": {"step": "($state // 0) + .amount"}},
    "charge": {"kind": "effect", "config": {"action": "charge"}}
  },
  "edges": {
    "a": {"from": "orders.out", "to": "line.in"},
    "b": {"from": "line.out", "to": "total.in"},
    "c": {"from": "total.out", "to": "charge.in"}
  }
}"#;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut arguments = arguments
        .by_ref()
        .filter(|argument| !argument.starts_with('-'));
    let name = arguments.next();
    let mut number = |otherwise| {
        let text = arguments.next();
        text.map_or(otherwise, |text| text.parse().expect("a number"))
    };
    match name.as_deref() {
        Some("queue") => queue(number(5_000_000), number(1)),
        Some("witness") => witness(number(20_000)),
        Some("day") => day(number(24)),
        Some(other) => panic!("there is no bench `{other}`; choose among queue, witness and day"),
        None => {
            queue(100_000, 1);
            witness(1_000);
            day(1);
        }
    }
}

/// M/M/3: an event is an arrival or a departure.
fn queue(jobs: u64, seed: u64) {
    let mut document = open(QUEUE);
    let node = document.nodes.get_mut("jobs").expect("it is there");
    Arc::make_mut(node).config.insert("count", jobs as i64);
    let mut scenario = unlimited(seed);
    scenario.record = Record::Off;
    scenario.keep_facts = false;
    // Events wait for workers alone.
    scenario.hop_us = 0;
    let mut simulation = make(document, Path::new("."), &scenario);
    let began = Instant::now();
    let outcome = simulation.run();
    let wall_s = began.elapsed().as_secs_f64();
    assert!(outcome.ended.is_complete(), "{}", outcome.ended);
    let load = &outcome.loads["work"];
    assert_eq!(load.services.count(), jobs, "every job is done");
    say(&value!({
        "engine": "weir",
        "events": (2 * jobs),
        "wall_s": wall_s,
        "events_per_s": (2.0 * jobs as f64 / wall_s),
        "mean_wait": (load.waits.mean_us().unwrap_or_default() / 1e6),
        "utilisation": (load.utilisation(outcome.at_us)),
        "virtual_s": (outcome.at_us as f64 / 1e6),
        "peak_mib": (peak_mib()),
    }));
}

/// Runs of a small flow in which something goes wrong, with whole events in the trace, as the search
/// for a witness plays them.
fn witness(runs: u64) {
    let document = open(SMALL);
    let admitted = Fault::admitted(&Arc::new(document.clone()), Catalog::bundled());
    let mut scenario = unlimited(0);
    scenario.record = Record::Events;
    let mut simulation = make(document, Path::new("."), &scenario);
    let began = Instant::now();
    let mut steps = 0;
    for seed in 0..runs {
        scenario.seed = seed;
        scenario.go_wrong(&admitted, 3, 3);
        simulation.reset(&scenario).expect("it is prepared again");
        steps += simulation.run().steps;
    }
    let wall_s = began.elapsed().as_secs_f64();
    say(&value!({
        "bench": "witness",
        "runs": runs,
        "steps": steps,
        "wall_s": wall_s,
        "runs_per_s": (runs as f64 / wall_s),
    }));
}

/// The sample `orders` for so many hours of virtual time, with an order a second: those that were
/// recorded, over and over.
fn day(hours: u64) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples/orders");
    let read =
        |name: &str| std::fs::read_to_string(folder.join(name)).expect("a file of the sample");
    let document = open(&read("orders.flow.json"));
    let source = document
        .nodes
        .iter()
        .find(|(_, node)| node.kind == "replay");
    let source = source.expect("it replays a file").0.clone();
    let recorded = read("data/orders.jsonl");
    let recorded: Vec<Value> = recorded
        .lines()
        // One of them was cut off, so that there is something to refuse.
        .filter_map(|line| Value::parse(line.as_bytes(), 1 << 20).ok())
        .collect();
    let fact = |number: u64| {
        let order = &recorded[number as usize % recorded.len()];
        let mut order = order.as_object().expect("an order").clone();
        let time_ms = EPOCH_MS + number as i64 * 1_000;
        order.insert("orderId", format!("o-{number}"));
        order.insert("placed", rfc3339(time_ms));
        let context = EventContext {
            id: format_smolstr!("{number}"),
            source: "/orders".into(),
            ty: "order".into(),
            time_ms,
            ..EventContext::default()
        };
        Fact {
            source: source.clone(),
            at_us: number * 1_000_000,
            event: Event {
                context: context.into(),
                data: order.into(),
            },
        }
    };
    let mut scenario = unlimited(0);
    scenario.own_events = false;
    scenario.facts = (0..hours * 3_600).map(fact).collect();
    let mut simulation = make(document, &folder, &scenario);
    let began = Instant::now();
    let outcome = simulation.run();
    let wall_s = began.elapsed().as_secs_f64();
    assert!(outcome.ended.is_complete(), "{}", outcome.ended);
    say(&value!({
        "bench": "day",
        "hours": hours,
        "orders": (outcome.facts.len()),
        "steps": (outcome.steps),
        "wall_s": wall_s,
        "steps_per_s": (outcome.steps as f64 / wall_s),
        "peak_mib": (peak_mib()),
    }));
}

fn unlimited(seed: u64) -> Scenario {
    let mut scenario = Scenario {
        seed,
        ..Scenario::default()
    };
    scenario.limits.duration_us = u64::MAX;
    scenario.limits.steps_max = u64::MAX / 32;
    scenario.limits.in_flight_max = u64::MAX;
    scenario.limits.bytes_max = u64::MAX;
    scenario
}

fn open(text: &str) -> Document {
    let opened = graph_model::format::open(text.as_bytes()).expect("a flow");
    assert!(opened.notes.is_empty(), "{:?}", opened.notes);
    opened.document
}

fn make(document: Document, project: &Path, scenario: &Scenario) -> Simulation {
    let document = Arc::new(document);
    let made = Simulation::new(&document, Catalog::bundled(), project, scenario);
    made.unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// Most memory that the process held, where the system tells it.
fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = peak.and_then(|peak| peak.trim().split(' ').next()?.parse::<f64>().ok());
    kib.unwrap_or_default() / 1024.0
}

fn say(answer: &Value) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", answer.to_json()).expect("standard output is open");
}
