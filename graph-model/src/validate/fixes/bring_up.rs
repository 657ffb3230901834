//! Lets old events and new types go together.

use std::sync::Arc;

use super::behind::insert_behind;
use super::identify::path;
use super::{fix, kind_that};
use crate::catalog::{Behaviour, PortRole};
use crate::document::{EventType, Node};
use crate::edit::Edit;
use crate::expr::{Env, Expr};
use crate::id::Id;
use crate::pointer::Pointer;
use crate::schema::{Counterexample, Declared, Schema, Types};
use crate::validate::Fix;
use crate::validate::design::NodeIx;
use crate::validate::facts::Facts;
use crate::value::{Object, Value};

/// Fields that one mediator fills in or changes, at most.
const CLAUSES_MAX: usize = 8;

/// A mediator behind a node makes the new type of what is old, or the new type takes the old values.
pub(in crate::validate) fn bring_up(
    facts: &Facts,
    node: NodeIx,
    (older, ty): (&Id, &Id),
    example: &Counterexample,
) -> Vec<Fix> {
    // Where events of others come by as well, they cannot be made of this type.
    let single = facts.output(node).and_then(|port| port.payload.ty.as_ref()) == Some(ty);
    [
        single
            .then(|| mediate(facts, node, (older, ty), example))
            .flatten(),
        allow(facts, (older, ty), &example.pointer),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Events of a type: one with every field, and one without each field that may be missing.
pub(in crate::validate) fn samples(schema: &Schema) -> Vec<Value> {
    let example = schema.example();
    let optional = schema.fields().into_iter().filter(|field| !field.required);
    let without = optional.map(|field| {
        let mut event = example.clone();
        field.pointer.remove(&mut event);
        event
    });
    let mut samples: Vec<Value> = without.collect();
    // And one with each type that a field may be of.
    for field in schema.fields() {
        let several = [
            (Types::NULL, Value::Null),
            (Types::STRING, Value::str("1")),
            (Types::NUMBER, Value::Int(1)),
            (Types::BOOLEAN, Value::Bool(true)),
            (Types::ARRAY, Value::from(Vec::<Value>::new())),
        ];
        let may = several
            .into_iter()
            .filter(|(ty, _)| field.types.overlaps(*ty));
        let may: Vec<Value> = may.map(|(_, value)| value).collect();
        if may.len() > 1 && field.types != Types::ANY {
            samples.extend(may.into_iter().map(|value| {
                let mut event = example.clone();
                field.pointer.set(&mut event, value);
                event
            }));
        }
    }
    samples.push(example.clone());
    samples
}

fn mediate(
    facts: &Facts,
    node: NodeIx,
    (older, ty): (&Id, &Id),
    example: &Counterexample,
) -> Option<Fix> {
    let design = &*facts.design;
    let kind = kind_that(design, |does| matches!(does, Behaviour::Mediate { .. }))?;
    let Behaviour::Mediate { expr, target } = &kind.behaviour else {
        return None;
    };
    let view = &design.nodes[node];
    let outputs = &view.kind.as_ref()?.outputs;
    let output = outputs.iter().find(|port| port.role == PortRole::Data)?;
    let (old, new) = (facts.schema(older.as_str())?, facts.schema(ty.as_str())?);
    let code = adapting(&old, &new, example)?;
    let title = format!(
        "Put a mediator from {older} to {ty} behind {}",
        design.title(node)
    );
    let caution = "made-up values take the place of what was not there";
    let made = Node::new(kind.id.clone())
        .with(expr, code)
        .with(target, ty.as_str());
    Some(fix(design, title, caution, |build| {
        let wished: Id = "bring_up".into();
        insert_behind(design, build, (node, &output.name), &wished, made);
    }))
}

/// An expression that makes the new type of all samples of the old one.
fn adapting(old: &Schema, new: &Schema, example: &Counterexample) -> Option<String> {
    let mut events = samples(old);
    events.push(example.instance.clone());
    let mut clauses: Vec<String> = Vec::new();
    for _ in 0..CLAUSES_MAX {
        let code = if clauses.is_empty() {
            ".".to_owned()
        } else {
            clauses.join(" | ")
        };
        let expr = Expr::compile(&code).ok()?;
        let mut wrong = events.iter().filter_map(|event| {
            let made = expr.eval(event, &Env::empty()).ok()?;
            let violation = new.check(&made).err()?;
            Some((violation.pointer, made))
        });
        let Some((field, made)) = wrong.next() else {
            return Some(code);
        };
        clauses.push(clause(new, &field, &made)?);
    }
    None
}

fn clause(new: &Schema, field: &Pointer, made: &Value) -> Option<String> {
    let own = path(field)?;
    let Declared::Promised(promise) = new.declared(field) else {
        return None;
    };
    let wanted = promise.types;
    match field.get(made).filter(|value| **value != Value::Null) {
        Some(value) if wanted.has(Types::STRING) && Types::of(value) != Types::STRING => {
            Some(format!("{own} |= tostring"))
        }
        Some(Value::Str(_)) if wanted.has(Types::NUMBER) => {
            Some(format!("{own} |= (tonumber? // 0)"))
        }
        Some(_) => None,
        None => {
            let default = match new.values(field) {
                Some(values) => values.first()?.to_json(),
                None if wanted.has(Types::STRING) => "\"unknown\"".to_owned(),
                None if wanted.overlaps(Types::NUMBER) => "0".to_owned(),
                None if wanted.has(Types::BOOLEAN) => "false".to_owned(),
                None if wanted.has(Types::ARRAY) => "[]".to_owned(),
                None => return None,
            };
            Some(format!("{own} //= {default}"))
        }
    }
}

/// The new type lists the values that the old one listed.
fn allow(facts: &Facts, (older, ty): (&Id, &Id), field: &Pointer) -> Option<Fix> {
    let design = &*facts.design;
    let (old, new) = (facts.schema(older.as_str())?, facts.schema(ty.as_str())?);
    let (listed, kept) = (old.values(field)?, new.values(field)?);
    let missing = listed.iter().filter(|value| !kept.contains(value));
    let missing: Vec<Value> = missing.cloned().collect();
    let mut changed = EventType::clone(design.document.types.get(ty)?);
    let place = described_at(field).child("enum");
    place.get(&changed.schema)?;
    let all = kept.iter().chain(&missing).cloned();
    let all: Vec<Value> = all.collect();
    place.set(&mut changed.schema, all.into());
    let words: Vec<String> = missing.iter().map(Value::to_json).collect();
    let title = format!("Allow {} for `{field}` in {ty}", words.join(", "));
    let caution = "readers have to cope with what was listed before";
    Some(fix(design, title, caution, |build| {
        build.edit(Edit::Type(ty.clone(), Some(Arc::new(changed))));
    }))
}

/// The new type has a field as the old one had it.
pub(in crate::validate) fn keep_field(
    facts: &Facts,
    (older, ty): (&Id, &Id),
    field: &Pointer,
) -> Option<Fix> {
    let design = &*facts.design;
    let types = &design.document.types;
    let shape = described_at(field).get(&types.get(older)?.schema)?.clone();
    let mut changed = EventType::clone(types.get(ty)?);
    let (name, above) = field.tokens().split_last()?;
    if !above.is_empty() {
        return None;
    }
    let required = Pointer::root().child("required");
    let held = required.get(&changed.schema).and_then(Value::as_array);
    let mut names: Vec<Value> = held.unwrap_or_default().to_vec();
    if !names.iter().any(|held| held.as_str() == Some(name)) {
        names.push(name.as_str().into());
    }
    if described_at(field).parent()?.get(&changed.schema).is_none() {
        let properties = Pointer::root().child("properties");
        properties.set(&mut changed.schema, Object::new().into());
    }
    described_at(field).set(&mut changed.schema, shape);
    required.set(&mut changed.schema, names.into());
    let title = format!("Keep `{field}` in {ty} as it was in {older}");
    let caution = "those who send have to fill it as before";
    Some(fix(design, title, caution, |build| {
        build.edit(Edit::Type(ty.clone(), Some(Arc::new(changed))));
    }))
}

/// Where a schema describes a field.
pub(super) fn described_at(field: &Pointer) -> Pointer {
    let mut place = Pointer::root();
    for token in field.tokens() {
        place = place.child("properties").child(token.clone());
    }
    place
}
