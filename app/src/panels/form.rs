//! The form of a kind, drawn from its catalog row: one widget for each type of field.

use std::collections::BTreeSet;
use std::sync::Arc;

use egui::{Id, RichText, Ui};
use graph_model::catalog::{FieldSpec, FieldType, JqRole, KindSpec, check_field};
use graph_model::document::{Document, Node};
use graph_model::event::Event;
use graph_model::expr::{Env, Expr, Variable};
use graph_model::pointer::Pointer;
use graph_model::value::{Object, Value};
use smol_str::SmolStr;

use super::fields;
use crate::theme;
use crate::widgets::code::{Code, code_field};
use crate::widgets::syntax::Language;
use crate::widgets::{error, hint, text_field};

/// Largest JSON that is read from a field.
const JSON_MAX: usize = 1 << 20;

/// What fields may look at.
pub(crate) struct Around<'a> {
    pub document: &'a Document,
    /// The event that came in last, to try expressions on.
    pub last: Option<&'a Event>,
}

/// A new value for a field; `None` takes it out of the file. `typing` names the widget when it is
/// one of many keystrokes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Change {
    pub value: Option<Value>,
    pub typing: Option<Id>,
}

/// Draws the fields of a kind; calls `change` with each field that the user changed.
pub(crate) fn show(
    ui: &mut Ui,
    id: Id,
    fields: &[FieldSpec],
    values: &Object,
    around: &Around<'_>,
    mut change: impl FnMut(&FieldSpec, Change),
) {
    for field in fields.iter().filter(|field| !field.advanced) {
        if let Some(new) = self::field(ui, id, field, values.get(&field.name), around) {
            change(field, new);
        }
    }
    let advanced: Vec<_> = fields.iter().filter(|field| field.advanced).collect();
    if advanced.is_empty() {
        return;
    }
    ui.add_space(theme::space::S);
    let set = advanced
        .iter()
        .any(|field| values.contains_key(&field.name));
    egui::CollapsingHeader::new("Advanced")
        .id_salt(id.with("advanced"))
        .default_open(set)
        .show_unindented(ui, |ui| {
            for field in advanced {
                if let Some(new) = self::field(ui, id, field, values.get(&field.name), around) {
                    change(field, new);
                }
            }
        });
}

/// The first thing that keeps a node from running, as its form would say it.
pub(crate) fn first_problem(kind: &KindSpec, node: &Node) -> Option<String> {
    kind.config.iter().find_map(|field| {
        let problem = problem(field, kind.config(node, &field.name))?;
        Some(format!("{}: {problem}", field.title))
    })
}

/// What is wrong with the value of a field.
pub(crate) fn problem(field: &FieldSpec, value: Option<&Value>) -> Option<String> {
    let checked = check_field(field, value);
    checked.err().map(|problem| problem.to_string())
}

/// Draws one field; answers what the user changed.
pub(crate) fn field(
    ui: &mut Ui,
    id: Id,
    field: &FieldSpec,
    value: Option<&Value>,
    around: &Around<'_>,
) -> Option<Change> {
    draw_field(ui, id, field, value, around, false)
}

/// A field that somebody may take out again; `typing` is nothing in a change that does so.
pub(crate) fn removable_field(
    ui: &mut Ui,
    id: Id,
    field: &FieldSpec,
    value: Option<&Value>,
    around: &Around<'_>,
) -> Option<Change> {
    draw_field(ui, id, field, value, around, true)
}

/// The widget of a field that takes the keyboard, where it has a name of its own.
pub(crate) fn field_widget(id: Id, field: &FieldSpec) -> Id {
    id.with(&field.name)
}

fn draw_field(
    ui: &mut Ui,
    id: Id,
    field: &FieldSpec,
    value: Option<&Value>,
    around: &Around<'_>,
    removable: bool,
) -> Option<Change> {
    let id = field_widget(id, field);
    ui.add_space(theme::space::S);
    if field.ty == FieldType::Bool {
        let mut on = value
            .or(Some(&field.default))
            .and_then(Value::as_bool)
            .unwrap_or_default();
        let (response, removed) = head(ui, field, removable, |ui| {
            ui.checkbox(&mut on, field.title.as_str())
        });
        let changed = response.changed();
        response.on_hover_text(field.doc.as_str());
        if removed {
            return Some(discrete(None));
        }
        return changed.then(|| discrete(Some(Value::Bool(on))));
    }
    let title = if field.required {
        format!("{} *", field.title)
    } else {
        field.title.to_string()
    };
    let (name, removed) = head(ui, field, removable, |ui| {
        ui.label(RichText::new(title).small().weak())
    });
    let name = name.on_hover_text(field.doc.as_str());
    let change = ui
        .push_id(id, |ui| widget(ui, id, name.id, field, value, around))
        .inner;
    let shown = value.or(Some(&field.default));
    if let Some(problem) = problem(field, shown) {
        error(ui, &problem);
    }
    if removed {
        return Some(discrete(None));
    }
    change
}

