//! Sets of JSON types.

use std::fmt;
use std::ops::{BitAnd, BitOr};
use std::sync::Arc;

use crate::value::{Object, Value};

/// Kinds of JSON values, as a set.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Types(u8);

impl Types {
    pub const NONE: Types = Types(0);
    pub const NULL: Types = Types(1);
    pub const BOOLEAN: Types = Types(2);
    pub const INTEGER: Types = Types(4);
    /// Numbers that are not whole.
    pub const FRACTION: Types = Types(8);
    pub const NUMBER: Types = Types(12);
    pub const STRING: Types = Types(16);
    pub const ARRAY: Types = Types(32);
    pub const OBJECT: Types = Types(64);
    pub const ANY: Types = Types(127);

    pub fn of(value: &Value) -> Types {
        match value {
            Value::Null => Types::NULL,
            Value::Bool(_) => Types::BOOLEAN,
            Value::Int(_) => Types::INTEGER,
            Value::Float(number) if number.fract() == 0.0 => Types::INTEGER,
            Value::Float(_) => Types::FRACTION,
            Value::Str(_) => Types::STRING,
            Value::Arr(_) => Types::ARRAY,
            Value::Obj(_) => Types::OBJECT,
        }
    }

    pub fn has(self, other: Types) -> bool {
        self.0 & other.0 == other.0
    }

    pub fn overlaps(self, other: Types) -> bool {
        self.0 & other.0 != 0
    }

    #[must_use]
    pub fn without(self, other: Types) -> Types {
        Types(self.0 & !other.0)
    }

    pub(super) fn parse(name: &str) -> Types {
        match name {
            "null" => Types::NULL,
            "boolean" => Types::BOOLEAN,
            "integer" => Types::INTEGER,
            "number" => Types::NUMBER,
            "string" => Types::STRING,
            "array" => Types::ARRAY,
            "object" => Types::OBJECT,
            _ => Types::NONE,
        }
    }
}

impl BitOr for Types {
    type Output = Types;

    fn bitor(self, other: Types) -> Types {
        Types(self.0 | other.0)
    }
}

impl BitAnd for Types {
    type Output = Types;

    fn bitand(self, other: Types) -> Types {
        Types(self.0 & other.0)
    }
}

impl fmt::Display for Types {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Types::ANY {
            return f.write_str("any value");
        }
        let mut words = Vec::new();
        for (types, word) in [
            (Types::NUMBER, "a number"),
            (Types::STRING, "a string"),
            (Types::BOOLEAN, "a boolean"),
            (Types::ARRAY, "an array"),
            (Types::OBJECT, "an object"),
            (Types::NULL, "null"),
        ] {
            if self.has(types) {
                words.push(word);
            } else if types == Types::NUMBER && self.has(Types::INTEGER) {
                words.push("a whole number");
            }
        }
        match words.split_last() {
            None => f.write_str("nothing"),
            Some((last, [])) => f.write_str(last),
            Some((last, first)) => write!(f, "{} or {last}", first.join(", ")),
        }
    }
}

impl fmt::Debug for Types {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Types({self})")
    }
}

/// A simple value of one of these types.
pub fn any_of_types(types: Types) -> Value {
    [
        (Types::NULL, Value::Null),
        (Types::STRING, Value::str("text")),
        (Types::INTEGER, Value::Int(1)),
        (Types::FRACTION, Value::Float(1.5)),
        (Types::BOOLEAN, Value::Bool(true)),
        (Types::ARRAY, Value::Arr(Arc::default())),
        (Types::OBJECT, Value::from(Object::new())),
    ]
    .into_iter()
    .find(|(one, _)| types.overlaps(*one))
    .map_or(Value::Null, |(_, value)| value)
}
