//! Whether a value has a shape; the first field that has not, otherwise.

use smol_str::{SmolStr, format_smolstr};

use super::{Others, Range, Shape, Types};
use crate::value::{Object, Value};

impl Shape {
    pub(super) fn check(&self, value: &Value, path: &mut Vec<SmolStr>) -> Result<(), String> {
        let types = Types::of(value);
        if !self.types.has(types) {
            let found = if types == Types::NULL {
                "null".to_owned()
            } else {
                article(value.type_name())
            };
            return Err(format!("should be {}, found {found}", self.types));
        }
        if let Some(values) = &self.values
            && !values.contains(value)
        {
            let listed: Vec<String> = values.iter().take(8).map(Value::to_json).collect();
            return Err(format!("should be one of {}", listed.join(", ")));
        }
        match value {
            Value::Str(text) => self.check_text(text)?,
            Value::Int(_) | Value::Float(_) => {
                self.check_number(value.as_f64().unwrap_or_default())?;
            }
            Value::Arr(items) => self.check_items(items, path)?,
            Value::Obj(object) => self.check_object(object, path)?,
            Value::Null | Value::Bool(_) => {}
        }
        for shape in &self.all_of {
            shape.check(value, path)?;
        }
        for group in &self.any_of {
            let depth = path.len();
            let mut first = None;
            let fits = group.iter().any(|shape| match shape.check(value, path) {
                Ok(()) => true,
                Err(message) => {
                    if first.is_none() {
                        first = Some((path.clone(), message));
                    }
                    path.truncate(depth);
                    false
                }
            });
            if !fits {
                let (place, message) =
                    first.unwrap_or_else(|| (path.clone(), "fits no alternative".into()));
                *path = place;
                return Err(format!("{message} (and fits no other alternative)"));
            }
        }
        Ok(())
    }

    fn check_text(&self, text: &str) -> Result<(), String> {
        let (min, max) = self.text_chars;
        if min == 0 && max == usize::MAX {
            return Ok(());
        }
        let count = text.chars().count();
        if count < min {
            return Err(format!(
                "should have at least {min} characters, has {count}"
            ));
        }
        if count > max {
            return Err(format!("should have at most {max} characters, has {count}"));
        }
        Ok(())
    }

    fn check_number(&self, number: f64) -> Result<(), String> {
        let Range {
            min,
            max,
            open_min,
            open_max,
        } = self.number;
        if number < min || (open_min && number <= min) {
            let word = if open_min { "more than" } else { "at least" };
            return Err(format!("should be {word} {min}, is {number}"));
        }
        if number > max || (open_max && number >= max) {
            let word = if open_max { "less than" } else { "at most" };
            return Err(format!("should be {word} {max}, is {number}"));
        }
        Ok(())
    }

    fn check_items(&self, items: &[Value], path: &mut Vec<SmolStr>) -> Result<(), String> {
        let (min, max) = self.items_count;
        if items.len() < min || items.len() > max {
            let (word, bound) = if items.len() < min {
                ("least", min)
            } else {
                ("most", max)
            };
            return Err(format!(
                "should have at {word} {bound} elements, has {}",
                items.len()
            ));
        }
        let Some(shape) = &self.items else {
            return Ok(());
        };
        for (index, item) in items.iter().enumerate() {
            path.push(format_smolstr!("{index}"));
            shape.check(item, path)?;
            path.pop();
        }
        Ok(())
    }

    fn check_object(&self, object: &Object, path: &mut Vec<SmolStr>) -> Result<(), String> {
        for name in &self.required {
            if !object.contains_key(name) {
                path.push(name.clone());
                return Err("is missing".to_owned());
            }
        }
        for (name, value) in object.iter() {
            path.push(name.clone());
            match (self.properties.get(name), &self.others) {
                (Some(shape), _) => shape.check(value, path)?,
                (None, Others::Welcome(shape)) => shape.check(value, path)?,
                (None, Others::Refused) => return Err("is not listed in the schema".to_owned()),
                (None, Others::Tolerated) => {}
            }
            path.pop();
        }
        Ok(())
    }
}

fn article(name: &str) -> String {
    let article = if name.starts_with(['a', 'o']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {name}")
}
