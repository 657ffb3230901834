//! Names of fields that fit where code is being written.

use std::collections::BTreeSet;
use std::ops::Range;

use egui::text::{CCursor, CCursorRange};
use egui::text_edit::TextEditState;
use egui::{Area, Context, Frame, Id, Key, Modifiers, Order, Pos2, RichText, Ui};
use graph_model::pointer::Pointer;

use super::syntax::Language;
use crate::theme;

/// Names that are offered at once.
const OFFERS_MAX: usize = 8;

/// Names that could stand at the cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Offers {
    /// Bytes of what is written of the name so far.
    written: Range<usize>,
    names: Vec<String>,
    /// Which one is taken.
    chosen: usize,
}

/// What was offered in the last frame, until it is taken or goes.
pub(super) struct Completion {
    id: Id,
    offers: Offers,
}

impl Completion {
    /// Takes the keys that are about what is offered, before the field sees them.
    pub(super) fn begin(ui: &Ui, field: Id, text: &mut String) -> Completion {
        let id = field.with("offers");
        let mut offers: Offers = ui.data(|data| data.get_temp(id)).unwrap_or_default();
        let count = offers.names.len();
        if count > 0 && ui.memory(|memory| memory.has_focus(field)) {
            let pressed = |key| ui.input_mut(|input| input.consume_key(Modifiers::NONE, key));
            if pressed(Key::ArrowDown) {
                offers.chosen = (offers.chosen + 1) % count;
            } else if pressed(Key::ArrowUp) {
                offers.chosen = (offers.chosen + count - 1) % count;
            } else if pressed(Key::Escape) {
                offers.names.clear();
            } else if pressed(Key::Tab) || pressed(Key::Enter) {
                offers.take(ui.ctx(), field, text);
            }
        }
        Completion { id, offers }
    }

    /// Shows what fits at the cursor of the field, below it.
    pub(super) fn end(
        self,
        ui: &Ui,
        text: &str,
        language: Language,
        fields: &dyn Fn() -> BTreeSet<Pointer>,
        cursor: Option<(usize, Pos2)>,
        changed: bool,
    ) {
        let Completion { id, mut offers } = self;
        match cursor {
            Some((at, _)) if changed => offers = Offers::at(text, at, language, &fields()),
            Some(_) => {}
            None => offers.names.clear(),
        }
        if let Some((_, at)) = cursor.filter(|_| !offers.names.is_empty()) {
            offers.show(ui.ctx(), id, at);
        }
        ui.data_mut(|data| data.insert_temp(id, offers));
    }
}

impl Offers {
    /// What fits at a cursor, counted in letters. A name that is written in full needs no offer.
    fn at(text: &str, cursor: usize, language: Language, fields: &BTreeSet<Pointer>) -> Offers {
        let end = text
            .char_indices()
            .nth(cursor)
            .map_or(text.len(), |(at, _)| at);
        let Some((parent, written)) = path_before(&text[..end], language) else {
            return Offers::default();
        };
        let prefix = &text[written.clone()];
        let below = fields
            .iter()
            .filter(|field| field.parent().as_ref() == Some(&parent));
        let mut names: Vec<String> = below
            .filter_map(|field| field.last())
            .filter(|name| name.starts_with(prefix) && name.as_str() != prefix)
            .filter(|name| is_plain(name))
            .map(ToString::to_string)
            .collect();
        names.dedup();
        names.truncate(OFFERS_MAX);
        Offers {
            written,
            names,
            chosen: 0,
        }
    }

    /// Puts the chosen name where it was begun, and the cursor behind it.
    fn take(&mut self, ctx: &Context, field: Id, text: &mut String) {
        let names = std::mem::take(&mut self.names);
        let Some(name) = names.get(self.chosen) else {
            return;
        };
        if text.get(self.written.clone()).is_none() {
            return;
        }
        text.replace_range(self.written.clone(), name);
        let end = self.written.start + name.len();
        let letters = text[..end].chars().count();
        let mut state = TextEditState::load(ctx, field).unwrap_or_default();
        let cursor = CCursorRange::one(CCursor::new(letters));
        state.cursor.set_char_range(Some(cursor));
        state.store(ctx, field);
    }

    fn show(&self, ctx: &Context, id: Id, at: Pos2) {
        let tokens = theme::current(ctx);
        Area::new(id)
            .order(Order::Foreground)
            .fixed_pos(at)
            .interactable(false)
            .show(ctx, |ui| {
                Frame::popup(ui.style()).show(ui, |ui| {
                    for (place, name) in self.names.iter().enumerate() {
                        let color = if place == self.chosen {
                            tokens.accent
                        } else {
                            tokens.text
                        };
                        ui.label(RichText::new(name).monospace().color(color));
                    }
                    ui.label(RichText::new("Tab takes it").small().weak());
                });
            });
    }
}

/// The field whose parts could follow, and the bytes of the name that is begun. Nothing where no path
/// is being written.
fn path_before(code: &str, language: Language) -> Option<(Pointer, Range<usize>)> {
    let is_letter = |letter: char| letter.is_alphanumeric() || letter == '_';
    let begun = code.trim_end_matches(is_letter).len();
    let mut names = Vec::new();
    let mut rest = code[..begun].strip_suffix('.')?;
    loop {
        let before = rest.trim_end_matches("[]").trim_end_matches('?');
        let start = before.trim_end_matches(is_letter).len();
        let name = &before[start..];
        if name.is_empty() {
            break;
        }
        names.push(name);
        match before[..start].strip_suffix('.') {
            Some(further) => rest = further,
            None if language == Language::TypeScript => break,
            // `length.` is no path.
            None => return None,
        }
    }
    names.reverse();
    let names = match language {
        Language::Jq => &names[..],
        Language::TypeScript => names.strip_prefix(&["event", "data"])?,
    };
    let parent = names
        .iter()
        .fold(Pointer::root(), |at, name| at.child(*name));
    Some((parent, begun..code.len()))
}

/// Whether a name can be written without quotes.
fn is_plain(name: &str) -> bool {
    let mut letters = name.chars();
    let first = letters
        .next()
        .is_some_and(|letter| letter.is_alphabetic() || letter == '_');
    first && letters.all(|letter| letter.is_alphanumeric() || letter == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_the_path_at_the_cursor_are_offered() {
        let fields = [
            "/total",
            "/tip",
            "/customer",
            "/customer/name",
            "/customer/née",
            "/a b",
        ];
        let fields: BTreeSet<Pointer> = fields
            .into_iter()
            .map(|field| Pointer::parse(field).expect("a pointer"))
            .collect();
        for (language, code, wanted) in [
            (Language::Jq, ".", "customer tip total"),
            (Language::Jq, "{sum: .t", "tip total"),
            (Language::Jq, ".tip", ""),
            (Language::Jq, ".customer.", "name née"),
            (Language::Jq, ".customer.n", "name née"),
            (Language::Jq, "total", ""),
            (Language::Jq, "1 + ", ""),
            (Language::TypeScript, "return event.data.to", "total"),
            (Language::TypeScript, "event.data.customer.", "name née"),
            (Language::TypeScript, "event.", ""),
            (Language::TypeScript, "other.data.", ""),
        ] {
            let offers = Offers::at(code, code.chars().count(), language, &fields);
            assert_eq!(offers.names.join(" "), wanted, "{code}");
        }
    }
}
