//! JSON pointers (RFC 6901): how fields of events are named everywhere.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smol_str::SmolStr;

use crate::value::{Object, Value};

/// A path to a field, such as `/customer/email`. The token `*` stands for every element of an
/// array where a type rather than one event is meant.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pointer {
    tokens: Arc<[SmolStr]>,
}

/// Why a text is not a pointer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a JSON pointer: it must be empty or start with `/`")]
pub struct PointerError {
    text: String,
}

impl Pointer {
    /// The whole event.
    pub fn root() -> Pointer {
        Pointer::default()
    }

    pub fn parse(text: &str) -> Result<Pointer, PointerError> {
        if text.is_empty() {
            return Ok(Pointer::root());
        }
        let Some(rest) = text.strip_prefix('/') else {
            return Err(PointerError {
                text: text.to_owned(),
            });
        };
        Ok(rest.split('/').map(unescape).collect())
    }

    pub fn tokens(&self) -> &[SmolStr] {
        &self.tokens
    }

    pub fn is_root(&self) -> bool {
        self.tokens.is_empty()
    }

    pub fn child(&self, token: impl Into<SmolStr>) -> Pointer {
        self.tokens.iter().cloned().chain([token.into()]).collect()
    }

    pub fn join(&self, below: &Pointer) -> Pointer {
        self.tokens
            .iter()
            .chain(below.tokens.iter())
            .cloned()
            .collect()
    }

    pub fn parent(&self) -> Option<Pointer> {
        let (_, above) = self.tokens.split_last()?;
        Some(above.iter().cloned().collect())
    }

    pub fn last(&self) -> Option<&SmolStr> {
        self.tokens.last()
    }

    /// Whether `other` is this field or lies below it.
    pub fn covers(&self, other: &Pointer) -> bool {
        other.tokens.starts_with(&self.tokens)
    }

    /// What is left of `other` below this field.
    pub fn strip_from(&self, other: &Pointer) -> Option<Pointer> {
        other
            .tokens
            .strip_prefix(&*self.tokens)
            .map(|rest| rest.iter().cloned().collect())
    }

    /// The field in `value`, when it is there.
    pub fn get<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        self.tokens.iter().try_fold(value, |at, token| match at {
            Value::Obj(object) => object.get(token),
            Value::Arr(items) => items.get(token.parse::<usize>().ok()?),
            _ => None,
        })
    }

    /// Sets the field, making the objects on the way to it; a scalar in the way is replaced.
    pub fn set(&self, value: &mut Value, new: Value) {
        let mut at = value;
        for token in self.tokens.iter() {
            if let (Value::Arr(_), Ok(index)) = (&*at, token.parse::<usize>()) {
                let Value::Arr(items) = at else { return };
                match Arc::make_mut(items).get_mut(index) {
                    Some(item) => at = item,
                    None => return,
                }
                continue;
            }
            if !matches!(at, Value::Obj(_)) {
                *at = Value::from(Object::new());
            }
            let Value::Obj(object) = at else { return };
            let object = Arc::make_mut(object);
            if !object.contains_key(token) {
                object.insert(token.clone(), Value::Null);
            }
            match object.get_mut(token) {
                Some(child) => at = child,
                None => return,
            }
        }
        *at = new;
    }

    /// Removes the field; answers what was there.
    pub fn remove(&self, value: &mut Value) -> Option<Value> {
        let (last, above) = self.tokens.split_last()?;
        let mut at = value;
        for token in above {
            at = match at {
                Value::Obj(object) => Arc::make_mut(object).get_mut(token)?,
                Value::Arr(items) => Arc::make_mut(items).get_mut(token.parse::<usize>().ok()?)?,
                _ => return None,
            };
        }
        match at {
            Value::Obj(object) if object.contains_key(last) => Arc::make_mut(object).remove(last),
            _ => None,
        }
    }
}

/// Pointers are equal, ordered and hashed as their tokens are.
impl Borrow<[SmolStr]> for Pointer {
    fn borrow(&self) -> &[SmolStr] {
        &self.tokens
    }
}

impl FromIterator<SmolStr> for Pointer {
    fn from_iter<I: IntoIterator<Item = SmolStr>>(tokens: I) -> Self {
        Pointer {
            tokens: tokens.into_iter().collect(),
        }
    }
}

impl FromStr for Pointer {
    type Err = PointerError;

    fn from_str(text: &str) -> Result<Pointer, PointerError> {
        Pointer::parse(text)
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tokens
            .iter()
            .try_for_each(|token| write!(f, "/{}", escape(token)))
    }
}

impl Serialize for Pointer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Pointer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Pointer, D::Error> {
        let text = String::deserialize(deserializer)?;
        Pointer::parse(&text).map_err(serde::de::Error::custom)
    }
}

fn escape(token: &str) -> String {
    token.replace('~', "~0").replace('/', "~1")
}

fn unescape(token: &str) -> SmolStr {
    if token.contains('~') {
        token.replace("~1", "/").replace("~0", "~").into()
    } else {
        token.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value;

    #[test]
    fn text_round_trips() {
        for text in ["", "/a", "/a/0/b", "/a~1b/~0c", "/"] {
            assert_eq!(Pointer::parse(text).expect("pointer").to_string(), text);
        }
        assert!(Pointer::parse("a/b").is_err());
    }

    #[test]
    fn fields_are_read_set_and_removed() {
        let mut value = value!({"a": {"b": [1, {"c": 2}]}});
        let at = |text: &str| Pointer::parse(text).expect("pointer");
        assert_eq!(at("/a/b/1/c").get(&value), Some(&Value::Int(2)));
        at("/a/b/1/c").set(&mut value, Value::Int(3));
        at("/x/y").set(&mut value, Value::Bool(true));
        assert_eq!(value.to_json(), r#"{"a":{"b":[1,{"c":3}]},"x":{"y":true}}"#);
        assert_eq!(at("/a/b/1/c").remove(&mut value), Some(Value::Int(3)));
        assert_eq!(at("/a/none").remove(&mut value), None);
    }
}
