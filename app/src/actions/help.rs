//! Actions that explain.

use egui::Key;

use super::{Action, Menu, NONE, SHIFT, always, key};
use crate::view::Overlay;

pub(super) const ACTIONS: &[Action] = &[
    Action {
        id: "help.keys",
        title: "Keyboard shortcuts",
        tooltip: "List every shortcut",
        menu: Menu::Help(0),
        keys: &[
            key(SHIFT, Key::Questionmark),
            key(NONE, Key::Questionmark),
            key(SHIFT, Key::Slash),
            key(NONE, Key::F1),
        ],
        when: always,
        perform: |designer, _| designer.open_overlay(Overlay::Keys),
    },
    Action {
        id: "help.about",
        title: "About Weir",
        tooltip: "Version and licence of this program",
        menu: Menu::Help(1),
        keys: &[],
        when: always,
        perform: |designer, _| designer.open_overlay(Overlay::About),
    },
];
