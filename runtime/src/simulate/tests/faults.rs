//! What each fault does to a flow, and what is admitted where.

use super::*;

fn with(lines: &str, facts: &[&str], kind: FaultKind, place: Place, nth: u64) -> Outcome {
    let scenario = Scenario {
        faults: [Fault { kind, place, nth }].into(),
        ..given(facts)
    };
    let outcome = play(lines, &scenario);
    assert_eq!(
        outcome.faults.get(&kind.sort()),
        Some(&1),
        "it takes place: {:?}",
        outcome.ended
    );
    assert!(outcome.ended.is_complete(), "{}", outcome.ended);
    outcome
}

fn node(id: &str) -> Place {
    Place::Node(id.into())
}

fn edge(id: &str) -> Place {
    Place::Edge(id.into())
}

/// A counter behind a channel; the wires are `e4`, `e5` and `e6`.
fn counter(channel: &str) -> String {
    format!(
        r#"in: manual
           hold: {channel}
           count: fold {{"step": "($state // 0) + 1"}}
           out: console {{"format": ".state"}}
           in.out -> hold.in
           hold.out -> count.in
           count.out -> out.in"#
    )
}

#[test]
fn copies_come_later_in_queues_and_topics() {
    for channel in ["queue", "topic"] {
        let kind = FaultKind::Duplicate { after_us: 50_000 };
        let outcome = with(&counter(channel), &["1", "2"], kind, edge("e5"), 0);
        assert_eq!(shown(&outcome, "console out"), "[1,2,3]", "{channel}");
    }
}

#[test]
fn a_log_replays_what_it_delivered() {
    let kind = FaultKind::Replay { back: 1 };
    let lines = "in: manual
        hold: log
        out: console
        in.out -> hold.in
        hold.out -> out.in";
    let outcome = with(lines, &["1", "2", "3"], kind, edge("e4"), 1);
    assert_eq!(shown(&outcome, "console out"), "[1,2,1,2,3]");
}

#[test]
fn a_late_event_is_overtaken_only_where_no_order_is_promised() {
    let kind = FaultKind::Delay { by_us: 20_000 };
    for (channel, rows) in [
        ("queue {\"concurrency\": 2}", "[2,3,1]"),
        ("topic", "[2,3,1]"),
        ("log", "[1,2,3]"),
    ] {
        let lines = format!(
            "in: manual
             hold: {channel}
             out: console
             in.out -> hold.in
             hold.out -> out.in"
        );
        let outcome = with(&lines, &["1", "2", "3"], kind, edge("e4"), 0);
        assert_eq!(shown(&outcome, "console out"), rows, "{channel}");
    }
    let lines = r#"in: manual
        a: map {"expr": "."}
        out: console
        in.out -> a.in
        a.out -> out.in"#;
    let outcome = with(lines, &["1", "2"], kind, edge("e4"), 0);
    assert_eq!(
        shown(&outcome, "console out"),
        "[1,2]",
        "a wire keeps its order"
    );
}

#[test]
fn facts_come_late_or_twice_where_the_outside_sends_them() {
    let lines = r#"in: http {"path": "/in"}
        out: console
        in.out -> out.in"#;
    let late = FaultKind::Late { by_us: 10_000 };
    let outcome = with(lines, &["1", "2"], late, node("in"), 0);
    assert_eq!(shown(&outcome, "console out"), "[2,1]");
    let twice = FaultKind::Duplicate { after_us: 10_000 };
    let outcome = with(lines, &["1", "2"], twice, node("in"), 0);
    assert_eq!(shown(&outcome, "console out"), "[1,2,1]");
    assert_eq!(outcome.facts.len(), 2);
}

