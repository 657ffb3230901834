//! Actions that change what is shown and nothing else.

use egui::{Key, ThemePreference};

use super::{Action, CTRL, CTRL_SHIFT, Menu, NONE, SHIFT, always, anywhere, key};
use crate::view::{BottomTab, Overlay, Region, SideTab};

pub(super) const ACTIONS: &[Action] = &[
    Action {
        id: "view.zoom_reset",
        title: "Actual size",
        tooltip: "Show the flow at its actual size",
        menu: Menu::View(0),
        keys: &[key(NONE, Key::Num0), key(CTRL, Key::Num0)],
        when: always,
        perform: |designer, _| designer.canvas.zoom_reset(),
    },
    Action {
        id: "view.zoom_in",
        title: "Zoom in",
        tooltip: "Show the flow larger",
        menu: Menu::View(0),
        keys: &[
            key(NONE, Key::Plus),
            key(SHIFT, Key::Plus),
            key(NONE, Key::Equals),
        ],
        when: always,
        perform: |designer, _| designer.canvas.zoom_by(1.25),
    },
    Action {
        id: "view.zoom_out",
        title: "Zoom out",
        tooltip: "Show more of the flow",
        menu: Menu::View(0),
        keys: &[key(NONE, Key::Minus)],
        when: always,
        perform: |designer, _| designer.canvas.zoom_by(0.8),
    },
    Action {
        id: "view.reveal",
        title: "Show the selection",
        tooltip: "Move the view to what is selected",
        menu: Menu::View(0),
        keys: &[key(NONE, Key::Num2), key(CTRL, Key::Num2)],
        when: |designer| !designer.state.selection().is_empty(),
        perform: |designer, _| designer.reveal_selection(),
    },
    Action {
        id: "view.find",
        title: "Find in the flow…",
        tooltip: "Go to a node by its title, id, kind or configuration",
        menu: Menu::View(1),
        keys: &[anywhere(CTRL, Key::F)],
        when: always,
        perform: |designer, _| designer.open_overlay(Overlay::Find),
    },
    Action {
        id: "view.commands",
        title: "Command palette…",
        tooltip: "Find any action, kind of node or node by typing",
        menu: Menu::View(1),
        keys: &[anywhere(CTRL_SHIFT, Key::P), anywhere(CTRL, Key::K)],
        when: always,
        perform: |designer, _| designer.open_overlay(Overlay::Commands),
    },
    Action {
        id: "view.follow",
        title: "Follow a field…",
        tooltip: "Colour where a field of an event type goes, and what is made of it; Escape ends it",
        menu: Menu::View(1),
        keys: &[key(NONE, Key::L)],
        when: |designer| !designer.state.document().types.is_empty(),
        perform: |designer, _| designer.open_overlay(Overlay::Follow),
    },
    Action {
        id: "view.palette",
        title: "Palette",
        tooltip: "Show or hide the kinds of nodes on the left",
        menu: Menu::View(2),
        keys: &[anywhere(CTRL.plus(egui::Modifiers::ALT), Key::Space)],
        when: always,
        perform: |designer, _| designer.view.palette_open = !designer.view.palette_open,
    },
    Action {
        id: "view.side",
        title: "Side panel",
        tooltip: "Show or hide the panel on the right",
        menu: Menu::View(2),
        keys: &[anywhere(CTRL.plus(egui::Modifiers::ALT), Key::P)],
        when: always,
        perform: |designer, _| designer.view.side_open = !designer.view.side_open,
    },
    Action {
        id: "view.bottom",
        title: "Bottom panel",
        tooltip: "Show or hide hazards, events and log",
        menu: Menu::View(2),
        keys: &[anywhere(CTRL, Key::J)],
        when: always,
        perform: |designer, _| designer.view.bottom_open = !designer.view.bottom_open,
    },
    Action {
        id: "view.properties",
        title: "Show properties",
        tooltip: "Edit what is selected",
        menu: Menu::View(3),
        keys: &[key(NONE, Key::Enter)],
        when: always,
        perform: |designer, _| {
            designer.view.show_side(SideTab::Properties);
            designer.view.focus(Region::Side);
        },
    },
    Action {
        id: "view.types",
        title: "Show event types",
        tooltip: "Edit shape and labels of the flow's events",
        menu: Menu::View(3),
        keys: &[],
        when: always,
        perform: |designer, _| designer.view.show_side(SideTab::Types),
    },
    Action {
        id: "view.people",
        title: "Show people",
        tooltip: "Edit the roles and principals who act in the flow or look at it",
        menu: Menu::View(3),
        keys: &[],
        when: always,
        perform: |designer, _| designer.view.show_side(SideTab::People),
    },
    Action {
        id: "view.hazards",
        title: "Show hazards",
        tooltip: "List what can go wrong in this flow",
        menu: Menu::View(3),
        keys: &[anywhere(CTRL_SHIFT, Key::M)],
        when: always,
        perform: |designer, _| {
            designer.view.show_bottom(BottomTab::Hazards);
            designer.view.focus(Region::Bottom);
        },
    },
    Action {
        id: "view.events",
        title: "Show events",
        tooltip: "List the events that were seen on the wires",
        menu: Menu::View(3),
        keys: &[anywhere(CTRL_SHIFT, Key::E)],
        when: always,
        perform: |designer, _| {
            designer.view.show_bottom(BottomTab::Events);
            designer.view.focus(Region::Bottom);
        },
    },
    Action {
        id: "view.log",
        title: "Show log",
        tooltip: "List what the engine reported",
        menu: Menu::View(3),
        keys: &[anywhere(CTRL_SHIFT, Key::L)],
        when: always,
        perform: |designer, _| {
            designer.view.show_bottom(BottomTab::Log);
            designer.view.focus(Region::Bottom);
        },
    },
    Action {
        id: "view.next_hazard",
        title: "Next hazard",
        tooltip: "Go to the next thing that can go wrong",
        menu: Menu::View(4),
        keys: &[anywhere(NONE, Key::F4)],
        when: has_hazards,
        perform: |designer, _| designer.next_hazard(1),
    },
    Action {
        id: "view.previous_hazard",
        title: "Previous hazard",
        tooltip: "Go to the previous thing that can go wrong",
        menu: Menu::View(4),
        keys: &[anywhere(SHIFT, Key::F4)],
        when: has_hazards,
        perform: |designer, _| designer.next_hazard(-1),
    },
    Action {
        id: "view.fix_hazard",
        title: "Fix the hazard",
        tooltip: "Apply the first fix of the hazard that was gone to, or of the first one that has any",
        menu: Menu::View(4),
        keys: &[anywhere(CTRL, Key::Period)],
        when: has_hazards,
        perform: |designer, _| designer.fix_hazard(),
    },
    Action {
        id: "view.preview_fix",
        title: "Preview the next fix",
        tooltip: "Show on the canvas what a fix of the hazard would do: Enter applies it, Escape leaves it",
        menu: Menu::View(4),
        keys: &[key(NONE, Key::Period)],
        when: has_hazards,
        perform: |designer, _| designer.preview_next(),
    },
    Action {
        id: "view.next_region",
        title: "Next panel",
        tooltip: "Move the keyboard to the next part of the window",
        menu: Menu::View(4),
        keys: &[anywhere(NONE, Key::F6)],
        when: always,
        perform: |designer, ctx| designer.move_region(ctx, 1),
    },
    Action {
        id: "view.previous_region",
        title: "Previous panel",
        tooltip: "Move the keyboard to the previous part of the window",
        menu: Menu::View(4),
        keys: &[anywhere(SHIFT, Key::F6)],
        when: always,
        perform: |designer, ctx| designer.move_region(ctx, -1),
    },
    Action {
        id: "view.theme",
        title: "Switch between light and dark",
        tooltip: "Change the colours of the window",
        menu: Menu::View(5),
        keys: &[anywhere(CTRL_SHIFT, Key::D)],
        when: always,
        perform: |designer, ctx| {
            let theme = match ctx.theme() {
                egui::Theme::Dark => ThemePreference::Light,
                egui::Theme::Light => ThemePreference::Dark,
            };
            designer.set_theme(ctx, theme);
        },
    },
    Action {
        id: "view.still",
        title: "Reduce motion",
        tooltip: "Show events as numbers only, with nothing moving along the wires",
        menu: Menu::View(5),
        keys: &[],
        when: always,
        perform: |designer, _| {
            designer.view.still = !designer.view.still;
            designer.say(if designer.view.still {
                "motion is reduced".to_owned()
            } else {
                "events move along the wires".to_owned()
            });
            designer.keep_settings();
        },
    },
    Action {
        id: "view.theme_system",
        title: "Follow the system's theme",
        tooltip: "Take light or dark from the system",
        menu: Menu::View(5),
        keys: &[],
        when: always,
        perform: |designer, ctx| designer.set_theme(ctx, ThemePreference::System),
    },
];

fn has_hazards(designer: &crate::designer::Designer) -> bool {
    !designer.state.findings().is_empty()
}
