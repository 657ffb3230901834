//! What a stand-in sends looks as its function declares: of the output type, and of nothing that it does not
//! read.

use std::sync::Arc;

use graph_model::document::EventType;
use graph_model::event::Event;
use graph_model::pointer::Pointer;
use graph_model::schema::Schema;
use graph_model::value::{Object, Value};
use smol_str::SmolStr;

use crate::kind::Build;

pub(super) struct Shape {
    /// All that the function reads, where it says so.
    reads: Option<Vec<Pointer>>,
    sends: Option<Sends>,
}

/// The type of what is sent.
struct Sends {
    name: SmolStr,
    ty: Arc<EventType>,
    schema: Schema,
}

impl Shape {
    pub(super) fn of(build: &Build) -> Shape {
        let reads = build.node.notes.declared.get("reads");
        let reads = reads.and_then(Value::as_array).map(|fields| {
            let texts = fields.iter().filter_map(Value::as_str);
            texts.filter_map(|text| Pointer::parse(text).ok()).collect()
        });
        Shape {
            reads: reads.filter(|fields: &Vec<Pointer>| !fields.is_empty()),
            sends: sends(build),
        }
    }

    #[cfg(test)]
    pub(super) fn any() -> Shape {
        Shape {
            reads: None,
            sends: None,
        }
    }

    /// The name of the type of what is sent.
    pub(super) fn ty(&self) -> Option<&SmolStr> {
        self.sends.as_ref().map(|sends| &sends.name)
    }

    /// What identifies what is sent, as its type says.
    pub(super) fn id(&self) -> Option<&Pointer> {
        self.sends.as_ref()?.ty.id.as_ref()
    }

    /// What is sent for an event with this payload.
    pub(super) fn fit(&self, event: &Event, data: Value) -> Value {
        let data = match &self.reads {
            Some(reads) => only(reads, &data),
            None => data,
        };
        let Some(Sends { ty, schema, .. }) = &self.sends else {
            return data;
        };
        if schema.check(&data).is_ok() {
            return data;
        }
        let mut sent = schema.example();
        let mut take = |field: &Pointer, value: Value| {
            let mut tried = sent.clone();
            field.set(&mut tried, value);
            if schema.check(&tried).is_ok() || schema.check(&sent).is_err() {
                sent = tried;
            }
        };
        if let Some(id) = &ty.id {
            take(id, event.context.id.clone().into());
        }
        for field in schema.fields() {
            let field = field.pointer;
            let single = !field.is_root() && !field.tokens().iter().any(|token| token == "*");
            if let Some(value) = field.get(&data).filter(|_| single) {
                take(&field, value.clone());
            }
        }
        sent
    }
}

/// The type that is declared for the first port.
fn sends(build: &Build) -> Option<Sends> {
    let types = build.table("port_types");
    let port = build.texts("ports").into_iter().next();
    let single = types
        .into_iter()
        .find(|(name, _)| Some(name) == port.as_ref());
    let name = single.map(|(_, ty)| ty);
    let name = name.or_else(|| build.optional_text("output_type"))?;
    let ty = build.document.types.get(name.as_str())?;
    Some(Sends {
        schema: Schema::new(&ty.schema),
        ty: Arc::clone(ty),
        name,
    })
}

/// The part of a payload that is in these fields.
fn only(fields: &[Pointer], data: &Value) -> Value {
    if fields.iter().any(Pointer::is_root) {
        return data.clone();
    }
    let mut part = Value::from(Object::new());
    for field in fields {
        if let Some(value) = field.get(data) {
            field.set(&mut part, value.clone());
        }
    }
    part
}

#[cfg(test)]
mod tests {
    use graph_model::value;

    use super::*;

    #[test]
    fn what_is_sent_has_the_declared_shape() {
        let strict = value!({"type": "object", "required": ["id", "cents"], "additionalProperties": false,
            "properties": {"id": {"type": "string"}, "cents": {"type": "integer"}}});
        for (schema, reads, wanted) in [
            (None, None, r#"{"id":"a","name":"Ana"}"#),
            (None, Some("/name"), r#"{"name":"Ana"}"#),
            (Some(value!({})), None, r#"{"id":"a","name":"Ana"}"#),
            (Some(strict.clone()), None, r#"{"cents":1,"id":"a"}"#),
            // What tells it apart is made of the event where the code does not read it.
            (Some(strict), Some("/name"), r#"{"cents":1,"id":"e1"}"#),
        ] {
            let reads = reads.map(|field| vec![Pointer::parse(field).expect("a pointer")]);
            let sends = schema.as_ref().map(|schema| Sends {
                name: "bill".into(),
                ty: Arc::new(EventType {
                    id: Some(Pointer::root().child("id")),
                    ..EventType::default()
                }),
                schema: Schema::new(schema),
            });
            let mut event = Event {
                context: Arc::default(),
                data: value!({"id": "a", "name": "Ana"}),
            };
            Arc::make_mut(&mut event.context).id = "e1".into();
            let sent = Shape { reads, sends }.fit(&event, event.data.clone());
            assert_eq!(sent.to_json(), wanted);
        }
    }
}