/// The line above a field, with what takes the field out; answers whether that was clicked.
fn head<R>(
    ui: &mut Ui,
    field: &FieldSpec,
    removable: bool,
    draw: impl FnOnce(&mut Ui) -> R,
) -> (R, bool) {
    if !removable {
        return (draw(ui), false);
    }
    ui.horizontal(|ui| {
        let drawn = draw(ui);
        let remove = ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            ui.small_button("×")
                .accessible_name(format!("Remove {}", field.title))
        });
        (drawn, remove.inner.clicked())
    })
    .inner
}

fn widget(
    ui: &mut Ui,
    id: Id,
    name: Id,
    field: &FieldSpec,
    value: Option<&Value>,
    around: &Around<'_>,
) -> Option<Change> {
    let default = match &field.default {
        Value::Null => String::new(),
        default => default.to_text().to_string(),
    };
    match &field.ty {
        FieldType::Choice { options } => choice(ui, id, name, field, value, options),
        FieldType::EventType => event_type(ui, id, name, value, around.document),
        FieldType::Integer { .. } | FieldType::Number { .. } => {
            number(ui, id, name, field, value, &default)
        }
        FieldType::Jq { role } => expression(ui, id, name, *role, value, &default, around),
        FieldType::Code { .. } => code(ui, id, name, value, Language::TypeScript, around),
        FieldType::Json => json(ui, id, name, value),
        FieldType::Pointer => pointer(ui, id, name, field, value, around.document),
        FieldType::Pointers => pointers(ui, id, name, field, value, around.document),
        FieldType::Texts => list(ui, id, name, field, value),
        FieldType::Table | FieldType::EventTypes => {
            table(ui, id, &field.title, value, false, around)
        }
        FieldType::JqTable { .. } => table(ui, id, &field.title, value, true, around),
        FieldType::Records { fields } => records(ui, id, &field.title, fields, value, around),
        _ => {
            let current = value.map(Value::to_text).unwrap_or_default();
            let rows = if field.ty == FieldType::LongText {
                4
            } else {
                1
            };
            let placeholder = if default.is_empty() {
                example(&field.ty).to_owned()
            } else {
                default
            };
            let (response, text, changed) = text_field(ui, id, &current, &placeholder, false, rows);
            response.labelled_by(name);
            changed.then(|| typed(id, texted(&text)))
        }
    }
}

fn example(ty: &FieldType) -> &'static str {
    match ty {
        FieldType::Duration => "30s",
        FieldType::Bytes => "64 KiB",
        FieldType::Url => "https://",
        FieldType::Secret => "NAME_OF_VARIABLE",
        FieldType::Schedule => "10s or a cron expression",
        _ => "",
    }
}

fn discrete(value: Option<Value>) -> Change {
    Change {
        value,
        typing: None,
    }
}

fn typed(id: Id, value: Option<Value>) -> Change {
    Change {
        value,
        typing: Some(id),
    }
}

fn texted(text: &str) -> Option<Value> {
    (!text.is_empty()).then(|| Value::str(text))
}

fn choice(
    ui: &mut Ui,
    id: Id,
    name: Id,
    field: &FieldSpec,
    value: Option<&Value>,
    options: &[SmolStr],
) -> Option<Change> {
    let current = value.or(Some(&field.default)).and_then(Value::as_str);
    let mut change = None;
    let shown = egui::ComboBox::from_id_salt(id)
        .selected_text(current.unwrap_or_default().to_owned())
        .width(ui.available_width())
        .show_ui(ui, |ui| {
            for option in options {
                let chosen = current == Some(option);
                if ui.selectable_label(chosen, option.as_str()).clicked() && !chosen {
                    change = Some(discrete(Some(Value::str(option.clone()))));
                }
            }
        });
    shown.response.labelled_by(name);
    change
}

