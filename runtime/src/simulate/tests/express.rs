//! Plain runs come to the same on their shorter way.

use super::*;

/// The same run on the general way, and on the shorter one if it is open and leads to the end.
fn both(lines: &str, scenario: &Scenario) -> (Outcome, Option<Outcome>) {
    let document = flow(lines);
    let mut general = simulation(&document, scenario);
    while general.step() {}
    let mut short = simulation(&document, scenario);
    let plain = short.run.is_plain() && crate::simulate::express::play(&mut short.run).is_ok();
    (general.outcome(), plain.then(|| short.outcome()))
}

fn unrecorded(seed: u64, hop_us: u64) -> Scenario {
    Scenario {
        seed,
        hop_us,
        record: Record::Off,
        keep_facts: false,
        ..Scenario::default()
    }
}

/// Flows whose events come, wait, take time and are written.
const PLAIN: &[(&str, &str)] = &[
    (
        "three workers",
        r#"in: generator {"rate": 2.7, "gaps": "exponential", "count": 500}
           hold: queue {"concurrency": 3, "visibility": "1d", "capacity": 100000}
           work: map {"expr": "."} ^{"duration_mean": "1s", "spread": "exponential"}
           out: view {"keep": 3}
           in.out -> hold.in
           hold.out -> work.in
           work.out -> out.in"#,
    ),
    (
        "everything at the same moments",
        r#"in: generator {"rate": 4, "count": 300, "fields": [{"name": "n", "makes": "counter"}]}
           also: generator {"rate": 2, "count": 200, "fields": [{"name": "n", "makes": "counter"}]}
           hold: queue {"concurrency": 4, "visibility": "1d", "capacity": 100000}
           work: map {"expr": ".m = .n * 2"} ^{"duration": "500ms"}
           out: view {"keep": 20}
           in.out -> hold.in
           also.out -> hold.in
           hold.out -> work.in
           work.out -> out.in"#,
    ),
    (
        "several ways and several queues",
        r#"in: generator {"rate": 20, "gaps": "exponential", "count": 400, "fields": [{"name": "n", "makes": "counter"}]}
           odd: filter {"predicate": ".n % 3 != 0"}
           hold: queue {"concurrency": 2, "visibility": "1d"}
           parts: split {"expr": "[.n, .n + 1000]"}
           work: map {"expr": "{n: .}"} ^{"duration_mean": "50ms", "spread": "uniform"}
           after: map {"expr": ".later = true"} ^{"duration_mean": "20ms", "spread": "lognormal"}
           next: queue {"concurrency": 5, "visibility": "1d"}
           last: map {"expr": "."} ^{"duration": "100ms", "cold_start": "1s", "keep_alive": "2s"}
           seen: view {"keep": 5}
           total: metric {"value": ".n", "name": "n"}
           file: export {"file": "out.jsonl"}
           in.out -> odd.in
           odd.out -> hold.in
           odd.out -> seen.in
           hold.out -> parts.in
           parts.out -> work.in
           work.out -> after.in
           work.out -> file.in
           after.out -> next.in
           next.out -> last.in
           last.out -> total.in
           last.out -> file.in"#,
    ),
    (
        "a source that waits for its own line, and a queue in front of a sink",
        r#"in: generator {"rate": 30, "count": 100}
           slow: map {"expr": "."} ^{"duration": "90ms"}
           hold: queue {"concurrency": 3, "visibility": "400ms"}
           out: view {"keep": 1000}
           in.out -> slow.in
           slow.out -> hold.in
           hold.out -> out.in"#,
    ),
    (
        "deliveries that would count as lost, but end in time",
        r#"in: generator {"rate": 1, "gaps": "exponential", "count": 200}
           hold: queue {"concurrency": 2, "visibility": "1s"}
           work: map {"expr": "."} ^{"duration": "700ms"}
           out: view {}
           in.out -> hold.in
           hold.out -> work.in
           work.out -> out.in"#,
    ),
    (
        "events that are looked at in another order than they came",
        r#"in: generator {"rate": 5, "gaps": "exponential", "count": 300, "fields": [{"name": "n"}, {"name": "price", "makes": "number"}, {"name": "who", "makes": "key", "max": 9, "skew": 1}]}
           also: generator {"rate": 3, "count": 150, "seed": 7, "fields": [{"name": "word", "makes": "text"}]}
           hold: queue {"concurrency": 6, "visibility": "1d"}
           work: map {"expr": "."} ^{"duration_mean": "500ms", "spread": "exponential"}
           dear: filter {"predicate": "(.price // 0) > 50 or .word != null"}
           next: queue {"concurrency": 3, "visibility": "1d"}
           rest: map {"expr": " . "} ^{"duration_mean": "100ms", "spread": "uniform"}
           seen: view {"keep": 7}
           all: view {"keep": 10000}
           in.out -> hold.in
           also.out -> hold.in
           hold.out -> work.in
           work.out -> all.in
           work.out -> dear.in
           dear.out -> next.in
           next.out -> rest.in
           rest.out -> seen.in"#,
    ),
    (
        "one view of made-up events and of others",
        r#"in: generator {"rate": 9, "gaps": "exponential", "count": 200}
           tick: schedule {"every": "3s"}
           hold: queue {"concurrency": 2, "visibility": "1d"}
           work: map {"expr": "."} ^{"duration_mean": "200ms", "spread": "lognormal"}
           out: view {"keep": 40}
           in.out -> hold.in
           hold.out -> work.in
           work.out -> out.in
           tick.out -> out.in"#,
    ),
    (
        "ticks",
        r#"in: schedule {"every": "7s"}
           hold: queue {"visibility": "1d"}
           work: map {"expr": "$event.id"} ^{"duration": "10s"}
           out: view {"keep": 100}
           in.out -> hold.in
           hold.out -> work.in
           work.out -> out.in"#,
    ),
];

