//! Nodes that take time: who waits for how long, and what happens in the middle.

use super::*;

/// Flows whose events wait for nothing but the nodes.
fn quick(scenario: Scenario) -> Scenario {
    Scenario {
        hop_us: 0,
        ..scenario
    }
}

/// When a node did what, in seconds, with the id of the event.
fn times(outcome: &Outcome, what: What, node: &str) -> String {
    let steps = outcome.trace.iter();
    let steps = steps.filter(|step| step.what == what && step.node.as_str() == node);
    let steps = steps.map(|step| format!("{}@{}", step.event, step.at_us as f64 / 1e6));
    steps.collect::<Vec<_>>().join(" ")
}

/// Mean wait in front of so many workers who take a second on average, in seconds.
fn erlang_c(workers: u32, rate: f64) -> f64 {
    let servers = f64::from(workers);
    let mut term = 1.0;
    let mut sum = 0.0;
    for busy in 0..workers {
        sum += term;
        term *= rate / f64::from(busy + 1);
    }
    let last = term * servers / (servers - rate);
    last / (sum + last) / (servers - rate)
}

#[test]
fn waits_are_those_of_the_theory() {
    // Of one worker: how far waits are from those of exponential durations, by their second moment.
    let of_one = |rate: f64, moment: f64| rate * moment / 2.0 / (1.0 - rate);
    for (workers, rate, spread, wait_s) in [
        (1_u32, 0.5, "exponential", erlang_c(1, 0.5)),
        (3, 1.8, "exponential", erlang_c(3, 1.8)),
        (1, 0.5, "fixed", of_one(0.5, 1.0)),
        (1, 0.5, "uniform", of_one(0.5, 4.0 / 3.0)),
        (1, 0.5, "lognormal", of_one(0.5, 2.0)),
    ] {
        let lines = format!(
            r#"in: generator {{"rate": {rate}, "gaps": "exponential", "count": 40000}}
               hold: queue {{"concurrency": {workers}, "visibility": "1d", "capacity": 100000}}
               work: map {{"expr": "."}} ^{{"duration_mean": "1s", "spread": "{spread}"}}
               out: view {{"keep": 1}}
               in.out -> hold.in
               hold.out -> work.in
               work.out -> out.in"#
        );
        let mut scenario = quick(Scenario {
            seed: 1,
            record: Record::Off,
            ..Scenario::default()
        });
        scenario.limits.duration_us = u64::MAX;
        let outcome = play(&lines, &scenario);
        assert_eq!(outcome.ended, Ended::Idle);
        let load = &outcome.loads["work"];
        let near = |what: &str, found: f64, wanted: f64| {
            let far = (found / wanted - 1.0).abs();
            assert!(
                far < 0.05,
                "{workers} workers, {spread}: {what} {found} instead of {wanted}"
            );
        };
        let wait = load.waits.mean_us().expect("there are some") / 1e6;
        near("wait", wait, wait_s);
        near("waiting", load.waiting(outcome.at_us), rate * wait_s);
        let busy = rate / f64::from(workers);
        near("utilisation", load.utilisation(outcome.at_us), busy);
        let service = load.services.mean_us().expect("there are some") / 1e6;
        near("service", service, 1.0);
        assert_eq!(load.workers, u64::from(workers));
        assert!(load.waiting_max >= 3 && load.waiting_max == outcome.backlogs["hold"]);
    }
}

#[test]
fn what_comes_of_an_event_leaves_when_its_handling_ends() {
    let lines = r#"in: manual
        hold: log
        work: map {"expr": "."} ^{"duration": "1s"}
        next: map {"expr": "."}
        out: console
        in.out -> hold.in
        hold.out -> work.in
        work.out -> next.in
        next.out -> out.in"#;
    let outcome = play(lines, &quick(given(&["1", "2", "3"])));
    assert_eq!(
        times(&outcome, What::Handled, "work"),
        "f0@0 f1@1 f2@2",
        "one after the other"
    );
    assert_eq!(times(&outcome, What::Written, "out"), "f0@1 f1@2 f2@3");
    assert_eq!(times(&outcome, What::Acked, "hold"), "f0@1 f1@2 f2@3");
    let reference = quick(given(&["1"])).reference(&outcome.facts);
    let outcome = play(lines, &reference);
    assert!(outcome.loads["work"].services.mean_us().is_none());
}

