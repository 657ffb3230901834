//! Named actions: one table that menu, command palette, keyboard, toolbar and help all read.
//!
//! An action's code lives beside its row, in the file of its group. To add one, write a row there.

mod arrange;
mod edit;
mod file;
mod graph;
mod help;
mod run;
mod select;
mod view;

use egui::{Context, Key, KeyboardShortcut, Modifiers};
use runtime_protocol::host::{self, Location};

use crate::designer::Designer;

pub(crate) use edit::{count, duplicate, paste, removal};

/// Something that the user can do by name.
pub(crate) struct Action {
    /// Stable name, such as `edit.undo`.
    pub id: &'static str,
    /// What menu and command palette show.
    pub title: &'static str,
    /// One sentence more.
    pub tooltip: &'static str,
    pub menu: Menu,
    /// Ways to do it by keyboard; the first one is shown.
    pub keys: &'static [Keys],
    /// Whether it can be done now.
    pub when: fn(&Designer) -> bool,
    pub perform: fn(&mut Designer, &Context),
}

/// The menu that an action stands in, and its group there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Menu {
    File(u8),
    Edit(u8),
    Arrange(u8),
    View(u8),
    Run(u8),
    Help(u8),
}

/// A key combination, or two in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Keys {
    pub first: KeyboardShortcut,
    pub second: Option<Key>,
    /// Works while text is being typed, too.
    pub in_text: bool,
}

/// All actions in the order in which menus show them.
pub(crate) fn all() -> impl Iterator<Item = &'static Action> {
    TABLES.iter().flat_map(|table| table.iter())
}

/// The action of this name.
pub(crate) fn by_id(id: &str) -> Option<&'static Action> {
    all().find(|action| action.id == id)
}

const TABLES: [&[Action]; 8] = [
    file::ACTIONS,
    edit::ACTIONS,
    select::ACTIONS,
    graph::ACTIONS,
    arrange::ACTIONS,
    view::ACTIONS,
    run::ACTIONS,
    help::ACTIONS,
];

impl Menu {
    /// Titles of the menus, in their order.
    pub(crate) const TITLES: [&'static str; 6] = ["File", "Edit", "Arrange", "View", "Run", "Help"];

    pub(crate) fn title(self) -> &'static str {
        Menu::TITLES[match self {
            Menu::File(_) => 0,
            Menu::Edit(_) => 1,
            Menu::Arrange(_) => 2,
            Menu::View(_) => 3,
            Menu::Run(_) => 4,
            Menu::Help(_) => 5,
        }]
    }
}

/// The menus as a desktop shows them, with the flows that were open lately.
pub(crate) fn desktop_menus(ctx: &Context, recent: &[Location]) -> Vec<host::Menu> {
    let mut menus: Vec<host::Menu> = Vec::new();
    let mut group = None;
    for title in Menu::TITLES {
        let mut groups: Vec<Vec<host::MenuItem>> = Vec::new();
        for action in all().filter(|action| action.menu.title() == title) {
            let title = match action.keys_text(ctx) {
                Some(keys) => format!("{}  ({keys})", action.title),
                None => action.title.to_owned(),
            };
            let told = host::Told::Do(action.id.to_owned());
            let item = host::MenuItem { title, told };
            match groups.last_mut().filter(|_| group == Some(action.menu)) {
                Some(last) => last.push(item),
                None => groups.push(vec![item]),
            }
            group = Some(action.menu);
        }
        menus.push(host::Menu {
            title: title.to_owned(),
            groups,
        });
    }
    let opened = recent.iter().map(|location| host::MenuItem {
        title: location.name().to_owned(),
        told: host::Told::Open(location.clone()),
    });
    let opened: Vec<_> = opened.collect();
    if let Some(file) = menus.first_mut().filter(|_| !opened.is_empty()) {
        let before_quit = file.groups.len().saturating_sub(1);
        file.groups.insert(before_quit, opened);
    }
    menus
}

// Short forms for the rows of the tables.
const NONE: Modifiers = Modifiers::NONE;
const CTRL: Modifiers = Modifiers::COMMAND;
const SHIFT: Modifiers = Modifiers::SHIFT;
const ALT: Modifiers = Modifiers::ALT;
const CTRL_SHIFT: Modifiers = Modifiers::COMMAND.plus(Modifiers::SHIFT);

/// A key combination that is left alone while text is being typed.
const fn key(modifiers: Modifiers, key: Key) -> Keys {
    Keys {
        first: KeyboardShortcut::new(modifiers, key),
        second: None,
        in_text: false,
    }
}

/// A key combination that works everywhere.
const fn anywhere(modifiers: Modifiers, key: Key) -> Keys {
    Keys {
        first: KeyboardShortcut::new(modifiers, key),
        second: None,
        in_text: true,
    }
}