fn event_type(
    ui: &mut Ui,
    id: Id,
    name: Id,
    value: Option<&Value>,
    document: &Document,
) -> Option<Change> {
    let current = value.and_then(Value::as_str).unwrap_or_default();
    let mut change = None;
    let shown = egui::ComboBox::from_id_salt(id)
        .selected_text(if current.is_empty() { "any" } else { current }.to_owned())
        .width(ui.available_width())
        .show_ui(ui, |ui| {
            if ui.selectable_label(current.is_empty(), "any").clicked() {
                change = Some(discrete(None));
            }
            for ty in document.types.keys() {
                let chosen = *ty == *current;
                if ui.selectable_label(chosen, ty.as_str()).clicked() {
                    change = Some(discrete(Some(Value::str(ty.as_str()))));
                }
            }
        });
    shown.response.labelled_by(name);
    if !current.is_empty() && !document.types.contains_key(current) {
        error(
            ui,
            &format!("the event type `{current}` is not in this flow"),
        );
    }
    change
}

fn number(
    ui: &mut Ui,
    id: Id,
    name: Id,
    field: &FieldSpec,
    value: Option<&Value>,
    default: &str,
) -> Option<Change> {
    let current = value.map(Value::to_text).unwrap_or_default();
    let (response, text, changed) = text_field(ui, id, &current, default, false, 1);
    response.labelled_by(name);
    let text = text.trim();
    let whole = matches!(field.ty, FieldType::Integer { .. });
    let parsed = if text.is_empty() {
        Ok(None)
    } else if whole {
        text.parse::<i64>()
            .map(|number| Some(Value::Int(number)))
            .map_err(|_| "a whole number")
    } else {
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Some(match text.parse::<i64>() {
                Ok(whole) => Value::Int(whole),
                Err(_) => Value::Float(number),
            })),
            _ => Err("a number"),
        }
    };
    match parsed {
        Ok(value) => changed.then(|| typed(id, value)),
        Err(expected) => {
            error(
                ui,
                &format!("`{text}` is not {expected}; it is not taken over"),
            );
            None
        }
    }
}

fn expression(
    ui: &mut Ui,
    id: Id,
    name: Id,
    role: JqRole,
    value: Option<&Value>,
    default: &str,
    around: &Around<'_>,
) -> Option<Change> {
    let current = value.map(Value::to_text).unwrap_or_default();
    let rows = current
        .lines()
        .count()
        .clamp(1, 8)
        .max(if role == JqRole::Mapping { 2 } else { 1 });
    let code = Code {
        current: &current,
        hint: default,
        language: Language::Jq,
        rows,
        wrong: None,
        fields: &|| fields_around(around.document, around.last),
    };
    let (response, text, changed) = code_field(ui, id, &code);
    response.labelled_by(name);
    let code = if text.trim().is_empty() {
        default
    } else {
        text.as_str()
    };
    if let (Ok(expr), Some(event)) = (Expr::compile(code), around.last) {
        try_out(ui, &expr, role, event);
    }
    changed.then(|| typed(id, texted(&text)))
}

/// A program; written at more ease beside an event.
fn code(
    ui: &mut Ui,
    id: Id,
    name: Id,
    value: Option<&Value>,
    language: Language,
    around: &Around<'_>,
) -> Option<Change> {
    let current = value.map(Value::to_text).unwrap_or_default();
    let code = Code {
        current: &current,
        hint: "return event.data",
        language,
        rows: current.lines().count().clamp(4, 12),
        wrong: None,
        fields: &|| fields_around(around.document, around.last),
    };
    let (response, text, changed) = code_field(ui, id, &code);
    response.labelled_by(name);
    changed.then(|| typed(id, texted(&text)))
}

/// Fields that the events of a node may have: those of the flow's types, and those of its last event.
pub(crate) fn fields_around(document: &Document, last: Option<&Event>) -> BTreeSet<Pointer> {
    let mut found: BTreeSet<Pointer> = fields::of_flow(document).into_keys().collect();
    if let Some(last) = last {
        add_parts(&Pointer::root(), &last.data, &mut found);
    }
    found
}

/// Adds the fields of a value; those of an array are those of its first element.
fn add_parts(at: &Pointer, value: &Value, found: &mut BTreeSet<Pointer>) {
    match value {
        Value::Obj(object) => {
            for (name, part) in object.iter() {
                let below = at.child(name.clone());
                add_parts(&below, part, found);
                found.insert(below);
            }
        }
        Value::Arr(items) => {
            if let Some(first) = items.first() {
                add_parts(at, first, found);
            }
        }
        _ => {}
    }
}