#[test]
fn each_consumer_of_a_queue_works_for_itself() {
    let lines = r#"in: manual
        hold: queue {"concurrency": 2}
        work: map {"expr": "."} ^{"duration": "1s"}
        out: console
        in.out -> hold.in
        hold.out -> work.in
        work.out -> out.in"#;
    let outcome = play(lines, &given(&["1", "2", "3"]));
    assert_eq!(
        times(&outcome, What::Written, "out"),
        "f0@1.002 f1@1.002 f2@2.004",
        "the next one goes out when one is written"
    );
}

#[test]
fn a_sink_keeps_the_order_of_those_who_send_in_one() {
    let (behind, alone) = ("hold.out -> out.in\nin.out -> hold.in", "in.out -> out.in");
    for (declared, wires, written) in [
        (r#""duration": "1s""#, behind, "f0@1 f1@1.001 f2@1.002"),
        (
            r#""duration": "1s", "instances": 2"#,
            behind,
            "f0@1 f1@1.001 f2@2",
        ),
        (r#""duration": "1s""#, alone, "f0@1 f1@2 f2@3"),
    ] {
        let lines = format!(
            r#"in: manual
               hold: queue {{"concurrency": 3}}
               out: effect {{"action": "charge"}} ^{{{declared}}}
               {wires}"#
        );
        let outcome = play(&lines, &quick(given(&["1", "2", "3"])));
        assert_eq!(
            times(&outcome, What::Written, "out"),
            written,
            "{declared}: {}, {:?} {:?}",
            outcome.ended,
            outcome.counters.nodes,
            outcome.dead_letters
        );
    }
}

#[test]
fn the_order_of_a_key_is_kept() {
    for channel in [
        r#"log {"key": ".k", "partitions": 4}"#,
        r#"queue {"group": ".k", "concurrency": 3, "visibility": "1h"}"#,
    ] {
        let lines = format!(
            r#"in: generator {{"rate": 4, "count": 300, "fields": [{{"name": "k", "makes": "key", "max": 9}}, {{"name": "n", "makes": "counter"}}]}}
               hold: {channel}
               work: map {{"expr": "."}} ^{{"duration_mean": "600ms", "spread": "exponential"}}
               out: console
               in.out -> hold.in
               hold.out -> work.in
               work.out -> out.in"#
        );
        let outcome = play(&lines, &Scenario::default());
        let content = outcome.stores["console out"].to_value();
        let rows = content.as_array().expect("rows");
        assert_eq!(rows.len(), 300, "{channel}");
        let number = |row: &Value| row.get("n").and_then(Value::as_i64).expect("a number");
        let mut overtaken = 0;
        for (at, row) in rows.iter().enumerate() {
            for later in &rows[at..] {
                let before = number(later) < number(row);
                assert!(!before || later.get("k") != row.get("k"), "{channel}");
                overtaken += u32::from(before);
            }
        }
        assert!(overtaken > 0, "other keys overtake: {channel}");
    }
}

#[test]
fn a_crash_in_the_middle_costs_the_time_and_brings_the_event_again() {
    let crash = |lines: &str, node: &str| {
        let scenario = Scenario {
            faults: [Fault {
                kind: FaultKind::Crash(Point::BeforeEffect),
                place: Place::Node(node.into()),
                nth: 0,
            }]
            .into(),
            ..quick(given(&["1"]))
        };
        play(lines, &scenario)
    };
    let lines = r#"in: manual
        hold: queue {"backoff": "100ms"}
        work: map {"expr": "."} ^{"duration": "1s"}
        out: effect {"action": "charge"} ^{"duration": "2s"}
        in.out -> hold.in
        hold.out -> work.in
        work.out -> out.in"#;
    for (node, handled, written) in [
        ("work", "f0@0 f0@0.6", "f0@3.6"),
        // The sink breaks down after a second of its two.
        ("out", "f0@0 f0@2.1", "f0@5.1"),
    ] {
        let outcome = crash(lines, node);
        assert_eq!(times(&outcome, What::Handled, "work"), handled, "{node}");
        assert_eq!(times(&outcome, What::Written, "out"), written, "{node}");
        assert_eq!((outcome.lost, outcome.dead_letters.len()), (0, 0), "{node}");
    }
    let lines = r#"in: manual
        work: map {"expr": "."} ^{"duration": "1s"}
        out: console
        in.out -> work.in
        work.out -> out.in"#;
    let outcome = crash(lines, "work");
    assert_eq!(
        (shown(&outcome, "console out").as_str(), outcome.lost),
        ("[]", 1)
    );
}

#[test]
fn an_event_comes_again_while_somebody_is_still_at_it() {
    let lines = r#"in: manual
        hold: queue {"concurrency": 2, "visibility": "2s", "backoff": "100ms"}
        work: map {"expr": "."} ^{"duration": "3s"}
        out: effect {"action": "charge"}
        in.out -> hold.in
        hold.out -> work.in
        work.out -> out.in"#;
    let outcome = play(lines, &quick(given(&["1"])));
    let handled = times(&outcome, What::Handled, "work");
    assert!(handled.starts_with("f0@0 f0@2.1"), "{handled}");
    assert!(outcome.stores["effects effects.jsonl"].len() >= 2);
    let patient = lines.replace("2s", "4s");
    let outcome = play(&patient, &quick(given(&["1"])));
    assert_eq!(times(&outcome, What::Handled, "work"), "f0@0");
}

#[test]
fn a_slow_call_takes_so_many_times_as_long() {
    let lines = r#"in: manual
        hold: queue
        work: map {"expr": "."} ^{"duration": "1s"}
        out: effect {"action": "charge"} ^{"duration": "1s"}
        in.out -> hold.in
        hold.out -> work.in
        work.out -> out.in"#;
    for (node, nth, seconds) in [("work", 1, [21, 3]), ("out", 2, [3, 12])] {
        let scenario = Scenario {
            faults: [Fault {
                kind: FaultKind::Slow { times: 10 },
                place: Place::Node(node.into()),
                nth,
            }]
            .into(),
            ..given(&["1", "2", "3"])
        };
        let outcome = play(lines, &scenario);
        assert_eq!(outcome.faults.get(&Sort::Slow), Some(&1));
        let took = ["work", "out"].map(|node| outcome.loads[node].services.sum_us() / 1_000_000);
        assert_eq!(took, seconds, "{node}");
    }
    let admitted = Fault::admitted(&flow(lines), &crate::catalog::catalog());
    let slow = admitted.iter().filter(|one| one.sort == Sort::Slow);
    let slow: Vec<String> = slow.map(|one| one.place.to_string()).collect();
    assert_eq!(
        slow,
        ["node out", "node work"],
        "where a duration is declared"
    );
}

#[test]
fn the_same_seed_takes_the_same_time() {
    let lines = r#"in: generator {"rate": 20, "gaps": "exponential", "count": 200}
        hold: topic
        work: map {"expr": "."} ^{"duration": "200ms", "spread": "lognormal"}
        out: console ^{"duration": "10ms", "spread": "uniform"}
        in.out -> hold.in
        hold.out -> work.in
        work.out -> out.in"#;
    let hash = |seed| {
        let scenario = Scenario {
            seed,
            ..Scenario::default()
        };
        play(lines, &scenario).hash
    };
    assert_eq!(hash(1), hash(1));
    assert_ne!(hash(1), hash(2));
}
