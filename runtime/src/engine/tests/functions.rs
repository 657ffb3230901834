//! Functions of a running flow: tried beside it, swapped under it, told about.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use graph_model::event::{Event, EventContext};
use runtime_protocol::function::LogLevel;

use super::*;
use crate::engine::Client;

const ORDER_TAX: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../samples/functions/order-tax/order-tax.wasm"
);

/// The same function in other bytes: a section that nobody reads is added.
fn built_again(number: u8) -> Vec<u8> {
    let mut bytes = fs::read(ORDER_TAX).expect("the sample is there");
    bytes.extend_from_slice(&[0, 3, 1, b'n', number]);
    bytes
}

/// As builds do it: whole or not at all.
fn put(file: &Path, bytes: &[u8]) {
    let unfinished = file.with_extension("tmp");
    fs::write(&unfinished, bytes).expect("can be written");
    fs::rename(&unfinished, file).expect("can be put there");
}

fn attempt(bench: &Bench, kind: &str, config: Value) -> Result<Answer, Problem> {
    bench.call(Command::Try {
        node: "f".into(),
        kind: kind.into(),
        config,
        types: [("half".into(), graph_model::value!({"type": "integer"}))].into(),
        event: Event {
            context: Arc::new(EventContext {
                id: "e".into(),
                ..EventContext::default()
            }),
            data: graph_model::value!({"total": 8}),
        },
    })
}

