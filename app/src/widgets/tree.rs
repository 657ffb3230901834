//! A JSON value as a tree whose branches fold.

use egui::{CollapsingHeader, RichText, Ui};
use graph_model::pointer::Pointer;
use graph_model::value::Value;

/// Entries of one array or object that are drawn.
const ENTRIES_MAX: usize = 200;
/// Characters of a text that are drawn.
const TEXT_MAX: usize = 200;

/// Draws the value under its name.
pub(crate) fn show(ui: &mut Ui, name: &str, value: &Value, open: bool) {
    show_traced(ui, name, value, open, &Pointer::root(), &|_| None);
}

/// Like [`show`]; `trace` says of a place in the value where it comes from, to whoever points at it.
pub(crate) fn show_traced(
    ui: &mut Ui,
    name: &str,
    value: &Value,
    open: bool,
    at: &Pointer,
    trace: &dyn Fn(&Pointer) -> Option<String>,
) {
    let (count, brackets) = match value {
        Value::Obj(object) => (object.len(), "{}"),
        Value::Arr(items) => (items.len(), "[]"),
        leaf => {
            leaf_row(ui, name, leaf, trace(at));
            return;
        }
    };
    let shown = CollapsingHeader::new(format!("{name} {brackets} {count}"))
        .id_salt(name)
        .default_open(open)
        .show(ui, |ui| {
            match value {
                Value::Obj(object) => {
                    for (key, entry) in object.iter().take(ENTRIES_MAX) {
                        show_traced(ui, key, entry, false, &at.child(key.clone()), trace);
                    }
                }
                Value::Arr(items) => {
                    for (index, entry) in items.iter().take(ENTRIES_MAX).enumerate() {
                        let name = index.to_string();
                        show_traced(ui, &name, entry, false, &at.child(&name), trace);
                    }
                }
                _ => {}
            }
            if count > ENTRIES_MAX {
                ui.label(RichText::new(format!("{} more", count - ENTRIES_MAX)).weak());
            }
        });
    if let Some(from) = trace(at) {
        shown.header_response.on_hover_text(from);
    }
}

fn leaf_row(ui: &mut Ui, name: &str, value: &Value, from: Option<String>) {
    let json = value.to_json();
    let text = if json.chars().count() > TEXT_MAX {
        json.chars().take(TEXT_MAX).chain(['…']).collect()
    } else {
        json
    };
    let row = ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new(name).weak());
        ui.label(RichText::new(text).monospace());
    });
    if let Some(from) = from {
        row.response.on_hover_text(from);
    }
}
