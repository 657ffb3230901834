//! The shape of events: the subset of JSON Schema that Weir checks, and whether one shape feeds another.
//!
//! ```
//! use graph_model::schema::Schema;
//! use graph_model::value;
//!
//! let order = Schema::new(&value!({
//!     "type": "object",
//!     "properties": {"id": {"type": "string"}, "total": {"type": "number", "minimum": 0}},
//!     "required": ["id"],
//! }));
//! assert!(order.check(&value!({"id": "a1", "total": 3})).is_ok());
//! let wrong = order.check(&value!({"id": "a1", "total": "3"})).unwrap_err();
//! assert_eq!(wrong.to_string(), "`/total` should be a number, found a string");
//! ```

mod compare;

pub use compare::{Counterexample, Feeds, Need, feeds, fits};

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::{BitAnd, BitOr};
use std::sync::Arc;

use smol_str::{SmolStr, format_smolstr};

use crate::pointer::Pointer;
use crate::value::{Object, Value};

/// A JSON Schema, read once. What it says in keywords that Weir does not know is not checked, and
/// [`Schema::unchecked`] names those.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schema {
    root: Arc<Shape>,
}

/// Why a value does not fit a schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", at(.pointer))]
pub struct SchemaViolation {
    /// The field that does not fit.
    pub pointer: Pointer,
    /// What it should be and what it is.
    pub message: String,
}

fn at(pointer: &Pointer) -> String {
    if pointer.is_root() {
        "the payload ".to_owned()
    } else {
        format!("`{pointer}` ")
    }
}

/// Checks a value against a JSON Schema that is used once; [`Schema::new`] is for more often.
pub fn check(schema: &Value, value: &Value) -> Result<(), SchemaViolation> {
    Schema::new(schema).check(value)
}

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

    fn parse(name: &str) -> Types {
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

/// What a schema promises about one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promise {
    /// Kinds of values that may be there.
    pub types: Types,
    /// The field may be missing.
    pub optional: bool,
}

/// What is known about one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Declared {
    Promised(Promise),
    /// The schema lists the fields beside it but not this one.
    NotListed,
    /// The schema says nothing about this place.
    Unknown,
}

/// A field that a schema lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    pub pointer: Pointer,
    pub types: Types,
    /// Every event has it.
    pub required: bool,
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

#[derive(Clone, Debug, PartialEq)]
struct Shape {
    types: Types,
    /// `enum` and `const`.
    values: Option<Vec<Value>>,
    properties: BTreeMap<SmolStr, Shape>,
    required: BTreeSet<SmolStr>,
    others: Others,
    items: Option<Box<Shape>>,
    items_count: (usize, usize),
    text_chars: (usize, usize),
    number: Range,
    all_of: Vec<Shape>,
    any_of: Vec<Vec<Shape>>,
    format: SmolStr,
    unchecked: BTreeSet<SmolStr>,
}

