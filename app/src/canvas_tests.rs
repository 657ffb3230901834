//! Tests of the canvas in the whole designer: by pointer and by keyboard, found by their names.

use egui::{Event, Key, Modifiers, PointerButton, Pos2, Vec2, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};

use crate::canvas::intent::{Item, QuickAddFrom};
use crate::designer::Designer;
use crate::tests::{FakeHost, bytes, press, settle, showing, start, type_text, wires};

const CLINIC: &str = include_str!("../../samples/clinic-claims/clinic-claims-flawed.flow.json");

fn described(harness: &Harness<'_, Designer>, label: &str) -> String {
    let node = harness.get_by_label(label);
    node.accesskit_node().description().unwrap_or_default()
}

/// A designer with nodes of these kinds in a row, none joined.
fn with_nodes(kinds: &[&str]) -> Harness<'static, Designer> {
    let mut harness = start(&FakeHost::default());
    for (kind, column) in kinds.iter().zip(0..) {
        harness.state_mut().add_node(
            &(*kind).into(),
            Some((column * 260, 0)),
            &QuickAddFrom::Nothing,
        );
    }
    harness
        .state_mut()
        .state
        .select(std::collections::BTreeSet::new());
    harness.state_mut().canvas.zoom_to_fit();
    settle(&mut harness);
    harness
}

fn middle(harness: &Harness<'_, Designer>, label: &str) -> Pos2 {
    harness.get_by_label(label).rect().center()
}

fn pointer(harness: &mut Harness<'_, Designer>, at: Pos2, pressed: bool, modifiers: Modifiers) {
    harness.event_modifiers(
        Event::PointerButton {
            pos: at,
            button: PointerButton::Primary,
            pressed,
            modifiers,
        },
        modifiers,
    );
    harness.run_steps(1);
}

fn drag_to(harness: &mut Harness<'_, Designer>, from: Pos2, to: Pos2, modifiers: Modifiers) {
    harness.event_modifiers(Event::PointerMoved(from), modifiers);
    harness.run_steps(1);
    pointer(harness, from, true, modifiers);
    for step in 1..=8_u8 {
        let at = from + (to - from) * (f32::from(step) / 8.0);
        harness.event_modifiers(Event::PointerMoved(at), modifiers);
        harness.run_steps(1);
    }
}

fn drag(harness: &mut Harness<'_, Designer>, from: Pos2, to: Pos2, modifiers: Modifiers) {
    drag_to(harness, from, to, modifiers);
    pointer(harness, to, false, modifiers);
    settle(harness);
}

fn selected(harness: &Harness<'_, Designer>) -> Vec<String> {
    let items = harness.state().state.selection().iter();
    items
        .map(|item| match item {
            Item::Node(id) | Item::Edge(id) | Item::Zone(id) | Item::Note(id) => id.to_string(),
        })
        .collect()
}

fn undo(harness: &mut Harness<'_, Designer>) {
    press(harness, Modifiers::COMMAND, Key::Z);
}

#[test]
fn wires_are_drawn_from_port_to_port_and_undone() {
    let mut harness = with_nodes(&["http", "filter", "table"]);
    let before = bytes(&harness);
    let (from, to) = (
        middle(&harness, "port http.out"),
        middle(&harness, "port filter.in"),
    );
    drag(&mut harness, from, to, Modifiers::NONE);
    // From an input backwards, and dropped near the port.
    let (from, to) = (
        middle(&harness, "port table.in"),
        middle(&harness, "port filter.out"),
    );
    drag(&mut harness, from, to + vec2(6.0, -4.0), Modifiers::NONE);
    assert_eq!(
        wires(&harness),
        ["filter.out -> table.in", "http.out -> filter.in"]
    );
    harness.get_by_label("wire http.out to filter.in");
    undo(&mut harness);
    undo(&mut harness);
    assert_eq!(bytes(&harness), before);
}

