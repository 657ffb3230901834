//! What holds for operators whatever comes in.

use std::collections::BTreeMap;

use graph_model::value;
use graph_model::value::{Object, Value};
use proptest::collection::vec;
use proptest::prelude::*;

use super::testing::{Bench, event};
use crate::delivery::Share;

fn payload() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        (-3_i64..3).prop_map(Value::Int),
        (-3.0..3.0).prop_map(Value::Float),
        "[a-c]{0,2}".prop_map(Value::str),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            vec(("[a-c]", inner), 0..3)
                .prop_map(|fields| Value::from(fields.into_iter().collect::<Object>())),
        ]
    })
}

/// A key and an event time in milliseconds for each of some events.
fn stream() -> impl Strategy<Value = Vec<(String, i64)>> {
    vec(("[a-c]", -2_000_i64..2_000), 0..40)
}

/// How many events the results count for each key and window.
fn counts(lines: &[String]) -> BTreeMap<(String, String), i64> {
    let mut counts = BTreeMap::new();
    for line in lines {
        let json = line.strip_prefix("out ").expect("only results come");
        let result = Value::parse(json.as_bytes(), 1 << 20).expect("JSON");
        let text = |field| result.get(field).map(|value| value.to_text().to_string());
        let place = (
            text("key").expect("a key"),
            text("from").unwrap_or_default(),
        );
        let count = result.get("n").and_then(Value::as_i64).expect("a count");
        *counts.entry(place).or_default() += count;
    }
    counts
}