/// `additionalProperties`.
#[derive(Clone, Debug, Default, PartialEq)]
enum Others {
    /// Not said: readers may not count on them, writers may send them.
    #[default]
    Tolerated,
    Refused,
    Welcome(Box<Shape>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Range {
    min: f64,
    max: f64,
    open_min: bool,
    open_max: bool,
}

impl Default for Shape {
    fn default() -> Shape {
        Shape {
            types: Types::ANY,
            values: None,
            properties: BTreeMap::new(),
            required: BTreeSet::new(),
            others: Others::default(),
            items: None,
            items_count: (0, usize::MAX),
            text_chars: (0, usize::MAX),
            number: Range {
                min: f64::NEG_INFINITY,
                max: f64::INFINITY,
                open_min: false,
                open_max: false,
            },
            all_of: Vec::new(),
            any_of: Vec::new(),
            format: SmolStr::default(),
            unchecked: BTreeSet::new(),
        }
    }
}

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

impl Schema {
    /// Reads a JSON Schema. `true`, `{}` and `null` say nothing, and so does what is no schema.
    pub fn new(schema: &Value) -> Schema {
        Schema {
            root: Arc::new(read(schema, schema, 0)),
        }
    }

    /// It says nothing about anything.
    pub fn is_unknown(&self) -> bool {
        *self.root == Shape::default()
    }

    /// Restricting keywords that are not checked.
    pub fn unchecked(&self) -> BTreeSet<SmolStr> {
        let mut found = BTreeSet::new();
        self.root
            .visit(&mut |shape| found.extend(shape.unchecked.iter().cloned()));
        found
    }

    /// Whether the value fits; the first field that does not, otherwise.
    pub fn check(&self, value: &Value) -> Result<(), SchemaViolation> {
        let mut path = Vec::new();
        self.root
            .check(value, &mut path)
            .map_err(|message| SchemaViolation {
                pointer: path.into_iter().collect(),
                message,
            })
    }

    /// All fields that it lists, parents before children, elements of arrays as `*`.
    pub fn fields(&self) -> Vec<Field> {
        let mut fields = BTreeMap::new();
        self.root.list(&Pointer::root(), true, &mut fields);
        fields
            .into_iter()
            .map(|(pointer, (types, required))| Field {
                pointer,
                types,
                required,
            })
            .collect()
    }

    /// What it promises about one field. `*` and numbers stand for elements of arrays.
    pub fn declared(&self, pointer: &Pointer) -> Declared {
        let mut found = Declared::Promised(Promise {
            types: self.root.own_types(),
            optional: false,
        });
        let mut shapes: Vec<&Shape> = self.root.parts();
        for token in pointer.tokens() {
            let Declared::Promised(above) = found else {
                return found;
            };
            let (next, below) = step(&shapes, token, above);
            found = next;
            shapes = below;
        }
        found
    }

    /// Whether it says that an event may have fields which it does not list.
    pub fn welcomes_others(&self) -> bool {
        let parts = self.root.parts();
        let mut others = parts.iter().map(|part| &part.others);
        others.any(|others| matches!(others, Others::Welcome(_))) && !self.refuses_others()
    }

    /// Whether it says that an event has no fields which it does not list.
    pub fn refuses_others(&self) -> bool {
        let parts = self.root.parts();
        parts.iter().any(|part| part.others == Others::Refused)
    }

    /// The values that a field may have, when they are listed.
    pub fn values(&self, pointer: &Pointer) -> Option<&[Value]> {
        let mut shapes = self.root.parts();
        for token in pointer.tokens() {
            let below = shapes
                .iter()
                .filter_map(|shape| shape.properties.get(token));
            shapes = below.flat_map(Shape::parts).collect();
        }
        shapes.iter().find_map(|shape| shape.values.as_deref())
    }

    /// An event that has every listed field.
    pub fn example(&self) -> Value {
        self.root.example(0)
    }

    /// The needs of a reader with this schema.
    pub fn needs(&self) -> Vec<Need> {
        self.fields()
            .into_iter()
            .filter(|field| !field.pointer.tokens().iter().any(|token| token == "*"))
            .map(|field| Need {
                pointer: field.pointer,
                types: field.types,
                optional: !field.required,
            })
            .collect()
    }
}

/// One step down: what is promised of `token` below what `above` promises.
fn step<'s>(shapes: &[&'s Shape], token: &str, above: Promise) -> (Declared, Vec<&'s Shape>) {
    let mut below: Vec<&Shape> = Vec::new();
    let element = token == "*" || token.bytes().all(|byte| byte.is_ascii_digit());
    if element && above.types.overlaps(Types::ARRAY) {
        for shape in shapes {
            below.extend(shape.items.as_deref());
        }
        if below.is_empty() {
            return (Declared::Unknown, below);
        }
        let parts: Vec<&Shape> = below.iter().flat_map(|shape| shape.parts()).collect();
        let types = intersect(&below);
        return (
            Declared::Promised(Promise {
                types,
                optional: true,
            }),
            parts,
        );
    }
    let mut required = false;
    let mut listing = false;
    for shape in shapes {
        required |= shape.required.contains(token);
        listing |= !shape.properties.is_empty() || shape.others == Others::Refused;
        match (shape.properties.get(token), &shape.others) {
            (Some(property), _) => below.push(property),
            (None, Others::Welcome(others)) => below.push(others),
            _ => {}
        }
    }
    // Alternatives: what all of them say holds, what one leaves out may be missing.
    let groups: Vec<&Vec<Shape>> = shapes.iter().flat_map(|shape| &shape.any_of).collect();
    let mut alternatives: Option<Promise> = None;
    for group in groups {
        for shape in group {
            let own = Promise {
                types: shape.own_types(),
                optional: false,
            };
            let (found, _) = step(&shape.parts(), token, own);
            let found = match found {
                Declared::Promised(promise) => promise,
                Declared::NotListed => {
                    listing = true;
                    Promise {
                        types: Types::NONE,
                        optional: true,
                    }
                }
                Declared::Unknown => return (Declared::Unknown, Vec::new()),
            };
            alternatives = Some(alternatives.map_or(found, |so_far| Promise {
                types: so_far.types | found.types,
                optional: so_far.optional || found.optional,
            }));
        }
    }
    let not_an_object = !above.types.has(Types::OBJECT) || above.types != Types::OBJECT;
    match (below.is_empty(), alternatives) {
        (true, Some(promise)) if promise.types != Types::NONE => {
            let optional = (promise.optional && !required) || above.optional || not_an_object;
            (
                Declared::Promised(Promise {
                    types: promise.types,
                    optional,
                }),
                Vec::new(),
            )
        }
        (true, _) if required => (
            Declared::Promised(Promise {
                types: Types::ANY,
                optional: above.optional || not_an_object,
            }),
            Vec::new(),
        ),
        (true, _) if listing && above.types.overlaps(Types::OBJECT) => (Declared::NotListed, below),
        (true, _) if !above.types.overlaps(Types::OBJECT) => (Declared::NotListed, below),
        (true, _) => (Declared::Unknown, below),
        (false, _) => {
            let parts: Vec<&Shape> = below.iter().flat_map(|shape| shape.parts()).collect();
            let optional =
                !required || above.optional || (above.types != Types::ANY && not_an_object);
            (
                Declared::Promised(Promise {
                    types: intersect(&below),
                    optional,
                }),
                parts,
            )
        }
    }
}

