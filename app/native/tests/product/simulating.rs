//! `weir sim`: flows on virtual time.

use serde_json::Value;

use crate::harness::{Done, Project};

/// A charge behind a queue, which may deliver twice.
fn charges() -> Project {
    let project = Project::new(
        r#""in": {"kind": "manual"}, "lane": {"kind": "queue"},
           "charge": {"kind": "effect", "config": {"action": "charge", "key": ".order"}},
           "seen": {"kind": "view"}"#,
        r#""a": {"from": "in.out", "to": "lane.in"},
           "b": {"from": "lane.out", "to": "charge.in"},
           "c": {"from": "lane.out", "to": "seen.in"}"#,
    );
    let facts = r#"{"source": "in", "data": {"order": 1}}
{"source": "in", "data": {"order": 2}, "at": "2s"}
"#;
    project.write("facts.jsonl", facts);
    project
}

fn runs(done: &Done) -> Vec<Value> {
    assert_eq!(done.code, 0, "{done:?}");
    let lines = done.answer.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .collect()
}

#[test]
fn a_seed_brings_the_same_run_and_nothing_outside_is_touched() {
    let project = charges();
    let arguments = [
        "sim",
        "flow",
        "--events",
        "flow/facts.jsonl",
        "--seeds",
        "8",
        "--faults",
        "duplicate",
        "--check-determinism",
        "--json",
    ];
    let first = runs(&project.done(&arguments));
    assert_eq!(first.len(), 8);
    assert_eq!(first, runs(&project.done(&arguments)));
    assert!(
        first
            .iter()
            .any(|run| run["faults"]["duplicate"].as_u64() > Some(0))
    );
    for run in &first {
        assert_eq!(run["facts"], 2, "{run}");
        assert_eq!(run["complete"], true, "{run}");
        // Whoever is called twice with one key acts once.
        let charges = &run["stores"]["effects effects.jsonl"];
        assert_eq!(charges.as_array().map(Vec::len), Some(2), "{run}");
    }
    assert!(!project.path("effects.jsonl").exists());
}

#[test]
fn figures_are_the_same_without_a_trace() {
    let project = Project::new(
        r#""jobs": {"kind": "generator", "config": {"rate": 3, "gaps": "exponential"}},
           "line": {"kind": "queue", "config": {"concurrency": 3, "capacity": 10000}},
           "work": {"kind": "map", "declared": {"duration_mean": "900ms", "spread": "exponential"}},
           "done": {"kind": "view", "config": {"keep": 5}}"#,
        r#""a": {"from": "jobs.out", "to": "line.in"},
           "b": {"from": "line.out", "to": "work.in"},
           "c": {"from": "work.out", "to": "done.in"}"#,
    );
    let arguments = ["sim", "flow", "--seeds", "3", "--duration", "10m", "--json"];
    let mut traced = runs(&project.done(&arguments));
    let untraced = runs(&project.done(&[&arguments[..], &["--no-trace"]].concat()));
    for run in &mut traced {
        let held = run.as_object_mut().expect("an object");
        assert!(held.remove("trace").is_some(), "{held:?}");
        assert!(held["facts"].as_u64() > Some(1_500), "{held:?}");
    }
    assert_eq!(traced, untraced);
    let few = project.done(&["sim", "flow", "--no-trace", "--max-steps", "100"]);
    assert_eq!(few.code, 1, "{few:?}");
    assert!(few.answer.contains("cut off after 100 steps"), "{few:?}");
}

#[test]
fn what_is_not_always_true_is_told() {
    let project = Project::new(
        r#""in": {"kind": "manual"},
           "left": {"kind": "fold", "config": {"step": "($state // 10) - .amount", "group": ".account"}},
           "rows": {"kind": "table", "config": {"table": "accounts", "key": ".key",
               "columns": {"account": ".key", "left": ".state"}},
             "declared": {"invariant": ".left >= 0"}}"#,
        r#""a": {"from": "in.out", "to": "left.in"}, "b": {"from": "left.out", "to": "rows.in"}"#,
    );
    let fact = |amount: u32| {
        format!("{{\"source\": \"in\", \"data\": {{\"account\": \"a\", \"amount\": {amount}}}}}\n")
    };
    let play = |facts: String| {
        project.write("facts.jsonl", &facts);
        project.done(&["sim", "flow", "--events", "flow/facts.jsonl"])
    };
    let enough = play(fact(10));
    assert_eq!(enough.code, 0, "{enough:?}");
    assert!(!enough.answer.contains("broken"), "{enough:?}");
    let too_much = play(fact(6) + &fact(7));
    assert_eq!(too_much.code, 1, "{too_much:?}");
    let broken =
        r#"broken: V1 at `rows`: {"account":"a","left":-3,"weir_key":"a"} instead of ".left >= 0""#;
    assert!(too_much.answer.contains(broken), "{too_much:?}");
}

#[test]
fn a_flow_without_end_is_cut_off_and_what_is_no_fault_is_said() {
    let project = Project::new(
        r#""in": {"kind": "manual"}, "lane": {"kind": "queue"},
           "twice": {"kind": "split", "config": {"expr": "[., .]"}}"#,
        r#""a": {"from": "in.out", "to": "lane.in"},
           "b": {"from": "lane.out", "to": "twice.in"},
           "c": {"from": "twice.out", "to": "lane.in"}"#,
    );
    project.write("facts.jsonl", "{\"source\": \"in\", \"data\": 1}\n");
    let endless = project.done(&["sim", "flow", "--events", "flow/facts.jsonl"]);
    assert_eq!(endless.code, 1, "{endless:?}");
    assert!(endless.answer.contains("cut off"), "{endless:?}");
    let unknown = project.done(&["sim", "flow", "--faults", "flood"]);
    assert_eq!(unknown.code, 2, "{unknown:?}");
    assert!(
        unknown.rest.contains("`flood` is no sort of fault"),
        "{unknown:?}"
    );
}
