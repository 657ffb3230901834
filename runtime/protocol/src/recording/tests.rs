//! What is written is read, and what others wrote is taken or refused with its place.

use std::sync::Arc;

use graph_model::event::{Event, EventContext};
use graph_model::value::Value;

use super::recorder::json;
use super::*;
use crate::EdgeCount;

const HEAD: &str = r#"{"weir":"run","version":1,"flow":"{}","title":"T"}"#;

fn observed(seq: u64, at_ms: u64, data: Value) -> Observed {
    Observed {
        seq,
        edge: "e".into(),
        at_ms,
        event: Event {
            context: Arc::new(EventContext {
                id: "1".into(),
                source: "/n".into(),
                ..EventContext::default()
            }),
            data,
        },
    }
}

fn batch(events: Vec<Observed>, skipped: u64) -> Notice {
    Notice::Observed {
        batch: 3,
        events,
        skipped,
    }
}

fn counters(at_ms: u64, passed: u64) -> Notice {
    let mut counters = Counters {
        at_ms,
        ..Counters::default()
    };
    let count = EdgeCount {
        passed,
        ..EdgeCount::default()
    };
    counters.edges.insert("e".into(), count);
    Notice::Counters { counters }
}

fn begin(events_max: usize) -> (Recorder, String) {
    let mut text = String::new();
    let recorder = Recorder::begin("{}", Some("T"), events_max, &mut text);
    (recorder.expect("a small flow"), text)
}

#[test]
fn what_is_written_is_read() {
    let (mut recorder, mut text) = begin(100);
    assert_eq!(text, format!("{HEAD}\n"));
    assert!(is_recording(text.as_bytes()));
    let state = |state| Notice::State { state };
    let problem = Problem::at(&"n".into(), "it is full");
    recorder.take(0, &state(RunState::Running), &mut text);
    recorder.take(100, &counters(100, 1), &mut text);
    // Told after the counters, but seen before.
    let one = observed(0, 40, graph_model::value!({"n": 1}));
    recorder.take(110, &batch(vec![one.clone()], 2), &mut text);
    recorder.take(200, &counters(200, 1), &mut text);
    let trouble = Notice::Trouble {
        problem: problem.clone(),
    };
    recorder.take(250, &trouble, &mut text);
    recorder.take(300, &state(RunState::Stopped), &mut text);
    recorder.end(310, &mut text);
    let read = Recording::read(text.as_bytes()).expect("it was written so");
    assert_eq!(
        (read.flow.as_str(), read.title.as_deref()),
        ("{}", Some("T"))
    );
    let seen = Seen {
        observed: one,
        skipped: 2,
    };
    assert_eq!(read.events, [seen]);
    let at: Vec<u64> = read
        .counters
        .iter()
        .map(|counters| counters.at_ms)
        .collect();
    assert_eq!(
        at,
        [100, 200],
        "the same again is not repeated, but the end is there"
    );
    assert_eq!(
        read.states,
        [(0, RunState::Running), (300, RunState::Stopped)]
    );
    assert_eq!(read.troubles, [(250, problem)]);
    assert_eq!(
        (read.length_ms, read.unknown_lines, read.cut),
        (310, 0, false)
    );
}

#[test]
fn the_number_of_events_is_bounded_and_the_rest_counted() {
    let (mut recorder, mut text) = begin(3);
    let events = |from| {
        (from..from + 2)
            .map(|n| observed(n, n, Value::Null))
            .collect()
    };
    recorder.take(2, &batch(events(0), 0), &mut text);
    recorder.take(4, &batch(events(2), 5), &mut text);
    recorder.take(6, &batch(events(4), 0), &mut text);
    recorder.take(9, &counters(9, 6), &mut text);
    recorder.end(9, &mut text);
    assert_eq!((recorder.left_out(), recorder.is_full()), (8, false));
    let read = Recording::read(text.as_bytes()).expect("it was written so");
    let seen: Vec<(u64, u64)> = read
        .events
        .iter()
        .map(|seen| (seen.observed.seq, seen.skipped))
        .collect();
    assert_eq!(seen, [(0, 0), (1, 0), (2, 5)]);
    assert_eq!(read.skipped_at_end, 3);
    assert_eq!(read.counters.len(), 1);
}