#[test]
fn plain_runs_come_to_the_same() {
    for (what, lines) in PLAIN {
        for seed in 0..12 {
            for hop_us in [0, 1_000, 250_000] {
                let (general, short) = both(lines, &unrecorded(seed, hop_us));
                assert!(general.ended.is_complete() && general.steps > 50, "{what}");
                let short =
                    short.unwrap_or_else(|| panic!("{what}: seed {seed}, {hop_us} is plain"));
                assert_eq!(
                    format!("{short:?}"),
                    format!("{general:?}"),
                    "{what}: seed {seed}, {hop_us}"
                );
            }
        }
    }
}

#[test]
fn a_run_in_which_something_comes_up_is_played_from_its_beginning() {
    let work = |hold: &str, work: &str| {
        format!(
            r#"in: generator {{"rate": 10, "gaps": "exponential", "count": 200, "fields": [{{"name": "n", "makes": "counter"}}]}}
               hold: queue {hold}
               work: map {work}
               out: view {{"keep": 1000}}
               in.out -> hold.in
               hold.out -> work.in
               work.out -> out.in"#
        )
    };
    let usual = unrecorded(1, 1_000);
    let limited = |limit: &dyn Fn(&mut Limits)| {
        let mut scenario = usual.clone();
        limit(&mut scenario.limits);
        scenario
    };
    let slow = r#"{"expr": "."} ^{"duration_mean": "1s", "spread": "exponential"}"#;
    for (what, lines, scenario) in [
        (
            "an event fails",
            work(
                "{}",
                r#"{"expr": "if .n == 150 then error(\"no\") else . end"}"#,
            ),
            usual.clone(),
        ),
        (
            "a queue is full",
            work(r#"{"capacity": 20}"#, slow),
            usual.clone(),
        ),
        (
            "a delivery takes too long",
            work(r#"{"visibility": "2s"}"#, slow),
            usual.clone(),
        ),
        (
            "steps run out",
            work("{}", slow),
            limited(&|limits| limits.steps_max = 100),
        ),
        (
            "too many are under way",
            work("{}", slow),
            limited(&|limits| limits.in_flight_max = 50),
        ),
        (
            "too much is held",
            work("{}", slow),
            limited(&|limits| limits.bytes_max = 3_000),
        ),
    ] {
        let (general, short) = both(&lines, &scenario);
        assert!(short.is_none(), "{what}");
        let mut simulation = simulation(&flow(&lines), &scenario);
        assert_eq!(
            format!("{:?}", simulation.run()),
            format!("{general:?}"),
            "{what}"
        );
    }
}

#[test]
fn time_that_is_over_ends_plain_runs_as_others() {
    for (what, lines) in PLAIN {
        let mut scenario = unrecorded(3, 1_000);
        scenario.limits.duration_us = 2_000_000;
        let (general, short) = both(lines, &scenario);
        let short = short.expect("is plain");
        assert_eq!(format!("{short:?}"), format!("{general:?}"), "{what}");
    }
}

#[test]
fn only_plain_runs_take_the_shorter_way() {
    let open = |lines: &str, scenario: &Scenario| simulation(&flow(lines), scenario).run.is_plain();
    let (_, lines) = PLAIN[0];
    let usual = unrecorded(0, 0);
    assert!(open(lines, &usual));
    let recorded = Scenario {
        record: Record::Hash,
        ..usual.clone()
    };
    let kept = Scenario {
        keep_facts: true,
        ..usual.clone()
    };
    let reference = Scenario {
        one_by_one: true,
        ..usual.clone()
    };
    for scenario in [recorded, kept, reference] {
        assert!(!open(lines, &scenario));
    }
    for other in [
        r#"work: fold {"step": "($state // 0) + 1"}"#,
        r#"work: dedupe {"key": ".n", "ttl": "1h"}"#,
    ] {
        let lines = format!(
            r#"in: generator {{"count": 3}}
               {other}
               out: view {{}}
               in.out -> work.in
               work.out -> out.in"#
        );
        assert!(!open(&lines, &usual), "{other}");
    }
}
