//! Event types: shape, labels, and what their fields mean.

use std::sync::Arc;

use egui::{Id, RichText, Ui};
use graph_model::document::EventType;
use graph_model::edit::{Edit, Transaction};
use graph_model::id::Id as DocId;
use graph_model::label::{Clause, Label};
use graph_model::pointer::Pointer;
use graph_model::value::Value;

use super::Model;
use crate::requests::{Request, Requests};
use crate::widgets::{empty, error, section, text_field};

/// Largest schema that is read from the field.
const SCHEMA_MAX: usize = 1 << 20;

#[derive(Default)]
pub(crate) struct Types {
    chosen: Option<DocId>,
    new_name: String,
}

impl Types {
    /// Shows the details of a type.
    pub(crate) fn choose(&mut self, id: DocId) {
        self.chosen = Some(id);
    }

    pub(crate) fn show(&mut self, ui: &mut Ui, model: &Model<'_>, out: &mut Requests) {
        let types = &model.state.document().types;
        if types.is_empty() {
            empty(
                ui,
                "Event types say what events look like and who may read which field.",
            );
        }
        for id in types.keys() {
            let chosen = self.chosen.as_ref() == Some(id);
            if ui.selectable_label(chosen, id.as_str()).clicked() {
                self.chosen = (!chosen).then(|| id.clone());
            }
        }
        ui.horizontal(|ui| {
            ui.add(
                egui::TextEdit::singleline(&mut self.new_name)
                    .hint_text("order.placed")
                    .desired_width((ui.available_width() - 80.0).max(80.0)),
            )
            .accessible_name("Name of a new event type");
            let add = ui.button("Add type");
            let id = DocId::new(self.new_name.trim());
            if add.clicked() && !id.as_str().is_empty() && !types.contains_key(&id) {
                out.push(put(&id, &EventType::default(), "Add an event type", None));
                self.chosen = Some(id);
                self.new_name.clear();
            }
        });
        let Some((id, ty)) = self.chosen.as_ref().and_then(|id| types.get_key_value(id)) else {
            return;
        };
        section(ui, id.as_str());
        let text = |ui: &mut Ui, title: &str, current: &str, rows: usize| {
            let field = Id::unique(("type", id, title));
            let name = ui.label(RichText::new(title).small().weak());
            let (response, text, changed) = text_field(ui, field, current, "", rows > 1, rows);
            response.labelled_by(name.id);
            (field, text, changed)
        };
        let (field, new, changed) = text(ui, "Type title", &ty.title, 1);
        if changed {
            let mut ty = EventType::clone(ty);
            ty.title = new.into();
            out.push(put(
                id,
                &ty,
                "Change the title of an event type",
                Some(field),
            ));
        }
        let schema = match &ty.schema {
            Value::Null => String::new(),
            schema => schema.to_json_pretty(),
        };
        let (field, new, changed) = text(ui, "Schema (JSON Schema)", &schema, 8);
        let parsed = if new.trim().is_empty() {
            Ok(Value::Null)
        } else {
            Value::parse(new.as_bytes(), SCHEMA_MAX)
        };
        match parsed {
            Ok(schema) if changed => {
                let mut ty = EventType::clone(ty);
                ty.schema = schema;
                out.push(put(
                    id,
                    &ty,
                    "Change the schema of an event type",
                    Some(field),
                ));
            }
            Ok(_) => {}
            Err(problem) => error(ui, &format!("{problem}; it is not taken over")),
        }
        let labels: Vec<String> = ty
            .labels
            .iter()
            .map(|(pointer, label)| {
                let clauses: Vec<String> = label.0.iter().map(ToString::to_string).collect();
                format!("{pointer}: {}", clauses.join(" & "))
            })
            .collect();
        let (field, new, changed) = text(
            ui,
            "Readers (/field: role:finance | org)",
            &labels.join("\n"),
            4,
        );
        match read_labels(&new) {
            Ok(labels) if changed => {
                let mut ty = EventType::clone(ty);
                ty.labels = labels;
                out.push(put(
                    id,
                    &ty,
                    "Change the labels of an event type",
                    Some(field),
                ));
            }
            Ok(_) => {}
            Err(problem) => error(ui, &problem),
        }
        let pointers: [(&str, fn(&mut EventType) -> &mut Option<Pointer>); 5] = [
            ("Subject field", |ty| &mut ty.subject),
            ("Tenant field", |ty| &mut ty.tenant),
            ("Id field", |ty| &mut ty.id),
            ("Time field", |ty| &mut ty.time),
            ("Version field", |ty| &mut ty.version),
        ];
        for (title, place) in pointers {
            let mut new_type = EventType::clone(ty);
            let current = place(&mut new_type)
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default();
            let (field, new, changed) = text(ui, title, &current, 1);
            let pointer = if new.trim().is_empty() {
                Ok(None)
            } else {
                Pointer::parse(new.trim()).map(Some)
            };
            match pointer {
                Ok(pointer) if changed => {
                    *place(&mut new_type) = pointer;
                    out.push(put(
                        id,
                        &new_type,
                        "Change a field of an event type",
                        Some(field),
                    ));
                }
                Ok(_) => {}
                Err(problem) => error(ui, &problem.to_string()),
            }
        }
        section(ui, "");
        if ui.button("Delete type").clicked() {
            let edit = Edit::Type(id.clone(), None);
            out.push(Request::Edit(Transaction::new(
                format!("Delete type {id}"),
                vec![edit],
            )));
        }
    }
}

fn put(id: &DocId, ty: &EventType, title: &str, typing: Option<Id>) -> Request {
    let edit = Edit::Type(id.clone(), Some(Arc::new(ty.clone())));
    let transaction = Transaction::new(title, vec![edit]);
    match typing {
        Some(field) => Request::Type(field, transaction),
        None => Request::Edit(transaction),
    }
}

fn read_labels(text: &str) -> Result<std::collections::BTreeMap<Pointer, Label>, String> {
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| {
            let (pointer, label) = line
                .split_once(": ")
                .ok_or_else(|| format!("`{line}`: write `/field: readers`"))?;
            let pointer = Pointer::parse(pointer.trim()).map_err(|error| error.to_string())?;
            let label = label
                .split('&')
                .map(|clause| Clause::parse(clause.trim()).map_err(|error| error.to_string()))
                .collect::<Result<Label, String>>()?;
            Ok((pointer, label))
        })
        .collect()
}
