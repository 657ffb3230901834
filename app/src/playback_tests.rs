//! Tests of recorded runs in the designer, through its accessible names and with time by hand.

use std::sync::Arc;

use egui::{Key, Modifiers, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use graph_model::catalog::Catalog;
use graph_model::event::{Event, EventContext};
use runtime_protocol::recording::Recorder;
use runtime_protocol::{
    Counters, EdgeCount, NodeCount, Notice, Observed, Problem, RunState, Target,
};

use crate::designer::Designer;
use crate::dialogs::Dialog;
use crate::host::Location;
use crate::session::TroubleKind;
use crate::tests::{FakeHost, press, settle, start};

const PLACE: &str = "/lessons/drops.run.jsonl";
const FLOW: &str = r#"{"version":1,"title":"Drops","nodes":{
    "in": {"kind": "manual"}, "f": {"kind": "map", "config": {"expr": "."}}, "out": {"kind": "view"}},
    "edges":{"a":{"from":"in.out","to":"f.in"},"b":{"from":"f.out","to":"out.in"}}}"#;

/// Ten seconds: four drops a second along `a`, each 50 ms later along `b`; at 5 s it has trouble.
fn recording() -> String {
    let mut text = String::new();
    let mut recorder = Recorder::begin(FLOW, Some("Drops"), 1000, &mut text).expect("small");
    let context = |n: u64| EventContext {
        id: format!("e-{n}").into(),
        source: "/in".into(),
        ..EventContext::default()
    };
    let seen = |seq, edge: &str, at_ms, n: u64| Observed {
        seq,
        edge: edge.into(),
        at_ms,
        event: Event {
            context: Arc::new(context(n)),
            data: graph_model::value!({"n": (n as i64)}),
        },
    };
    let state = |state| Notice::State { state };
    recorder.take(0, &state(RunState::Running), &mut text);
    for n in 0..40 {
        let at = n * 250 + 100;
        let batch = Notice::Observed {
            batch: n,
            events: vec![seen(2 * n, "a", at, n), seen(2 * n + 1, "b", at + 50, n)],
            skipped: 0,
        };
        recorder.take(at + 50, &batch, &mut text);
        let count = EdgeCount {
            passed: n + 1,
            ..EdgeCount::default()
        };
        let node = NodeCount {
            received: n + 1,
            ..NodeCount::default()
        };
        let counters = Counters {
            at_ms: n * 250 + 200,
            edges: [("a".into(), count), ("b".into(), count)].into(),
            nodes: [("f".into(), node)].into(),
            ..Counters::default()
        };
        recorder.take(n * 250 + 200, &Notice::Counters { counters }, &mut text);
    }
    let problem = Problem::at(&"f".into(), "it drips");
    recorder.take(5_000, &Notice::Trouble { problem }, &mut text);
    recorder.take(10_000, &state(RunState::Stopped), &mut text);
    text
}

/// A designer without any engine, on the recorded run. A step of it is a quarter of a second.
fn open(text: &str) -> Harness<'static, Designer> {
    let host = FakeHost::default();
    host.put(PLACE, text);
    let designer = Designer::new(Box::new(host), Catalog::bundled(), None);
    let mut harness = Harness::builder()
        .with_size(vec2(1280.0, 800.0))
        .with_max_steps(40)
        .build_ui_state(|ui, designer: &mut Designer| designer.ui(ui), designer);
    harness.run_steps(4);
    harness.state_mut().open(Location::new(PLACE));
    settle(&mut harness);
    harness
}

fn click(harness: &mut Harness<'_, Designer>, label: &str) {
    harness.get_by_label(label).click_accesskit();
    settle(harness);
}

fn events(harness: &Harness<'_, Designer>) -> usize {
    harness.state().session.events().len()
}

fn at(harness: &Harness<'_, Designer>) -> f64 {
    let playback = harness.state().session.playback();
    playback.expect("a recorded run").position_ms()
}

fn state(harness: &Harness<'_, Designer>) -> RunState {
    harness.state().session.state()
}

fn passed(harness: &Harness<'_, Designer>) -> u64 {
    let count = harness.state().session.edge_count(&"a".into());
    count.map_or(0, |count| count.passed)
}

fn seek(harness: &mut Harness<'_, Designer>, seconds: f64) {
    let handle = harness.get_by_label("Position in the recorded run");
    handle.set_value_accesskit(seconds);
    settle(harness);
}

fn failures(harness: &Harness<'_, Designer>) -> Vec<String> {
    let troubles = harness.state().session.troubles().iter();
    troubles
        .filter(|trouble| trouble.kind == TroubleKind::Failure)
        .map(|trouble| trouble.message.clone())
        .collect()
}

