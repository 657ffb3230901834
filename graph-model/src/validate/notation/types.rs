//! Event types as lines: their marks, their fields, and who may read them.

use std::sync::Arc;

use smol_str::SmolStr;

use super::{call, config_value, split};
use crate::document::{Adds, Dependency, Document, EventType, Measure};
use crate::edit::Edit;
use crate::label::{Clause, Label};
use crate::pointer::Pointer;
use crate::value::{Object, Value};

/// Reads `order(id=/id): id string, total number?, email string {role:finance}`.
pub(super) fn read_type(text: &str, document: &mut Document) -> Result<(), String> {
    let (head, fields) = text
        .split_once("):")
        .map(|(head, fields)| (format!("{head})"), fields))
        .or_else(|| {
            text.split_once(':')
                .map(|(head, fields)| (head.to_owned(), fields))
        })
        .ok_or("a type is written `type name: field type, …`")?;
    let (name, marks, _) = call(head.trim())?;
    let mut ty = EventType::default();
    for mark in split(marks, ",")
        .into_iter()
        .filter(|mark| !mark.trim().is_empty())
    {
        let (what, text) = mark.trim().split_once('=').ok_or("a mark is `id=/field`")?;
        if what == "depends" {
            ty.depends.push(read_dependency(text)?);
            continue;
        }
        if !["id", "time", "version", "subject", "tenant"].contains(&what) {
            ty.declared.insert(what, config_value(text));
            continue;
        }
        let pointer = Some(Pointer::parse(text).map_err(|error| error.to_string())?);
        match what {
            "id" => ty.id = pointer,
            "time" => ty.time = pointer,
            "version" => ty.version = pointer,
            "subject" => ty.subject = pointer,
            _ => ty.tenant = pointer,
        }
    }
    let mut properties = Object::new();
    let mut required = Vec::new();
    let mut others = None;
    for field in split(fields, ",")
        .into_iter()
        .filter(|field| !field.trim().is_empty())
    {
        match field.trim() {
            "..." => others = Some(true),
            "!" => others = Some(false),
            _ => {}
        }
        if matches!(field.trim(), "..." | "!") {
            continue;
        }
        let (field, labels) = match field.split_once('{') {
            Some((field, labels)) => (field, labels.trim().trim_end_matches('}')),
            None => (field, ""),
        };
        let (field, measure) = match field.split_once('<') {
            Some((field, measure)) => (field, Some(measure.trim().trim_end_matches('>'))),
            None => (field, None),
        };
        let (name, shape) = field
            .trim()
            .split_once(' ')
            .ok_or_else(|| format!("`{field}` is not `name type`"))?;
        let shape = shape.trim();
        if let Some(measure) = measure {
            let (adds, unit) = measure.split_once(' ').unwrap_or((measure, ""));
            let adds = Adds::parse(adds).ok_or_else(|| format!("`{adds}` says not how it adds"))?;
            let unit = unit.trim().into();
            let at = Pointer::root().child(name);
            ty.measures.insert(at, Measure { adds, unit });
        }
        let word = shape.trim_end_matches('?');
        if word == shape {
            required.push(Value::from(name));
        }
        properties.insert(name, shape_of(word));
        if !labels.is_empty() {
            let clauses: Result<Label, _> = labels.split(';').map(Clause::parse).collect();
            let label = clauses.map_err(|error| error.to_string())?;
            ty.labels.insert(Pointer::root().child(name), label);
        }
    }
    ty.schema = crate::value!({
        "type": "object",
        "properties": (Value::from(properties)),
        "required": (Value::from(required)),
    });
    if let Some(others) = others {
        let at = Pointer::root().child("additionalProperties");
        at.set(&mut ty.schema, Value::Bool(others));
    }
    Edit::Type(name.into(), Some(Arc::new(ty))).apply(document);
    Ok(())
}

/// The schema of a field: a JSON type, several, or some words.
fn shape_of(word: &str) -> Value {
    let parts: Vec<&str> = word.split('|').collect();
    if let [ty] = parts[..] {
        return crate::value!({"type": ty});
    }
    let values: Value = parts.iter().map(|part| SmolStr::from(*part)).collect();
    if parts.iter().all(|part| JSON_TYPES.contains(part)) {
        crate::value!({"type": (values)})
    } else {
        crate::value!({"enum": (values)})
    }
}

const JSON_TYPES: [&str; 7] = [
    "null", "boolean", "integer", "number", "string", "array", "object",
];

/// Reads `/a+/b>/c`.
fn read_dependency(text: &str) -> Result<Dependency, String> {
    let (from, to) = text
        .split_once('>')
        .ok_or_else(|| format!("`{text}` is not `/a>/b`"))?;
    let pointers = |text: &str| {
        let parts = text.split('+').map(Pointer::parse);
        parts
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| error.to_string())
    };
    Ok(Dependency {
        from: pointers(from)?,
        to: pointers(to)?,
    })
}
