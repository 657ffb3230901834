//! Flows under way: run, inject, tail, and how a run ends.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use runtime_protocol::RunState;
use runtime_protocol::recording::Recording;

use crate::harness::{Project, eventually, weir};

const BY_HAND: &str = r#""by_hand": {"kind": "manual", "config": {"event_type": "note"}},
    "kept": {"kind": "export", "config": {"file": "kept.jsonl"}}"#;
const TO_KEPT: &str = r#""by_hand_to_kept": {"from": "by_hand.out", "to": "kept.in"}"#;

#[test]
fn a_recording_runs_until_idle() {
    let project = Project::new(
        r#""in": {"kind": "replay", "config": {"file": "in.jsonl", "format": "jsonl"}},
           "even": {"kind": "filter", "config": {"when": ".n % 2 == 0"}},
           "out": {"kind": "export", "config": {"file": "out.jsonl"}}"#,
        r#""a": {"from": "in.out", "to": "even.in"}, "b": {"from": "even.out", "to": "out.in"}"#,
    );
    let lines: Vec<String> = (0..100).map(|n| format!("{{\"n\":{n}}}\n")).collect();
    project.write("in.jsonl", &lines.concat());
    let (code, ended) = project.run(&["--until-idle"]).end();
    assert_eq!(code, 0, "{ended}");
    assert_eq!(
        (&ended["reason"], &ended["drained"]),
        (&"idle".into(), &true.into())
    );
    assert_eq!(ended["counters"]["edges"]["b"]["passed"], 50);
    assert_eq!(ended["counters"]["nodes"]["in"]["sent"], 100);
    assert_eq!(project.read("out.jsonl").lines().count(), 50);
    assert!(!project.path(".weir/session.json").exists());

    let table = project.done(&["run", "flow", "--until-idle"]);
    assert_eq!(table.code, 0, "{table:?}");
    assert!(table.answer.starts_with("node"), "{table:?}");
}

