//! Event types: shape, labels, and what their fields mean.

use std::sync::Arc;

use egui::{Button, Id, RichText, Ui};
use graph_model::declare::Place;
use graph_model::document::{Dependency, EventType};
use graph_model::edit::{Edit, Transaction};
use graph_model::id::Id as DocId;
use graph_model::pointer::Pointer;
use graph_model::schema::{Field, Types as FieldTypes};
use graph_model::value::Value;

use super::form::Around;
use super::type_fields::Outcome;
use super::{Model, declared, fields, type_fields};
use crate::requests::{Request, Requests};
use crate::theme;
use crate::widgets::choose::Pick;
use crate::widgets::picker::{Offer, picker};
use crate::widgets::{adder, chip, empty, error, fold, hint, section, text_field};

/// Largest schema that is read from the field.
const SCHEMA_MAX: usize = 1 << 20;

#[derive(Default)]
pub(crate) struct Types {
    chosen: Option<DocId>,
    new_name: String,
    new_field: String,
    /// A field that is not in the schema and that nothing is said of yet.
    asked: Option<(DocId, Pointer)>,
    /// A dependency that is being put together.
    from: Vec<Pointer>,
    to: Vec<Pointer>,
}

impl Types {
    /// Shows the details of a type.
    pub(crate) fn choose(&mut self, id: DocId) {
        if self.chosen.as_ref() != Some(&id) {
            self.from.clear();
            self.to.clear();
        }
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
                if chosen {
                    self.chosen = None;
                } else {
                    self.choose(id.clone());
                }
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
                out.push(put(&id, EventType::default(), "Add an event type", None));
                self.choose(id);
                self.new_name.clear();
            }
        });
        let chosen = self.chosen.clone();
        let Some((id, ty)) = chosen.and_then(|id| types.get_key_value(&id)) else {
            return;
        };
        let all = fields::of_type(ty);
        section(ui, id.as_str());
        self.fields(ui, model, id, ty, &all, out);
        let sheet = Id::unique(("type", id));
        let count = |count: usize| match count {
            0 => String::new(),
            count => count.to_string(),
        };
        let decided = ty.depends.len();
        let title = "What decides what";
        fold(
            ui,
            sheet.with("depends"),
            title,
            &count(decided),
            decided > 0,
            |ui| {
                self.dependencies(ui, id, ty, &all, out);
            },
        );
        let known = ty.declared.len();
        let title = "What you know";
        fold(
            ui,
            sheet.with("known"),
            title,
            &count(known),
            known > 0,
            |ui| {
                let around = Around {
                    document: model.state.document(),
                    last: None,
                };
                let declared = sheet.with("declared");
                declared::show(
                    ui,
                    declared,
                    Place::Type,
                    &ty.declared,
                    &around,
                    |name, title, new| {
                        let mut ty = EventType::clone(ty);
                        match new.value {
                            Some(value) => ty.declared.insert(name, value),
                            None => ty.declared.remove(name),
                        };
                        let title = format!("Declare {} of {id}", title.to_lowercase());
                        out.push(put(id, ty, title, new.typing));
                    },
                );
            },
        );
        let unknown = ty.schema == Value::Null;
        fold(
            ui,
            sheet.with("shape"),
            "Title and schema",
            "",
            unknown,
            |ui| {
                shape(ui, id, ty, out);
            },
        );
        section(ui, "");
        if ui.button("Delete type").clicked() {
            let edit = Edit::Type(id.clone(), None);
            out.push(Request::Edit(Transaction::new(
                format!("Delete type {id}"),
                vec![edit],
            )));
        }
    }

    fn fields(
        &mut self,
        ui: &mut Ui,
        model: &Model<'_>,
        id: &DocId,
        ty: &EventType,
        all: &[Field],
        out: &mut Requests,
    ) {
        let document = model.state.document();
        let mut all = all.to_vec();
        if let Some((of, pointer)) = &self.asked
            && of == id
            && all.iter().all(|field| field.pointer != *pointer)
        {
            all.push(Field {
                pointer: pointer.clone(),
                types: FieldTypes::ANY,
                required: false,
            });
        }
        if all.is_empty() {
            hint(
                ui,
                "No schema names the fields; add one below, or a field here.",
            );
        } else {
            hint(ui, "Click a field to say who may read it and what it is.");
        }
        ui.spacing_mut().item_spacing.y = theme::space::S;
        for field in &all {
            match type_fields::row(ui, document, id, ty, field) {
                Some(Outcome::Change(change)) => {
                    out.push(put(id, change.ty, change.title, None));
                }
                Some(Outcome::Follow) => {
                    let followed = (id.clone(), field.pointer.clone());
                    out.push(Request::Follow(Some(followed)));
                }
                None => {}
            }
        }
        ui.horizontal(|ui| {
            let text = egui::TextEdit::singleline(&mut self.new_field)
                .hint_text("/field")
                .font(egui::TextStyle::Monospace)
                .desired_width((ui.available_width() - 80.0).max(80.0));
            let text = ui.add(text);
            let entered =
                text.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
            text.accessible_name("Another field");
            let clicked = ui.button("Add field").clicked();
            let pointer = Pointer::parse(self.new_field.trim());
            if let Ok(pointer) = pointer
                && (entered || clicked)
                && !pointer.is_root()
            {
                let list = type_fields::picker_id(id, &pointer);
                ui.data_mut(|data| data.insert_temp(list, Pick::default()));
                self.asked = Some((id.clone(), pointer));
                self.new_field.clear();
            }
        });
        if !self.new_field.is_empty() && Pointer::parse(self.new_field.trim()).is_err() {
            error(ui, "a field is written as `/name` or `/outer/inner`");
        }
    }

    fn dependencies(
        &mut self,
        ui: &mut Ui,
        id: &DocId,
        ty: &EventType,
        all: &[Field],
        out: &mut Requests,
    ) {
        hint(
            ui,
            "Where the deciding fields are equal, the others are, too.",
        );
        for (index, way) in ty.depends.iter().enumerate() {
            let text = format!("{} decides {}", listed(&way.from), listed(&way.to));
            if chip(ui, &text, &format!("Forget that {text}")) {
                let mut ty = EventType::clone(ty);
                ty.depends.remove(index);
                out.push(put(id, ty, "Forget what decides what", None));
            }
        }
        let sides = [
            ("+ Deciding field", "Add a deciding field", &mut self.from),
            ("+ Decided field", "Add a decided field", &mut self.to),
        ];
        for (title, name, chosen) in sides {
            ui.horizontal_wrapped(|ui| {
                chosen.retain(|field| {
                    let text = field.to_string();
                    !chip(ui, &text, &format!("Leave out {text}"))
                });
                let list = Id::unique((name, id));
                let offers = |_: &str| {
                    let free = all.iter().filter(|field| !chosen.contains(&field.pointer));
                    let pointers = free.map(|field| field.pointer.clone());
                    pointers
                        .map(|pointer| {
                            let title = pointer.to_string();
                            Offer::new(pointer, title, "")
                        })
                        .collect()
                };
                if let Some(pointer) = picker(ui, list, adder(title), name, offers) {
                    chosen.push(pointer);
                }
            });
        }
        let whole = !self.from.is_empty() && !self.to.is_empty();
        let add = ui.add_enabled(whole, Button::new("Add dependency"));
        if add.clicked() {
            let mut ty = EventType::clone(ty);
            ty.depends.push(Dependency {
                from: std::mem::take(&mut self.from),
                to: std::mem::take(&mut self.to),
            });
            out.push(put(id, ty, "Say what decides what", None));
        }
    }
}

/// Title and schema, as texts.
fn shape(ui: &mut Ui, id: &DocId, ty: &EventType, out: &mut Requests) {
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
        let title = "Change the title of an event type";
        out.push(put(id, ty, title, Some(field)));
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
            let title = "Change the schema of an event type";
            out.push(put(id, ty, title, Some(field)));
        }
        Ok(_) => {}
        Err(problem) => error(ui, &format!("{problem}; it is not taken over")),
    }
}

fn listed(fields: &[Pointer]) -> String {
    let fields: Vec<String> = fields.iter().map(ToString::to_string).collect();
    fields.join(", ")
}

fn put(id: &DocId, ty: EventType, title: impl Into<String>, typing: Option<Id>) -> Request {
    let edit = Edit::Type(id.clone(), Some(Arc::new(ty)));
    let transaction = Transaction::new(title, vec![edit]);
    match typing {
        Some(field) => Request::Type(field, transaction),
        None => Request::Edit(transaction),
    }
}
