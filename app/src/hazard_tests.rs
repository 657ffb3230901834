//! Tests of what is done about hazards: accepted, seen again, asked about.

use egui::{Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;

use crate::canvas::intent::Item;
use crate::designer::Designer;
use crate::findings::{Findings, Unchecked};
use crate::host::Location;
use crate::tests::{FakeHost, bytes, click, press, settle, start, type_text};

const CLINIC: &str = include_str!("../../samples/clinic-claims/clinic-claims-flawed.flow.json");

fn clinic(host: &FakeHost) -> Harness<'static, Designer> {
    host.put("/clinic.flow.json", CLINIC);
    let mut harness = start(host);
    harness.state_mut().open(Location::new("/clinic.flow.json"));
    settle(&mut harness);
    harness
}

fn codes(harness: &Harness<'_, Designer>) -> Vec<String> {
    let findings = harness.state().state.findings().iter();
    findings.map(|finding| finding.code.to_string()).collect()
}

#[test]
fn a_hazard_is_accepted_until_a_day_and_comes_back_on_it() {
    let host = FakeHost::default();
    let mut harness = clinic(&host);
    let before = bytes(&harness);
    let all = codes(&harness);
    press(&mut harness, Modifiers::NONE, Key::F4);
    assert_eq!(all[0], "AUTH-001");
    harness.get_by_label("How long it is accepted…").focus();
    settle(&mut harness);
    press(&mut harness, Modifiers::NONE, Key::Enter);
    type_text(&mut harness, "week");
    press(&mut harness, Modifiers::NONE, Key::Enter);
    harness.get_by_label("Reason for accepting").focus();
    settle(&mut harness);
    type_text(&mut harness, "finance signs a paper");
    press(&mut harness, Modifiers::NONE, Key::Enter);
    assert_eq!(codes(&harness), all[1..]);
    let accepted = &harness.state().state.document().nodes["payouts"]
        .notes
        .accepted;
    let acceptance = &accepted["AUTH-001"];
    assert_eq!(acceptance.reason, "finance signs a paper");
    assert_eq!(acceptance.until.as_deref(), Some("2027-02-07"));
    harness
        .get_by_label_contains("Accepted · 1")
        .click_accesskit();
    settle(&mut harness);
    harness.get_by_label("finance signs a paper; until 2027-02-07");

    let seconds_pass = |harness: &mut Harness<'_, Designer>| harness.run_steps(8);
    host.days_pass(6);
    seconds_pass(&mut harness);
    assert_eq!(codes(&harness), all[1..], "its last day");
    host.days_pass(1);
    seconds_pass(&mut harness);
    assert_eq!(codes(&harness), all);
    press(&mut harness, Modifiers::COMMAND, Key::Z);
    assert_eq!(bytes(&harness), before);
}

#[test]
fn who_accepts_is_asked_once_and_named() {
    let host = FakeHost::default();
    let mut harness = clinic(&host);
    let before = bytes(&harness);
    press(&mut harness, Modifiers::NONE, Key::F4);
    harness.get_by_label("Who accepts it").focus();
    settle(&mut harness);
    type_text(&mut harness, "Ada");
    harness.get_by_label("Reason for accepting").focus();
    settle(&mut harness);
    type_text(&mut harness, "a pilot");
    click(&mut harness, "Accept");
    let document = harness.state().state.document();
    let acceptance = &document.nodes["payouts"].notes.accepted["AUTH-001"];
    assert_eq!(
        (acceptance.reason.as_str(), acceptance.by.as_str()),
        ("a pilot", "Ada")
    );
    harness
        .get_by_label_contains("Accepted · 1")
        .click_accesskit();
    settle(&mut harness);
    harness.get_by_label("a pilot (Ada); for good");
    assert_eq!(harness.state().view.author, "Ada");
    press(&mut harness, Modifiers::COMMAND, Key::Z);
    assert_eq!(bytes(&harness), before);

    let later = start(&host);
    assert_eq!(later.state().view.author, "Ada", "the next start knows it");
}