#[test]
fn refused_wires_say_why_and_change_nothing() {
    let mut harness = with_nodes(&["http", "filter"]);
    let before = bytes(&harness);
    for (from, to, reason) in [
        (
            "port http.out",
            "port filter.out",
            "this is an output, too; a wire ends at an input",
        ),
        (
            "port filter.out",
            "port http.reply",
            "http does not wait for a reply; set its field Respond to `reply` first",
        ),
        (
            "port filter.out",
            "port filter.in",
            "a node cannot feed itself",
        ),
    ] {
        let (from, to) = (middle(&harness, from), middle(&harness, to));
        drag(&mut harness, from, to, Modifiers::NONE);
        assert_eq!(harness.state().said(), Some(reason));
    }
    assert_eq!(bytes(&harness), before);
}

#[test]
fn the_end_of_a_wire_goes_to_another_port() {
    let mut harness = with_nodes(&["http", "filter", "table"]);
    let (from, to) = (
        middle(&harness, "port http.out"),
        middle(&harness, "port filter.in"),
    );
    drag(&mut harness, from, to, Modifiers::NONE);
    let joined = bytes(&harness);
    let (from, to) = (
        middle(&harness, "port filter.in"),
        middle(&harness, "port table.in"),
    );
    drag(&mut harness, from, to, Modifiers::SHIFT);
    assert_eq!(wires(&harness), ["http.out -> table.in"]);
    undo(&mut harness);
    assert_eq!(bytes(&harness), joined);
}

#[test]
fn a_wire_let_go_in_the_open_offers_what_fits() {
    let mut harness = with_nodes(&["http"]);
    let from = middle(&harness, "port http.out");
    drag(
        &mut harness,
        from,
        from + vec2(60.0, 120.0),
        Modifiers::NONE,
    );
    assert!(harness.state().quick_add.is_some());
    type_text(&mut harness, "filter");
    press(&mut harness, Modifiers::NONE, Key::Enter);
    assert_eq!(wires(&harness), ["http.out -> filter.in"]);
}

#[test]
fn nodes_are_dragged_onto_the_grid_as_one_step_and_escape_takes_it_back() {
    let mut harness = with_nodes(&["http", "filter"]);
    let before = bytes(&harness);
    let from = middle(&harness, "node filter, filter");
    drag_to(&mut harness, from, from + vec2(47.0, 63.0), Modifiers::NONE);
    assert_eq!(bytes(&harness), before, "only letting go changes the flow");
    press(&mut harness, Modifiers::NONE, Key::Escape);
    pointer(
        &mut harness,
        from + vec2(47.0, 63.0),
        false,
        Modifiers::NONE,
    );
    settle(&mut harness);
    assert_eq!(bytes(&harness), before);

    let from = middle(&harness, "node filter, filter");
    drag(&mut harness, from, from + vec2(47.0, 63.0), Modifiers::NONE);
    let place = harness.state().state.document().layout["filter"];
    assert_eq!((place.x % 10, place.y % 10), (0, 0));
    assert!(place.y > 40, "{place:?}");
    assert_eq!(selected(&harness), ["filter"]);
    undo(&mut harness);
    assert_eq!(bytes(&harness), before);
}

#[test]
fn a_node_dropped_on_a_wire_goes_between_its_ends() {
    let mut harness = with_nodes(&["http", "map", "table"]);
    let (from, to) = (
        middle(&harness, "port http.out"),
        middle(&harness, "port table.in"),
    );
    let map = middle(&harness, "node map, map");
    drag(&mut harness, map, map + vec2(0.0, 160.0), Modifiers::NONE);
    drag(&mut harness, from, to, Modifiers::NONE);
    let joined = bytes(&harness);
    let wire = middle(&harness, "wire http.out to table.in");
    let map = middle(&harness, "node map, map");
    drag(&mut harness, map, wire, Modifiers::NONE);
    assert_eq!(
        wires(&harness),
        ["http.out -> map.in", "map.out -> table.in"]
    );
    undo(&mut harness);
    assert_eq!(bytes(&harness), joined);
}

