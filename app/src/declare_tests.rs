//! Tests of what people say about a flow, through its accessible names: all of it by list and keyboard.

use egui::{Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use graph_model::document::{Adds, Annotations, Audience, EventType, RowFilter, Section};
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
    assert!(
        harness.state().state.sole().is_some(),
        "Escape left the list only"
    );
    // The button has the keyboard again.
    press(&mut harness, Modifiers::NONE, Key::Space);
    harness.get_by_label("Peak rate");
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

const ORDERS: &str = r#"{"version": 1, "nodes": {},
    "roles": {"finance": {"title": "Finance"}},
    "types": {"order": {"schema": {"type": "object", "required": ["id"], "properties": {
        "id": {"type": "string"}, "customer_id": {"type": "string"}, "email": {"type": "string"},
        "total_cents": {"type": "integer"}, "city": {"type": "string"}, "country": {"type": "string"}
    }}}}}"#;

fn with_type() -> Harness<'static, Designer> {
    let mut harness = showing(ORDERS);
    harness.get_by_label("Event types").click();
    settle(&mut harness);
    click(&mut harness, "order");
    harness
}

fn order(harness: &Harness<'_, Designer>) -> EventType {
    EventType::clone(&harness.state().state.document().types["order"])
}

fn field(text: &str) -> Pointer {
    Pointer::parse(text).expect("a pointer")
}

#[test]
fn a_click_on_a_field_says_what_it_is() {
    let mut harness = with_type();
    let before = bytes(&harness);
    harness.get_by_label("looks like contact data: who may read it?");
    for (name, words) in [
        ("/customer_id", "it is the subject suggested"),
        ("/id", "it is the id"),
        ("/email", "subject:/customer_id"),
        ("/email", "also role:finance"),
        ("/email", "only if org as well"),
        ("/total_cents", "adds up suggested"),
        ("/total_cents", "measured in cent"),
        ("/city", "role:finance | subject:/customer_id"),
    ] {
        take(&mut harness, &format!("Say of {name}"), words);
    }
    let ty = order(&harness);
    assert_eq!(ty.subject, Some(field("/customer_id")));
    assert_eq!(ty.id, Some(field("/id")));
    let label = |name: &str| -> Vec<String> {
        let clauses = ty.labels[&field(name)].0.iter();
        clauses.map(ToString::to_string).collect()
    };
    assert_eq!(
        label("/email"),
        ["org", "role:finance | subject:/customer_id"]
    );
    assert_eq!(label("/city"), ["role:finance | subject:/customer_id"]);
    let measure = &ty.measures[&field("/total_cents")];
    assert_eq!(
        (measure.adds, measure.unit.as_str()),
        (Adds::Always, "cent")
    );
    assert!(
        harness
            .query_by_label_contains("looks like contact")
            .is_none()
    );
    for said in [
        "Take back org of /email",
        "Take back role:finance | subject:/customer_id of /email",
        "Take back adds up of /total_cents",
        "Take back in cent of /total_cents",
        "Take back subject of /customer_id",
    ] {
        click(&mut harness, said);
    }
    let ty = order(&harness);
    assert_eq!(
        (ty.labels.len(), ty.measures.len(), ty.subject),
        (1, 0, None)
    );
    undo_all(&mut harness, &before);
}

#[test]
fn a_field_shows_where_it_goes() {
    let mut harness = with_type();
    let before = bytes(&harness);
    take(&mut harness, "Say of /email", "show where");
    harness.get_by_label("Where /email of order goes");
    press(&mut harness, Modifiers::NONE, Key::Escape);
    assert!(harness.state().follow.is_none());
    assert_eq!(bytes(&harness), before);
}

#[test]
fn nothing_is_said_by_itself() {
    let harness = with_type();
    let ty = order(&harness);
    assert!(ty.labels.is_empty() && ty.measures.is_empty() && ty.subject.is_none());
    assert!(!harness.state().state.dirty());
}

#[test]
fn a_field_without_a_schema_is_named_and_said_of() {
    let mut harness = with_type();
    harness.get_by_label("Another field").focus();
    settle(&mut harness);
    type_text(&mut harness, "/notes/inner");
    press(&mut harness, Modifiers::NONE, Key::Enter);
    // Its list is open.
    type_text(&mut harness, "only org");
    press(&mut harness, Modifiers::NONE, Key::Enter);
    assert!(order(&harness).labels.contains_key(&field("/notes/inner")));
}

