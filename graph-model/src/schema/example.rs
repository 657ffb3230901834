//! An event that has a shape, for people to start from.

use std::sync::Arc;

use super::{Range, Shape, Types, any_of_types};
use crate::value::{Object, Value};

impl Shape {
    pub(super) fn example(&self, depth: usize) -> Value {
        if let Some(value) = self.values.as_ref().and_then(|values| values.first()) {
            return value.clone();
        }
        let types = self.own_types();
        let alternatives = self
            .any_of
            .iter()
            .filter_map(|group| group.first())
            .chain(&self.all_of);
        if types.overlaps(Types::OBJECT)
            && (types != Types::ANY || !self.all_of.is_empty())
            && depth < 16
        {
            let mut object = Object::new();
            for part in alternatives {
                if let Value::Obj(more) = part.example(depth + 1) {
                    for (name, value) in more.iter() {
                        object.insert(name.clone(), value.clone());
                    }
                }
            }
            for (name, shape) in &self.properties {
                object.insert(name.clone(), shape.example(depth + 1));
            }
            for name in &self.required {
                if !object.contains_key(name) {
                    object.insert(name.clone(), Value::str("text"));
                }
            }
            return Value::from(object);
        }
        if let Some(part) = self
            .any_of
            .iter()
            .filter_map(|group| group.first())
            .chain(&self.all_of)
            .next()
        {
            return part.example(depth + 1);
        }
        if types.overlaps(Types::STRING) {
            return Value::str(self.example_text());
        }
        if types.overlaps(Types::NUMBER) {
            return self.example_number();
        }
        if types.overlaps(Types::ARRAY) && depth < 16 {
            let item = self
                .items
                .as_ref()
                .map_or(Value::str("text"), |shape| shape.example(depth + 1));
            let count = if self.items_count.1 == 0 {
                0
            } else {
                self.items_count.0.clamp(1, 16)
            };
            return Value::Arr(Arc::new(vec![item; count]));
        }
        any_of_types(types.without(Types::NULL))
    }

    fn example_text(&self) -> String {
        let text = match self.format.as_str() {
            "date-time" => "2026-01-31T12:00:00Z",
            "date" => "2026-01-31",
            "time" => "12:00:00Z",
            "email" => "someone@example.org",
            "uri" | "uri-reference" => "https://example.org/",
            "uuid" => "123e4567-e89b-12d3-a456-426614174000",
            _ => "text",
        };
        let mut text = text.to_owned();
        while text.chars().count() < self.text_chars.0.min(1024) {
            text.push('x');
        }
        text.chars().take(self.text_chars.1).collect()
    }

    fn example_number(&self) -> Value {
        let Range {
            min, max, open_min, ..
        } = self.number;
        let low = if min.is_finite() {
            if open_min { min + 1.0 } else { min }
        } else {
            1.0_f64.min(max)
        };
        let low = if low < 1.0 && max >= 1.0 { 1.0 } else { low };
        if low.fract() == 0.0 && low.abs() < 9e15 {
            Value::Int(low as i64)
        } else {
            Value::Float(low)
        }
    }
}