#[test]
fn a_node_that_comes_onto_a_short_wire_gets_room() {
    let mut harness = with_nodes(&["http", "table"]);
    let (from, to) = (
        middle(&harness, "port http.out"),
        middle(&harness, "port table.in"),
    );
    drag(&mut harness, from, to, Modifiers::NONE);
    let joined = bytes(&harness);
    let wire = QuickAddFrom::Edge("http_out_to_table".into());
    let designer = harness.state_mut();
    designer.add_node(&"filter".into(), Some((130, 0)), &wire);
    settle(&mut harness);
    assert_eq!(
        wires(&harness),
        ["filter.out -> table.in", "http.out -> filter.in"]
    );
    let place = |id: &str| {
        let document = harness.state().state.document();
        document.layout[&graph_model::id::Id::from(id)].x
    };
    let places = ["http", "filter", "table"].map(place);
    assert_eq!(places, [0, 240, 480]);
    undo(&mut harness);
    assert_eq!(bytes(&harness), joined);
}

#[test]
fn things_are_selected_by_click_and_by_frame_and_copied_with_alt() {
    let mut harness = with_nodes(&["http", "filter", "table"]);
    harness.get_by_label("node http, http").click();
    settle(&mut harness);
    assert_eq!(selected(&harness), ["http"]);
    harness
        .get_by_label("node table, table")
        .click_modifiers(Modifiers::SHIFT);
    settle(&mut harness);
    assert_eq!(selected(&harness), ["http", "table"]);
    harness
        .get_by_label("node filter, filter")
        .click_accesskit();
    settle(&mut harness);
    assert_eq!(selected(&harness), ["filter"]);
    let from = harness.get_by_label("node http, http").rect().min - Vec2::splat(12.0);
    let to = harness.get_by_label("node filter, filter").rect().max + Vec2::splat(3.0);
    drag(&mut harness, from, to, Modifiers::NONE);
    assert_eq!(selected(&harness), ["filter", "http"]);
    let from = middle(&harness, "node http, http");
    drag(&mut harness, from, from + vec2(0.0, 150.0), Modifiers::ALT);
    assert_eq!(harness.state().state.document().nodes.len(), 5);
    undo(&mut harness);
    assert_eq!(harness.state().state.document().nodes.len(), 3);
}

#[test]
fn a_kind_is_dragged_from_the_palette_onto_a_wire() {
    let mut harness = with_nodes(&["http", "table"]);
    let table = middle(&harness, "node table, table");
    drag(
        &mut harness,
        table,
        table + vec2(120.0, 0.0),
        Modifiers::NONE,
    );
    let (from, to) = (
        middle(&harness, "port http.out"),
        middle(&harness, "port table.in"),
    );
    drag(&mut harness, from, to, Modifiers::NONE);
    harness.state_mut().palette.search_for("Filter");
    settle(&mut harness);
    let kind = middle(&harness, "Add Filter");
    let wire = middle(&harness, "wire http.out to table.in");
    drag(&mut harness, kind, wire, Modifiers::NONE);
    assert_eq!(
        wires(&harness),
        ["filter.out -> table.in", "http.out -> filter.in"]
    );
}

