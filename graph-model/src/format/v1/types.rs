//! Event types: their shapes, labels, measures and what follows from what.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::annotations::{read_accepted, write_accepted};
use super::fields::{Fields, merge, put_object, put_text};
use crate::document::{Adds, Dependency, EventType, Measure};
use crate::label::{Clause, Label};
use crate::pointer::Pointer;
use crate::value::{Object, Value};

#[expect(
    clippy::unnecessary_wraps,
    reason = "readers of sections share one shape"
)]
pub(super) fn read_type(fields: &mut Fields) -> Option<EventType> {
    let mut labels = BTreeMap::new();
    for (pointer, clauses) in fields.object("labels") {
        let Ok(at) = Pointer::parse(&pointer) else {
            fields.note("labels", format!("`{pointer}` is not a JSON pointer"));
            continue;
        };
        let mut label = Label::default();
        for clause in clauses.as_array().unwrap_or_default() {
            match Clause::parse(clause.as_str().unwrap_or_default()) {
                Ok(clause) => {
                    label.0.insert(clause);
                }
                Err(error) => fields.note("labels", error.to_string()),
            }
        }
        labels.insert(at, label);
    }
    let measures = fields.entries("measures", read_measure);
    let measures = measures.into_iter().filter_map(|(field, measure)| {
        let field = Pointer::parse(field.as_str()).ok()?;
        Some((field, Arc::unwrap_or_clone(measure)))
    });
    Some(EventType {
        title: fields.text("title"),
        measures: measures.collect(),
        depends: read_dependencies(fields),
        declared: fields.object("declared"),
        accepted: read_accepted(fields),
        schema: fields.take("schema").unwrap_or_default(),
        labels,
        subject: fields.pointer("subject"),
        tenant: fields.pointer("tenant"),
        id: fields.pointer("id"),
        time: fields.pointer("time"),
        version: fields.pointer("version"),
        extra: fields.rest(),
    })
}

/// Entries whose name is no pointer, or whose `adds` is no known word, stay as they are.
pub(super) fn read_measure(fields: &mut Fields) -> Option<Measure> {
    let field = fields.at.tokens().last().cloned().unwrap_or_default();
    if Pointer::parse(&field).is_err() {
        fields.note("", format!("`{field}` is not a JSON pointer"));
        return None;
    }
    let adds = match fields.optional_text("adds") {
        None => Adds::Unknown,
        Some(word) => Adds::parse(&word).or_else(|| {
            fields.note(
                "adds",
                format!("`{word}` is none of unknown, always, not_over_time, never"),
            );
            None
        })?,
    };
    let unit = fields.text("unit");
    fields.object.is_empty().then_some(Measure { adds, unit })
}

/// Reads `/country, /zip -> /city`; what is written otherwise is noted and dropped with the list kept.
pub(super) fn read_dependencies(fields: &mut Fields) -> Vec<Dependency> {
    let read = |value: &Value| {
        let lines = value.as_array()?.iter();
        lines.map(|line| parse_dependency(line.as_str()?)).collect()
    };
    fields
        .take_if("depends", "a list of `/from, /from -> /to`", read)
        .unwrap_or_default()
}

pub(super) fn parse_dependency(line: &str) -> Option<Dependency> {
    let (from, to) = line.split_once("->")?;
    let pointers = |text: &str| {
        let parts = text.split(',').map(|part| Pointer::parse(part.trim()).ok());
        parts.collect::<Option<Vec<_>>>()
    };
    Some(Dependency {
        from: pointers(from)?,
        to: pointers(to)?,
    })
}

pub(super) fn write_dependency(dependency: &Dependency) -> Value {
    let list = |pointers: &[Pointer]| {
        let texts: Vec<String> = pointers.iter().map(ToString::to_string).collect();
        texts.join(", ")
    };
    format!("{} -> {}", list(&dependency.from), list(&dependency.to)).into()
}

pub(super) fn write_measure(measure: &Measure) -> Object {
    let mut out = Object::new();
    if measure.adds != Adds::Unknown {
        out.insert("adds", measure.adds.word());
    }
    put_text(&mut out, "unit", &measure.unit);
    out
}

pub(super) fn write_type(ty: &EventType) -> Object {
    let mut out = ty.extra.clone();
    put_text(&mut out, "title", &ty.title);
    if ty.schema != Value::Null {
        out.insert("schema", ty.schema.clone());
    }
    let labels: Object = ty
        .labels
        .iter()
        .map(|(pointer, label)| {
            (
                pointer.to_string(),
                label.0.iter().map(ToString::to_string).collect::<Value>(),
            )
        })
        .collect();
    merge(&mut out, "labels", labels);
    let measures: Object = ty
        .measures
        .iter()
        .map(|(field, measure)| (field.to_string(), write_measure(measure)))
        .collect();
    merge(&mut out, "measures", measures);
    if !ty.depends.is_empty() {
        let lines: Value = ty.depends.iter().map(write_dependency).collect();
        out.insert("depends", lines);
    }
    put_object(&mut out, "declared", &ty.declared);
    write_accepted(&mut out, &ty.accepted);
    for (name, pointer) in [
        ("subject", &ty.subject),
        ("tenant", &ty.tenant),
        ("id", &ty.id),
        ("time", &ty.time),
        ("version", &ty.version),
    ] {
        if let Some(pointer) = pointer {
            out.insert(name, pointer.to_string());
        }
    }
    out
}
