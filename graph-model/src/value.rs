//! The payload of an event: a JSON value that is cheap to clone and to change in place.
//!
//! Payloads travel along many edges at once, so arrays and objects are shared (`Arc`) and copied
//! only when a holder changes one that somebody else still sees. Short strings are stored inline.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use smol_str::SmolStr;

/// A JSON value. Whole numbers in the range of `i64` are kept exactly, all others as `f64`.
#[derive(Clone, Debug, Default)]
pub enum Value {
    #[default]
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(SmolStr),
    Arr(Arc<Vec<Value>>),
    Obj(Arc<Object>),
}

/// A JSON object: entries sorted by key, each key once.
///
/// Sorted entries make every rendering canonical, and lookups in the small objects that events are
/// made of need no hashing.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub struct Object {
    entries: Vec<(SmolStr, Value)>,
}

/// Why bytes are not a payload.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    #[error("payload of {size} bytes is larger than the limit of {limit} bytes")]
    TooLarge { size: usize, limit: usize },
    #[error("not JSON at line {line}, column {column}: {message}")]
    Syntax {
        line: usize,
        column: usize,
        message: String,
    },
}

/// Deepest nesting of arrays and objects that is read; deeper input is refused.
pub const DEPTH_MAX: usize = 128;

impl Value {
    /// Reads one JSON text of at most `limit` bytes.
    pub fn parse(bytes: &[u8], limit: usize) -> Result<Value, ParseError> {
        if bytes.len() > limit {
            return Err(ParseError::TooLarge {
                size: bytes.len(),
                limit,
            });
        }
        serde_json::from_slice(bytes).map_err(|error| ParseError::Syntax {
            line: error.line(),
            column: error.column(),
            message: strip_position(&error.to_string()),
        })
    }

    pub fn str(text: impl Into<SmolStr>) -> Value {
        Value::Str(text.into())
    }

    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(flag) => Some(*flag),
            _ => None,
        }
    }

    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Value::Int(number) => Some(*number as f64),
            Value::Float(number) => Some(*number),
            _ => None,
        }
    }

    /// The number as a whole one, when it is one.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Value::Int(number) => Some(*number),
            Value::Float(number) if number.fract() == 0.0 && number.abs() < 9.0e15 => {
                Some(*number as i64)
            }
            _ => None,
        }
    }

    pub fn as_array(&self) -> Option<&[Value]> {
        match self {
            Value::Arr(items) => Some(items),
            _ => None,
        }
    }

    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Value::Obj(object) => Some(object),
            _ => None,
        }
    }

    /// The entry `key` of an object; nothing for anything else.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.as_object()?.get(key)
    }

    /// Whether jq takes it for true: everything but `null` and `false`.
    pub fn truthy(&self) -> bool {
        !matches!(self, Value::Null | Value::Bool(false))
    }

    /// The word that messages use for the type of this value.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Int(_) | Value::Float(_) => "number",
            Value::Str(_) => "string",
            Value::Arr(_) => "array",
            Value::Obj(_) => "object",
        }
    }

    /// The value as compact JSON text, keys sorted.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|_| "null".into())
    }

    /// The value as indented JSON text, keys sorted.
    pub fn to_json_pretty(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_else(|_| "null".into())
    }

    /// Plain text for keys and messages: strings without quotes, everything else as JSON.
    pub fn to_text(&self) -> SmolStr {
        match self {
            Value::Str(text) => text.clone(),
            Value::Null => SmolStr::new_static("null"),
            Value::Bool(true) => SmolStr::new_static("true"),
            Value::Bool(false) => SmolStr::new_static("false"),
            other => SmolStr::from(other.to_json()),
        }
    }

    /// Number of bytes the payload takes in memory, roughly: what bounds and statistics count.
    pub fn weight(&self) -> usize {
        match self {
            Value::Str(text) => 32 + text.len(),
            Value::Arr(items) => 64 + items.iter().map(Value::weight).sum::<usize>(),
            Value::Obj(object) => {
                64 + object
                    .iter()
                    .map(|(key, value)| 24 + key.len() + value.weight())
                    .sum::<usize>()
            }
            _ => 32,
        }
    }

    /// Whether its [weight](Value::weight) is more than so many bytes. It looks no further than that: what
    /// holds itself many times over may be too large to be weighed.
    pub fn weighs_more_than(&self, bytes: usize) -> bool {
        fn takes(value: &Value, left: usize) -> Option<usize> {
            match value {
                Value::Arr(items) => items
                    .iter()
                    .try_fold(left.checked_sub(64)?, |left, item| takes(item, left)),
                Value::Obj(object) => {
                    let mut entries = object.iter();
                    entries.try_fold(left.checked_sub(64)?, |left, (key, value)| {
                        takes(value, left.checked_sub(24 + key.len())?)
                    })
                }
                single => left.checked_sub(single.weight()),
            }
        }
        takes(self, bytes).is_none()
    }

    fn rank(&self) -> u8 {
        match self {
            Value::Null => 0,
            Value::Bool(false) => 1,
            Value::Bool(true) => 2,
            Value::Int(_) | Value::Float(_) => 3,
            Value::Str(_) => 4,
            Value::Arr(_) => 5,
            Value::Obj(_) => 6,
        }
    }
}

