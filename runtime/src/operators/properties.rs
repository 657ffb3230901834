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
