//! What people declare: a form in which only what is set stands open; a list offers the rest.

use std::collections::BTreeSet;

use egui::{Button, Id, RichText, Ui};
use graph_model::catalog::{FieldSpec, FieldType};
use graph_model::declare::{self, Place};
use graph_model::value::{Object, Value};
use smol_str::SmolStr;

use super::form::{self, Around, Change};
use crate::widgets::hint;
use crate::widgets::picker::{Offer, picker};

/// What a sheet says for itself.
pub(crate) struct Words {
    /// On the list of what can be said besides.
    pub add: &'static str,
    /// Below a value that has no field.
    pub unknown: &'static str,
}

/// Draws what is declared of a place; calls `change` with the name of each value that the user
/// changed, and how people call it.
pub(crate) fn show(
    ui: &mut Ui,
    id: Id,
    place: Place,
    values: &Object,
    around: &Around<'_>,
    change: impl FnMut(&str, &str, Change),
) {
    let fields = declare::fields(|fits| fits == place);
    let words = Words {
        add: "Declare",
        unknown: "means nothing here; it is kept as it is",
    };
    sheet(ui, id, &fields, values, around, &words, change);
}

/// The same for any fields.
pub(crate) fn sheet(
    ui: &mut Ui,
    id: Id,
    fields: &[FieldSpec],
    values: &Object,
    around: &Around<'_>,
    words: &Words,
    mut change: impl FnMut(&str, &str, Change),
) {
    // Asked for, and empty yet.
    let mut asked: BTreeSet<SmolStr> = ui.data(|data| data.get_temp(id)).unwrap_or_default();
    for field in fields {
        let value = values.get(&field.name);
        if value.is_none() && !asked.contains(&field.name) {
            continue;
        }
        let Some(new) = form::removable_field(ui, id, field, value, around) else {
            continue;
        };
        match (&new.value, new.typing) {
            (None, None) => asked.remove(&field.name),
            // Emptied under the hands that type into it.
            (None, Some(_)) => asked.insert(field.name.clone()),
            (Some(_), _) => false,
        };
        if new.value.is_some() || value.is_some() {
            change(&field.name, &field.title, new);
        }
    }
    for (name, value) in values.iter() {
        if !fields.iter().any(|field| field.name == *name) && unknown(ui, name, value, words) {
            let gone = Change {
                value: None,
                typing: None,
            };
            change(name, name, gone);
        }
    }
    let free: Vec<&FieldSpec> = fields
        .iter()
        .filter(|field| !values.contains_key(&field.name) && !asked.contains(&field.name))
        .collect();
    let button = Button::new(format!("{}…", words.add));
    let taken = picker(ui, id.with("declare"), button, words.add, |_| offers(&free));
    if let Some((field, value)) = taken {
        if value.is_some() {
            let typing = None;
            change(&field.name, &field.title, Change { value, typing });
        } else {
            asked.insert(field.name.clone());
            let widget = form::field_widget(id, field);
            ui.memory_mut(|memory| memory.request_focus(widget));
        }
    }
    ui.data_mut(|data| data.insert_temp(id, asked));
}

/// What can be said besides; with its value where a word says it all.
fn offers<'f>(fields: &[&'f FieldSpec]) -> Vec<Offer<(&'f FieldSpec, Option<Value>)>> {
    let mut offers = Vec::new();
    for field in fields {
        let title = field.title.to_string();
        let doc = field.doc.as_str();
        match &field.ty {
            FieldType::Bool => {
                offers.push(Offer::new((*field, Some(Value::Bool(true))), title, doc));
            }
            FieldType::Choice { options } => offers.extend(options.iter().map(|option| {
                let value = Value::str(option.clone());
                Offer::new((*field, Some(value)), format!("{title}: {option}"), doc)
            })),
            _ => offers.push(Offer::new((*field, None), title, doc)),
        }
    }
    offers
}

/// Something that this version, or this sort of node, has no word for; answers whether it shall go.
fn unknown(ui: &mut Ui, name: &str, value: &Value, words: &Words) -> bool {
    let remove = ui.horizontal(|ui| {
        ui.label(RichText::new(format!("{name} = {}", value.to_json())).small());
        ui.small_button("×")
            .accessible_name(format!("Remove {name}"))
            .clicked()
    });
    hint(ui, words.unknown);
    remove.inner
}