/// Two keys in a row.
const fn chord(modifiers: Modifiers, first: Key, second: Key) -> Keys {
    Keys {
        first: KeyboardShortcut::new(modifiers, first),
        second: Some(second),
        in_text: false,
    }
}

fn always(_: &Designer) -> bool {
    true
}

impl Keys {
    /// The combination as people read it, such as `Ctrl+Z` or `Alt+A L`.
    pub(crate) fn text(&self, ctx: &Context) -> String {
        let first = ctx.format_shortcut(&self.first);
        match self.second {
            Some(second) => format!("{first} {}", second.name()),
            None => first,
        }
    }
}

impl Action {
    /// The first key combination as people read it.
    pub(crate) fn keys_text(&self, ctx: &Context) -> Option<String> {
        self.keys.first().map(|keys| keys.text(ctx))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn every_action_is_described() {
        for action in all() {
            assert!(!action.title.is_empty(), "{}", action.id);
            assert!(action.tooltip.len() > 10, "{}", action.id);
            assert!(!action.tooltip.ends_with('.'), "{}", action.id);
            let first = action.title.chars().next().unwrap_or(' ');
            assert!(first.is_uppercase(), "{}", action.id);
        }
    }

    #[test]
    fn the_menus_of_a_desktop_hold_every_action_and_recent_flows() {
        let recent = [Location::new("/there/orders.flow.json")];
        let menus = desktop_menus(&Context::default(), &recent);
        assert!(menus.iter().map(|menu| &*menu.title).eq(Menu::TITLES));
        let groups = || menus.iter().flat_map(|menu| &menu.groups);
        assert!(groups().all(|group| !group.is_empty()));
        let done = groups().flatten().filter_map(|item| match &item.told {
            host::Told::Do(id) => Some(id.as_str()),
            _ => None,
        });
        let mut done: Vec<&str> = done.collect();
        let mut expected: Vec<&str> = all().map(|action| action.id).collect();
        done.sort_unstable();
        expected.sort_unstable();
        assert_eq!(done, expected);
        let open = host::Told::Open(recent[0].clone());
        assert!(groups().flatten().any(|item| item.told == open));
    }

    #[test]
    fn names_and_titles_are_unique() {
        let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
        for action in all() {
            for name in [action.id, action.title] {
                assert_eq!(seen.insert(name, action.id), None, "{name}");
            }
        }
    }

    #[test]
    fn shortcuts_do_not_clash() {
        let mut seen: BTreeMap<String, &str> = BTreeMap::new();
        let name = |keys: &Keys| format!("{:?} {:?}", keys.first.modifiers, keys.first.logical_key);
        for action in all() {
            for keys in action.keys {
                let full = format!("{} {:?}", name(keys), keys.second);
                if let Some(other) = seen.insert(full.clone(), action.id) {
                    panic!("{full} is used by {other} and by {}", action.id);
                }
            }
        }
        // The first half of a chord is nothing on its own.
        for action in all() {
            for keys in action.keys.iter().filter(|keys| keys.second.is_some()) {
                let alone = format!("{} {:?}", name(keys), None::<Key>);
                assert_eq!(seen.get(&alone), None, "{alone} of {}", action.id);
            }
        }
    }

    #[test]
    fn the_keys_that_hands_know_are_there() {
        let expected: [(&str, Keys); 16] = [
            ("edit.undo", key(CTRL, Key::Z)),
            ("edit.redo", key(CTRL, Key::Y)),
            ("edit.redo", key(CTRL_SHIFT, Key::Z)),
            ("edit.duplicate", key(CTRL, Key::D)),
            ("edit.delete_reconnect", key(CTRL, Key::Delete)),
            ("graph.group", key(CTRL, Key::G)),
            ("graph.rename", key(NONE, Key::F2)),
            ("graph.disable", key(NONE, Key::D)),
            ("view.find", anywhere(CTRL, Key::F)),
            ("file.save", anywhere(CTRL, Key::S)),
            ("file.save_as", anywhere(CTRL_SHIFT, Key::S)),
            ("run.start", anywhere(CTRL, Key::Enter)),
            ("run.start", anywhere(NONE, Key::F8)),
            ("run.step", anywhere(NONE, Key::F10)),
            ("view.commands", anywhere(CTRL_SHIFT, Key::P)),
            ("arrange.left", chord(ALT, Key::A, Key::L)),
        ];
        for (id, keys) in expected {
            let action = by_id(id).unwrap_or_else(|| panic!("{id}"));
            assert!(action.keys.contains(&keys), "{id} {keys:?}");
        }
    }
}