#[test]
fn a_flow_is_built_by_keyboard_on_the_canvas() {
    let mut harness = start(&FakeHost::default());
    let empty = bytes(&harness);
    // Each node continues the one before it.
    for kind in ["http endpoint", "filter", "table"] {
        press(&mut harness, Modifiers::NONE, Key::Tab);
        type_text(&mut harness, kind);
        press(&mut harness, Modifiers::NONE, Key::Enter);
    }
    let chain = ["filter.out -> table.in", "http.out -> filter.in"];
    assert_eq!(wires(&harness), chain);
    // Arrows go along the wires and back.
    for (key, expected) in [
        (Key::ArrowLeft, "filter"),
        (Key::ArrowLeft, "http"),
        (Key::ArrowRight, "filter"),
    ] {
        press(&mut harness, Modifiers::NONE, key);
        assert_eq!(selected(&harness), [expected]);
    }
    assert!(harness.get_by_label("node filter, filter").is_focused());
    // A second wire: from the next output, led to the only input that is left, and given up once.
    press(&mut harness, Modifiers::NONE, Key::W);
    press(&mut harness, Modifiers::NONE, Key::Escape);
    assert_eq!(wires(&harness), chain);
    press(&mut harness, Modifiers::NONE, Key::W);
    press(&mut harness, Modifiers::NONE, Key::Enter);
    assert_eq!(wires(&harness).len(), 3);
    press(&mut harness, Modifiers::COMMAND, Key::ArrowDown);
    for _ in 0..10 {
        undo(&mut harness);
    }
    assert_eq!(bytes(&harness), empty);
}

#[test]
fn wheel_and_pinch_move_the_view_and_not_the_flow() {
    let mut harness = with_nodes(&["http", "filter"]);
    let before = bytes(&harness);
    let at = middle(&harness, "port http.out");
    harness.event(Event::PointerMoved(at));
    harness.event(Event::Zoom(0.8));
    harness.run_steps(3);
    assert!(middle(&harness, "port http.out").distance(at) < 2.0);
    let node = harness.get_by_label("node filter, filter").rect();
    harness.event(Event::MouseWheel {
        unit: egui::MouseWheelUnit::Point,
        delta: vec2(0.0, -40.0),
        phase: egui::TouchPhase::Move,
        source: egui::MouseWheelSource::Unknown,
        modifiers: Modifiers::NONE,
    });
    harness.run_steps(20);
    let moved = harness.get_by_label("node filter, filter").rect();
    assert!(moved.min.y < node.min.y - 10.0, "{node} {moved}");
    assert_eq!(bytes(&harness), before);
}

#[test]
fn a_panel_keeps_the_size_that_it_was_given() {
    let host = FakeHost::default();
    let mut harness = start(&host);
    let edge = harness.get_by_label("Canvas").rect().left_center() - vec2(5.0, 0.0);
    drag(&mut harness, edge, edge + vec2(70.0, 0.0), Modifiers::NONE);
    let wide = harness.get_by_label("Canvas").rect().min.x;
    assert!(wide > edge.x + 50.0, "{edge} {wide}");
    drop(harness);
    let harness = start(&host);
    let again = harness.get_by_label("Canvas").rect().min.x;
    assert!((again - wide).abs() < 3.0, "{wide} {again}");
}

#[test]
fn everything_in_sight_has_a_name_at_any_magnification() {
    let mut harness = with_nodes(&["http", "filter"]);
    let (from, to) = (
        middle(&harness, "port http.out"),
        middle(&harness, "port filter.in"),
    );
    drag(&mut harness, from, to, Modifiers::NONE);
    for _ in 0..12 {
        press(&mut harness, Modifiers::NONE, Key::Minus);
        for name in [
            "node http, http",
            "port http.out",
            "port filter.in",
            "wire http.out to filter.in",
        ] {
            harness.get_by_label(name);
        }
        harness.check_accessibility();
    }
}

#[test]
fn a_port_that_is_rested_on_says_what_is_known_there() {
    let mut harness = showing(CLINIC);
    // From afar a port is too small for the pointer.
    harness.state_mut().canvas.zoom_reset();
    settle(&mut harness);
    let port = "port approved.out";
    let at = middle(&harness, port);
    harness.event(Event::PointerMoved(at));
    harness.run_steps(2);
    let text = described(&harness, port);
    assert!(!text.contains("Readers"), "the pointer may be on its way");
    harness.run_steps(30);
    let text = described(&harness, port);
    for known in [
        "Order: ",
        "Copies: ",
        "Readers: ",
        "`/diagnosis` for role:adjusters",
    ] {
        assert!(text.contains(known), "{known} is not in {text}");
    }
}