#[test]
fn a_script_is_tried_on_an_event_without_a_flow() {
    let bench = Bench::new();
    let script = "console.warn('seen', event.data); state.put('n', 1); return event.data.total / 2";
    let config = graph_model::value!({"script": script});
    let Ok(Answer::Tried { tried }) = attempt(&bench, "script", config) else {
        panic!("it is tried");
    };
    let [(port, event)] = &tried.sent[..] else {
        panic!("{:?}", tried.sent);
    };
    assert_eq!(
        (port.as_str(), event.data.to_json()),
        ("out", "4".to_owned())
    );
    assert_eq!(tried.logged[0].level, LogLevel::Warn);
    assert_eq!(tried.logged[0].message, r#"seen {"total":8}"#);
    assert!(tried.failed.is_none() && tried.handle_us > 0 && tried.peak_bytes > 1 << 20);

    let config = graph_model::value!({"script": "return event.data.a.b"});
    let Ok(Answer::Tried { tried }) = attempt(&bench, "script", config) else {
        panic!("it is tried");
    };
    assert!(tried.sent.is_empty());
    let failed = tried.failed.expect("it fails");
    assert!(failed.contains("line 1:"), "{failed}");

    let config = graph_model::value!({"script": "return ("});
    let problem = attempt(&bench, "script", config).expect_err("is no script");
    assert!(
        problem.message.starts_with("`script`: line 1:"),
        "{problem}"
    );
    let problem = attempt(&bench, "filter", graph_model::value!({})).expect_err("is no function");
    assert_eq!(problem.message, "only functions can be tried on an event");
}

#[test]
fn a_trial_knows_what_the_node_remembers_and_changes_nothing_of_it() {
    let count = "const n = (state.get('n') ?? 0) + 1; state.put('n', n); return n";
    let bench = Bench::start(&format!(
        r#"in: manual
        f: script {{"script": "{count}"}}
        out: view
        in.out -> f.in
        f.out -> out.in"#
    ));
    bench.inject("in", 1.into());
    bench.inject("in", 2.into());
    bench.rows("out", 2);
    for _ in 0..2 {
        let config = graph_model::value!({"script": count});
        let Ok(Answer::Tried { tried }) = attempt(&bench, "script", config) else {
            panic!("it is tried");
        };
        assert_eq!(tried.sent[0].1.data.to_json(), "3");
    }
}

#[test]
fn what_functions_cost_and_log_is_told() {
    let bench = Bench::start(
        r#"in: manual
        f: script {"script": "console.log('at', event.data); return event.data"}
        out: view
        in.out -> f.in
        f.out -> out.in"#,
    );
    let mut client = bench.engine.connect();
    for n in 0..5_usize {
        bench.inject("in", (n as i64).into());
        // What is let in at once may come in any order.
        bench.rows("out", n + 1);
    }
    let cost = bench.counters().functions["f"].clone();
    assert_eq!((cost.first.count, cost.warm.count), (1, 4));
    assert!(cost.start.p50_ns > 0 && cost.peak_bytes > 1 << 20);
    let mut lines = Vec::new();
    for _ in 0..500 {
        for notice in client.poll() {
            if let Notice::Logged { lines: more, .. } = notice {
                lines.extend(more);
            }
        }
        if lines.len() == 5 {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(lines.len(), 5);
    assert_eq!((lines[0].node.as_str(), &*lines[0].message), ("f", "at 0"));
}

#[test]
fn a_function_that_is_built_again_takes_over_and_no_event_is_lost() {
    const EVENTS: usize = 8_000;
    // On a busy machine a build is noticed and compiled later: more events are sent until it is.
    const EVENTS_MAX: usize = 100_000;
    let bench = Bench::new();
    let file = bench.project.path().join("f.wasm");
    put(&file, &built_again(0));
    bench.run(
        r#"in: manual
        f: function {"component": "f.wasm", "ports": ["ok", "rejected"]}
        out: view {"keep": 100000}
        in.out -> f.in
        f.ok -> out.in"#,
    );
    let mut client = bench.engine.connect();
    let mut messages = Vec::new();
    // What was counted is counted anew when another one takes over.
    let swapped = |sent: usize| {
        let cost = &bench.counters().functions["f"];
        cost.first.count + cost.warm.count < sent as u64 / 2
    };
    let mut sent = 0;
    for n in 0..EVENTS_MAX {
        if n >= EVENTS && n % 500 == 0 && swapped(n) {
            break;
        }
        sent = n + 1;
        // About 5,000 a second.
        if n % 5 == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        if n % 2_000 == 500 {
            put(&file, &built_again((n / 2_000) as u8 + 1));
        }
        if n == EVENTS / 2 {
            // A build that failed half-way, and is there until it is noticed.
            put(&file, b"no component");
            assert!(logged(&mut client, &mut messages, "not a WebAssembly"));
        }
        let order = graph_model::value!({"orderId": (n.to_string()), "country": "IT", "total": 10});
        bench.inject("in", order);
    }
    bench.idle();
    let (node, limit) = ("out".into(), EVENTS_MAX as u32);
    let Ok(Answer::Events { events }) = bench.call(Command::ReadView { node, limit }) else {
        panic!("a view answers events");
    };
    let ids: BTreeSet<String> = events
        .iter()
        .map(|event| {
            event
                .data
                .get("orderId")
                .expect("has one")
                .to_text()
                .to_string()
        })
        .collect();
    assert_eq!((events.len(), ids.len()), (sent, sent));
    assert!(swapped(sent), "it was swapped");
    assert!(logged(&mut client, &mut messages, "runs the new"));
}

/// Waits until something was logged that holds this text; keeps what was logged.
fn logged(client: &mut Client, messages: &mut Vec<String>, text: &str) -> bool {
    for _ in 0..2_000 {
        for notice in client.poll() {
            if let Notice::Logged { lines, .. } = notice {
                messages.extend(lines.into_iter().map(|line| line.message));
            }
        }
        if messages.iter().any(|message| message.contains(text)) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}

#[test]
fn what_a_function_remembers_outlives_the_run() {
    let count = "const n = (state.get('n') ?? 0) + 1; state.put('n', n); return n";
    let run = |project: TempDir, keep: bool, first: usize| {
        let bench = Bench::in_project(project);
        bench.run(&format!(
            r#"in: manual
            f: script {{"script": "{count}", "keep_state": {keep}}}
            out: view
            in.out -> f.in
            f.out -> out.in"#
        ));
        (0..3).for_each(|_| bench.inject("in", Value::Null));
        let wanted: Vec<String> = (first..first + 3).map(|n| n.to_string()).collect();
        assert_eq!(bench.rows("out", 3), wanted);
        bench.end()
    };
    let project = TempDir::new().expect("a folder");
    let project = run(project, true, 1);
    let project = run(project, true, 4);
    run(project, false, 1);
}
