//! The published JSON Schema of the file, for editors and for people who write flows by program.

use crate::catalog::{Catalog, FieldSpec, FieldType, KindSpec};
use crate::declare::{self, Place};
use crate::document::Adds;
use crate::format::SCHEMA_URI;
use crate::value;
use crate::value::{Object, Value};

/// JSON Schema (draft 2020-12) of version 1, with the config fields of every kind in the catalog.
pub fn json_schema(catalog: &Catalog) -> Value {
    let text = || value!({"type": "string"});
    let map_of = |entry: Value| value!({"type": "object", "additionalProperties": (entry)});
    let pointer = || value!({"type": "string", "pattern": "^(/.*)?$"});
    let port = || value!({"type": "string", "pattern": "^[^.]+\\..+$"});
    let accepted = || {
        let properties = value!({"reason": (text()), "by": (text()), "until": (text())});
        map_of(value!({"type": "object", "properties": (properties)}))
    };
    let texts = || value!({"type": "array", "items": {"type": "string"}});
    let kinds: Vec<Value> = catalog.iter().map(kind_rule).collect();
    let names: Value = catalog.iter().map(|kind| kind.id.clone()).collect();
    let audience = value!({"type": "object", "properties": {
        "roles": (texts()),
        "rows": {"type": "array", "items": {"type": "string", "pattern": "^[^=]+=\\s*(/.*)?$"}}
    }});
    let annotations: Object = [
        ("audience", value!({"$ref": "#/$defs/audience"})),
        (
            "side_audiences",
            map_of(value!({"$ref": "#/$defs/audience"})),
        ),
        ("runs_as", text()),
        (
            "assumptions",
            map_of(value!({"type": "object", "properties": {"reason": (text())}})),
        ),
        ("declared", record(&declare::fields(Place::is_node))),
        ("accepted", accepted()),
    ]
    .into_iter()
    .collect();
    let mut node: Object = annotations.clone();
    node.insert("kind", value!({"type": "string", "examples": (names)}));
    node.insert("title", text());
    node.insert("zone", text());
    node.insert("config", value!({"type": "object"}));
    node.insert("disabled", value!({"type": "boolean"}));
    let mut edge: Object = annotations;
    edge.insert("from", port());
    edge.insert("to", port());
    edge.insert("capacity", value!({"type": "integer", "minimum": 1}));
    edge.insert(
        "when_full",
        value!({"enum": ["block", "drop_oldest", "dead_letter"]}),
    );
    let number_list =
        value!({"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 4});
    value!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": (SCHEMA_URI),
        "title": "Weir flow",
        "type": "object",
        "required": ["version", "nodes"],
        "properties": {
            "$schema": (text()),
            "version": {"const": 1},
            "title": (text()),
            "description": (text()),
            "zones": (map_of(value!({"type": "object", "properties": {"title": (text()), "purpose": {"enum": ["trust", "team", "account"]}}}))),
            "roles": (map_of(value!({"type": "object", "properties": {"title": (text()), "external": {"type": "boolean"}}}))),
            "principals": (map_of(value!({"type": "object", "properties": {"title": (text()), "roles": (texts()), "claims": {"type": "object"}, "grants": {"type": "array", "items": {"type": "string", "pattern": "^(send|write|read|call) .+$"}}}}))),
            "types": (map_of(value!({"type": "object", "properties": {
                "title": (text()), "schema": {"type": ["object", "boolean"]}, "labels": (map_of(texts())),
                "subject": (pointer()), "tenant": (pointer()), "id": (pointer()), "time": (pointer()), "version": (pointer()),
                "measures": (map_of(value!({"type": "object", "properties": {"adds": {"enum": (Adds::WORDS.map(|(word, _)| word).into_iter().collect::<Value>())}, "unit": (text())}}))),
                "depends": {"type": "array", "items": {"type": "string", "pattern": "->"}},
                "declared": (record(&declare::fields(|place| place == Place::Type))),
                "accepted": (accepted())
            }}))),
            "nodes": (map_of(value!({"$ref": "#/$defs/node"}))),
            "edges": (map_of(value!({"type": "object", "required": ["from", "to"], "properties": (Value::from(edge))}))),
            "releases": {"type": "object"}, "providers": {"type": "object"}, "budgets": (record(&declare::BUDGETS)),
            "workloads": {"type": "object"}, "tests": (map_of(test())),
            "notes": (map_of(value!({"type": "object", "properties": {"text": (text())}}))),
            "layout": (map_of(number_list))
        },
        "$defs": {
            "audience": (audience),
            "node": {
                "type": "object", "required": ["kind"], "properties": (Value::from(node)),
                "allOf": (Value::from(kinds))
            }
        }
    })
}