#[test]
fn dependencies_and_declarations_of_a_type_are_chosen() {
    let mut harness = with_type();
    let before = bytes(&harness);
    click(&mut harness, "What decides what");
    take(&mut harness, "Add a deciding field", "city");
    take(&mut harness, "Add a decided field", "country");
    click(&mut harness, "Add dependency");
    click(&mut harness, "What you know");
    take(&mut harness, "Declare", "stands for: version");
    take(&mut harness, "Declare", "master");
    let ty = order(&harness);
    let way = &ty.depends[0];
    assert_eq!(
        (&way.from[..], &way.to[..]),
        (&[field("/city")][..], &[field("/country")][..])
    );
    assert_eq!(ty.declared.get("stands_for"), Some(&Value::str("version")));
    assert_eq!(ty.declared.get("master"), Some(&Value::Bool(true)));
    click(&mut harness, "Forget that /city decides /country");
    assert!(order(&harness).depends.is_empty());
    undo_all(&mut harness, &before);
}

fn with_people() -> Harness<'static, Designer> {
    let mut harness = showing(CLINIC);
    harness.get_by_label("People").click();
    settle(&mut harness);
    harness
}

#[test]
fn roles_and_principals_are_kept_by_lists() {
    let mut harness = with_people();
    let before = bytes(&harness);
    harness.get_by_label("New principal").focus();
    settle(&mut harness);
    type_text(&mut harness, "intake");
    press(&mut harness, Modifiers::NONE, Key::Enter);
    take(&mut harness, "Give intake a role", "auditors");
    take(&mut harness, "Allow intake something", "send claims");
    take(&mut harness, "Allow intake something", "read *");
    harness.get_by_label("New name in Claims of intake").focus();
    settle(&mut harness);
    type_text(&mut harness, "desk");
    press(&mut harness, Modifiers::NONE, Key::Enter);
    harness.get_by_label("Title of role auditors").focus();
    settle(&mut harness);
    type_text(&mut harness, "Auditors");
    let document = harness.state().state.document();
    let intake = &document.principals["intake"];
    assert_eq!(intake.roles, ["auditors"]);
    assert_eq!(intake.grants, ["send claims", "read *"]);
    assert!(intake.claims.contains_key("desk"));
    assert_eq!(document.roles["auditors"].title, "Auditors");
    click(&mut harness, "Forbid intake to send claims");
    let document = harness.state().state.document();
    assert_eq!(document.principals["intake"].grants, ["read *"]);
    undo_all(&mut harness, &before);
}

#[test]
fn rules_that_let_fields_go_are_made_of_what_is_there() {
    let mut harness = with_people();
    let before = bytes(&harness);
    take(&mut harness, "Add a rule", "/diagnosis aggregate");
    let rule = |harness: &Harness<'_, Designer>| {
        let document = harness.state().state.document();
        document.sections[&Section::Releases]["diagnosis_aggregate"].to_json()
    };
    let expected = r#"{"at_least":5,"by":"aggregate","field":"/diagnosis","type":"claim"}"#;
    assert_eq!(rule(&harness), expected);
    harness.get_by_label("Over at least *").focus();
    settle(&mut harness);
    press(&mut harness, Modifiers::COMMAND, Key::A);
    type_text(&mut harness, "10");
    assert!(rule(&harness).contains("\"at_least\":10"));
    click(&mut harness, "Delete release rule diagnosis_aggregate");
    undo_all(&mut harness, &before);
}

#[test]
fn budgets_are_set_by_name() {
    let mut harness = with_people();
    let before = bytes(&harness);
    take(&mut harness, "Set a budget", "concurrency");
    type_text(&mut harness, "100");
    let document = harness.state().state.document();
    let budgets = &document.sections[&Section::Budgets];
    assert_eq!(budgets["concurrency"], Value::Int(100));
    click(&mut harness, "Remove Concurrency");
    let document = harness.state().state.document();
    assert!(!document.sections.contains_key(&Section::Budgets));
    undo_all(&mut harness, &before);
}
