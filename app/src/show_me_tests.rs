//! Tests of hazards that are shown happening.

use egui::{Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};

use crate::canvas::intent::Item;
use crate::designer::Designer;
use crate::host::Location;
use crate::tests::{FakeHost, click, press, settle, start};
use crate::view::BottomTab;

pub(crate) const CHARGE: &str = r#"{"version": 1,
    "nodes": {
        "in": {"kind": "manual"},
        "lane": {"kind": "queue"},
        "charge": {"kind": "effect", "config": {"action": "charge card"}}
    },
    "layout": {"in": [0, 0], "lane": [240, 0], "charge": [480, 0]},
    "edges": {
        "in_out_to_lane": {"from": "in.out", "to": "lane.in"},
        "lane_out_to_charge": {"from": "lane.out", "to": "charge.in"}
    }}"#;

/// The charge, with its hazard shown to the end and waiting there.
fn shown() -> Harness<'static, Designer> {
    let host = FakeHost::default();
    host.put("/charge.flow.json", CHARGE);
    let mut harness = start(&host);
    harness.state_mut().open(Location::new("/charge.flow.json"));
    settle(&mut harness);
    press(&mut harness, Modifiers::NONE, Key::F4);
    harness.get_by_label("Show me").click_accesskit();
    harness.run_steps(4);
    harness
}

fn seen(harness: &Harness<'_, Designer>) -> usize {
    let showing = harness.state().showing.as_ref();
    showing.expect("a hazard is shown").seen()
}

#[test]
fn a_hazard_is_watched_step_by_step() {
    let mut harness = shown();
    assert_eq!(harness.state().view.bottom, BottomTab::Witness);
    let playing = harness.state().showing.as_ref().expect("is shown").plays();
    assert!(playing, "it begins by itself");
    harness.get_by_label("Wait here").click_accesskit();
    harness.run_steps(2);
    harness.get_by_label("To the start").click_accesskit();
    harness.run_steps(2);
    assert_eq!(seen(&harness), 0);
    harness.get_by_label("One step forth").click_accesskit();
    harness.run_steps(2);
    press(&mut harness, Modifiers::NONE, Key::F10);
    assert_eq!(seen(&harness), 2);
    let passed = |harness: &Harness<'_, Designer>, edge: &str| {
        let showing = harness.state().showing.as_ref().expect("is shown");
        let edge = showing.counters().edges.get(edge);
        edge.map_or(0, |edge| edge.passed)
    };
    assert_eq!(passed(&harness, "in_out_to_lane"), 1);
    harness
        .get_by_label("Here it goes wrong: o-1 is written at charge")
        .click_accesskit();
    harness.run_steps(2);
    assert_eq!(
        (seen(&harness), passed(&harness, "lane_out_to_charge")),
        (7, 2)
    );
    harness.get_by_label("What should happen").click_accesskit();
    harness.run_steps(2);
    assert_eq!(passed(&harness, "lane_out_to_charge"), 1);
    harness.get_by_label("The card is charged twice.");
    press(&mut harness, Modifiers::NONE, Key::Escape);
    assert!(harness.state().showing.is_none());
    assert_eq!(harness.state().view.bottom, BottomTab::Hazards);
}

#[test]
fn tests_of_the_flow_are_red_with_the_run_that_failed() {
    let host = FakeHost::default();
    let test = r#""tests": {"once": {"title": "Charged once", "expect": {"charge": []}}},
    "layout""#;
    host.put("/charge.flow.json", &CHARGE.replace(r#""layout""#, test));
    let mut harness = start(&host);
    harness.state_mut().open(Location::new("/charge.flow.json"));
    settle(&mut harness);
    click(&mut harness, "Tests 1");
    harness.get_by_label("test once not run");
    press(&mut harness, Modifiers::SHIFT, Key::F7);
    harness.get_by_label("test once failed");
    harness.get_by_label("in the run of seed 2: duplicate at `charge`");
    click(
        &mut harness,
        r#"charge holds {"order":7}, which is not expected"#,
    );
    let chosen = harness.state().state.sole().cloned();
    assert_eq!(chosen, Some(Item::Node("charge".into())));
}

#[test]
fn a_fix_is_checked_once_there_is_one() {
    let mut harness = shown();
    harness.get_by_label("Wait here").click_accesskit();
    harness.run_steps(2);
    assert!(
        harness
            .get_by_label("Check my fix")
            .accesskit_node()
            .is_disabled()
    );
    let fix = harness.state().state.preview_of(0, 0).expect("a fix");
    harness.state_mut().edit(fix.transaction);
    settle(&mut harness);
    click(&mut harness, "Check my fix");
    harness.get_by_label("Not seen any more in 42 runs.");
}
