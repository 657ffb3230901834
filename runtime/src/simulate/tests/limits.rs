//! Flows that never end, flood or grow without bound are cut off, and the report names the node.

use super::*;

#[test]
fn the_node_is_named_that_has_most_to_do_with_it() {
    type Set = fn(&mut Limits);
    let table: &[(&str, &str, Set, &str)] = &[
        (
            "a loop that multiplies",
            r#"in: manual
               again: map {"expr": "."}
               twice: split {"expr": "[., .]"}
               in.out -> again.in
               again.out -> twice.in
               twice.out -> again.in"#,
            |limits| limits.steps_max = 1_000,
            "cut off after 1000 steps; `again` worked most, look for a loop there",
        ),
        (
            "a loop that goes on for ever, one event at a time",
            r#"in: manual
               hold: queue
               again: map {"expr": "."}
               in.out -> hold.in
               hold.out -> again.in
               again.out -> hold.in"#,
            |limits| limits.steps_max = 1_000,
            "cut off after 1000 steps; `again` worked most, look for a loop there",
        ),
        (
            "a source that is quicker than what follows",
            r#"in: generator {"rate": 0}
               hold: queue {"capacity": 10000000}
               work: map {"expr": "."} ^{"duration": "1s"}
               in.out -> hold.in
               hold.out -> work.in"#,
            |limits| limits.in_flight_max = 5_000,
            "cut off with 5000 events under way; most wait at `hold`, send it fewer or let them go on quicker",
        ),
        (
            "a file that grows",
            r#"in: generator {"rate": 0, "fields": [{"name": "text", "makes": "text"}]}
               out: export {"file": "all.jsonl"}
               in.out -> out.in"#,
            |limits| limits.bytes_max = 100_000,
            "cut off with 100000 bytes held; `out` holds most, bound what it keeps",
        ),
        (
            "given-up events that nobody leads away",
            r#"in: generator {"rate": 0}
               wrong: map {"expr": ". + 1"}
               in.out -> wrong.in"#,
            |limits| limits.bytes_max = 100_000,
            "cut off with 100000 bytes held; `wrong` holds most, bound what it keeps",
        ),
        (
            "a payload that doubles on every way round",
            r#"in: manual
               hold: queue
               twice: map {"expr": "tostring | . + ."}
               in.out -> hold.in
               hold.out -> twice.in
               twice.out -> hold.in"#,
            |limits| limits.bytes_max = 100_000,
            "cut off with 100000 bytes held; `twice` holds most, bound what it keeps",
        ),
        (
            "payloads that are large and wait",
            r#"in: generator {"rate": 0}
               large: map {"expr": "[., ., ., ., ., ., ., .] | [., ., ., ., ., ., ., .] | [., ., ., ., ., ., ., .]"}
               hold: queue {"capacity": 10000000}
               work: map {"expr": "."} ^{"duration": "1s"}
               in.out -> large.in
               large.out -> hold.in
               hold.out -> work.in"#,
            |limits| limits.bytes_max = 10_000_000,
            "cut off with 10000000 bytes held; `hold` holds most, bound what it keeps",
        ),
    ];
    for (what, lines, set, told) in table {
        let mut scenario = Scenario {
            record: Record::Off,
            ..given(&["1"])
        };
        set(&mut scenario.limits);
        let outcome = play(lines, &scenario);
        assert_eq!(outcome.ended.to_string(), *told, "{what}");
        assert!(!outcome.ended.is_complete());
    }
}

#[test]
fn what_is_replaced_is_held_no_longer() {
    for sink in [
        r#"view {"keep": 2}"#,
        r#"view {"key": ".n % 3"}"#,
        r#"metric {"value": ".n", "name": "n", "keep": 2}"#,
        r#"bucket {"folder": "files", "name": "$event.type"}"#,
    ] {
        let lines = format!(
            r#"in: generator {{"rate": 0, "count": 3000}}
               out: {sink}
               in.out -> out.in"#
        );
        for record in [Record::Off, Record::Hash] {
            let mut scenario = Scenario {
                record,
                keep_facts: false,
                ..Scenario::default()
            };
            scenario.limits.bytes_max = 200_000;
            let outcome = play(&lines, &scenario);
            assert_eq!(outcome.ended, Ended::Idle, "{sink}");
            assert_eq!(outcome.facts_came, 3_000);
        }
    }
}
