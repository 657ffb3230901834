//! Fields of the flow's event types, to choose pointers among.

use std::collections::BTreeMap;

use egui::{Button, Id, Ui};
use graph_model::document::{Document, EventType};
use graph_model::pointer::Pointer;
use graph_model::schema::{Field, Schema, Types};

use crate::widgets::picker::{Offer, picker};

/// All fields of an event type: those of its schema, and those that somebody said something about.
pub(crate) fn of_type(ty: &EventType) -> Vec<Field> {
    let mut fields: BTreeMap<Pointer, Field> = Schema::new(&ty.schema)
        .fields()
        .into_iter()
        .filter(|field| !field.pointer.is_root())
        .map(|field| (field.pointer.clone(), field))
        .collect();
    let said = ty.labels.keys().chain(ty.measures.keys());
    let said = said.chain(
        ty.depends
            .iter()
            .flat_map(|way| way.from.iter().chain(&way.to)),
    );
    let named = [&ty.subject, &ty.tenant, &ty.id, &ty.time, &ty.version];
    for pointer in said.chain(named.into_iter().flatten()) {
        fields.entry(pointer.clone()).or_insert_with(|| Field {
            pointer: pointer.clone(),
            types: Types::ANY,
            required: false,
        });
    }
    fields.into_values().collect()
}

/// Every field of every type, with the types that have it.
pub(crate) fn of_flow(document: &Document) -> BTreeMap<Pointer, Vec<&str>> {
    let mut fields: BTreeMap<Pointer, Vec<&str>> = BTreeMap::new();
    for (id, ty) in &document.types {
        for field in of_type(ty) {
            fields.entry(field.pointer).or_default().push(id.as_str());
        }
    }
    fields
}

/// A button that offers the fields of the flow; draws nothing when there are none.
pub(crate) fn pick(
    ui: &mut Ui,
    id: Id,
    button: Button<'_>,
    title: &str,
    document: &Document,
) -> Option<Pointer> {
    if document.types.is_empty() {
        return None;
    }
    let name = format!("Choose a field for {}", title.to_lowercase());
    picker(ui, id, button, &name, |_| {
        let fields = of_flow(document).into_iter();
        fields
            .map(|(pointer, types)| {
                let title = pointer.to_string();
                Offer::new(pointer, title, format!("of {}", types.join(", ")))
            })
            .collect()
    })
}