#[test]
fn a_recorded_run_is_played_paused_and_stepped_without_an_engine() {
    let mut harness = open(&recording());
    harness.get_by_label("recorded run, 0.0 s of 10.0 s");
    assert_eq!(harness.state().files.name(), "drops.run.jsonl");
    assert_eq!(harness.state().state.document().nodes.len(), 3);
    click(&mut harness, "Play");
    press(&mut harness, Modifiers::COMMAND | Modifiers::SHIFT, Key::E);
    harness.run_steps(6);
    assert_eq!(state(&harness), RunState::Running);
    click(&mut harness, "Pause");
    let (stopped_at, seen) = (at(&harness), events(&harness));
    assert!(stopped_at > 2_000.0 && stopped_at < 6_000.0, "{stopped_at}");
    let wanted = ((stopped_at - 100.0) / 250.0).floor() as usize + 1;
    assert!(
        seen == 2 * wanted || seen == 2 * wanted - 1,
        "{seen} at {stopped_at}"
    );
    let rate = harness.state().session.edge_rate(&"a".into());
    assert!((rate - 4.0).abs() < 1.0, "{rate}");
    harness.get_by_label_contains(&format!("Event {} on ", seen - 1));
    harness.run_steps(8);
    assert_eq!(
        (at(&harness), events(&harness)),
        (stopped_at, seen),
        "it waits"
    );

    click(&mut harness, "Step");
    assert_eq!(events(&harness), seen + 1);
    press(&mut harness, Modifiers::NONE, Key::F10);
    assert_eq!(events(&harness), seen + 2);
    for back in 1..=3 {
        press(&mut harness, Modifiers::SHIFT, Key::F10);
        assert_eq!(events(&harness), seen + 2 - back);
    }
    // Of the selected node: what goes into it next, and everything before that.
    seek(&mut harness, 1.0);
    let before = events(&harness);
    harness.state_mut().state.select_nodes(["out".into()]);
    press(&mut harness, Modifiers::NONE, Key::F10);
    let last = harness
        .state()
        .session
        .events()
        .back()
        .expect("an event")
        .clone();
    assert_eq!((last.edge.as_str(), events(&harness)), ("b", before + 2));

    press(&mut harness, Modifiers::COMMAND, Key::Enter);
    assert_eq!(state(&harness), RunState::Running, "Run goes on from here");
    click(&mut harness, "Stop");
    assert_eq!(state(&harness), RunState::Stopped);
    click(&mut harness, "Play");
    assert!(at(&harness) < 2_000.0, "from the start again");
}

#[test]
fn every_moment_can_be_gone_to_and_shows_what_was_true_then() {
    let mut harness = open(&recording());
    for (second, wanted) in [(5.0, 20), (2.0, 8), (9.0, 36), (0.0, 0), (10.0, 40)] {
        seek(&mut harness, second);
        harness.get_by_label(&format!("recorded run, {second:.1} s of 10.0 s"));
        assert_eq!(state(&harness), RunState::Paused);
        assert_eq!(
            (events(&harness), passed(&harness)),
            (2 * wanted, wanted as u64),
            "{second}"
        );
        if second > 1.0 {
            let rate = harness.state().session.edge_rate(&"b".into());
            assert!((rate - 4.0).abs() < 1.0, "{second}: {rate}");
        }
    }
    assert!(
        failures(&harness).is_empty(),
        "jumping over trouble reports none"
    );
    // By keyboard alone.
    seek(&mut harness, 4.0);
    harness.get_by_label("Position in the recorded run").focus();
    press(&mut harness, Modifiers::NONE, Key::ArrowRight);
    let ahead = at(&harness);
    assert!(ahead > 4_000.0, "{ahead}");
    press(&mut harness, Modifiers::NONE, Key::ArrowLeft);
    assert!(at(&harness) < ahead);
    harness.check_accessibility();
}

#[test]
fn the_speed_is_chosen_and_the_end_is_reached() {
    let mut harness = open(&recording());
    for _ in 0..9 {
        let ctx = harness.ctx.clone();
        harness.state_mut().perform(&ctx, "run.faster");
    }
    harness.run_steps(1);
    click(&mut harness, "Speed 16x");
    click(&mut harness, "4x");
    press(&mut harness, Modifiers::COMMAND, Key::Enter);
    let before = at(&harness);
    harness.run_steps(2);
    assert!((at(&harness) - before - 2_000.0).abs() < 1e-6);
    harness.run_steps(12);
    assert_eq!(state(&harness), RunState::Stopped);
    harness.get_by_label("recorded run, 10.0 s of 10.0 s");
    assert_eq!((events(&harness), passed(&harness)), (80, 40));
    assert_eq!(failures(&harness), ["it drips"]);
    press(&mut harness, Modifiers::COMMAND, Key::Enter);
    assert_eq!(state(&harness), RunState::Running);
    assert!(events(&harness) < 80, "it begins again");
}