impl Object {
    pub fn new() -> Object {
        Object::default()
    }

    pub fn with_capacity(capacity: usize) -> Object {
        Object {
            entries: Vec::with_capacity(capacity),
        }
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn get(&self, key: &str) -> Option<&Value> {
        self.position(key).map(|at| &self.entries[at].1)
    }

    pub fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        self.position(key).map(|at| &mut self.entries[at].1)
    }

    pub fn contains_key(&self, key: &str) -> bool {
        self.position(key).is_some()
    }

    /// Sets `key`; answers the value that was there before.
    pub fn insert(&mut self, key: impl Into<SmolStr>, value: impl Into<Value>) -> Option<Value> {
        let (key, value) = (key.into(), value.into());
        match self.find(&key) {
            Ok(at) => Some(std::mem::replace(&mut self.entries[at].1, value)),
            Err(at) => {
                self.entries.insert(at, (key, value));
                None
            }
        }
    }

    pub fn remove(&mut self, key: &str) -> Option<Value> {
        self.position(key).map(|at| self.entries.remove(at).1)
    }

    /// Entries in the order of their keys.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&SmolStr, &Value)> + ExactSizeIterator {
        self.entries.iter().map(|(key, value)| (key, value))
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&SmolStr, &mut Value)> {
        self.entries.iter_mut().map(|(key, value)| (&*key, value))
    }

    pub fn keys(&self) -> impl Iterator<Item = &SmolStr> {
        self.entries.iter().map(|(key, _)| key)
    }

    pub fn values(&self) -> impl Iterator<Item = &Value> {
        self.entries.iter().map(|(_, value)| value)
    }

    // Events have few fields: comparing lengths and bytes along a short list beats bisecting it.
    fn position(&self, key: &str) -> Option<usize> {
        if self.entries.len() <= 8 {
            return self.entries.iter().position(|(held, _)| held == key);
        }
        self.find(key).ok()
    }

    fn find(&self, key: &str) -> Result<usize, usize> {
        self.entries
            .binary_search_by(|(held, _)| held.as_str().cmp(key))
    }

    fn from_unsorted(mut entries: Vec<(SmolStr, Value)>) -> Object {
        if !entries.windows(2).all(|pair| pair[0].0 < pair[1].0) {
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            // Of equal keys the last one in the text counts, as in every common JSON reader.
            entries.reverse();
            entries.dedup_by(|later, earlier| later.0 == earlier.0);
            entries.reverse();
        }
        Object { entries }
    }
}

/// Room for the fields that are added to a copy, which is what copies are mostly made for.
const SPARE_FIELDS: usize = 4;

impl Clone for Object {
    fn clone(&self) -> Object {
        let mut entries = Vec::with_capacity(self.entries.len() + SPARE_FIELDS);
        entries.extend_from_slice(&self.entries);
        Object { entries }
    }
}

