//! `weir test`: the tests that flows keep.

use serde_json::Value;

use crate::harness::{Done, Project};

/// A flow with a charge behind a queue; `key` is its idempotency key.
fn charges(key: &str, tests: &str) -> Project {
    let project = Project::new("", "");
    let flow = format!(
        r#"{{"version": 1,
        "nodes": {{
            "in": {{"kind": "manual"}}, "lane": {{"kind": "queue"}},
            "charge": {{"kind": "effect", "config": {{"action": "charge"{key}}}}}
        }},
        "edges": {{
            "a": {{"from": "in.out", "to": "lane.in"}},
            "b": {{"from": "lane.out", "to": "charge.in"}}
        }},
        "tests": {tests}}}"#
    );
    project.write("flow.flow.json", &flow);
    project
}

const ONCE: &str = r#"{"once": {"title": "Charged once", "faults": ["duplicate"],
    "given": [{"source": "in", "data": {"order": 7}}], "expect": {"charge": [{"order": 7}]}}}"#;

fn told(done: &Done) -> Value {
    serde_json::from_str(&done.answer).unwrap_or_else(|error| panic!("{error}: {done:?}"))
}

#[test]
fn a_test_fails_with_the_run_that_shows_it_and_passes_when_it_is_mended() {
    let bad = charges("", ONCE).done(&["test", "flow", "--json"]);
    assert_eq!(bad.code, 1, "{bad:?}");
    let test = &told(&bad)["tests"][0];
    assert_eq!(test["verdict"], "failed", "{test}");
    let faults = test["faults"].as_array().expect("what went wrong");
    let twice = |fault: &Value| {
        fault
            .as_str()
            .is_some_and(|text| text.starts_with("duplicate at"))
    };
    assert!(faults.iter().any(twice), "{test}");
    assert_eq!(test["differences"][0]["node"], "charge");
    let good = charges(r#", "key": ".order""#, ONCE).done(&["test", "flow"]);
    assert_eq!(good.code, 0, "{good:?}");
    assert_eq!(
        good.answer,
        "passed once: Charged once (32 runs)\nthe test passed\n"
    );
}

#[test]
fn what_is_no_test_is_told_with_its_place() {
    let tests = r#"{"once": {"given": [{"source": "out"}], "expect": {"charge": []}}}"#;
    let broken = charges("", tests).done(&["test", "flow"]);
    assert_eq!(broken.code, 1, "{broken:?}");
    assert!(
        broken
            .answer
            .contains("tests/once/given/0: `source`: there is no node `out`"),
        "{broken:?}"
    );
    let unknown = charges("", ONCE).done(&["test", "flow", "twice"]);
    assert_eq!(unknown.code, 2, "{unknown:?}");
    assert!(
        unknown.rest.contains("no test `twice`; it has once"),
        "{unknown:?}"
    );
}