/// What comes in, what may go wrong, and what sinks should hold.
fn test() -> Value {
    let text = || value!({"type": "string"});
    let things = value!({"type": "array", "maxItems": 1000});
    value!({"type": "object", "required": ["expect"], "additionalProperties": false, "properties": {
        "title": (text()),
        "given": {"type": "array", "items": {"type": "object", "required": ["source"], "properties": {
            "source": (text()), "at": (text()), "id": (text()), "type": (text()),
            "time": {"type": "string", "format": "date-time"}
        }}},
        "faults": {"type": "array", "items": (text())},
        "runs": {"type": "integer", "minimum": 1, "maximum": 100_000},
        "expect": {"type": "object", "minProperties": 1, "additionalProperties": {"anyOf": [
            (things.clone()),
            {"type": "object", "required": ["contains"], "properties": {"contains": (things)}},
            {"type": "object", "required": ["count"], "properties": {"count": {"type": "integer", "minimum": 0}}}
        ]}}
    }})
}

fn kind_rule(kind: &KindSpec) -> Value {
    value!({
        "if": {"properties": {"kind": {"const": (kind.id.clone())}}},
        "then": {"description": (kind.summary.clone()), "properties": {"config": (record(&kind.config))}}
    })
}

fn record(fields: &[FieldSpec]) -> Value {
    let properties: Object = fields
        .iter()
        .map(|field| {
            let Value::Obj(shape) = shape(&field.ty) else {
                return (field.name.clone(), Value::Bool(true));
            };
            let mut shape = Object::clone(&shape);
            shape.insert("title", field.title.clone());
            shape.insert("description", field.doc.clone());
            if field.default != Value::Null {
                shape.insert("default", field.default.clone());
            }
            (field.name.clone(), Value::from(shape))
        })
        .collect();
    let required: Value = fields
        .iter()
        .filter(|field| field.required)
        .map(|field| field.name.clone())
        .collect();
    value!({"type": "object", "properties": (Value::from(properties)), "required": (required)})
}

fn shape(ty: &FieldType) -> Value {
    match ty {
        FieldType::Bool => value!({"type": "boolean"}),
        FieldType::Integer { min, max } => {
            value!({"type": "integer", "minimum": (*min), "maximum": (*max)})
        }
        FieldType::Number { min, max } => {
            value!({"type": "number", "minimum": (*min), "maximum": (*max)})
        }
        FieldType::Choice { options } => {
            value!({"enum": (options.iter().cloned().collect::<Value>())})
        }
        FieldType::Pointers | FieldType::Texts => {
            value!({"type": "array", "items": {"type": "string"}})
        }
        FieldType::Table | FieldType::EventTypes | FieldType::JqTable { .. } => {
            value!({"type": "object", "additionalProperties": {"type": "string"}})
        }
        FieldType::Records { fields } => value!({"type": "array", "items": (record(fields))}),
        FieldType::Json => value!({}),
        FieldType::Text
        | FieldType::LongText
        | FieldType::Code { .. }
        | FieldType::Duration
        | FieldType::Bytes
        | FieldType::Jq { .. }
        | FieldType::Pointer
        | FieldType::Path { .. }
        | FieldType::Url
        | FieldType::Secret
        | FieldType::EventType
        | FieldType::Schedule => value!({"type": "string"}),
    }
}