#[test]
fn events_are_injected_and_followed() {
    let project = Project::new(BY_HAND, TO_KEPT);
    let run = project.run(&[]);
    let mut tail = weir(project.home.path())
        .args(["tail", "flow", "by_hand_to_kept", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut seen = BufReader::new(tail.stdout.take().expect("piped")).lines();
    project.write("more.jsonl", "{\"n\": 2}\n{\"n\": 3}\n");
    // Which of them the tail sees depends on when it began.
    let first = project.done(&[
        "inject",
        "flow",
        "by_hand",
        "{\"n\": 1}",
        "--id",
        "e-1",
        "--json",
    ]);
    assert_eq!((first.code, first.answer.trim()), (0, r#"{"id":"e-1"}"#));
    let more = project.done(&["inject", "flow/flow.flow.json", "kept", "@flow/more.jsonl"]);
    assert_eq!((more.code, more.answer.lines().count()), (0, 2), "{more:?}");
    let one = std::thread::spawn(move || {
        let line = seen.next().expect("something is seen").expect("read");
        let seen: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(seen["edge"], "by_hand_to_kept");
        drop(seen);
    });
    eventually("the tail sees an event", || {
        project.done(&["inject", "flow", "by_hand_to_kept", "{\"n\": 4}"]);
        one.is_finished()
    });
    one.join().expect("an event was seen");
    eventually("injected events arrive", || {
        project.path("kept.jsonl").exists() && project.read("kept.jsonl").contains("\"n\":3")
    });
    let wrong = project.done(&["inject", "flow", "nobody", "1"]);
    assert!(
        wrong.code == 2 && wrong.rest.contains("nobody"),
        "{wrong:?}"
    );

    let busy = project.done(&["run", "flow"]);
    assert!(
        busy.code == 2 && busy.rest.contains("already runs here"),
        "{busy:?}"
    );
    run.signal("TERM");
    let (code, ended) = run.end();
    assert_eq!(
        (code, &ended["reason"]),
        (0, &"interrupted".into()),
        "{ended}"
    );
    assert!(tail.wait().expect("it ends with the run").success());
}

#[test]
fn a_killed_run_does_not_stand_in_the_way() {
    let project = Project::new(BY_HAND, TO_KEPT);
    let run = project.run(&[]);
    run.signal("KILL");
    drop(run);
    let stale = project.done(&["tail", "flow"]);
    assert!(
        stale.code == 2 && stale.rest.contains("is gone"),
        "{stale:?}"
    );
    let (code, ended) = project.run(&["--for", "50ms"]).end();
    assert_eq!((code, &ended["reason"]), (0, &"time".into()));
}

#[test]
fn given_up_events_show_in_the_exit_code_only_where_no_wire_leads_them_on() {
    let nodes = r#""in": {"kind": "replay", "config": {"file": "in.jsonl", "format": "jsonl"}},
        "sum": {"kind": "map", "config": {"expr": ".a + .b | error"}},
        "out": {"kind": "export", "config": {"file": "out.jsonl"}},
        "lost": {"kind": "dead_letter", "config": {"file": "lost.jsonl"}}"#;
    let edges =
        r#""a": {"from": "in.out", "to": "sum.in"}, "b": {"from": "sum.out", "to": "out.in"}"#;
    for (more, wanted) in [
        ("", 1),
        (r#", "c": {"from": "sum.failed", "to": "lost.in"}"#, 0),
    ] {
        let project = Project::new(nodes, &format!("{edges}{more}"));
        project.write("in.jsonl", "{\"a\": 1, \"b\": 2}\n");
        let (code, ended) = project.run(&["--until-idle"]).end();
        assert_eq!(code, wanted, "{ended}");
        assert_eq!(
            (&ended["given_up"], &ended["unwired"]),
            (&1.into(), &wanted.into())
        );
        let kept = if wanted == 1 {
            ".weir/dead-letters.jsonl"
        } else {
            "lost.jsonl"
        };
        assert_eq!(project.read(kept).lines().count(), 1);
    }
}

#[test]
fn an_interrupt_finishes_what_is_under_way_and_a_second_one_does_not_wait() {
    let stuck = Project::new(
        r#""by_hand": {"kind": "manual"},
           "rows": {"kind": "table", "config": {"database": "rows.sqlite", "table": "rows", "mode": "append",
               "attempts": 100, "retry_pause": "30s"}}"#,
        r#""e": {"from": "by_hand.out", "to": "rows.in"}"#,
    );
    let mut run = stuck.run(&[]);
    // Somebody else holds the database for longer than any test waits.
    let held = rusqlite::Connection::open(stuck.path("rows.sqlite")).expect("a database");
    held.execute_batch("begin exclusive").expect("held");
    let sent = stuck.done(&["inject", "flow", "by_hand", "1"]);
    assert_eq!(sent.code, 0, "{sent:?}");
    run.signal("TERM");
    eventually("it finishes", || {
        run.signal("INT");
        run.has_ended()
    });
    let (code, ended) = run.end();
    assert_eq!((code, &ended["drained"]), (1, &false.into()), "{ended}");
}

#[test]
fn a_run_is_recorded_and_the_recording_holds_it_all() {
    let project = Project::new(
        r#""in": {"kind": "replay", "config": {"file": "in.jsonl", "format": "jsonl"}},
           "even": {"kind": "filter", "config": {"when": ".n % 2 == 0"}},
           "out": {"kind": "export", "config": {"file": "out.jsonl"}}"#,
        r#""a": {"from": "in.out", "to": "even.in"}, "b": {"from": "even.out", "to": "out.in"}"#,
    );
    let lines: Vec<String> = (0..20).map(|n| format!("{{\"n\":{n}}}\n")).collect();
    project.write("in.jsonl", &lines.concat());
    let place = "flow/it.run.jsonl";
    let run = |more: &[&str]| {
        let all = [&["run", "flow", "--until-idle", "--record", place], more].concat();
        let done = project.done(&all);
        assert_eq!(done.code, 0, "{done:?}");
        let read = Recording::read(project.read("it.run.jsonl").as_bytes());
        (done, read.expect("a recorded run"))
    };
    let (done, recording) = run(&[]);
    assert!(
        done.rest
            .contains("recorded 30 events in flow/it.run.jsonl"),
        "{done:?}"
    );
    assert_eq!(recording.flow, project.read("flow.flow.json"));
    let on = |edge: &str| {
        let seen = recording.events.iter();
        seen.filter(|seen| seen.observed.edge == edge).count()
    };
    assert_eq!((on("a"), on("b"), recording.skipped_at_end), (20, 10, 0));
    let last = recording.counters.last().expect("the last counters");
    assert_eq!(last.edges["a"].passed, 20);
    assert_eq!(last.nodes["out"].received, 10);
    let states: Vec<RunState> = recording.states.iter().map(|(_, state)| *state).collect();
    assert_eq!(
        states,
        [RunState::Running, RunState::Draining, RunState::Stopped]
    );

    let (done, recording) = run(&["--record-max", "7"]);
    assert!(done.rest.contains("recorded 7 events"), "{done:?}");
    assert!(done.rest.contains("; 23 more were left out"), "{done:?}");
    assert_eq!((recording.events.len(), recording.skipped_at_end), (7, 23));
    let last = recording.counters.last().expect("the last counters");
    assert_eq!(last.edges["a"].passed, 20);

    let before = project.read("flow.flow.json");
    for (place, wanted) in [
        ("flow/flow.flow.json", "end the name in `.run.jsonl`"),
        ("nowhere/it.run.jsonl", "cannot be recorded"),
    ] {
        let refused = project.done(&["run", "flow", "--until-idle", "--record", place]);
        assert!(
            refused.code == 2 && refused.rest.contains(wanted),
            "{refused:?}"
        );
    }
    assert_eq!(project.read("flow.flow.json"), before);
}
