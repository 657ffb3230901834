//! Functions that send requests, in a running flow: whom they reach, whom they hold up, what is told.

use std::fs;
use std::time::Instant;

use super::*;
use crate::functions::testing::{CALLING, SECRET, service};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// A project that has the function.
fn project() -> TempDir {
    let project = TempDir::new().expect("a folder");
    let there = std::path::Path::new(ROOT).join(CALLING);
    fs::copy(there, project.path().join("calling.wasm")).expect("the function is there");
    project
}

#[test]
fn a_function_reads_its_secret_and_calls_its_host_and_no_other() {
    let address = service();
    let bench = Bench::in_project(project());
    bench.run(&format!(
        r#"in: manual
        f: function {{"component": "calling.wasm", "ports": ["told"], "hosts": ["http://{address}"], "secrets": ["{SECRET}"]}}
        out: view
        in.out -> f.in
        f.told -> out.in"#,
    ));
    let steps = [
        format!("send POST http://{address}/login {SECRET}"),
        format!("send GET http://localhost:{}/echo", address.port()),
        "secret PATH".to_owned(),
    ];
    for (before, steps) in steps.into_iter().enumerate() {
        bench.inject("in", steps.into());
        bench.rows("out", before + 1);
    }
    let other = format!("http://localhost:{}", address.port());
    assert_eq!(
        bench.rows("out", 3),
        [
            r#""200 welcome""#.to_owned(),
            format!(r#""HttpError::NotListed(\"{other}\")""#),
            r#""Err(SecretError::NotListed)""#.to_owned(),
        ]
    );
    let cost = &bench.counters().functions["f"];
    assert_eq!(cost.imports, ["http", "logging", "output", "secrets"]);
}

#[test]
fn whoever_waits_holds_up_nobody_else() {
    const WAITING: usize = 6;
    let address = service();
    let bench = Bench::in_project(project());
    let nodes = (0..WAITING).map(|n| {
        format!(
            r#"f{n}: function {{"component": "calling.wasm", "ports": ["told"], "hosts": ["http://{address}"]}}
            in.out -> f{n}.in
            f{n}.told -> slow.in
            "#
        )
    });
    let nodes: String = nodes.collect();
    bench.run(&format!(
        "in: manual
        fast: view
        slow: view
        in.out -> fast.in
        {nodes}"
    ));
    let began = Instant::now();
    bench.inject("in", format!("send GET http://{address}/slow?1500").into());
    bench.rows("fast", 1);
    let fast = began.elapsed();
    let rows = bench.rows("slow", WAITING);
    let slow = began.elapsed();
    assert_eq!(rows, vec![r#""200 at last""#; WAITING]);
    assert!(fast < Duration::from_secs(1), "{fast:?}");
    // They wait side by side, however few threads there are.
    assert!(slow < Duration::from_millis(1_500 * 3), "{slow:?}");
}

#[test]
fn what_is_over_a_limit_is_given_up_with_node_event_figure_and_remedy() {
    let address = service();
    let bench = Bench::in_project(project());
    bench.run(&format!(
        r#"in: manual
        f: function {{"component": "calling.wasm", "ports": ["told"], "hosts": ["http://{address}"], "wall_limit": "100ms", "attempts": 2, "retry_pause": "1ms"}}
        out: view
        in.out -> f.in
        f.told -> out.in"#,
    ));
    bench.inject("in", format!("send GET http://{address}/slow?60000").into());
    bench.inject("in", format!("send GET http://{address}/echo").into());
    assert_eq!(bench.rows("out", 1), [r#""200 GET ""#]);
    bench.idle();
    let dead = bench.dead_letters();
    let said = &dead[0];
    assert_eq!(
        (
            dead.len(),
            said["weirfailedat"].as_str(),
            said["weirattempts"].as_str()
        ),
        (1, "f", "2"),
        "{said:?}"
    );
    let cause = &said["weirfailure"];
    assert!(
        cause.starts_with("stopped after 1")
            && cause.ends_with("limit 100 ms; raise wall_limit, or wait for less"),
        "{cause}"
    );
}

#[test]
fn a_function_that_is_tried_reaches_nothing() {
    let address = service();
    let bench = Bench::in_project(project());
    let steps = format!("send GET http://{address}/echo\nsecret NO_SUCH_VARIABLE");
    let tried = bench.call(Command::Try {
        node: "f".into(),
        kind: "function".into(),
        config: graph_model::value!({
            "component": "calling.wasm", "ports": ["told"],
            "hosts": [(format!("http://{address}"))], "secrets": ["NO_SUCH_VARIABLE"],
        }),
        types: BTreeMap::new(),
        event: graph_model::event::Event {
            context: Arc::default(),
            data: steps.into(),
        },
    });
    let Ok(Answer::Tried { tried }) = tried else {
        panic!("it is tried: {tried:?}");
    };
    let sent: Vec<String> = tried
        .sent
        .iter()
        .map(|(_, event)| event.data.to_text().to_string())
        .collect();
    assert_eq!(
        sent,
        [
            r#"HttpError::Unreachable("there is no network while a function is tried")"#,
            "Ok(24)"
        ]
    );
}

#[test]
fn behind_a_repartition_a_function_waits_for_several_at_once() {
    const KEYS: usize = 4;
    let address = service();
    let bench = Bench::in_project(project());
    bench.run(&format!(
        r#"in: manual
        apart: repartition {{"key": ".", "partitions": 16}}
        f: function {{"component": "calling.wasm", "ports": ["told"], "hosts": ["http://{address}"]}}
        out: view
        in.out -> apart.in
        apart.out -> f.in
        f.told -> out.in"#,
    ));
    let steps = |key: usize| {
        let after = "\nsecret x".repeat(key);
        format!("send GET http://{address}/slow?1500{after}")
    };
    let began = Instant::now();
    (0..KEYS).for_each(|key| bench.inject("in", steps(key).into()));
    let told: usize = (0..KEYS).map(|key| key + 1).sum();
    bench.rows("out", told);
    let took = began.elapsed();
    assert!(took < Duration::from_millis(1_500 * 3), "{took:?}");
}