fn intersect(shapes: &[&Shape]) -> Types {
    shapes
        .iter()
        .fold(Types::ANY, |types, shape| types & shape.own_types())
}

impl Shape {
    /// This shape and everything that holds together with it.
    fn parts(&self) -> Vec<&Shape> {
        let mut parts = vec![self];
        for shape in &self.all_of {
            parts.extend(shape.parts());
        }
        parts
    }

    fn own_types(&self) -> Types {
        let mut types = self.types;
        if let Some(values) = &self.values {
            types = types
                & values
                    .iter()
                    .map(Types::of)
                    .fold(Types::NONE, |all, one| all | one);
        }
        for shape in &self.all_of {
            types = types & shape.own_types();
        }
        for group in &self.any_of {
            types = types
                & group
                    .iter()
                    .fold(Types::NONE, |all, shape| all | shape.own_types());
        }
        if types == Types::ANY && !self.properties.is_empty() {
            // `properties` without `type`: people mean an object.
            return Types::OBJECT;
        }
        types
    }

    fn visit(&self, see: &mut impl FnMut(&Shape)) {
        see(self);
        for shape in self.properties.values() {
            shape.visit(see);
        }
        if let Others::Welcome(shape) = &self.others {
            shape.visit(see);
        }
        for shape in self
            .items
            .iter()
            .map(|shape| &**shape)
            .chain(&self.all_of)
            .chain(self.any_of.iter().flatten())
        {
            shape.visit(see);
        }
    }

    fn list(&self, at: &Pointer, required: bool, fields: &mut BTreeMap<Pointer, (Types, bool)>) {
        let parts = self.parts();
        for shape in &parts {
            for (name, property) in &shape.properties {
                let pointer = at.child(name.clone());
                let needed = required && parts.iter().any(|part| part.required.contains(name));
                let types = property.own_types();
                let entry = fields.entry(pointer.clone()).or_insert((types, needed));
                *entry = (entry.0 & types, entry.1 || needed);
                property.list(&pointer, needed && types == Types::OBJECT, fields);
            }
            if let Some(items) = &shape.items {
                let pointer = at.child("*");
                fields.insert(pointer.clone(), (items.own_types(), false));
                items.list(&pointer, false, fields);
            }
            for group in &shape.any_of {
                for alternative in group {
                    alternative.list(at, false, fields);
                }
            }
        }
    }