#[test]
fn a_crash_takes_memory_away_and_brings_deliveries_again() {
    for (point, rows) in [
        // The second event comes again, to an empty memory.
        (Point::BeforeEffect, "[1,1,2]"),
        (Point::BeforeAck, "[1,2,1,2]"),
        (Point::AfterAck, "[1,2,1]"),
    ] {
        let kind = FaultKind::Crash(point);
        let lines = counter(r#"queue {"backoff": "1ms"}"#);
        let outcome = with(&lines, &["1", "2", "3"], kind, node("count"), 1);
        assert_eq!(shown(&outcome, "console out"), rows, "{point:?}");
        assert_eq!(outcome.lost, 0);
    }
}

#[test]
fn a_sink_that_breaks_down_before_the_ack_writes_again() {
    let lines = r#"in: manual
        hold: queue {"backoff": "1ms"}
        out: effect {"action": "charge"}
        in.out -> hold.in
        hold.out -> out.in"#;
    for (point, done) in [
        (Point::BeforeEffect, 1),
        (Point::BeforeAck, 2),
        (Point::AfterAck, 1),
    ] {
        let outcome = with(lines, &["1"], FaultKind::Crash(point), node("out"), 0);
        assert_eq!(
            outcome.stores["effects effects.jsonl"].len(),
            done,
            "{point:?}"
        );
    }
    let keyed = lines.replace(r#""charge""#, r#""charge", "key": ".""#);
    let kind = FaultKind::Crash(Point::BeforeAck);
    let outcome = with(&keyed, &["1"], kind, node("out"), 0);
    assert_eq!(outcome.stores["effects effects.jsonl"].len(), 1);
}

#[test]
fn what_nobody_delivers_again_is_lost_with_its_line_and_counted() {
    let lines = r#"in: manual
        same: map {"expr": "."}
        out: console
        in.out -> same.in
        same.out -> out.in"#;
    let kind = FaultKind::Crash(Point::BeforeEffect);
    let outcome = with(lines, &["1", "2"], kind, node("same"), 0);
    assert_eq!(shown(&outcome, "console out"), "[2]");
    assert_eq!(outcome.lost, 1);
}

#[test]
fn a_transactional_log_takes_back_what_a_crash_left() {
    let lines = r#"in: manual
        first: log
        same: map {"expr": "."}
        second: log {"transactional": true}
        out: console
        in.out -> first.in
        first.out -> same.in
        same.out -> second.in
        second.out -> out.in"#;
    let kind = FaultKind::Crash(Point::BeforeAck);
    let outcome = with(lines, &["1", "2"], kind, node("same"), 0);
    assert_eq!(shown(&outcome, "console out"), "[1,2]");
    let plain = lines.replace(r#" {"transactional": true}"#, "");
    let outcome = with(&plain, &["1", "2"], kind, node("same"), 0);
    assert_eq!(shown(&outcome, "console out"), "[1,1,2]");
}

#[test]
fn clocks_go_wrong_and_wires_lose() {
    let lines = r#"in: manual
        same: map {"expr": "$now | floor"}
        out: console
        in.out -> same.in
        same.out -> out.in {"capacity": 10, "when_full": "drop_oldest"}"#;
    let kind = FaultKind::Clock { ms: 60_000 };
    let outcome = with(lines, &["1", "2"], kind, node("same"), 1);
    let begin = EPOCH_MS / 1_000;
    assert_eq!(
        shown(&outcome, "console out"),
        format!("[{begin},{}]", begin + 60)
    );
    let outcome = with(lines, &["1", "2"], FaultKind::Lose, edge("e4"), 0);
    assert_eq!((outcome.stores["console out"].len(), outcome.lost), (1, 1));
}

#[test]
fn only_what_is_promised_is_admitted() {
    let admitted = |lines: &str| -> Vec<String> {
        let all = Fault::admitted(&flow(lines), &crate::catalog::catalog());
        let all = all.iter();
        all.map(|one| format!("{} {}", one.sort.name(), one.place))
            .collect()
    };
    assert_eq!(
        admitted(
            r#"in: http {"path": "/in"}
               hold: log
               same: map {"expr": "."}
               out: view
               in.out -> hold.in
               hold.out -> same.in
               same.out -> out.in {"when_full": "drop_oldest"}"#
        ),
        [
            "duplicate node in",
            "late node in",
            "crash node out",
            "crash node same",
            "clock node same",
            "replay wire e5",
            "delay wire e5",
            "delay wire e6",
            "lose wire e6",
        ]
    );
    assert_eq!(
        admitted("in: manual\nhold: topic\nout: view\nin.out -> hold.in\nhold.out -> out.in"),
        ["crash node out", "duplicate wire e4", "delay wire e4"]
    );
    // Whoever says one means one.
    let counted = |hold: &str| {
        let lines =
            format!("in: manual\nhold: {hold}\nout: view\nin.out -> hold.in\nhold.out -> out.in");
        admitted(&lines).contains(&"partitions node hold".to_owned())
    };
    assert!(counted(r#"log {"partitions": 2}"#) && counted(r#"queue {"concurrency": 2}"#));
    assert!(!counted("log") && !counted(r#"queue {"concurrency": 1}"#));
}

#[test]
fn chosen_faults_are_admitted_ones_and_the_same_for_the_same_seed() {
    let document = flow(&counter("queue"));
    let admitted = Fault::admitted(&document, &crate::catalog::catalog());
    let chosen = Fault::choose(&admitted, 7, 20, 5);
    assert_eq!(chosen, Fault::choose(&admitted, 7, 20, 5));
    assert_ne!(chosen, Fault::choose(&admitted, 8, 20, 5));
    for fault in &chosen {
        let wanted = Admitted {
            sort: fault.kind.sort(),
            place: fault.place.clone(),
        };
        assert!(admitted.contains(&wanted), "{fault:?}");
        assert!(fault.nth < 5);
    }
}

#[test]
fn a_source_that_can_read_again_does_so_in_its_order() {
    let project = tempfile::tempdir().expect("a folder");
    let lines: String = (0..20).map(|n| format!("{n}\n")).collect();
    std::fs::write(project.path().join("in.jsonl"), lines).expect("writes");
    let document = flow(
        r#"in: replay {"file": "in.jsonl"}
           same: map {"expr": "."}
           out: console
           in.out -> same.in
           same.out -> out.in"#,
    );
    let scenario = Scenario {
        faults: [Fault {
            kind: FaultKind::Crash(Point::BeforeEffect),
            place: node("same"),
            nth: 3,
        }]
        .into(),
        ..Scenario::default()
    };
    let catalog = crate::catalog::catalog();
    let made = Simulation::new(&document, &catalog, project.path(), &scenario);
    let outcome = made.expect("is made").run();
    let all: Vec<String> = (0..20).map(|n| n.to_string()).collect();
    assert_eq!(
        shown(&outcome, "console out"),
        format!("[{}]", all.join(","))
    );
    assert_eq!((outcome.facts.len(), outcome.lost), (20, 0));
}

#[test]
fn what_a_handled_event_brought_about_goes_its_whole_way() {
    let lines = r#"in: manual
        hold: queue {"backoff": "1ms"}
        first: map {"expr": "."}
        second: map {"expr": "."}
        out: console
        in.out -> hold.in
        hold.out -> first.in
        first.out -> second.in
        second.out -> out.in"#;
    for (point, rows) in [
        (Point::BeforeEffect, "[1]"),
        (Point::BeforeAck, "[1,1]"),
        (Point::AfterAck, "[1]"),
    ] {
        let outcome = with(lines, &["1"], FaultKind::Crash(point), node("first"), 0);
        assert_eq!(shown(&outcome, "console out"), rows, "{point:?}");
    }
}