#[test]
fn large_events_share_no_line_and_too_large_ones_are_left_out() {
    let (mut recorder, mut text) = begin(100);
    let large = |seq, bytes: usize| observed(seq, 0, Value::str("x".repeat(bytes)));
    let events = vec![
        large(0, 9 << 20),
        large(1, 9 << 20),
        large(2, 17 << 20),
        large(3, 1),
    ];
    recorder.take(0, &batch(events, 0), &mut text);
    let read = Recording::read(text.as_bytes()).expect("it was written so");
    let seen: Vec<(u64, u64)> = read
        .events
        .iter()
        .map(|seen| (seen.observed.seq, seen.skipped))
        .collect();
    assert_eq!(seen, [(0, 0), (1, 0), (3, 1)]);
    assert_eq!(recorder.left_out(), 1);
}

#[test]
fn the_last_counters_have_a_place_of_their_own() {
    let (mut recorder, mut text) = begin(EVENTS_MAX);
    recorder.bytes_left = 1000;
    let event = batch(vec![observed(0, 0, Value::str("x".repeat(400)))], 0);
    for _ in 0..12 {
        recorder.take(0, &event, &mut text);
    }
    assert_eq!((recorder.kept(), recorder.left_out()), (1, 11));
    recorder.bytes_left = 10;
    recorder.take(1, &counters(1, 12), &mut text);
    assert!(recorder.is_full());
    recorder.end(2, &mut text);
    let read = Recording::read(text.as_bytes()).expect("it was written so");
    assert_eq!(read.counters.len(), 1);
    assert_eq!(read.length_ms, 2);
}

#[test]
fn lines_of_strangers_are_taken_or_refused_with_their_place() {
    let state = r#"{"at_ms":5,"is":"state","state":"running"}"#;
    for (lines, wanted) in [
        (String::new(), "0 ms, 0 unknown, cut false"),
        (format!("{state}\n"), "5 ms, 0 unknown, cut false"),
        (
            format!("{state}\r\n\r\n{state}\n\n"),
            "5 ms, 0 unknown, cut false",
        ),
        // A crash cuts the last line.
        (
            format!("{state}\n{{\"at_ms\":7,\"is\":\"st"),
            "5 ms, 0 unknown, cut true",
        ),
        (
            format!("{state}\n{{\"at_ms\":7,\"is\":\"st\n"),
            "line 3: EOF",
        ),
        (
            format!("{{\"at_ms\n{state}\n"),
            "line 2: EOF while parsing a string at column 7",
        ),
        (
            "nonsense\nmore\n".to_owned(),
            "line 2: expected ident at column 2",
        ),
        // Later versions say more.
        (
            "{\"at_ms\":1,\"is\":\"mood\",\"mood\":\"good\"}\n{\"x\":1}\n{}\n".to_owned(),
            "0 ms, 3 unknown, cut false",
        ),
        ("[]\n7\nnull\n".to_owned(), "0 ms, 3 unknown, cut false"),
        ("{\"is\":7}\n".to_owned(), "0 ms, 1 unknown, cut false"),
        (
            "{\"at_ms\":1,\"is\":\"reply\",\"id\":1,\"result\":{\"Ok\":{\"is\":\"done\"}}}\n"
                .to_owned(),
            "1 ms, 1 unknown, cut false",
        ),
        // What this version knows has to be right.
        (
            "{\"at_ms\":1,\"is\":\"state\",\"state\":\"dancing\"}\n".to_owned(),
            "line 2: unknown variant `dancing`",
        ),
        (
            "{\"is\":\"counters\"}\n".to_owned(),
            "line 2: missing field `at_ms`",
        ),
        (
            "{\"at_ms\":-1,\"is\":\"state\",\"state\":\"running\"}\n".to_owned(),
            "line 2: invalid value: integer `-1`",
        ),
        (
            "{\"at_ms\":99999999999999,\"is\":\"state\",\"state\":\"running\"}\n".to_owned(),
            "line 2: `at_ms` is later than a year",
        ),
        (
            format!("{}{}\n", "[".repeat(100_000), "]".repeat(100_000)),
            "0 ms, 1 unknown, cut false",
        ),
        (
            format!("{{\"x\":{}{}}}\n", "[".repeat(100_000), "]".repeat(100_000)),
            "0 ms, 1 unknown, cut false",
        ),
        (
            format!("\"{}\"\n", "x".repeat(LINE_MAX)),
            "line 2: longer than",
        ),
        ("\n".repeat(LINES_MAX + 10), "0 ms, 0 unknown, cut false"),
        (
            format!("{}{{}}\n", "\n".repeat(LINES_MAX)),
            "line 500002: more than 500000 lines",
        ),
    ] {
        let text = format!("{HEAD}\n{lines}");
        let found = match Recording::read(text.as_bytes()) {
            Ok(read) => format!(
                "{} ms, {} unknown, cut {}",
                read.length_ms, read.unknown_lines, read.cut
            ),
            Err(error) => error.to_string(),
        };
        let lines: String = lines.chars().take(80).collect();
        assert!(found.contains(wanted), "{lines}: {found}");
    }
}