#[test]
fn a_hazard_of_an_event_type_is_accepted_there() {
    let mut harness = clinic(&FakeHost::default());
    let mut finding = harness.state().state.findings()[0].clone();
    (finding.subject, finding.ty) = (None, Some("claim".into()));
    harness.state_mut().state.tell(Findings {
        open: vec![finding],
        accepted: Vec::new(),
        unchecked: Vec::new(),
    });
    press(&mut harness, Modifiers::NONE, Key::F4);
    harness.get_by_label("Reason for accepting").focus();
    settle(&mut harness);
    type_text(&mut harness, "a pilot");
    click(&mut harness, "Accept");
    let accepted = &harness.state().state.document().types["claim"].accepted;
    assert_eq!(accepted["AUTH-001"].reason, "a pilot");
}

#[test]
fn what_was_accepted_for_good_is_shown_again_on_request() {
    let mut harness = clinic(&FakeHost::default());
    let all = codes(&harness);
    press(&mut harness, Modifiers::NONE, Key::F4);
    harness.get_by_label("Reason for accepting").focus();
    settle(&mut harness);
    type_text(&mut harness, "a pilot");
    click(&mut harness, "Accept");
    assert_eq!(codes(&harness), all[1..]);
    harness
        .get_by_label_contains("Accepted · 1")
        .click_accesskit();
    settle(&mut harness);
    click(&mut harness, "Show AUTH-001 at payouts again");
    assert_eq!(codes(&harness), all);
}

#[test]
fn what_a_hazard_rests_on_and_what_is_not_known_is_told() {
    let mut harness = clinic(&FakeHost::default());
    let mut finding = harness.state().state.findings()[0].clone();
    finding.assumed = Some("Payouts keeps what it is given".to_owned());
    finding.affected = vec!["desk".into()];
    let consequence = "ORDER-001 Payouts may be wrong".to_owned();
    finding.consequences = vec![(consequence.clone(), Some(Item::Node("approved".into())))];
    let unchecked = Unchecked {
        codes: vec!["AUTH-001".into(), "SCHEMA-001".into()],
        subject: None,
        ty: Some("claim".into()),
        reason: "`claim` declares no sizes; add them".to_owned(),
    };
    harness.state_mut().state.tell(Findings {
        open: vec![finding],
        accepted: Vec::new(),
        unchecked: vec![unchecked],
    });
    press(&mut harness, Modifiers::NONE, Key::F4);
    harness.get_by_label_contains("Payouts keeps what it is given");
    click(&mut harness, "Adjusters' desk");
    let sole = |harness: &Harness<'_, Designer>| harness.state().state.sole().cloned();
    assert_eq!(sole(&harness), Some(Item::Node("desk".into())));
    click(&mut harness, &consequence);
    assert_eq!(sole(&harness), Some(Item::Node("approved".into())));
    harness
        .get_by_label_contains("Not checked · 1")
        .click_accesskit();
    settle(&mut harness);
    harness.get_by_label("for AUTH-001, SCHEMA-001");
    click(&mut harness, "`claim` declares no sizes; add them");
    harness.get_by_label("Delete type");
}

/// The clinic at the hazard of this code, and the titles of its fixes.
fn at_hazard(code: &str) -> (Harness<'static, Designer>, Vec<String>) {
    let mut harness = clinic(&FakeHost::default());
    let at = codes(&harness).iter().position(|held| held == code);
    for _ in 0..=at.expect("the hazard") {
        press(&mut harness, Modifiers::NONE, Key::F4);
    }
    let finding = &harness.state().state.findings()[at.expect("the hazard")];
    let titles = finding.fixes.iter().map(|fix| fix.title.clone()).collect();
    (harness, titles)
}

