//! Actions on the engine: run, pause, step, stop.

use egui::Key;
use graph_model::document::Section;
use runtime_protocol::RunState;

use super::{Action, CTRL, Menu, NONE, SHIFT, anywhere};
use crate::canvas::intent::Item;
use crate::designer::Designer;
use crate::panels;
use crate::playback::Playback;
use crate::view::BottomTab;

pub(super) const ACTIONS: &[Action] = &[
    Action {
        id: "run.start",
        title: "Run",
        tooltip: "Let events flow; while running, deploy the flow as it is now",
        menu: Menu::Run(0),
        keys: &[
            anywhere(CTRL, Key::Enter),
            anywhere(NONE, Key::F8),
            anywhere(NONE, Key::F5),
        ],
        when: |designer| designer.session.operates(),
        perform: |designer, _| designer.run(),
    },
    Action {
        id: "run.pause",
        title: "Pause",
        tooltip: "Hold every node before its next event",
        menu: Menu::Run(0),
        keys: &[anywhere(NONE, Key::F9)],
        when: |designer| {
            designer.session.state() == RunState::Running && designer.session.operates()
        },
        perform: |designer, _| designer.session.pause(),
    },
    Action {
        id: "run.resume",
        title: "Continue",
        tooltip: "Let events flow again after a pause",
        menu: Menu::Run(0),
        keys: &[anywhere(SHIFT, Key::F9)],
        when: paused,
        perform: |designer, _| designer.session.resume(),
    },
    Action {
        id: "run.step",
        title: "Step",
        tooltip: "While paused, let one event be handled: by the selected node, or by whichever is next",
        menu: Menu::Run(0),
        keys: &[anywhere(NONE, Key::F10)],
        when: |designer| designer.showing.is_some() || paused(designer),
        perform: |designer, _| {
            if let Some(showing) = &mut designer.showing {
                return showing.step(1);
            }
            let node = match designer.state.sole() {
                Some(Item::Node(id)) => Some(id.clone()),
                _ => None,
            };
            designer.session.step(node);
        },
    },
    Action {
        id: "run.step_back",
        title: "Step back",
        tooltip: "In a recorded run, and where a hazard is shown, go back to before the last event",
        menu: Menu::Run(0),
        keys: &[anywhere(SHIFT, Key::F10)],
        when: |designer| {
            let playback = designer.session.playback();
            designer.showing.is_some()
                || playback.is_some_and(|playback| playback.position_ms() > 0.0)
        },
        perform: |designer, _| match &mut designer.showing {
            Some(showing) => showing.step(-1),
            None => designer.session.step_back(),
        },
    },
    Action {
        id: "run.show_me",
        title: "Show me",
        tooltip: "Watch a run in which the hazard happens that F4 went to last",
        menu: Menu::Run(0),
        keys: &[anywhere(NONE, Key::F7)],
        when: |designer| designer.hazard_at.is_some() && designer.session.has_engine(),
        perform: |designer, _| {
            if let Some(finding) = designer.hazard_at {
                designer.show_me(finding);
            }
        },
    },
    Action {
        id: "run.tests",
        title: "Run the tests",
        tooltip: "Play the tests that the flow keeps; nothing outside is touched",
        menu: Menu::Run(0),
        keys: &[anywhere(SHIFT, Key::F7)],
        when: |designer| {
            let tests = designer.state.document().sections.get(&Section::Tests);
            tests.is_some_and(|tests| !tests.is_empty()) && designer.session.has_engine()
        },
        perform: |designer, _| designer.run_tests(),
    },
    Action {
        id: "run.code",
        title: "Write code beside an event",
        tooltip: "Write the script or the expression that is selected, and see at once what it makes of an event",
        menu: Menu::Run(0),
        keys: &[anywhere(NONE, Key::F12)],
        when: |designer| panels::code::is_about(&designer.model()),
        perform: |designer, _| {
            designer.view.show_bottom(BottomTab::Code);
            designer.panels.code.take_keys();
        },
    },
    Action {
        id: "run.stop",
        title: "Stop",
        tooltip: "Take no more events, finish what is under way, end the run",
        menu: Menu::Run(0),
        keys: &[anywhere(SHIFT, Key::F8), anywhere(SHIFT, Key::F5)],
        when: |designer| designer.session.active() && designer.session.operates(),
        perform: |designer, _| designer.session.stop(),
    },
    Action {
        id: "run.inject",
        title: "Send an event in…",
        tooltip: "Write a payload and send it out of the selected source or along the selected wire",
        menu: Menu::Run(1),
        keys: &[anywhere(CTRL, Key::I)],
        when: |designer| {
            designer.session.active()
                && designer.session.operates()
                && designer.inject_target().is_some()
        },
        perform: |designer, _| designer.open_inject(),
    },
    Action {
        id: "run.show_running",
        title: "Show the flow that runs",
        tooltip: "Open the flow that somebody else made the one that runs; yours stays in its file",
        menu: Menu::Run(1),
        keys: &[],
        when: |designer| designer.others_flow.is_some(),
        perform: |designer, _| designer.show_others_flow(),
    },
    Action {
        id: "run.clear_events",
        title: "Clear events",
        tooltip: "Forget the events that were seen so far; the run goes on",
        menu: Menu::Run(1),
        keys: &[],
        when: |designer| !designer.session.events().is_empty(),
        perform: |designer, _| designer.session.clear_events(),
    },
    Action {
        id: "run.slower",
        title: "Play slower",
        tooltip: "Play the recorded run at half the speed",
        menu: Menu::Run(1),
        keys: &[],
        when: |designer| designer.session.plays(),
        perform: |designer, _| change_speed(designer, 0.5),
    },
    Action {
        id: "run.faster",
        title: "Play faster",
        tooltip: "Play the recorded run at twice the speed",
        menu: Menu::Run(1),
        keys: &[],
        when: |designer| designer.session.plays(),
        perform: |designer, _| change_speed(designer, 2.0),
    },
    Action {
        id: "run.forget_trust",
        title: "Forget trusted flows",
        tooltip: "Ask again before flows run that were not made here and reach outside of Weir",
        menu: Menu::Run(2),
        keys: &[],
        when: |designer| designer.trust.remembers_any(),
        perform: crate::trust::forget,
    },
];

fn change_speed(designer: &mut Designer, by: f64) {
    if let Some(speed) = designer.session.playback().map(Playback::speed) {
        designer.session.set_speed(speed * by);
    }
}

fn paused(designer: &Designer) -> bool {
    designer.session.state() == RunState::Paused && designer.session.operates()
}
