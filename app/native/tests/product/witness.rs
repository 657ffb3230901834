//! `weir witness`, and `weir check --confirm`.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::harness::{Done, done};

/// A charge that may be made twice, beside a view that leads nowhere near it.
const CHARGES_TWICE: &str = r#"{
  "version": 1,
  "nodes": {
    "in": {"kind": "manual"},
    "lane": {"kind": "queue"},
    "charge": {"kind": "effect", "config": {"action": "charge"}},
    "shown": {"kind": "view"}
  },
  "edges": {
    "a": {"from": "in.out", "to": "lane.in"},
    "b": {"from": "lane.out", "to": "charge.in"},
    "c": {"from": "lane.out", "to": "shown.in"}
  }
}"#;

fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().expect("a folder");
    fs::write(home.path().join("pay.flow.json"), CHARGES_TWICE).expect("written");
    home
}

fn witness(home: &Path, arguments: &[&str]) -> Done {
    done(home, &[&["witness"], arguments].concat())
}

fn json(answer: &str) -> Value {
    serde_json::from_str(answer).expect("JSON")
}

#[test]
fn a_hazard_is_seen_told_kept_and_seen_again() {
    let home = home();
    let file = "twice.witness.json";
    let seen = witness(home.path(), &["pay.flow.json", "DELIV-001", "--out", file]);
    assert_eq!(seen.code, 0, "{seen:?}");
    let mut lines = seen.answer.lines();
    let head = lines.next().expect("a line");
    assert!(
        head.starts_with("DELIV-001 at charge: confirmed by 1 fact and a "),
        "{head}"
    );
    assert!(
        lines
            .next()
            .is_some_and(|line| line.starts_with("  One fact comes in: "))
    );
    assert!(seen.answer.contains("\nseen by X1, "), "{}", seen.answer);
    assert_eq!(seen.rest, format!("written to {file}\n"));

    let held = fs::read_to_string(home.path().join(file)).expect("is there");
    assert!(
        !held.contains("\"shown\""),
        "only what matters is kept: {held}"
    );
    let again = witness(home.path(), &["replay", file]);
    assert_eq!((again.code, again.rest.as_str()), (0, ""), "{again:?}");
    assert!(
        again
            .answer
            .starts_with("DELIV-001 at charge is seen in the same run\n")
    );

    // Twice the same, byte by byte.
    let other = witness(
        home.path(),
        &["pay.flow.json", "duplicate-effect", "--out", "other"],
    );
    assert_eq!(other.code, 0);
    assert_eq!(
        fs::read_to_string(home.path().join("other")).expect("is there"),
        held
    );
}

#[test]
fn what_differs_and_what_is_wrong_with_a_file_is_said() {
    let home = home();
    let file = "twice.witness.json";
    let seen = witness(
        home.path(),
        &["pay.flow.json", "DELIV-001", "--json", "--out", file],
    );
    let answer = json(&seen.answer);
    assert_eq!(answer["run"]["status"], "confirmed");
    let trace = answer["witness"]["trace"].as_str().expect("a trace");
    let path = home.path().join(file);
    let held = fs::read_to_string(&path).expect("is there");

    fs::write(
        &path,
        held.replace(trace, &trace.replace(&trace[..2], "00")),
    )
    .expect("written");
    let again = witness(home.path(), &["replay", file]);
    assert_eq!(again.code, 1);
    assert!(
        again
            .answer
            .starts_with(&format!("the steps differ: trace {trace} instead of 00"))
    );

    fs::write(&path, held.replace("\"facts\"", "\"fakes\"")).expect("written");
    let again = witness(home.path(), &["replay", file]);
    assert_eq!((again.code, again.answer.as_str()), (2, ""));
    assert_eq!(again.rest, format!("weir: {file}: `/facts`: is missing\n"));
}

#[test]
fn what_the_flow_does_not_have_cannot_be_seen() {
    let home = home();
    for (arguments, said) in [
        (
            &["pay.flow.json", "AUTH-001"][..],
            "weir: pay.flow.json: the flow has no AUTH-001; `weir check` says what it has\n",
        ),
        (
            &["pay.flow.json", "DELIV-001", "--node", "lane"],
            "weir: pay.flow.json: the flow has no DELIV-001 at `lane`, but at charge\n",
        ),
    ] {
        let seen = witness(home.path(), arguments);
        assert_eq!((seen.code, seen.rest.as_str()), (2, said));
    }
}

#[test]
fn a_check_says_what_runs_confirmed() {
    let home = home();
    let check = |arguments: &[&str]| {
        let all = [&["check", "pay.flow.json", "--confirm"], arguments].concat();
        let checked = done(home.path(), &all);
        assert_eq!(checked.code, 1, "{checked:?}");
        checked.answer
    };
    let text = check(&[]);
    assert!(
        text.contains("\n   = run: confirmed by 1 fact and a "),
        "{text}"
    );
    assert!(text.contains("\n   = seen: In the end "), "{text}");
    let report = json(&check(&["--json"]));
    let run = &report["diagnostics"][0]["run"];
    assert_eq!(
        (&run["status"], &run["facts"]),
        (&"confirmed".into(), &1.into())
    );
    let log = json(&check(&["--format", "sarif"]));
    let result = &log["runs"][0]["results"][0];
    assert_eq!(result["properties"]["run"]["status"], "confirmed");

    let plain = done(home.path(), &["check", "pay.flow.json", "--json"]);
    assert!(json(&plain.answer)["diagnostics"][0].get("run").is_none());
}