#[test]
fn a_recorded_run_takes_no_changes_and_no_events_but_the_flow_can_be_edited() {
    let mut harness = open(&recording());
    click(&mut harness, "Play");
    click(&mut harness, "Pause");
    let before = harness.state().state.document().nodes.len();
    let nothing = crate::canvas::intent::QuickAddFrom::Nothing;
    harness
        .state_mut()
        .add_node(&"filter".into(), Some((40, 40)), &nothing);
    settle(&mut harness);
    assert_eq!(harness.state().state.document().nodes.len(), before + 1);
    harness.get_by_label("changed since");
    press(&mut harness, Modifiers::COMMAND, Key::Enter);
    assert_eq!(state(&harness), RunState::Paused);
    let all = failures(&harness);
    assert!(
        all.iter()
            .all(|message| message.contains("takes no changes; undo them"))
    );
    press(&mut harness, Modifiers::COMMAND, Key::Z);
    settle(&mut harness);
    press(&mut harness, Modifiers::COMMAND, Key::Enter);
    assert_eq!(state(&harness), RunState::Running, "undone, it plays on");
    let target = Target::Source("in".into());
    harness
        .state_mut()
        .session
        .inject(target, graph_model::value!({}), None);
    settle(&mut harness);
    let all = failures(&harness);
    assert!(
        all.iter()
            .any(|message| message.contains("takes no events; save the flow"))
    );
    // The recording is not what is saved.
    press(&mut harness, Modifiers::COMMAND | Modifiers::SHIFT, Key::S);
    let Some(Dialog::Path { text, .. }) = &harness.state().dialog else {
        panic!("it asks where to save");
    };
    assert_eq!(text, "/lessons/drops.flow.json");
}

#[test]
fn the_engine_has_its_place_back_when_another_flow_is_opened() {
    let host = FakeHost::default();
    host.put(PLACE, &recording());
    let mut harness = start(&host);
    harness.state_mut().new_flow();
    let nothing = crate::canvas::intent::QuickAddFrom::Nothing;
    harness
        .state_mut()
        .add_node(&"manual".into(), Some((40, 40)), &nothing);
    press(&mut harness, Modifiers::COMMAND, Key::Enter);
    assert_eq!(state(&harness), RunState::Running);
    harness
        .state_mut()
        .write(Location::new("/mine/a.flow.json"));
    settle(&mut harness);
    harness.state_mut().open(Location::new(PLACE));
    settle(&mut harness);
    assert_eq!(state(&harness), RunState::Stopped, "the engine was stopped");
    click(&mut harness, "Play");
    assert!(events(&harness) > 0);
    harness.state_mut().open(Location::new("/mine/a.flow.json"));
    settle(&mut harness);
    assert!(!harness.state().session.plays());
    assert_eq!((state(&harness), events(&harness)), (RunState::Stopped, 0));
    press(&mut harness, Modifiers::COMMAND, Key::Enter);
    assert_eq!(state(&harness), RunState::Running);
    assert!(failures(&harness).is_empty());
    // Saving the flow of a recorded run makes it one like others; it is still a stranger's.
    harness.state_mut().open(Location::new(PLACE));
    settle(&mut harness);
    harness
        .state_mut()
        .write(Location::new("/mine/b.flow.json"));
    settle(&mut harness);
    assert!(!harness.state().session.plays());
    assert_eq!(harness.state().files.name(), "b.flow.json");
    assert!(!harness.state().trusted());
}

#[test]
fn recordings_that_cannot_be_read_say_where_and_cut_ones_open() {
    let text = recording();
    for (text, wanted) in [
        ("{\"weir\":\"ru".to_owned(), "not a recorded run"),
        (format!("{text}broken\n"), "line 85: expected value"),
        (
            r#"{"weir":"run","version":1,"flow":"[]"}"#.to_owned(),
            "line 1: the flow in it",
        ),
        (
            r#"{"weir":"run","version":7,"flow":""}"#.to_owned(),
            "update Weir",
        ),
    ] {
        let harness = open(&text);
        harness.get_by_label("drops.run.jsonl could not be opened");
        harness.get_by_label_contains(wanted);
        assert!(!harness.state().session.plays());
    }
    let harness = open(&text[..text.len() - 30]);
    harness.get_by_label("cut short");
    // The first line decides, whatever the file is called.
    let host = FakeHost::default();
    host.put("/a.json", &text);
    let mut harness = start(&host);
    harness.state_mut().open(Location::new("/a.json"));
    settle(&mut harness);
    assert!(harness.state().session.plays());
}

#[test]
fn a_recording_without_anything_in_it_plays_to_its_end_at_once() {
    let header = recording().lines().next().expect("a header").to_owned();
    let mut harness = open(&header);
    harness.get_by_label("recorded run, 0.0 s of 0.0 s");
    click(&mut harness, "Play");
    assert_eq!(state(&harness), RunState::Stopped);
    seek(&mut harness, 1.0);
    press(&mut harness, Modifiers::NONE, Key::F10);
    harness.check_accessibility();
}

#[test]
fn what_is_possible_without_an_engine_is_said() {
    let host = FakeHost::default();
    let designer = Designer::new(Box::new(host), Catalog::bundled(), None);
    let mut harness = Harness::builder()
        .with_size(vec2(1280.0, 800.0))
        .build_ui_state(|ui, designer: &mut Designer| designer.ui(ui), designer);
    harness.run_steps(4);
    harness.get_by_label("no engine");
    press(&mut harness, Modifiers::COMMAND | Modifiers::SHIFT, Key::E);
    harness.get_by_label_contains("Open a recorded run");
}
