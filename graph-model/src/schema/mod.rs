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

mod check;
mod compare;
mod example;
mod promise;
mod read;
#[cfg(test)]
mod tests;
mod types;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use smol_str::SmolStr;

use self::promise::step;
use self::read::read;
use crate::pointer::Pointer;
use crate::value::Value;

pub use compare::{Counterexample, Feeds, Need, feeds, fits};
pub use promise::{Declared, Promise};
pub use types::{Types, any_of_types};

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

/// A field that a schema lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    pub pointer: Pointer,
    pub types: Types,
    /// Every event has it.
    pub required: bool,
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

    /// Whether nothing but objects has the shape. `properties` alone do not say so.
    pub fn takes_only_objects(&self) -> bool {
        let parts = self.root.parts();
        parts.iter().any(|part| part.types == Types::OBJECT)
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
}
