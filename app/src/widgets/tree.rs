//! A JSON value as a tree whose branches fold.

use egui::{CollapsingHeader, RichText, Ui};
use graph_model::value::Value;

/// Entries of one array or object that are drawn.
const ENTRIES_MAX: usize = 200;
/// Characters of a text that are drawn.
const TEXT_MAX: usize = 200;

/// Draws the value under its name.
pub(crate) fn show(ui: &mut Ui, name: &str, value: &Value, open: bool) {
    let (count, brackets) = match value {
        Value::Obj(object) => (object.len(), "{}"),
        Value::Arr(items) => (items.len(), "[]"),
        leaf => {
            leaf_row(ui, name, leaf);
            return;
        }
    };
    CollapsingHeader::new(format!("{name} {brackets} {count}"))
        .id_salt(name)
        .default_open(open)
        .show(ui, |ui| {
            match value {
                Value::Obj(object) => {
                    for (key, entry) in object.iter().take(ENTRIES_MAX) {
                        show(ui, key, entry, false);
                    }
                }
                Value::Arr(items) => {
                    for (index, entry) in items.iter().take(ENTRIES_MAX).enumerate() {
                        show(ui, &index.to_string(), entry, false);
                    }
                }
                _ => {}
            }
            if count > ENTRIES_MAX {
                ui.label(RichText::new(format!("{} more", count - ENTRIES_MAX)).weak());
            }
        });
}

fn leaf_row(ui: &mut Ui, name: &str, value: &Value) {
    let json = value.to_json();
    let text = if json.chars().count() > TEXT_MAX {
        json.chars().take(TEXT_MAX).chain(['…']).collect()
    } else {
        json
    };
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new(name).weak());
        ui.label(RichText::new(text).monospace());
    });
}
