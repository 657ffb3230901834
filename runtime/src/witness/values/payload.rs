//! Payloads of facts: what identifies them is their own, other fields have one of few values.

use std::collections::BTreeMap;

use graph_model::catalog::Catalog;
use graph_model::document::{Document, EventType};
use graph_model::event::rfc3339;
use graph_model::id::NodeId;
use graph_model::pointer::Pointer;
use graph_model::schema::{Field, Schema, Types};
use graph_model::units;
use graph_model::value::{Object, Value};
use smol_str::SmolStr;

use super::read::{Read, read};
use super::{Hint, Wish};

/// Bytes of a large payload, at most.
const LARGE_MAX: usize = 4 << 20;

/// What payloads are made of.
pub(super) struct Payloads<'w> {
    wish: &'w Wish,
    read: BTreeMap<Pointer, Read>,
    /// Values of claims by their names, such as `patient_id`: people that a guard lets look.
    claims: BTreeMap<SmolStr, Vec<Value>>,
}

impl<'w> Payloads<'w> {
    pub(super) fn of(document: &Document, catalog: &Catalog, wish: &'w Wish) -> Payloads<'w> {
        let mut claims: BTreeMap<SmolStr, Vec<Value>> = BTreeMap::new();
        for principal in document.principals.values() {
            for (name, value) in principal.claims.iter() {
                claims.entry(name.clone()).or_default().push(value.clone());
            }
        }
        Payloads {
            wish,
            read: read(document, catalog),
            claims,
        }
    }

    /// The payload of a fact of a type.
    pub(super) fn typed(&self, ty: &EventType, number: usize, time_ms: i64) -> Value {
        let schema = Schema::new(&ty.schema);
        let mut payload = schema.example();
        if !matches!(payload, Value::Obj(_)) {
            payload = Value::Null;
        }
        for (place, field) in schema.fields().iter().enumerate() {
            let pointer = &field.pointer;
            if pointer.is_root() || pointer.tokens().iter().any(|token| token == "*") {
                continue;
            }
            if self.wish.hint == Hint::Sparse && !field.required {
                pointer.remove(&mut payload);
                continue;
            }
            let value = if ty.time.as_ref() == Some(pointer) {
                Value::from(rfc3339(time_ms))
            } else {
                let Some(value) = self.value(ty, &schema, field, place, number) else {
                    continue;
                };
                value
            };
            let mut tried = payload.clone();
            pointer.set(&mut tried, value);
            // What the schema refuses stays as its example has it.
            if schema.check(&tried).is_ok() || schema.check(&payload).is_err() {
                payload = tried;
            }
        }
        if self.wish.hint == Hint::Added && schema.welcomes_others() {
            add(&schema, &mut payload, number);
        }
        if self.wish.hint == Hint::Large {
            fill(ty, &schema, &mut payload);
        }
        for depends in &ty.depends {
            let from = depends.from.iter().map(|field| field.get(&payload));
            let from: Vec<String> = from.flatten().map(Value::to_json).collect();
            for to in &depends.to {
                to.set(&mut payload, Value::from(from.join(" ")));
            }
        }
        payload
    }

    /// A payload of whatever the flow reads: keys have one of few values, everything else is its own.
    pub(super) fn untyped(&self, source: &NodeId, place: usize, number: usize) -> Value {
        let turn = number + 4 * place;
        let mut payload = Value::from(Object::new());
        let from = Pointer::root().child("from");
        from.set(&mut payload, Value::from(source.as_str()));
        for (place, (field, read)) in self.read.iter().enumerate() {
            let choice = self.choice(field, place, number, false);
            let value = if let Some(wanted) = wanted(read, number) {
                wanted
            } else if let Some(Value::Bool(held)) = read.wanted.first() {
                Value::Bool(!held)
            } else if read.is_key {
                Value::from(format!("k{choice}"))
            } else {
                quantity(turn)
            };
            if self.wish.hint == Hint::Sparse && !read.is_key && number % 2 == 1 {
                continue;
            }
            field.set(&mut payload, value);
        }
        Pointer::root()
            .child("number")
            .set(&mut payload, Value::Int(number as i64));
        payload
    }

    /// A change of a row.
    pub(super) fn change(&self, row: Value, number: usize) -> Value {
        let key = Pointer::root().child("key");
        let same = self.wish.hint == Hint::OneGroup && self.wish.keys.contains(&key);
        let choice = if same { 0 } else { number % 2 };
        let key = row.get("key").cloned();
        let mut data = Object::with_capacity(4);
        data.insert(
            "key",
            key.unwrap_or_else(|| Value::from(format!("k{choice}"))),
        );
        data.insert("op", if number == 0 { "insert" } else { "update" });
        data.insert("before", Value::Null);
        data.insert("after", row);
        data.into()
    }

    fn value(
        &self,
        ty: &EventType,
        schema: &Schema,
        field: &Field,
        place: usize,
        number: usize,
    ) -> Option<Value> {
        let pointer = &field.pointer;
        let is = |one: &Option<Pointer>| one.as_ref() == Some(pointer);
        let own = is(&ty.id) || is(&ty.version);
        let choice = if is(&ty.version) {
            number
        } else {
            self.choice(pointer, place, number, own)
        };
        if let Some(values) = schema.values(pointer) {
            return values.get(number % values.len().max(1)).cloned();
        }
        let name = pointer.last().map_or("value", SmolStr::as_str);
        if let Some(people) = self.claims.get(name) {
            // One of the facts is about somebody who does not look.
            if let Some(one) = people.get(number % (people.len() + 1)) {
                return Some(one.clone());
            }
        }
        let looked_for = self.read.get(pointer).filter(|_| !own);
        let wanted = looked_for.and_then(|read| wanted(read, number));
        let fits = |value: &Value| field.types.overlaps(Types::of(value));
        if let Some(wanted) = wanted.filter(fits) {
            return Some(wanted);
        }
        if self.wish.hint == Hint::Sparse && field.types.overlaps(Types::STRING) {
            // By turns in each way that the type allows, with the same text.
            let turn = quantity(number / 2);
            match number.is_multiple_of(2) {
                true if field.types.overlaps(Types::NUMBER) => return Some(turn),
                true if field.types.overlaps(Types::NULL) => return Some(Value::Null),
                false if field.types.overlaps(Types::NUMBER) => return Some(turn.to_text().into()),
                _ => {}
            }
        }
        if field.types.overlaps(Types::STRING) {
            // Keys are equal across types, so that what is joined can meet.
            let is_key = self.read.get(pointer).is_some_and(|read| read.is_key);
            let name = if is_key { "k" } else { name };
            Some(Value::from(format!("{name}{choice}")))
        } else if field.types.overlaps(Types::NUMBER) {
            Some(quantity(number))
        } else if field.types.overlaps(Types::BOOLEAN) {
            Some(Value::Bool(choice == 0))
        } else if field.types.overlaps(Types::OBJECT | Types::ARRAY) {
            None
        } else {
            Some(Value::Null)
        }
    }

    /// Whether an event is among those of the busiest group, which are spread evenly.
    fn is_hot(&self, number: usize) -> bool {
        let before = (number as f64 * self.wish.hot).floor();
        ((number + 1) as f64 * self.wish.hot).floor() > before
    }

    /// Which of its values a field has; `own` fields tell facts apart.
    fn choice(&self, field: &Pointer, place: usize, number: usize, own: bool) -> usize {
        let is_key = self.read.get(field).is_some_and(|read| read.is_key);
        match self.wish.hint {
            Hint::OneGroup if self.wish.keys.contains(field) => 0,
            Hint::Hot if self.wish.keys.contains(field) && self.is_hot(number) => 0,
            Hint::OneGroup | Hint::Hot if own || is_key => number,
            Hint::Windows | Hint::Unequal | Hint::Many if own => number,
            Hint::OneThing | Hint::Windows | Hint::Many => 0,
            Hint::Unequal => usize::from(number > 0),
            Hint::People => number,
            Hint::Crossed if own => number / 2,
            _ if own => number,
            _ => number % (2 + place % 2),
        }
    }
}

/// Adds a field that the type does not list, with a value that occurs nowhere else.
fn add(schema: &Schema, payload: &mut Value, number: usize) {
    let names = (1..).map(|turn| match turn {
        1 => "added".to_owned(),
        turn => format!("added_{turn}"),
    });
    let mut fields = names.map(|name| Pointer::root().child(name));
    let Some(field) = fields.find(|field| field.get(payload).is_none()) else {
        return;
    };
    for value in [
        Value::from(format!("added-canary-{}", number + 1)),
        Value::Int(1_000_003 + number as i64),
    ] {
        let mut tried = payload.clone();
        field.set(&mut tried, value);
        if schema.check(&tried).is_ok() {
            *payload = tried;
            return;
        }
    }
}

/// Makes an event as large as its type allows, by a text that nothing tells it apart by.
fn fill(ty: &EventType, schema: &Schema, payload: &mut Value) {
    let size = ty.declared.get("size_max").and_then(Value::as_str);
    let Some(size) = size.and_then(units::parse_bytes) else {
        return;
    };
    let fields = schema.fields();
    let mut texts = fields.iter().filter(|field| {
        field.types.overlaps(Types::STRING)
            && ty.id.as_ref() != Some(&field.pointer)
            && schema.values(&field.pointer).is_none()
    });
    if let Some(field) = texts.next() {
        let left = (size as usize)
            .min(LARGE_MAX)
            .saturating_sub(payload.to_json().len());
        field.pointer.set(payload, Value::from("x".repeat(left)));
    }
}

/// A value that something in the flow looks for; every so often there is none, for what it does then.
fn wanted(read: &Read, number: usize) -> Option<Value> {
    read.wanted.get(number % (read.wanted.len() + 1)).cloned()
}

/// Neither rising nor falling with the number of the fact.
fn quantity(number: usize) -> Value {
    Value::Int(((number * 7 + 3) % 11) as i64)
}
