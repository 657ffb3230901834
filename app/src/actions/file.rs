//! Actions on the file: new, open, save.

use egui::Key;

use super::{Action, CTRL, CTRL_SHIFT, Menu, always, anywhere};

pub(super) const ACTIONS: &[Action] = &[
    Action {
        id: "file.new",
        title: "New",
        tooltip: "Start with an empty flow",
        menu: Menu::File(0),
        keys: &[anywhere(CTRL, Key::N)],
        when: always,
        perform: |designer, _| designer.new_flow(),
    },
    Action {
        id: "file.open",
        title: "Open…",
        tooltip: "Open a flow from a file",
        menu: Menu::File(0),
        keys: &[anywhere(CTRL, Key::O)],
        when: always,
        perform: |designer, _| designer.open_flow(),
    },
    Action {
        id: "file.start_page",
        title: "Samples and recent flows…",
        tooltip: "Choose from the flows that come with Weir and those that were open lately",
        menu: Menu::File(0),
        keys: &[],
        when: always,
        perform: |designer, _| designer.show_start_page(),
    },
    Action {
        id: "file.save",
        title: "Save",
        tooltip: "Write the flow to its file",
        menu: Menu::File(1),
        keys: &[anywhere(CTRL, Key::S)],
        when: always,
        perform: |designer, _| designer.save(),
    },
    Action {
        id: "file.save_as",
        title: "Save as…",
        tooltip: "Write the flow to another file and go on there",
        menu: Menu::File(1),
        keys: &[anywhere(CTRL_SHIFT, Key::S)],
        when: always,
        perform: |designer, _| designer.save_as(),
    },
    Action {
        id: "file.quit",
        title: "Quit",
        tooltip: "Close the window; asks first when there are unsaved changes",
        menu: Menu::File(2),
        keys: &[anywhere(CTRL, Key::Q)],
        when: always,
        perform: |designer, _| designer.quit(),
    },
];
