//! Key presses to actions, by the table of actions.

use egui::{Context, Event, Key, Modifiers};

use crate::actions::{self, Action, Keys};

/// Seconds within which the second key of a chord must follow.
const CHORD_SECONDS: f64 = 2.5;

/// Remembers the first half of a chord.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keymap {
    first: Option<(egui::KeyboardShortcut, f64)>,
}

/// What the keyboard asked for in this frame.
#[derive(Debug, Default)]
pub(crate) struct Pressed {
    pub actions: Vec<&'static str>,
    /// Text that was pasted outside of any text field.
    pub pasted: Option<String>,
}

impl Keymap {
    /// The first key of the chord that is under way, for the status bar.
    pub(crate) fn waiting(&self) -> Option<egui::KeyboardShortcut> {
        self.first.map(|(first, _)| first)
    }

    /// Takes the keys that mean something out of the input. `tab_adds` says whether Tab is free.
    pub(crate) fn read(&mut self, ctx: &Context, tab_adds: bool) -> Pressed {
        let typing = ctx.text_edit_focused();
        let widget_focused = ctx.memory(egui::Memory::focused).is_some();
        let now = ctx.time();
        if self.first.is_some_and(|(_, at)| now - at > CHORD_SECONDS) {
            self.first = None;
        }
        let mut pressed = Pressed::default();
        let mut tab = false;
        ctx.input_mut(|input| {
            input.events.retain(|event| {
                if let Event::Key {
                    key,
                    modifiers,
                    pressed: true,
                    ..
                } = event
                {
                    if *key == Key::Tab && !(tab_adds && modifiers.is_none()) {
                        return true;
                    }
                    // Enter and Space belong to the widget that has the keyboard.
                    if widget_focused
                        && !tab_adds
                        && matches!(key, Key::Enter | Key::Space)
                        && modifiers.is_none()
                    {
                        return true;
                    }
                    match self.press(*key, *modifiers, typing, now) {
                        Outcome::Nothing => return true,
                        Outcome::FirstOfChord => {}
                        Outcome::Action(id) => {
                            tab |= *key == Key::Tab;
                            pressed.actions.push(id);
                        }
                    }
                    return false;
                }
                if typing {
                    return true;
                }
                match event {
                    Event::Copy => pressed.actions.push("edit.copy"),
                    Event::Cut => pressed.actions.push("edit.cut"),
                    Event::Paste(text) => pressed.pasted = Some(text.clone()),
                    _ => return true,
                }
                false
            });
        });
        if tab {
            ctx.memory_mut(|memory| memory.move_focus(egui::FocusDirection::None));
        }
        pressed
    }

    fn press(&mut self, key: Key, modifiers: Modifiers, typing: bool, now: f64) -> Outcome {
        if let Some((first, _)) = self.first.take() {
            let second = find(|keys| {
                same(keys, first.modifiers, first.logical_key) && keys.second == Some(key)
            });
            return match second {
                Some(action) => Outcome::Action(action.id),
                // Any other key ends the chord and does nothing else.
                None => Outcome::FirstOfChord,
            };
        }
        let usable = |keys: &Keys| keys.in_text || !typing;
        if let Some(action) =
            find(|keys| keys.second.is_none() && usable(keys) && same(keys, modifiers, key))
        {
            return Outcome::Action(action.id);
        }
        let chord =
            find(|keys| keys.second.is_some() && usable(keys) && same(keys, modifiers, key));
        if let Some(keys) = chord.and_then(|action| {
            action
                .keys
                .iter()
                .find(|keys| keys.second.is_some() && same(keys, modifiers, key))
        }) {
            self.first = Some((keys.first, now));
            return Outcome::FirstOfChord;
        }
        Outcome::Nothing
    }
}

enum Outcome {
    Nothing,
    FirstOfChord,
    Action(&'static str),
}

fn find(fits: impl Fn(&Keys) -> bool) -> Option<&'static Action> {
    actions::all().find(|action| action.keys.iter().any(&fits))
}

fn same(keys: &Keys, modifiers: Modifiers, key: Key) -> bool {
    keys.first.logical_key == key && modifiers.matches_exact(keys.first.modifiers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(keymap: &mut Keymap, modifiers: Modifiers, key: Key, typing: bool) -> String {
        match keymap.press(key, modifiers, typing, 0.0) {
            Outcome::Nothing => "-".to_owned(),
            Outcome::FirstOfChord => "…".to_owned(),
            Outcome::Action(id) => id.to_owned(),
        }
    }

    #[test]
    fn keys_become_actions() {
        let mut keymap = Keymap::default();
        let ctrl = Modifiers::CTRL | Modifiers::COMMAND;
        let shift = Modifiers::SHIFT;
        for (modifiers, key, typing, expected) in [
            (ctrl, Key::Z, false, "edit.undo"),
            (ctrl, Key::Z, true, "-"),
            (ctrl | shift, Key::Z, false, "edit.redo"),
            (ctrl, Key::S, true, "file.save"),
            (ctrl | shift, Key::S, true, "file.save_as"),
            (Modifiers::NONE, Key::D, false, "graph.disable"),
            (Modifiers::NONE, Key::D, true, "-"),
            (Modifiers::ALT, Key::A, false, "…"),
            (Modifiers::NONE, Key::L, false, "arrange.left"),
            (Modifiers::ALT, Key::S, false, "…"),
            (Modifiers::NONE, Key::X, false, "…"),
            (Modifiers::NONE, Key::X, false, "-"),
        ] {
            assert_eq!(
                press(&mut keymap, modifiers, key, typing),
                expected,
                "{key:?}"
            );
        }
    }
}