fn previewed<'h>(harness: &'h Harness<'_, Designer>) -> Option<&'h str> {
    let preview = harness.state().state.preview();
    preview.map(|preview| preview.title.as_str())
}

#[test]
fn fixes_are_shown_left_and_applied_from_the_canvas() {
    let (mut harness, titles) = at_hazard("AUTH-002");
    assert!(titles.len() > 1, "{titles:?}");
    let before = bytes(&harness);
    press(&mut harness, Modifiers::NONE, Key::Period);
    assert_eq!(previewed(&harness), Some(titles[0].as_str()));
    harness.get_by_label(&format!("1 of {}", titles.len()));
    press(&mut harness, Modifiers::NONE, Key::Period);
    assert_eq!(previewed(&harness), Some(titles[1].as_str()));
    press(&mut harness, Modifiers::NONE, Key::Escape);
    assert_eq!(previewed(&harness), None);
    assert!(harness.query_by_label("Leave the preview").is_none());
    assert!(
        !harness.state().state.selection().is_empty(),
        "Escape left the preview only"
    );
    assert_eq!(bytes(&harness), before);
    press(&mut harness, Modifiers::NONE, Key::Period);
    press(&mut harness, Modifiers::NONE, Key::Enter);
    assert!(!codes(&harness).contains(&"AUTH-002".to_owned()));
    assert_eq!(previewed(&harness), None);
    press(&mut harness, Modifiers::COMMAND, Key::Z);
    assert_eq!(bytes(&harness), before);
}

#[test]
fn a_preview_says_what_comes_goes_and_changes() {
    let (mut harness, titles) = at_hazard("AUTH-002");
    let guard = titles.iter().position(|title| title.contains("guard"));
    for _ in 0..=guard.expect("a guard") {
        press(&mut harness, Modifiers::NONE, Key::Period);
    }
    let ghost = harness.state().canvas.ghost.as_ref().expect("a preview");
    assert_eq!(ghost.diff.words, "adds guard and 1 wire; changes 1 wire");
    harness.get_by_label("adds guard and 1 wire; changes 1 wire");
    click(&mut harness, "Apply the previewed fix");
    // The new card stands on no other.
    let document = harness.state().state.document();
    let places: Vec<_> = document
        .nodes
        .keys()
        .map(|id| document.layout[id])
        .collect();
    for (index, one) in places.iter().enumerate() {
        for other in &places[..index] {
            let apart = one.x.abs_diff(other.x) >= 160 || one.y.abs_diff(other.y) >= 80;
            assert!(apart, "{one:?} {other:?}");
        }
    }
}

#[test]
fn the_list_of_fixes_is_gone_through_by_keyboard() {
    let (mut harness, titles) = at_hazard("AUTH-002");
    let before = bytes(&harness);
    harness
        .get_by_label(&format!("Fix 1: {}", titles[0]))
        .focus();
    settle(&mut harness);
    assert_eq!(previewed(&harness), Some(titles[0].as_str()));
    harness
        .get_by_label(&format!("Fix 2: {}", titles[1]))
        .focus();
    settle(&mut harness);
    assert_eq!(previewed(&harness), Some(titles[1].as_str()));
    assert_eq!(bytes(&harness), before);
    press(&mut harness, Modifiers::NONE, Key::Enter);
    assert_ne!(bytes(&harness), before);
    assert_eq!(previewed(&harness), None);
}

#[test]
fn the_pointer_shows_and_hides_a_fix() {
    let (mut harness, titles) = at_hazard("AUTH-001");
    let row = format!("Fix 1: {}", titles[0]);
    harness.state_mut().view.sizes.bottom = Some(500);
    for expected in [Some(titles[0].as_str()), None] {
        harness.get_by_label(&row).scroll_to_me();
        settle(&mut harness);
        harness.get_by_label(&row).click();
        settle(&mut harness);
        assert_eq!(previewed(&harness), expected);
    }
}