#[test]
fn the_example_of_the_specification_is_read() {
    let page = include_str!("../../../../docs/specs/run-format.md");
    let (_, rest) = page.split_once("```json\n").expect("an example");
    let (lines, _) = rest.split_once("```").expect("its end");
    let read = Recording::read(format!("{HEAD}\n{lines}").as_bytes()).expect("it is right");
    let found = (read.events.len(), read.counters.len(), read.states.len());
    assert_eq!((found, read.unknown_lines), ((1, 1, 1), 0));
}

#[test]
fn the_first_line_decides() {
    for (text, wanted) in [
        ("", "not a recorded run"),
        ("{}", "not a recorded run"),
        ("{\"version\": 1, \"nodes\": {}}", "not a recorded run"),
        (
            r#"{"weir":"flow","version":1,"flow":""}"#,
            "not a recorded run",
        ),
        (
            r#"{"weir":"run","version":1}"#,
            "line 1: missing field `flow`",
        ),
        (r#"{"weir":"run","version":2,"run":[]}"#, "format 2"),
    ] {
        let error = Recording::read(text.as_bytes())
            .expect_err(text)
            .to_string();
        assert!(error.contains(wanted), "{text}: {error}");
    }
    let more = r#"{"weir":"run","version":1,"flow":"f","later":{"x":1}}"#;
    assert!(is_recording(more.as_bytes()));
    assert_eq!(Recording::read(more.as_bytes()).expect("read").title, None);
    assert!(is_recording(format!("\u{feff} {HEAD}\n").as_bytes()));
    assert!(!is_recording(b"{\n  \"weir\": \"run\"\n}"));
    assert!(!is_recording(b"\xff\xfe"));
}

#[test]
fn too_much_is_refused() {
    let error = Recording::read(&vec![b' '; FILE_MAX + 1]).expect_err("too large");
    assert_eq!(error, RecordingError::FileTooLarge);
    let events: Vec<Observed> = (0..1000).map(|n| observed(n, n, Value::Null)).collect();
    let line = json(&Line {
        at_ms: 1000,
        notice: batch(events, 0),
    });
    let lines = format!("{line}\n").repeat(EVENTS_MAX / 1000 + 1);
    let error = Recording::read(format!("{HEAD}\n{lines}").as_bytes()).expect_err("too many");
    assert_eq!(error, RecordingError::TooManyEvents { line: 102 });
}
