//! How events pass lines, channels and loops on virtual time.

use sha2::Digest as _;

use super::*;

#[test]
fn events_pass_operators_to_a_view() {
    let outcome = play(
        r#"in: manual
           double: map {"expr": "{n: (.n * 2)}"}
           big: filter {"when": ".n > 3"}
           out: view
           in.out -> double.in
           double.out -> big.in
           big.out -> out.in"#,
        &given(&[r#"{"n":1}"#, r#"{"n":2}"#, r#"{"n":3}"#]),
    );
    assert_eq!(outcome.ended, Ended::Idle);
    assert_eq!(shown(&outcome, "view out"), r#"[{"n":4},{"n":6}]"#);
    assert_eq!(outcome.counters.nodes["double"].received, 3);
    assert_eq!(outcome.counters.nodes["big"].sent, 2);
    assert_eq!(outcome.counters.edges["e6"].passed, 2);
    assert_eq!(outcome.latencies["out"].per_mille(500), Some(1_023));
}

#[test]
fn a_queue_gives_up_what_is_invalid_by_its_failed_port() {
    let outcome = play(
        r#"in: manual
           queue: queue {"max_attempts": 3, "backoff": "1ms"}
           sum: map {"expr": ".n + 2"}
           out: view
           dead: view
           in.out -> queue.in
           queue.out -> sum.in
           sum.out -> out.in
           queue.failed -> dead.in"#,
        &given(&[r#"{"n":{}}"#, r#"{"n":1}"#]),
    );
    assert_eq!(shown(&outcome, "view dead"), r#"[{"n":{}}]"#);
    assert_eq!(shown(&outcome, "view out"), "[3]");
    let count = outcome.counters.nodes["queue"];
    assert_eq!((count.received, count.dead), (2, 1));
    assert!(outcome.dead_letters.is_empty(), "a wire leads it away");
}

#[test]
fn what_no_wire_leads_away_is_a_dead_letter() {
    let outcome = play(
        r#"in: manual
           number: map {"expr": ".n + 2"}
           in.out -> number.in"#,
        &given(&[r#"{"n":{}}"#]),
    );
    let cause = &outcome.dead_letters[0].context.extensions;
    assert_eq!(cause["weirfailedat"], "number");
    assert_eq!(outcome.counters.nodes["number"].dead, 1);
}

#[test]
fn partitions_are_summed_apart_and_sent_at_the_end() {
    let lines = r#"in: generator {"count": 1000, "rate": 0, "fields": [{"name": "n", "makes": "counter"}]}
           log: log {"key": ".n", "partitions": 4}
           sum: aggregate {"aggregates": [{"name": "n"}], "window": "time", "size": "1h"}
           total: aggregate {"aggregates": [{"name": "n", "function": "sum", "of": ".n"}], "window": "time", "size": "1h"}
           out: view
           in.out -> log.in
           log.out -> sum.in
           sum.out -> total.in
           sum.out -> out.in"#;
    let outcome = play(lines, &Scenario::default());
    let shown = shown(&outcome, "view out");
    let rows = Value::parse(shown.as_bytes(), 10_000).expect("JSON");
    let rows = rows.as_array().expect("rows");
    let counts = rows.iter().filter_map(|row| row.get("n")?.as_i64());
    assert_eq!((rows.len(), counts.sum::<i64>()), (4, 1000), "{shown}");
    let one = Scenario {
        partitions: Some(1),
        ..Scenario::default()
    };
    let outcome = play(lines, &one);
    assert_eq!(outcome.stores["view out"].len(), 1);
}

#[test]
fn the_same_scenario_brings_the_same_steps() {
    let lines = r#"in: generator {"count": 300, "rate": 100, "fields": [{"name": "k", "makes": "key", "max": 7}]}
           queue: queue {"concurrency": 3}
           count: aggregate {"aggregates": [{"name": "n"}], "group": ".k"}
           out: view {"key": ".key"}
           in.out -> queue.in
           queue.out -> count.in
           count.out -> out.in"#;
    let scenario = Scenario {
        record: Record::Steps,
        ..Scenario::default()
    };
    let document = flow(lines);
    let mut simulation = simulation(&document, &scenario);
    let first = simulation.run();
    simulation.reset(&scenario).expect("again");
    let again = simulation.run();
    assert_eq!(first.hash, again.hash);
    assert_eq!(first.trace, again.trace);
    assert_eq!(first.stores, again.stores);
    let mut bytes = Vec::new();
    first.trace.iter().for_each(|step| step.write(&mut bytes));
    assert_eq!(first.hash.0, *sha2::Sha256::digest(&bytes));
    assert!(first.steps >= 600, "{}", first.steps);
}

#[test]
fn a_run_ends_when_its_time_is_over_and_finishes_what_is_under_way() {
    let mut scenario = Scenario::default();
    scenario.limits.duration_us = 60_000_000;
    let outcome = play(
        r#"in: schedule {"every": "10s"}
           out: view
           in.out -> out.in"#,
        &scenario,
    );
    assert_eq!(outcome.ended, Ended::Duration);
    assert_eq!(outcome.stores["view out"].len(), 6);
}

#[test]
fn full_wires_hold_up_or_drop() {
    let burst: Vec<String> = (0..50).map(|n| n.to_string()).collect();
    let burst: Vec<&str> = burst.iter().map(String::as_str).collect();
    let mut scenario = given(&burst);
    let at_once = scenario
        .facts
        .iter()
        .cloned()
        .map(|fact| Fact { at_us: 0, ..fact });
    scenario.facts = at_once.collect();
    for (policy, rows) in [("block", 50), ("drop_oldest", 10), ("dead_letter", 10)] {
        let outcome = play(
            &format!(
                r#"in: manual
                   out: view
                   in.out -> out.in {{"capacity": 10, "when_full": "{policy}"}}"#
            ),
            &scenario,
        );
        assert_eq!(outcome.stores["view out"].len(), rows, "{policy}");
        assert_eq!(
            outcome.dead_letters.len(),
            if policy == "dead_letter" { 40 } else { 0 }
        );
    }
}

#[test]
fn a_workload_is_made_up_for_a_source() {
    let document = flow(
        r#"in: http {"path": "/in"}
           out: view
           in.out -> out.in"#,
    );
    let mut simulation = simulation(&document, &Scenario::default());
    let config = value!({"rate": 10, "seed": 7, "fields": [{"name": "n"}]});
    let config = config.as_object().expect("an object");
    let facts = simulation.workload(&"in".into(), config, 3).expect("made");
    let times: Vec<u64> = facts.iter().map(|fact| fact.at_us).collect();
    assert_eq!(times, [0, 100_000, 200_000]);
    let scenario = Scenario {
        facts: facts.into(),
        ..Scenario::default()
    };
    simulation.reset(&scenario).expect("plays");
    let outcome = simulation.run();
    assert_eq!(shown(&outcome, "view out"), r#"[{"n":0},{"n":1},{"n":2}]"#);
    let wrong = value!({"seed": (-1)});
    let wrong = wrong.as_object().expect("an object");
    assert!(simulation.workload(&"in".into(), wrong, 3).is_err());
}
