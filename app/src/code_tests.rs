//! Tests of code that is written beside an event.

use egui::{Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use graph_model::value;
use runtime_protocol::Target;

use crate::canvas::intent::Item;
use crate::designer::Designer;
use crate::tests::{bytes, press, settle, showing, type_text};

pub(crate) const FLOW: &str = r#"{
  "weir": "flow",
  "version": 1,
  "meta": { "title": "Code" },
  "nodes": {
    "in": { "kind": "manual" },
    "f": { "kind": "script", "title": "Taxes", "config": { "script": "return event.data" } },
    "m": { "kind": "map", "title": "Short", "config": { "expr": "{sum: (.total + .tip), who: .name}" } },
    "out": { "kind": "view" }
  },
  "edges": {
    "a": { "from": "in.out", "to": "f.in" },
    "b": { "from": "f.out", "to": "m.in" },
    "c": { "from": "m.out", "to": "out.in" }
  },
  "layout": {}
}"#;

/// A script of some lines, as JSON text, that goes wrong in its first one.
pub(crate) const LONGER: &str = "if (!event.data.total) throw invalid('no total');\\n\\n// What customers pay on top.\\nconst rate: number = Number(config.get('rate') ?? 0.22);\\nconst tax = event.data.total * rate;\\nstate.put('last', tax);\\nreturn { ...event.data, tax, rate };";

pub(crate) fn choose(harness: &mut Harness<'_, Designer>, node: &str) {
    let item = Item::Node(node.into());
    harness.state_mut().state.select([item].into());
    settle(harness);
}

#[test]
fn a_script_is_tried_on_every_keystroke() {
    let mut harness = showing(FLOW);
    choose(&mut harness, "f");
    press(&mut harness, Modifiers::NONE, Key::F12);
    harness.get_by_label("Event to try on");
    // The engine of these tests sends back what it is given, unless the script has a `throw`.
    harness.get_by_label_contains("to start");
    // What is typed goes into the script: nobody has to point at it first.
    press(&mut harness, Modifiers::COMMAND, Key::A);
    type_text(&mut harness, "throw 1");
    harness.get_by_label("line 1:1: thrown");
    assert!(bytes(&harness).contains("throw 1"));
    press(&mut harness, Modifiers::NONE, Key::Escape);
    press(&mut harness, Modifiers::COMMAND, Key::Z);
    assert!(bytes(&harness).contains("return event.data"));
}

#[test]
fn an_expression_shows_what_its_parts_are_made_of() {
    let mut harness = showing(FLOW);
    choose(&mut harness, "m");
    press(&mut harness, Modifiers::NONE, Key::F12);
    harness.get_by_label("none came in yet: write one");
    press(&mut harness, Modifiers::COMMAND, Key::Enter);
    let data = value!({"total": 7, "tip": 1, "name": "Ann"});
    harness
        .state_mut()
        .session
        .inject(Target::Source("in".into()), data, None);
    settle(&mut harness);
    harness.get_by_label("the last one that came in");
    harness.get_by_label("comes from /name, /tip, /total");
    harness.get_by_label("8");
}

#[test]
fn what_code_may_do_is_told_and_narrowed_to_what_it_asks_for() {
    let mut harness = showing(FLOW);
    choose(&mut harness, "f");
    harness.get_by_label("Whatever it asks for, within this sandbox.");
    press(&mut harness, Modifiers::COMMAND, Key::Enter);
    let session = &mut harness.state_mut().session;
    session.inject(Target::Source("in".into()), value!({"total": 7}), None);
    settle(&mut harness);
    harness.get_by_label("It asks for this: it sends events, remembers.");
    harness.get_by_label("Grant no more than that").click();
    settle(&mut harness);
    assert!(bytes(&harness).contains(r#""may_use": ["output", "state"]"#));
    harness.get_by_label("It sends events, remembers.");
    assert!(harness.query_by_label("Grant no more than that").is_none());
}

#[test]
fn what_has_no_code_offers_none() {
    let mut harness = showing(FLOW);
    choose(&mut harness, "in");
    assert!(harness.query_by_label("Code").is_none());
    choose(&mut harness, "f");
    harness.get_by_label("Code");
}

#[test]
fn names_of_fields_are_completed() {
    let mut harness = showing(FLOW);
    press(&mut harness, Modifiers::COMMAND, Key::Enter);
    let data = value!({"total": 7, "tip": 1, "name": "Ann"});
    let session = &mut harness.state_mut().session;
    session.inject(Target::Source("in".into()), data, None);
    choose(&mut harness, "m");
    press(&mut harness, Modifiers::NONE, Key::F12);
    press(&mut harness, Modifiers::COMMAND, Key::A);
    type_text(&mut harness, ".t");
    harness.get_by_label("Tab takes it");
    press(&mut harness, Modifiers::NONE, Key::ArrowDown);
    press(&mut harness, Modifiers::NONE, Key::Tab);
    assert!(
        bytes(&harness).contains(r#""expr": ".total""#),
        "{}",
        bytes(&harness)
    );
    assert!(harness.query_by_label("Tab takes it").is_none());
    type_text(&mut harness, " + 1");
    assert!(bytes(&harness).contains(r#""expr": ".total + 1""#));
}
