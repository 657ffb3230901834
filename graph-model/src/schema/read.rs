//! Reads the keywords of JSON Schema.

use smol_str::SmolStr;

use super::{Others, Shape, Types};
use crate::pointer::Pointer;
use crate::value::Value;

/// References are followed this deep; what lies below is not checked.
const REFERENCES_MAX: usize = 8;

/// Keywords that describe and do not restrict.
const NOTES: [&str; 16] = [
    "$schema",
    "$id",
    "$comment",
    "$defs",
    "definitions",
    "title",
    "description",
    "default",
    "examples",
    "example",
    "deprecated",
    "readOnly",
    "writeOnly",
    "unit",
    "contentMediaType",
    "contentEncoding",
];

pub(super) fn read(schema: &Value, root: &Value, references: usize) -> Shape {
    let mut shape = Shape::default();
    let object = match schema {
        Value::Bool(false) => {
            shape.types = Types::NONE;
            return shape;
        }
        Value::Obj(object) => object,
        _ => return shape,
    };
    let sub = |value: &Value| read(value, root, references);
    let subs = |value: &Value| {
        value
            .as_array()
            .unwrap_or_default()
            .iter()
            .map(sub)
            .collect::<Vec<_>>()
    };
    let count = |value: &Value| value.as_i64().and_then(|count| usize::try_from(count).ok());
    let number = |value: &Value| value.as_f64();
    for (keyword, value) in object.iter() {
        match keyword.as_str() {
            "type" => {
                shape.types = match value {
                    Value::Str(name) => Types::parse(name),
                    Value::Arr(names) => names
                        .iter()
                        .filter_map(Value::as_str)
                        .fold(Types::NONE, |all, name| all | Types::parse(name)),
                    _ => Types::ANY,
                };
                if shape.types == Types::NONE {
                    shape.types = Types::ANY;
                    shape.unchecked.insert("type".into());
                }
            }
            "nullable" => {}
            "enum" => shape.values = value.as_array().map(<[Value]>::to_vec),
            "const" => shape.values = Some(vec![value.clone()]),
            "properties" => {
                if let Value::Obj(properties) = value {
                    shape.properties = properties
                        .iter()
                        .map(|(name, value)| (name.clone(), sub(value)))
                        .collect();
                }
            }
            "required" => {
                let names = value.as_array().unwrap_or_default();
                shape.required = names
                    .iter()
                    .filter_map(Value::as_str)
                    .map(SmolStr::from)
                    .collect();
            }
            "additionalProperties" => {
                shape.others = match value {
                    Value::Bool(false) => Others::Refused,
                    other => Others::Welcome(Box::new(sub(other))),
                };
            }
            "items" if !matches!(value, Value::Arr(_)) => shape.items = Some(Box::new(sub(value))),
            "minItems" => shape.items_count.0 = count(value).unwrap_or(0),
            "maxItems" => shape.items_count.1 = count(value).unwrap_or(usize::MAX),
            "minLength" => shape.text_chars.0 = count(value).unwrap_or(0),
            "maxLength" => shape.text_chars.1 = count(value).unwrap_or(usize::MAX),
            "minimum" => shape.number.min = number(value).unwrap_or(f64::NEG_INFINITY),
            "maximum" => shape.number.max = number(value).unwrap_or(f64::INFINITY),
            "exclusiveMinimum" => {
                shape.number.min = number(value).unwrap_or(f64::NEG_INFINITY);
                shape.number.open_min = true;
            }
            "exclusiveMaximum" => {
                shape.number.max = number(value).unwrap_or(f64::INFINITY);
                shape.number.open_max = true;
            }
            "allOf" => shape.all_of.extend(subs(value)),
            "anyOf" | "oneOf" => shape.any_of.push(subs(value)),
            "format" => shape.format = value.as_str().unwrap_or_default().into(),
            "$ref" => {
                let target = value
                    .as_str()
                    .and_then(|text| Pointer::parse(text.strip_prefix('#')?).ok())
                    .filter(|_| references < REFERENCES_MAX)
                    .and_then(|pointer| pointer.get(root));
                match target {
                    Some(target) => shape.all_of.push(read(target, root, references + 1)),
                    None => {
                        shape.unchecked.insert("$ref".into());
                    }
                }
            }
            keyword if NOTES.contains(&keyword) || keyword.starts_with("x-") => {}
            other => {
                shape.unchecked.insert(other.into());
            }
        }
    }
    if object.get("nullable") == Some(&Value::Bool(true)) {
        shape.types = shape.types | Types::NULL;
    }
    shape
}