#[test]
fn a_port_with_the_keyboard_says_what_is_known_there() {
    let mut harness = showing(CLINIC);
    harness.get_by_label("port claims.in").focus();
    harness.run_steps(30);
    let text = described(&harness, "port claims.in");
    assert!(text.contains("Readers: "), "{text}");
}

#[test]
fn a_field_is_followed_over_the_wires_until_escape() {
    let mut harness = showing(CLINIC);
    harness.state_mut().state.select_nodes(["desk".into()]);
    press(&mut harness, Modifiers::NONE, Key::L);
    type_text(&mut harness, "diagnosis");
    press(&mut harness, Modifiers::NONE, Key::Enter);
    harness.get_by_label("Where /diagnosis of claim goes");
    harness.get_by_label("leaves 4 nodes");
    let wire = "wire approved.out to payouts.in";
    assert_eq!(described(&harness, wire), "carries it as /diagnosis");
    press(&mut harness, Modifiers::NONE, Key::Escape);
    assert!(harness.state().follow.is_none());
    assert_eq!(described(&harness, wire), "");
    assert_eq!(selected(&harness), ["desk"], "Escape ended that only");
}

#[test]
fn what_is_followed_keeps_up_with_the_flow() {
    let mut harness = showing(CLINIC);
    let field = graph_model::pointer::Pointer::parse("/diagnosis").expect("a pointer");
    harness.state_mut().follow_field("claim".into(), field);
    settle(&mut harness);
    let mut build = harness.state().state.build("Redact");
    build.change_node(&"approved".into(), |node| {
        *node = graph_model::document::Node::new("map").with("expr", "{sick: .diagnosis}");
    });
    let transaction = build.finish();
    harness.state_mut().edit(transaction);
    settle(&mut harness);
    let wire = "wire approved.out to payouts.in";
    assert_eq!(described(&harness, wire), "carries it as /sick");
    harness.get_by_label("leaves 4 nodes, also as /sick");
    undo(&mut harness);
    assert_eq!(described(&harness, wire), "carries it as /diagnosis");
}

#[test]
fn where_nothing_is_known_of_a_field_it_is_said() {
    let flow = r#"{"version": 1, "nodes": {"a": {"kind": "manual"}},
        "types": {"order": {"schema": {"properties": {"id": {"type": "string"}}}}}}"#;
    let mut harness = showing(flow);
    press(&mut harness, Modifiers::NONE, Key::L);
    press(&mut harness, Modifiers::NONE, Key::ArrowDown);
    press(&mut harness, Modifiers::NONE, Key::Enter);
    harness.get_by_label("nothing is known of it: no event of type order arrives anywhere");
    harness.get_by_label("End following the field").click();
    settle(&mut harness);
    assert!(harness.state().follow.is_none());
}

#[test]
fn a_port_offers_to_follow_a_field() {
    let mut harness = showing(CLINIC);
    harness.state_mut().canvas.zoom_reset();
    settle(&mut harness);
    harness.get_by_label("port approved.out").click_secondary();
    settle(&mut harness);
    harness.get_by_label_contains("Follow a field").click();
    settle(&mut harness);
    type_text(&mut harness, "status");
    press(&mut harness, Modifiers::NONE, Key::Enter);
    harness.get_by_label("Where /status of claim goes");
}

#[test]
fn cards_tell_what_people_say_of_them() {
    let mut harness = showing(CLINIC);
    let portal = "node portal, view";
    assert!(described(&harness, portal).contains("seen by Patients"));
    let mut build = harness.state().state.build("Say more");
    build.change_node(&"portal".into(), |node| {
        let acceptance = graph_model::document::Acceptance::default();
        node.notes.accepted.insert("AUTH-002".into(), acceptance);
        node.notes.declared.insert("must_not_lose", true);
    });
    let transaction = build.finish();
    harness.state_mut().edit(transaction);
    settle(&mut harness);
    let text = described(&harness, portal);
    assert!(
        text.contains("you know: must not lose, accepted: AUTH-002"),
        "{text}"
    );
}