impl IntoIterator for Object {
    type Item = (SmolStr, Value);
    type IntoIter = std::vec::IntoIter<(SmolStr, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

impl<K: Into<SmolStr>, V: Into<Value>> FromIterator<(K, V)> for Object {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        Object::from_unsorted(
            entries
                .into_iter()
                .map(|(key, value)| (key.into(), value.into()))
                .collect(),
        )
    }
}

impl<V: Into<Value>> FromIterator<V> for Value {
    fn from_iter<I: IntoIterator<Item = V>>(items: I) -> Self {
        Value::Arr(Arc::new(items.into_iter().map(Into::into).collect()))
    }
}

macro_rules! from_values {
    ($($from:ty => |$name:ident| $into:expr;)*) => {
        $(impl From<$from> for Value { fn from($name: $from) -> Value { $into } })*
    };
}

from_values! {
    bool => |flag| Value::Bool(flag);
    i64 => |number| Value::Int(number);
    i32 => |number| Value::Int(number.into());
    u32 => |number| Value::Int(number.into());
    u64 => |number| i64::try_from(number).map_or(Value::Float(number as f64), Value::Int);
    usize => |number| Value::from(number as u64);
    f64 => |number| Value::Float(number);
    &str => |text| Value::Str(text.into());
    String => |text| Value::Str(text.into());
    SmolStr => |text| Value::Str(text);
    Object => |object| Value::Obj(Arc::new(object));
    Vec<Value> => |items| Value::Arr(Arc::new(items));
}

/// Builds a [`Value`] from JSON written in place, like `serde_json::json!`.
#[macro_export]
macro_rules! value {
    (null) => { $crate::value::Value::Null };
    ([ $($item:tt),* $(,)? ]) => { $crate::value::Value::from(vec![ $($crate::value!($item)),* ]) };
    ({ $($key:literal : $item:tt),* $(,)? }) => {
        $crate::value::Value::from(
            <$crate::value::Object as FromIterator<(&str, $crate::value::Value)>>::from_iter([
                $(($key, $crate::value!($item))),*
            ]),
        )
    };
    ($other:expr) => { $crate::value::Value::from($other) };
}

impl PartialEq for Value {
    fn eq(&self, other: &Value) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Value {}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Value) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The order of jq: `null < false < true < numbers < strings < arrays < objects`.
impl Ord for Value {
    fn cmp(&self, other: &Value) -> Ordering {
        match (self, other) {
            (Value::Int(a), Value::Int(b)) => a.cmp(b),
            (Value::Int(a), Value::Float(b)) => (*a as f64).total_cmp(&positive_zero(*b)),
            (Value::Float(a), Value::Int(b)) => positive_zero(*a).total_cmp(&(*b as f64)),
            (Value::Float(a), Value::Float(b)) => positive_zero(*a).total_cmp(&positive_zero(*b)),
            (Value::Str(a), Value::Str(b)) => a.cmp(b),
            (Value::Arr(a), Value::Arr(b)) => a.cmp(b),
            (Value::Obj(a), Value::Obj(b)) => a
                .keys()
                .cmp(b.keys())
                .then_with(|| a.values().cmp(b.values())),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.rank().hash(state);
        match self {
            Value::Null | Value::Bool(_) => {}
            // Equal numbers hash equally whichever way they are stored.
            Value::Int(number) => (*number as f64).to_bits().hash(state),
            Value::Float(number) => positive_zero(*number).to_bits().hash(state),
            Value::Str(text) => text.hash(state),
            Value::Arr(items) => items.hash(state),
            Value::Obj(object) => object.hash(state),
        }
    }
}

fn positive_zero(number: f64) -> f64 {
    if number == 0.0 { 0.0 } else { number }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_json())
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(flag) => serializer.serialize_bool(*flag),
            Value::Int(number) => serializer.serialize_i64(*number),
            // JSON has no infinities and no NaN; jq prints them as null too.
            Value::Float(number) if !number.is_finite() => serializer.serialize_unit(),
            // A whole result of arithmetic prints as the whole number it is.
            Value::Float(number) if number.fract() == 0.0 && number.abs() < 9.0e15 => {
                serializer.serialize_i64(*number as i64)
            }
            Value::Float(number) => serializer.serialize_f64(*number),
            Value::Str(text) => serializer.serialize_str(text),
            Value::Arr(items) => {
                let mut seq = serializer.serialize_seq(Some(items.len()))?;
                for item in items.iter() {
                    seq.serialize_element(item)?;
                }
                seq.end()
            }
            Value::Obj(object) => object.serialize(serializer),
        }
    }
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        for (key, value) in self.iter() {
            map.serialize_entry(key.as_str(), value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Object, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Obj(object) => Ok(Arc::unwrap_or_clone(object)),
            other => Err(de::Error::custom(format!(
                "expected an object, found {}",
                other.type_name()
            ))),
        }
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Int(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Float(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Str(text.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::with_capacity(access.size_hint().unwrap_or(0).min(1024));
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Value::Arr(Arc::new(items)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut entries = Vec::with_capacity(access.size_hint().unwrap_or(8).min(1024));
        while let Some(entry) = access.next_entry::<SmolStr, Value>()? {
            entries.push(entry);
        }
        Ok(Value::Obj(Arc::new(Object::from_unsorted(entries))))
    }
}

fn strip_position(message: &str) -> String {
    message
        .split(" at line ")
        .next()
        .unwrap_or(message)
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Value {
        Value::parse(text.as_bytes(), 1 << 20).expect("test JSON")
    }

    #[test]
    fn rendering_is_canonical() {
        for (text, want) in [
            (
                r#"{"b":1,"a":[true,null,"x"]}"#,
                r#"{"a":[true,null,"x"],"b":1}"#,
            ),
            (r#"{"a":1,"a":2}"#, r#"{"a":2}"#),
            ("1.50", "1.5"),
            ("-0.0", "0"),
            ("3.0", "3"),
            ("9223372036854775807", "9223372036854775807"),
        ] {
            assert_eq!(parse(text).to_json(), want);
        }
    }

    #[test]
    fn numbers_keep_their_last_bit() {
        let mut bits = 1_u64;
        for _ in 0..20_000 {
            bits = bits
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let number = f64::from_bits(bits);
            if number.is_finite() {
                let read = parse(&format!("{number:e}")).as_f64();
                assert_eq!(read.map(f64::to_bits), Some(bits), "{number:e}");
            }
        }
    }

    #[test]
    fn weights_are_bounded() {
        let value = parse(r#"{"a": [1, "text", null], "b": {"c": []}}"#);
        assert!(value.weighs_more_than(value.weight() - 1));
        assert!(!value.weighs_more_than(value.weight()));
        let mut many = value;
        for _ in 0..100 {
            many = Value::from(vec![many.clone(), many]);
        }
        assert!(many.weighs_more_than(1 << 20));
    }

    #[test]
    fn equal_numbers_are_equal_and_hash_equally() {
        use std::hash::{BuildHasher, RandomState};
        let state = RandomState::new();
        for (a, b) in [("1", "1.0"), ("0", "-0.0"), ("1e2", "100")] {
            assert_eq!(parse(a), parse(b));
            assert_eq!(state.hash_one(parse(a)), state.hash_one(parse(b)));
        }
    }

    #[test]
    fn order_is_that_of_jq() {
        let ascending = [
            "null",
            "false",
            "true",
            "-1",
            "2",
            "\"a\"",
            "\"b\"",
            "[1]",
            "{\"a\":1}",
        ];
        for pair in ascending.windows(2) {
            assert!(parse(pair[0]) < parse(pair[1]), "{} < {}", pair[0], pair[1]);
        }
    }

    #[test]
    fn bad_input_names_its_place() {
        let error = |text: &str| {
            Value::parse(text.as_bytes(), 40)
                .expect_err("must be refused")
                .to_string()
        };
        assert_eq!(
            error("{\"a\": }"),
            "not JSON at line 1, column 7: expected value"
        );
        assert!(error(&"[".repeat(39)).starts_with("not JSON at line 1, column 39"));
        assert_eq!(
            error(&" ".repeat(41)),
            "payload of 41 bytes is larger than the limit of 40 bytes"
        );
        let deep = "[".repeat(DEPTH_MAX + 1);
        let refused = Value::parse(deep.as_bytes(), 1 << 20).expect_err("too deep");
        assert!(refused.to_string().contains("recursion limit"), "{refused}");
    }

    #[test]
    fn objects_stay_sorted_under_change() {
        let mut object = Object::new();
        for index in (0..40).rev() {
            object.insert(format!("k{index:02}"), index);
        }
        assert_eq!(object.insert("k07", 70), Some(Value::Int(7)));
        assert_eq!(object.remove("k08"), Some(Value::Int(8)));
        assert_eq!(object.get("k08"), None);
        let keys: Vec<_> = object.keys().cloned().collect();
        assert!(keys.is_sorted() && keys.len() == 39);
    }
}