/// Variables that an expression of the field may name.
pub(crate) fn variables_of(field: &FieldSpec) -> Vec<Variable> {
    match field.ty {
        FieldType::Jq {
            role: JqRole::Step, ..
        } => vec![Variable::Event, Variable::State, Variable::Now],
        _ => vec![Variable::Event, Variable::Now],
    }
}

/// Shows what the expression makes of the event that came last.
fn try_out(ui: &mut Ui, expr: &Expr, role: JqRole, event: &Event) {
    let bindings =
        |variable| (variable == Variable::Event).then(|| Value::from(event.context.to_object()));
    let env = Env::new(&bindings);
    let outcome = if role == JqRole::Predicate {
        expr.test(&event.data, &env).map(Value::Bool)
    } else {
        expr.eval(&event.data, &env)
    };
    match outcome {
        Ok(value) => {
            let text: String = value.to_json().chars().take(160).collect();
            hint(ui, &format!("last event: {text}"));
        }
        Err(problem) => error(ui, &format!("last event: {problem}")),
    }
}

fn json(ui: &mut Ui, id: Id, name: Id, value: Option<&Value>) -> Option<Change> {
    let current = value.map(Value::to_json_pretty).unwrap_or_default();
    let rows = current.lines().count().clamp(3, 12);
    let (response, text, changed) = text_field(ui, id, &current, "{}", true, rows);
    response.labelled_by(name);
    if text.trim().is_empty() {
        return changed.then(|| typed(id, None));
    }
    match Value::parse(text.as_bytes(), JSON_MAX) {
        Ok(value) => changed.then(|| typed(id, Some(value))),
        Err(problem) => {
            error(ui, &format!("{problem}; it is not taken over"));
            None
        }
    }
}

/// A pointer, typed or chosen among the fields of the flow's event types.
fn pointer(
    ui: &mut Ui,
    id: Id,
    name: Id,
    field: &FieldSpec,
    value: Option<&Value>,
    document: &Document,
) -> Option<Change> {
    let current = value.map(Value::to_text).unwrap_or_default();
    let button = egui::Button::new("…");
    let ((response, text, changed), chosen) = ui
        .horizontal(|ui| {
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                let chosen = fields::pick(ui, id.with("pick"), button, &field.title, document);
                (text_field(ui, id, &current, "/field", true, 1), chosen)
            })
            .inner
        })
        .inner;
    response.labelled_by(name);
    match chosen {
        Some(pointer) => Some(discrete(Some(Value::str(pointer.to_string())))),
        None => changed.then(|| typed(id, texted(&text))),
    }
}

/// Pointers, one a line, typed or chosen.
fn pointers(
    ui: &mut Ui,
    id: Id,
    name: Id,
    field: &FieldSpec,
    value: Option<&Value>,
    document: &Document,
) -> Option<Change> {
    let typed = list(ui, id, name, field, value);
    let button = egui::Button::new("Add a field").small();
    let chosen = fields::pick(ui, id.with("pick"), button, &field.title, document);
    let Some(pointer) = chosen else {
        return typed;
    };
    let mut items = value.and_then(Value::as_array).unwrap_or_default().to_vec();
    items.push(Value::str(pointer.to_string()));
    Some(discrete(Some(Value::Arr(Arc::new(items)))))
}

/// One entry a line.
fn list(ui: &mut Ui, id: Id, name: Id, field: &FieldSpec, value: Option<&Value>) -> Option<Change> {
    let lines = |value: &Value| -> String {
        let items = value.as_array().unwrap_or_default();
        let lines: Vec<_> = items
            .iter()
            .map(|item| item.to_text().to_string())
            .collect();
        lines.join("\n")
    };
    let current = value.map(lines).unwrap_or_default();
    let rows = current.lines().count().clamp(2, 8);
    let placeholder = match &field.default {
        Value::Null if field.ty == FieldType::Pointers => "/field, one a line".to_owned(),
        Value::Null => "one a line".to_owned(),
        default => lines(default),
    };
    let (response, text, changed) = text_field(ui, id, &current, &placeholder, true, rows);
    response.labelled_by(name);
    changed.then(|| {
        let items: Vec<Value> = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(Value::str)
            .collect();
        typed(id, (!items.is_empty()).then(|| Value::Arr(Arc::new(items))))
    })
}