proptest! {
    #[test]
    fn an_event_leaves_once_or_fails_as_it_came(data in payload()) {
        for (kind, config) in [
            ("filter", value!({"when": ".a > 0"})),
            ("route", value!({"routes": {"x": ".a.b == 1", "y": ".b"}})),
            ("map", value!({"expr": ".c = 1 | .a = .a + 1 | .b.c |= . * 2"})),
            ("mediate", value!({"expr": "{a, n: (.b | length)}"})),
            ("redact", value!({"fields": ["/a/b", "/b/*/c"], "how": "mask"})),
            ("guard", value!({"field": "/a", "claim": "a"})),
            ("dedupe", value!({"key": ".a"})),
            ("merge", value!({})),
            ("version_guard", value!({"key": ".b", "version": ".a"})),
            ("enrich", value!({"key": ".a", "row_key": "."})),
            ("tokenise", value!({"fields": ["/a/b", "/b/*/c"], "secret": "CARGO_PKG_NAME"})),
        ] {
            let mut bench = Bench::new(kind, config);
            let came = event("e1", 0, data.clone());
            let output = bench.handle(came.clone(), &Share::none());
            prop_assert_eq!(output.emitted.len() + output.failed.len(), 1, "{}", kind);
            for (failed, _) in &output.failed {
                prop_assert_eq!(failed, &came, "{}", kind);
            }
            for (_, left) in &output.emitted {
                prop_assert_eq!(&left.context, &came.context, "{}", kind);
            }
        }
    }

    #[test]
    fn what_is_hidden_is_nowhere(data in payload(), secret in "[x-z]{8}") {
        let mut patient = Object::new();
        patient.insert("a", data);
        patient.insert("name", secret.as_str());
        patient.insert("names", value!([(secret.as_str()), {"is": (secret.as_str())}]));
        let fields = value!(["/name", "/names/*"]);
        for how in ["remove", "mask"] {
            let config = value!({"fields": (fields.clone()), "how": how});
            let lines = Bench::new("redact", config).feed(patient.clone().into());
            prop_assert!(lines[0].starts_with("out ") && !lines[0].contains(&secret));
        }
    }

    #[test]
    fn results_count_every_event_once(stream in stream(), window in 1_i64..7) {
        let config = value!({
            "group": ".k", "aggregates": [{"name": "n"}], "window": "count", "count": window,
        });
        let mut bench = Bench::new("aggregate", config);
        let mut lines = Vec::new();
        let mut wanted = BTreeMap::new();
        for (key, time_ms) in stream {
            *wanted.entry((key.clone(), String::new())).or_default() += 1;
            lines.extend(bench.feed_at(time_ms, value!({"k": key})));
        }
        lines.extend(bench.end());
        prop_assert_eq!(counts(&lines), wanted);
    }

    #[test]
    fn order_within_the_lateness_does_not_matter(stream in stream(), seed in any::<u64>()) {
        let config = value!({
            "group": ".k", "aggregates": [{"name": "n"}],
            "window": "time", "size": "700ms", "lateness": "4s",
        });
        let fold = |stream: &[(String, i64)]| {
            let mut bench = Bench::new("aggregate", config.clone());
            let mut lines = Vec::new();
            for (key, time_ms) in stream {
                lines.extend(bench.feed_at(*time_ms, value!({"k": (key.as_str())})));
            }
            lines.extend(bench.end());
            lines
        };
        let mut shuffled = stream.clone();
        shuffled.sort_by_key(|(key, time_ms)| {
            (*time_ms as u64 ^ key.len() as u64).wrapping_mul(seed | 1)
        });
        prop_assert_eq!(counts(&fold(&stream)), counts(&fold(&shuffled)));
        let counted: i64 = counts(&fold(&stream)).values().sum();
        prop_assert_eq!(usize::try_from(counted), Ok(stream.len()));
    }

    #[test]
    fn events_match_whichever_input_is_ahead(
        left in stream(),
        right in stream(),
        picks in vec(any::<bool>(), 80),
    ) {
        const WITHIN: i64 = 300;
        let sides = [left, right].map(|mut side| {
            side.sort_by_key(|(_, time_ms)| *time_ms);
            side
        });
        let mut wanted = Vec::new();
        let name = |side: &str, at: usize| format!("{side}{at}");
        for (at, (key, time_ms)) in sides[0].iter().enumerate() {
            for (other, (other_key, other_ms)) in sides[1].iter().enumerate() {
                if key == other_key && (time_ms - other_ms).abs() <= WITHIN {
                    wanted.push((name("l", at), name("r", other)));
                }
            }
        }
        for (number, side) in ["l", "r"].into_iter().enumerate() {
            for at in 0..sides[number].len() {
                let name = name(side, at);
                if !wanted.iter().any(|(left, right)| [left, right].contains(&&name)) {
                    let alone = if side == "l" { (name, String::new()) } else { (String::new(), name) };
                    wanted.push(alone);
                }
            }
        }
        let config = value!({"left_key": ".k", "right_key": ".k", "within": "300ms"});
        let mut bench = Bench::new("join", config);
        let mut lines = Vec::new();
        let mut next = [0, 0];
        for right_first in picks {
            let first = usize::from(right_first);
            let Some(side) = [first, 1 - first].into_iter().find(|side| next[*side] < sides[*side].len()) else {
                break;
            };
            let (key, time_ms) = &sides[side][next[side]];
            let data = value!({"k": (key.as_str()), "is": (name(["l", "r"][side], next[side]))});
            next[side] += 1;
            lines.extend(bench.feed_input(side, *time_ms, data));
        }
        lines.extend(bench.end());
        let mut came: Vec<_> = lines.iter().map(|line| {
            let (_, json) = line.split_once(' ').expect("a port and a payload");
            let pair = Value::parse(json.as_bytes(), 1 << 20).expect("JSON");
            let is = |side| {
                let event = pair.get(side).and_then(|event| event.get("is"));
                event.map_or_else(String::new, |is| is.to_text().to_string())
            };
            (is("left"), is("right"))
        }).collect();
        came.sort();
        wanted.sort();
        prop_assert_eq!(came, wanted);
    }

    #[test]
    fn versions_leave_in_their_order(order in Just((1_i64..20).collect::<Vec<_>>()).prop_shuffle()) {
        let feed = |kind: &str| {
            let mut bench = Bench::new(kind, value!({"key": "1", "version": "."}));
            let mut lines = Vec::new();
            for version in &order {
                lines.extend(bench.feed(value!(*version)));
            }
            lines.extend(bench.end());
            let passed = lines.iter().filter_map(|line| line.strip_prefix("out ")?.parse().ok());
            passed.collect::<Vec<i64>>()
        };
        prop_assert_eq!(feed("resequence"), (1..20).collect::<Vec<_>>());
        let mut greatest = 0;
        let rising = order.iter().copied().filter(|version| {
            let rises = *version > greatest;
            greatest = greatest.max(*version);
            rises
        });
        prop_assert_eq!(feed("version_guard"), rising.collect::<Vec<_>>());
    }

    #[test]
    fn a_row_is_as_of_the_event_in_whatever_order_rows_come(
        mut rows in vec(-2_000_i64..2_000, 0..12),
        at in -2_000_i64..2_000,
    ) {
        let mut bench = Bench::new("enrich", value!({"key": "1", "row_key": "1", "as_of": true}));
        for time_ms in &rows {
            bench.feed_input(1, *time_ms, value!(*time_ms));
        }
        rows.retain(|time_ms| *time_ms <= at);
        let line = match rows.iter().max() {
            Some(row) => format!("out {{\"row\":{row}}}"),
            None => "missing {}".to_owned(),
        };
        prop_assert_eq!(bench.feed_at(at, value!({})), [line]);
    }

    #[test]
    fn the_first_of_each_key_passes_and_no_other(stream in stream()) {
        let mut bench = Bench::new("dedupe", value!({"key": ".k", "ttl": "1h"}));
        let mut seen = Vec::new();
        for (key, time_ms) in stream {
            let port = if seen.contains(&key) { "repeated" } else { "out" };
            let lines = bench.feed_at(time_ms, value!({"k": (key.as_str())}));
            prop_assert_eq!(lines, [format!("{port} {{\"k\":\"{key}\"}}")]);
            seen.push(key);
        }
    }
}
