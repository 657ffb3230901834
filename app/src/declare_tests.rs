//! Tests of what people say about a flow, through its accessible names: all of it by list and keyboard.

use egui::{Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use graph_model::document::{Annotations, Audience, RowFilter};
use graph_model::pointer::Pointer;
use graph_model::value::Value;

use crate::designer::Designer;
use crate::tests::{bytes, click, press, settle, showing, type_text};

const CLINIC: &str = include_str!("../../samples/clinic-claims/clinic-claims-flawed.flow.json");

/// The clinic with this node selected.
fn with_node(id: &str) -> Harness<'static, Designer> {
    let mut harness = showing(CLINIC);
    harness.state_mut().state.select_nodes([id.into()]);
    settle(&mut harness);
    harness
}

fn notes(harness: &Harness<'_, Designer>, id: &str) -> Annotations {
    harness.state().state.document().nodes[id].notes.clone()
}

/// Opens the list under the button, by keyboard, and takes the first row that has the words.
fn take(harness: &mut Harness<'_, Designer>, list: &str, words: &str) {
    harness.get_by_label(&format!("{list}…")).focus();
    settle(harness);
    press(harness, Modifiers::NONE, Key::Enter);
    type_text(harness, words);
    press(harness, Modifiers::NONE, Key::Enter);
}

fn undo_all(harness: &mut Harness<'_, Designer>, before: &str) {
    press(harness, Modifiers::NONE, Key::Escape);
    while harness.state().state.history().undo_title().is_some() {
        press(harness, Modifiers::COMMAND, Key::Z);
    }
    assert_eq!(bytes(harness), before);
}

#[test]
fn what_is_known_of_a_node_is_declared_by_keyboard() {
    let mut harness = with_node("claims_in");
    let before = bytes(&harness);
    harness
        .get_by_label_contains("What you know")
        .click_accesskit();
    settle(&mut harness);
    take(&mut harness, "Declare", "busiest");
    type_text(&mut harness, "5");
    take(&mut harness, "Declare", "silent");
    take(&mut harness, "Assume", "idempotent");
    type_text(&mut harness, "claims have ids");
    take(&mut harness, "Runs as", "intake");
    let said = notes(&harness, "claims_in");
    assert_eq!(said.declared.get("peak"), Some(&Value::Int(5)));
    assert_eq!(said.declared.get("silent"), Some(&Value::Bool(true)));
    assert_eq!(said.assumptions["idempotent"].reason, "claims have ids");
    assert_eq!(said.runs_as, Some("intake".into()));
    let document = harness.state().state.document();
    assert!(document.principals.contains_key("intake"));
    click(&mut harness, "Remove Peak rate");
    assert!(!notes(&harness, "claims_in").declared.contains_key("peak"));
    assert!(harness.query_by_label("Peak rate").is_none());
    undo_all(&mut harness, &before);
}

#[test]
fn only_what_fits_the_family_can_be_declared() {
    let mut harness = with_node("claims_in");
    harness
        .get_by_label_contains("What you know")
        .click_accesskit();
    settle(&mut harness);
    click(&mut harness, "Declare…");
    harness.get_by_label("Peak rate");
    assert!(
        harness.query_by_label("Retention").is_none(),
        "that is of channels"
    );
    press(&mut harness, Modifiers::NONE, Key::Escape);
    assert!(harness.query_by_label("Peak rate").is_none());
}

#[test]
fn audiences_are_chosen_from_the_roles_and_fields_of_the_flow() {
    let mut harness = with_node("portal");
    let before = bytes(&harness);
    take(
        &mut harness,
        "Add a row filter to the audience",
        "patient_id",
    );
    take(&mut harness, "Add a role to the audience", "auditors");
    take(&mut harness, "Add a side copy", "traces support");
    let said = notes(&harness, "portal");
    let audience = Audience {
        roles: vec!["patients".into(), "auditors".into()],
        rows: vec![RowFilter {
            claim: "patient_id".into(),
            field: Pointer::parse("/patient_id").expect("a pointer"),
        }],
    };
    assert_eq!(said.audience, Some(audience));
    assert_eq!(said.side_audiences["trace"].roles, ["support"]);
    assert!(
        harness
            .state()
            .state
            .document()
            .roles
            .contains_key("auditors")
    );
    click(&mut harness, "Remove role support from its traces");
    assert!(notes(&harness, "portal").side_audiences.is_empty());
    undo_all(&mut harness, &before);
}

#[test]
fn an_accepted_hazard_is_seen_and_shown_again() {
    let flow = CLINIC.replace(
        "\"title\": \"Patient portal\"",
        "\"accepted\": {\"AUTH-002\": {\"reason\": \"a pilot\"}}, \"title\": \"Patient portal\"",
    );
    let mut harness = showing(&flow);
    let before = bytes(&harness);
    harness.state_mut().state.select_nodes(["portal".into()]);
    settle(&mut harness);
    harness.get_by_label("Accepted AUTH-002 until").focus();
    settle(&mut harness);
    type_text(&mut harness, "2027-02-30");
    harness.get_by_label_contains("`2027-02-30` is no day");
    press(&mut harness, Modifiers::COMMAND, Key::A);
    type_text(&mut harness, "2027-02-28");
    let until = |harness: &Harness<'_, Designer>| {
        let accepted = notes(harness, "portal").accepted;
        accepted
            .get("AUTH-002")
            .map(|acceptance| acceptance.until.clone())
    };
    assert_eq!(until(&harness), Some(Some("2027-02-28".into())));
    click(&mut harness, "Show AUTH-002 again");
    assert_eq!(until(&harness), None);
    undo_all(&mut harness, &before);
}