/// Names to texts or expressions: one row each, and a row to add one.
fn table(
    ui: &mut Ui,
    id: Id,
    title: &str,
    value: Option<&Value>,
    jq: bool,
    around: &Around<'_>,
) -> Option<Change> {
    let empty = Object::new();
    let table = value.and_then(Value::as_object).unwrap_or(&empty);
    let mut change = None;
    for (index, (key, entry)) in table.iter().enumerate() {
        let row = id.with(key.as_str());
        ui.horizontal(|ui| {
            ui.label(RichText::new(key.as_str()).monospace());
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                let remove = ui
                    .small_button("×")
                    .accessible_name(format!("Remove {key} from {title}"));
                if remove.clicked() {
                    let mut new = table.clone();
                    new.remove(key);
                    change = Some(discrete((!new.is_empty()).then(|| Value::from(new))));
                }
            });
        });
        let current = entry.to_text();
        let (response, text, changed) = text_field(ui, row, &current, "", jq, 1);
        response.accessible_name(format!("{title} {}: {key}", index + 1));
        if jq && let (Ok(expr), Some(event)) = (Expr::compile(&text), around.last) {
            try_out(ui, &expr, JqRole::Value, event);
        }
        if changed {
            let mut new = table.clone();
            new.insert(key.clone(), Value::str(text));
            change = Some(typed(row, Some(Value::from(new))));
        }
    }
    let add = id.with("new name");
    ui.horizontal(|ui| {
        let mut text = ui
            .data(|data| data.get_temp::<String>(add))
            .unwrap_or_default();
        let field = ui.add(
            egui::TextEdit::singleline(&mut text)
                .id(add.with("field"))
                .hint_text("name")
                .desired_width((ui.available_width() - 60.0).max(60.0)),
        );
        let entered = field.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
        field.accessible_name(format!("New name in {title}"));
        let clicked = ui
            .button("Add")
            .accessible_name(format!("Add to {title}"))
            .clicked();
        let key = text.trim().to_owned();
        if (entered || clicked) && !key.is_empty() && !table.contains_key(&key) {
            let mut new = table.clone();
            new.insert(key, Value::str(if jq { "true" } else { "" }));
            change = Some(discrete(Some(Value::from(new))));
            text.clear();
        }
        ui.data_mut(|data| data.insert_temp(add, text));
    });
    change
}

/// A list of small forms.
fn records(
    ui: &mut Ui,
    id: Id,
    title: &str,
    fields: &[FieldSpec],
    value: Option<&Value>,
    around: &Around<'_>,
) -> Option<Change> {
    let rows = value.and_then(Value::as_array).unwrap_or_default();
    let mut change = None;
    let empty = Object::new();
    for (index, record) in rows.iter().enumerate() {
        let record = record.as_object().unwrap_or(&empty);
        egui::Frame::group(ui.style()).show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.horizontal(|ui| {
                ui.label(RichText::new(format!("{}", index + 1)).weak());
                ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                    let remove = ui
                        .small_button("×")
                        .accessible_name(format!("Remove row {} of {title}", index + 1));
                    if remove.clicked() {
                        let mut new = rows.to_vec();
                        new.remove(index);
                        change = Some(discrete(
                            (!new.is_empty()).then(|| Value::Arr(Arc::new(new))),
                        ));
                    }
                });
            });
            let row = id.with(index);
            show(ui, row, fields, record, around, |field, inner| {
                let mut object = record.clone();
                match inner.value {
                    Some(value) => object.insert(field.name.clone(), value),
                    None => object.remove(&field.name),
                };
                let mut new = rows.to_vec();
                new[index] = Value::from(object);
                change = Some(Change {
                    value: Some(Value::Arr(Arc::new(new))),
                    typing: inner.typing,
                });
            });
        });
    }
    let add = ui
        .button("Add a row")
        .accessible_name(format!("Add a row to {title}"));
    if add.clicked() {
        let mut new = rows.to_vec();
        let mut record = Object::new();
        for field in fields.iter().filter(|field| field.required) {
            if !matches!(field.default, Value::Null) {
                record.insert(field.name.clone(), field.default.clone());
            }
        }
        new.push(Value::from(record));
        change = Some(discrete(Some(Value::Arr(Arc::new(new)))));
    }
    change
}