    fn check(&self, value: &Value, path: &mut Vec<SmolStr>) -> Result<(), String> {
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

    fn example(&self, depth: usize) -> Value {
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

fn article(name: &str) -> String {
    let article = if name.starts_with(['a', 'o']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {name}")
}

fn read(schema: &Value, root: &Value, references: usize) -> Shape {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value;

    fn pointer(text: &str) -> Pointer {
        Pointer::parse(text).expect("pointer")
    }

    fn order() -> Schema {
        Schema::new(&value!({
            "type": "object",
            "properties": {
                "id": {"type": "string", "minLength": 2},
                "total": {"type": "number", "minimum": 0},
                "count": {"type": "integer", "exclusiveMinimum": 0},
                "state": {"enum": ["new", "paid"]},
                "note": {"type": ["string", "null"]},
                "items": {"type": "array", "minItems": 1, "items": {
                    "type": "object", "properties": {"sku": {"type": "string"}}, "required": ["sku"]
                }},
                "customer": {"$ref": "#/$defs/person"}
            },
            "required": ["id", "items", "customer"],
            "$defs": {"person": {
                "type": "object",
                "properties": {"name": {"type": "string"}},
                "required": ["name"],
                "additionalProperties": false
            }}
        }))
    }

    #[test]
    fn values_are_checked_to_the_field() {
        let good = value!({"id": "a1", "items": [{"sku": "x"}], "customer": {"name": "Ann"}, "total": 1.5, "other": 1});
        assert_eq!(order().check(&good), Ok(()));
        for (pointer, new, message) in [
            (
                "/id",
                value!("a"),
                "`/id` should have at least 2 characters, has 1",
            ),
            ("/id", value!(3), "`/id` should be a string, found a number"),
            ("/total", value!(-1), "`/total` should be at least 0, is -1"),
            (
                "/count",
                value!(1.5),
                "`/count` should be a whole number, found a number",
            ),
            ("/count", value!(0), "`/count` should be more than 0, is 0"),
            (
                "/state",
                value!("lost"),
                "`/state` should be one of \"new\", \"paid\"",
            ),
            (
                "/items",
                value!([]),
                "`/items` should have at least 1 elements, has 0",
            ),
            ("/items/0", value!({}), "`/items/0/sku` is missing"),
            (
                "/customer/age",
                value!(3),
                "`/customer/age` is not listed in the schema",
            ),
            (
                "/customer",
                value!(null),
                "`/customer` should be an object, found null",
            ),
            (
                "",
                value!([]),
                "the payload should be an object, found an array",
            ),
        ] {
            let mut wrong = good.clone();
            self::pointer(pointer).set(&mut wrong, new);
            assert_eq!(
                order().check(&wrong).expect_err(pointer).to_string(),
                message
            );
        }
        let alternatives = Schema::new(
            &value!({"anyOf": [{"type": "string"}, {"type": "object", "required": ["x"]}]}),
        );
        assert!(alternatives.check(&value!("a")).is_ok());
        assert_eq!(
            alternatives
                .check(&value!({}))
                .expect_err("x")
                .to_string()
                .split(" (")
                .next(),
            Some("the payload should be a string, found an object")
        );
    }

    #[test]
    fn fields_are_listed_and_promised() {
        let listed: Vec<String> = order()
            .fields()
            .iter()
            .map(|field| {
                format!(
                    "{} {}{}",
                    field.pointer,
                    field.types,
                    if field.required { "" } else { "?" }
                )
            })
            .collect();
        assert_eq!(
            listed,
            [
                "/count a whole number?",
                "/customer an object",
                "/customer/name a string",
                "/id a string",
                "/items an array",
                "/items/* an object?",
                "/items/*/sku a string?",
                "/note a string or null?",
                "/state a string?",
                "/total a number?",
            ]
        );
        let promise = |types, optional| Declared::Promised(Promise { types, optional });
        for (text, declared) in [
            ("/id", promise(Types::STRING, false)),
            ("/customer/name", promise(Types::STRING, false)),
            ("/customer/age", Declared::NotListed),
            ("/totl", Declared::NotListed),
            ("/id/x", Declared::NotListed),
            ("/note", promise(Types::STRING | Types::NULL, true)),
        ] {
            assert_eq!(order().declared(&pointer(text)), declared, "{text}");
        }
        assert_eq!(
            Schema::default().declared(&pointer("/x")),
            Declared::Unknown
        );
        assert_eq!(
            Schema::new(&value!({"type": "object"})).declared(&pointer("/x")),
            Declared::Unknown
        );
    }

    #[test]
    fn examples_fit_their_schema() {
        let example = order().example();
        assert_eq!(order().check(&example), Ok(()), "{example}");
    }

    #[test]
    fn a_reader_is_fed_or_sees_why_not() {
        let need = |text: &str, types, optional| Need {
            pointer: pointer(text),
            types,
            optional,
        };
        assert_eq!(
            feeds(
                &order(),
                &[
                    need("/id", Types::STRING, false),
                    need("/totl", Types::NUMBER, true)
                ]
            ),
            Feeds::Yes
        );
        for (need, wanted) in [
            (need("/total", Types::NUMBER, false), "may be missing"),
            (
                need("/note", Types::STRING, true),
                "may be null, the reader takes a string",
            ),
            (
                need("/totl", Types::NUMBER, false),
                "is not listed by the writer",
            ),
        ] {
            let Feeds::No(example) = feeds(&order(), std::slice::from_ref(&need)) else {
                panic!("{need:?}")
            };
            assert_eq!(example.message, wanted);
            assert_eq!(
                order().check(&example.instance),
                Ok(()),
                "the writer may send it"
            );
        }
        assert_eq!(
            feeds(&Schema::default(), &order().needs()),
            Feeds::Unknown(pointer("/count"))
        );
        assert_eq!(feeds(&order(), &order().needs()), Feeds::Yes);
    }
}
