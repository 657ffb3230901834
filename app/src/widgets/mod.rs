//! Small widgets of our own.

pub(crate) mod choose;
pub(crate) mod code;
mod complete;
pub(crate) mod picker;
pub(crate) mod syntax;
pub(crate) mod tree;

use egui::{Id, Response, RichText, Ui};

use crate::theme;

/// A one-line text field that keeps what is typed while it cannot be taken; answers the text when
/// it changed.
pub(crate) fn text_field(
    ui: &mut Ui,
    id: Id,
    current: &str,
    hint: &str,
    mono: bool,
    rows: usize,
) -> (Response, String, bool) {
    let kept = Kept::of(id);
    let mut text = kept.text(ui, current);
    let mut field = if rows > 1 {
        egui::TextEdit::multiline(&mut text).desired_rows(rows)
    } else {
        egui::TextEdit::singleline(&mut text)
    };
    field = field
        .id(id)
        .desired_width(f32::INFINITY)
        .hint_text(hint.to_owned());
    if mono {
        field = field.font(egui::TextStyle::Monospace);
    }
    let response = ui.add(field);
    let changed = response.changed();
    kept.keep(ui, &response, &text);
    (response, text, changed)
}

/// What is typed into a field, which stays there while it has the keyboard.
struct Kept(Id);

impl Kept {
    fn of(field: Id) -> Kept {
        Kept(field.with("buffer"))
    }

    fn text(&self, ui: &Ui, current: &str) -> String {
        let kept = ui.data(|data| data.get_temp::<String>(self.0));
        kept.unwrap_or_else(|| current.to_owned())
    }

    fn keep(&self, ui: &Ui, field: &Response, text: &str) {
        if field.has_focus() {
            ui.data_mut(|data| data.insert_temp(self.0, text.to_owned()));
        } else {
            ui.data_mut(|data| data.remove::<String>(self.0));
        }
    }
}

/// Something in few words that a click takes out; answers whether it was clicked.
pub(crate) fn chip(ui: &mut Ui, text: &str, name: &str) -> bool {
    let chip = ui.add(egui::Button::new(
        RichText::new(format!("{text} ×")).small(),
    ));
    let clicked = chip.clicked();
    chip.accessible_name(name);
    clicked
}

/// A quiet button that adds to the chips beside it.
pub(crate) fn adder(title: &str) -> egui::Button<'_> {
    egui::Button::new(RichText::new(title).small().weak()).frame_when_inactive(false)
}

/// A group that can be folded away, with what is in it in a few words.
pub(crate) fn fold(
    ui: &mut Ui,
    id: Id,
    title: &str,
    summary: &str,
    open: bool,
    body: impl FnOnce(&mut Ui),
) {
    let tokens = theme::current(ui.ctx());
    let mut text = egui::text::LayoutJob::default();
    let ink = |size, color| egui::TextFormat::simple(egui::FontId::proportional(size), color);
    text.append(title, 0.0, ink(theme::size::BODY, tokens.text));
    if !summary.is_empty() {
        let format = ink(theme::size::SMALL, tokens.muted);
        text.append(&format!(" · {summary}"), theme::space::S, format);
    }
    ui.add_space(theme::space::S);
    egui::CollapsingHeader::new(text)
        .id_salt(id)
        .default_open(open)
        .show_unindented(ui, body);
}

/// A quiet line below a field.
pub(crate) fn hint(ui: &mut Ui, text: &str) {
    ui.label(RichText::new(text).small().weak());
}

/// A line of the second rank that leads somewhere.
pub(crate) fn quiet_link(ui: &mut Ui, text: &str) -> Response {
    let color = theme::current(ui.ctx()).muted;
    ui.link(RichText::new(text).small().color(color))
}

/// A line that says what is wrong.
pub(crate) fn error(ui: &mut Ui, text: &str) {
    let color = theme::current(ui.ctx()).error;
    ui.label(RichText::new(text).small().color(color));
}

/// Title of a group in a panel.
pub(crate) fn section(ui: &mut Ui, title: &str) {
    ui.add_space(theme::space::L);
    ui.label(RichText::new(title).strong());
    ui.add_space(theme::space::XS);
}

/// What an empty list says: what would be here and how it gets here.
pub(crate) fn empty(ui: &mut Ui, text: &str) {
    ui.add_space(theme::space::M);
    ui.label(RichText::new(text).weak());
}
