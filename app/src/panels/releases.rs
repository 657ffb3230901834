//! Rules by which a field may be read by more than its label says, and what a flow may take at most.

use egui::{Button, Id, RichText, Ui};
use graph_model::catalog::{FieldSpec, FieldType};
use graph_model::declare;
use graph_model::document::{Document, Section};
use graph_model::edit::{Edit, Transaction};
use graph_model::id::Id as DocId;
use graph_model::pointer::Pointer;
use graph_model::value::{Object, Value};
use smol_str::SmolStr;

use super::audience::role_title;
use super::form::{self, Around, Change};
use super::{declared, fields};
use crate::requests::{Request, Requests};
use crate::theme;
use crate::widgets::picker::{Offer, picker};
use crate::widgets::{empty, error, hint, section};

/// Least group over which an aggregate may be shown, to begin with.
const AT_LEAST: i64 = 5;

/// Draws the release rules.
pub(crate) fn show(ui: &mut Ui, document: &Document, out: &mut Requests) {
    section(ui, "Release rules");
    let nothing = std::collections::BTreeMap::new();
    let rules = document
        .sections
        .get(&Section::Releases)
        .unwrap_or(&nothing);
    if rules.is_empty() {
        empty(
            ui,
            "A rule lets others read a field, as an aggregate or a token, or by a role.",
        );
    }
    for (id, rule) in rules {
        rule_card(ui, document, id, rule, out);
    }
    ui.add_space(theme::space::S);
    let list = Id::unique("add a release rule");
    let button = Button::new("Add a rule…");
    let taken = picker(ui, list, button, "Add a rule", |_| offers(document));
    if let Some((field, rule)) = taken {
        let name = field.last().map_or("release", |name| name.as_str());
        let by = rule.get("by").and_then(Value::as_str).unwrap_or_default();
        let wished = DocId::new(format!("{name}_{by}"));
        let id = wished.unused(|id| rules.contains_key(id));
        out.push(put(
            Section::Releases,
            &id,
            Some(rule),
            "Add a release rule",
            None,
        ));
    }
}

/// Draws what the flow as a whole may take.
pub(crate) fn budgets(ui: &mut Ui, document: &Document, out: &mut Requests) {
    section(ui, "Budgets");
    let entries = document.sections.get(&Section::Budgets);
    let entries = entries.into_iter().flatten();
    let values: Object = entries
        .map(|(id, value)| (SmolStr::from(id.as_str()), value.clone()))
        .collect();
    if values.is_empty() {
        empty(
            ui,
            "A budget is what the flow as a whole may take: calls at once, cost of an event.",
        );
    }
    let around = Around {
        document,
        last: None,
    };
    let sheet = Id::unique("budgets");
    let words = declared::Words {
        add: "Set a budget",
        unknown: "no rule reads it; it is kept as it is",
    };
    let budgets = &declare::BUDGETS;
    declared::sheet(
        ui,
        sheet,
        budgets,
        &values,
        &around,
        &words,
        |name, title, new| {
            let title = format!("Set the budget {}", title.to_lowercase());
            let Change { value, typing } = new;
            out.push(put(Section::Budgets, &name.into(), value, &title, typing));
        },
    );
}

fn rule_card(ui: &mut Ui, document: &Document, id: &DocId, rule: &Value, out: &mut Requests) {
    egui::Frame::group(ui.style()).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.horizontal(|ui| {
            ui.label(RichText::new(id.as_str()).monospace());
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                let remove = ui.small_button("×");
                let remove = remove.accessible_name(format!("Delete release rule {id}"));
                if remove.clicked() {
                    let title = "Delete a release rule";
                    out.push(put(Section::Releases, id, None, title, None));
                }
            });
        });
        let Some(object) = rule.as_object() else {
            hint(ui, &rule.to_json());
            error(ui, "this is no rule; it is kept as it is");
            return;
        };
        let by = object.get("by").and_then(Value::as_str).unwrap_or_default();
        let around = Around {
            document,
            last: None,
        };
        let fields = rule_fields(document, by);
        form::show(
            ui,
            Id::unique(("release", id)),
            &fields,
            object,
            &around,
            |field, new| {
                let mut object = object.clone();
                match new.value {
                    Some(value) => object.insert(field.name.clone(), value),
                    None => object.remove(&field.name),
                };
                if field.name == "by" {
                    // What belongs to another means goes.
                    object.remove("at_least");
                    object.remove("role");
                    if object.get("by").and_then(Value::as_str) == Some("aggregate") {
                        object.insert("at_least", AT_LEAST);
                    }
                }
                let rule = Some(Value::from(object));
                let title = "Change a release rule";
                out.push(put(Section::Releases, id, rule, title, new.typing));
            },
        );
    });
}

/// The fields of a rule that works by this means.
fn rule_fields(document: &Document, by: &str) -> Vec<FieldSpec> {
    let field = FieldSpec::new;
    let mut fields =
        vec![
        field("type", "Event type", FieldType::EventType, "Whose field it is").required(),
        field("field", "Field", FieldType::Pointer, "The field that may be read").required(),
        field(
            "by",
            "By",
            FieldType::choice(&["aggregate", "role", "tokenise"]),
            "As an aggregate over many, by a node that runs as somebody with a role, or as a token",
        )
        .required(),
    ];
    match by {
        "aggregate" => fields.push(
            field(
                "at_least",
                "Over at least",
                FieldType::Integer {
                    min: 1,
                    max: 1_000_000_000,
                },
                "People that each shown number is about, at least",
            )
            .required(),
        ),
        "role" => {
            let roles: Vec<&str> = document.roles.keys().map(DocId::as_str).collect();
            let ty = FieldType::choice(&roles);
            fields.push(field("role", "Role", ty, "Who may let it be read").required());
        }
        _ => {}
    }
    fields
}

/// A rule for each field that has a label, by each means.
fn offers(document: &Document) -> Vec<Offer<(Pointer, Value)>> {
    let mut offers = Vec::new();
    for (ty, entry) in &document.types {
        let mut all = fields::of_type(entry);
        all.sort_by_key(|field| !entry.labels.contains_key(&field.pointer));
        for field in all {
            let pointer = field.pointer;
            let mut offer = |how: &str, by: &str, more: Option<(&str, Value)>| {
                let mut rule = Object::new();
                rule.insert("type", ty.as_str());
                rule.insert("field", pointer.to_string());
                rule.insert("by", by);
                if let Some((name, value)) = more {
                    rule.insert(name, value);
                }
                let title = format!("{pointer} {how}");
                let taken = (pointer.clone(), Value::from(rule));
                offers.push(Offer::new(taken, title, format!("of {ty}")));
            };
            let over = format!("as an aggregate over at least {AT_LEAST}");
            offer(&over, "aggregate", Some(("at_least", Value::Int(AT_LEAST))));
            offer("as a token", "tokenise", None);
            for role in document.roles.keys() {
                let by = format!("by {}", role_title(document, role));
                offer(&by, "role", Some(("role", Value::str(role.as_str()))));
            }
        }
    }
    offers
}

fn put(
    section: Section,
    id: &DocId,
    value: Option<Value>,
    title: &str,
    typing: Option<Id>,
) -> Request {
    let edit = Edit::Entry(section, id.clone(), value);
    let transaction = Transaction::new(title, vec![edit]);
    match typing {
        Some(field) => Request::Type(field, transaction),
        None => Request::Edit(transaction),
    }
}
