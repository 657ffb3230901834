//! Whether one shape feeds another: what a writer may send against what a reader takes, answered with
//! yes, no and an event that shows it, or not known.

use super::{Declared, Others, Schema, Shape, Types, any_of_types};
use crate::pointer::Pointer;
use crate::value::Value;

/// What a reader needs of one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    pub pointer: Pointer,
    pub types: Types,
    /// The reader copes without the field.
    pub optional: bool,
}

/// Whether whatever a writer may send is enough for a reader.
#[derive(Clone, Debug, PartialEq)]
pub enum Feeds {
    Yes,
    No(Counterexample),
    /// The schemas do not say.
    Unknown(Pointer),
}

/// Something a writer may send that a reader cannot take.
#[derive(Clone, Debug, PartialEq)]
pub struct Counterexample {
    pub pointer: Pointer,
    pub message: String,
    pub instance: Value,
}

/// Says whether every event of the writer's schema has what the reader needs.
pub fn feeds(writer: &Schema, needs: &[Need]) -> Feeds {
    let mut unknown = None;
    for need in needs {
        match writer.declared(&need.pointer) {
            Declared::Unknown => {
                unknown.get_or_insert_with(|| need.pointer.clone());
            }
            Declared::NotListed if need.optional => {}
            Declared::NotListed => return no(writer, need, None, "is not listed by the writer"),
            Declared::Promised(promise) => {
                if promise.optional && !need.optional {
                    return no(writer, need, None, "may be missing");
                }
                let excess = promise.types.without(need.types);
                if excess != Types::NONE {
                    let message = format!("may be {excess}, the reader takes {}", need.types);
                    return no(writer, need, Some(excess), &message);
                }
            }
        }
    }
    unknown.map_or(Feeds::Yes, Feeds::Unknown)
}

fn no(writer: &Schema, need: &Need, instead: Option<Types>, message: &str) -> Feeds {
    let mut instance = writer.example();
    match instead {
        None => {
            need.pointer.remove(&mut instance);
        }
        Some(types) => need.pointer.set(&mut instance, any_of_types(types)),
    }
    Feeds::No(Counterexample {
        pointer: need.pointer.clone(),
        message: message.to_owned(),
        instance,
    })
}

/// Says whether every event of the writer's schema fits the reader's schema. What the writer may add
/// beside what it lists counts only where the reader refuses it.
pub fn fits(writer: &Schema, reader: &Schema) -> Feeds {
    if writer == reader {
        return Feeds::Yes;
    }
    let parts = Parts::of(&[&writer.root]);
    let mut looks = LOOKS_MAX;
    match compare(&parts, &reader.root, &Pointer::root(), &mut looks) {
        Outcome::Yes => Feeds::Yes,
        Outcome::Unknown(at) => Feeds::Unknown(at),
        Outcome::No(misfit) => {
            let mut instance = writer.example();
            match misfit.instead {
                Some(value) if misfit.at.is_root() => instance = value,
                Some(value) => first_elements(&misfit.at).set(&mut instance, value),
                None => {
                    first_elements(&misfit.at).remove(&mut instance);
                }
            }
            // Only what both schemas confirm is a counterexample.
            if writer.check(&instance).is_err() || reader.check(&instance).is_ok() {
                return Feeds::Unknown(misfit.at);
            }
            Feeds::No(Counterexample {
                pointer: misfit.at,
                message: misfit.message,
                instance,
            })
        }
    }
}

/// Pairs of shapes that are looked at; what is larger is not known.
const LOOKS_MAX: usize = 10_000;

enum Outcome {
    Yes,
    No(Misfit),
    Unknown(Pointer),
}

/// Where a writer may send something that a reader does not take.
struct Misfit {
    at: Pointer,
    message: String,
    /// What may be there; nothing when the field may be missing.
    instead: Option<Value>,
}

/// Shapes that hold together, and groups of alternatives of which one each holds as well.
#[derive(Clone)]
struct Parts<'s> {
    all: Vec<&'s Shape>,
    groups: Vec<&'s [Shape]>,
}

impl<'s> Parts<'s> {
    fn of(shapes: &[&'s Shape]) -> Parts<'s> {
        let all: Vec<&Shape> = shapes.iter().flat_map(|shape| shape.parts()).collect();
        let groups = all.iter().flat_map(|part| &part.any_of);
        let groups = groups.map(Vec::as_slice).collect();
        Parts { all, groups }
    }

    /// The same with one alternative chosen, for each of the last group.
    fn choices(&self) -> Vec<Parts<'s>> {
        let Some((group, groups)) = self.groups.split_last() else {
            return vec![self.clone()];
        };
        let chosen = |shape: &'s Shape| {
            let more = Parts::of(&[shape]);
            Parts {
                all: [&self.all[..], &more.all].concat(),
                groups: [groups, &more.groups].concat(),
            }
        };
        group.iter().map(chosen).collect()
    }

    fn types(&self) -> Types {
        let of = |part: &&Shape| {
            let mut types = part.types;
            if let Some(values) = &part.values {
                types = types & values.iter().map(Types::of).fold(Types::NONE, |a, b| a | b);
            }
            if types == Types::ANY && !part.properties.is_empty() {
                types = Types::OBJECT;
            }
            types
        };
        self.all.iter().map(of).fold(Types::ANY, |a, b| a & b)
    }

    /// Whether it says which fields there are.
    fn lists(&self) -> bool {
        let listing = |part: &&Shape| !part.properties.is_empty() || part.others == Others::Refused;
        self.all.iter().any(listing)
    }

    fn requires(&self, name: &str) -> bool {
        self.all.iter().any(|part| part.required.contains(name))
    }

    fn refuses_others(&self) -> bool {
        self.all.iter().any(|part| part.others == Others::Refused)
    }

    /// What is said of a field.
    fn below(&self, name: &str) -> Vec<&'s Shape> {
        let said = |part: &&'s Shape| match (part.properties.get(name), &part.others) {
            (Some(shape), _) => Some(shape),
            (None, Others::Welcome(shape)) => Some(&**shape),
            _ => None,
        };
        self.all.iter().filter_map(said).collect()
    }

    fn numbers(&self) -> (f64, f64) {
        let ranges = self.all.iter().map(|part| &part.number);
        ranges.fold((f64::NEG_INFINITY, f64::INFINITY), |(min, max), range| {
            (min.max(range.min), max.min(range.max))
        })
    }

    fn counts(&self, of: fn(&Shape) -> (usize, usize)) -> (usize, usize) {
        let counts = self.all.iter().map(|part| of(part));
        counts.fold((0, usize::MAX), |(min, max), count| {
            (min.max(count.0), max.min(count.1))
        })
    }
}

fn compare(writer: &Parts<'_>, reader: &Shape, at: &Pointer, looks: &mut usize) -> Outcome {
    *looks = looks.saturating_sub(1);
    if *looks == 0 {
        return Outcome::Unknown(at.clone());
    }
    if !writer.groups.is_empty() {
        let choices = writer.choices();
        return all(choices
            .iter()
            .map(|choice| compare(choice, reader, at, looks)));
    }
    if writer.all.contains(&reader) || *reader == Shape::default() {
        return Outcome::Yes;
    }
    if writer.all.iter().all(|part| **part == Shape::default()) {
        return Outcome::Unknown(at.clone());
    }
    let mut outcomes: Vec<Outcome> = Vec::new();
    for part in reader.parts() {
        outcomes.push(compare_part(writer, part, at, looks));
        for group in &part.any_of {
            let takes = |shape| matches!(compare(writer, shape, at, looks), Outcome::Yes);
            let taken = group.iter().any(takes);
            outcomes.push(if taken {
                Outcome::Yes
            } else {
                Outcome::Unknown(at.clone())
            });
        }
    }
    all(outcomes)
}

/// A misfit of any, or else what is not known of any.
fn all(outcomes: impl IntoIterator<Item = Outcome>) -> Outcome {
    let mut unknown = None;
    for outcome in outcomes {
        match outcome {
            Outcome::Yes => {}
            Outcome::No(misfit) => return Outcome::No(misfit),
            Outcome::Unknown(at) => {
                unknown.get_or_insert(at);
            }
        }
    }
    unknown.map_or(Outcome::Yes, Outcome::Unknown)
}

/// What the shape itself says, without its alternatives.
fn compare_part(writer: &Parts<'_>, reader: &Shape, at: &Pointer, looks: &mut usize) -> Outcome {
    let misfit = |message: String, instead| {
        Outcome::No(Misfit {
            at: at.clone(),
            message,
            instead,
        })
    };
    if let Some(values) = writer.all.iter().find_map(|part| part.values.as_ref()) {
        let may_be = |value: &&Value| {
            let fits = |part: &&Shape| part.check(value, &mut Vec::new()).is_ok();
            writer.all.iter().all(fits)
        };
        let refused = |value: &&Value| reader.check(value, &mut Vec::new()).is_err();
        return match values.iter().filter(may_be).find(refused) {
            Some(value) => misfit(
                format!("may be {}, the reader does not take it", value.to_json()),
                Some(value.clone()),
            ),
            None => Outcome::Yes,
        };
    }
    let types = writer.types();
    let excess = types.without(reader.types);
    if excess != Types::NONE {
        let message = format!("may be {excess}, the reader takes {}", reader.types);
        return misfit(message, Some(any_of_types(excess)));
    }
    if let Some(values) = &reader.values {
        let other = if types.overlaps(Types::STRING) {
            Value::str("another")
        } else {
            any_of_types(types)
        };
        let listed: Vec<String> = values.iter().take(8).map(Value::to_json).collect();
        let message = format!("may be other than {}", listed.join(", "));
        return misfit(message, Some(other));
    }
    let mut outcomes = Vec::new();
    if !reader.unchecked.is_empty() {
        outcomes.push(Outcome::Unknown(at.clone()));
    }
    if types.overlaps(Types::STRING) {
        let (written, taken) = (writer.counts(|part| part.text_chars), reader.text_chars);
        if written.0 < taken.0 {
            let text = "x".repeat(written.0.min(TEXT_MAX));
            outcomes.push(misfit("may be shorter text".into(), Some(Value::str(text))));
        } else if written.1 > taken.1 {
            let text = "x".repeat(taken.1.saturating_add(1).min(TEXT_MAX));
            outcomes.push(misfit("may be longer text".into(), Some(Value::str(text))));
        }
    }
    if types.overlaps(Types::NUMBER) {
        outcomes.push(compare_numbers(writer, reader, &misfit));
    }
    if types.overlaps(Types::ARRAY) {
        let (written, taken) = (writer.counts(|part| part.items_count), reader.items_count);
        if written.0 < taken.0 || written.1 > taken.1 {
            outcomes.push(Outcome::Unknown(at.clone()));
        }
        if let Some(items) = &reader.items {
            let below = writer.all.iter().filter_map(|part| part.items.as_deref());
            let below: Vec<&Shape> = below.collect();
            outcomes.push(if below.is_empty() {
                Outcome::Unknown(at.child("*"))
            } else {
                compare(&Parts::of(&below), items, &at.child("*"), looks)
            });
        }
    }
    if types.overlaps(Types::OBJECT) {
        outcomes.push(compare_fields(writer, reader, at, looks));
    }
    all(outcomes)
}

/// Longest text that an example is given.
const TEXT_MAX: usize = 4096;

fn compare_numbers(
    writer: &Parts<'_>,
    reader: &Shape,
    misfit: &impl Fn(String, Option<Value>) -> Outcome,
) -> Outcome {
    let ((min, max), taken) = (writer.numbers(), &reader.number);
    let number = |value: f64| {
        if value.fract() == 0.0 && value.abs() < 9e15 {
            Value::Int(value as i64)
        } else {
            Value::Float(value)
        }
    };
    if min < taken.min {
        let below = if min.is_finite() {
            min
        } else {
            taken.min.floor() - 1.0
        };
        return misfit(
            format!("may be less than {}", taken.min),
            Some(number(below)),
        );
    }
    if max > taken.max {
        let above = if max.is_finite() {
            max
        } else {
            taken.max.ceil() + 1.0
        };
        return misfit(
            format!("may be more than {}", taken.max),
            Some(number(above)),
        );
    }
    let open = |part: &&Shape| part.number.open_min && part.number.min >= taken.min;
    if taken.open_min && min <= taken.min && !writer.all.iter().any(open) {
        return misfit(format!("may be {}", taken.min), Some(number(taken.min)));
    }
    let open = |part: &&Shape| part.number.open_max && part.number.max <= taken.max;
    if taken.open_max && max >= taken.max && !writer.all.iter().any(open) {
        return misfit(format!("may be {}", taken.max), Some(number(taken.max)));
    }
    Outcome::Yes
}

fn compare_fields(writer: &Parts<'_>, reader: &Shape, at: &Pointer, looks: &mut usize) -> Outcome {
    let mut outcomes = Vec::new();
    let lacks = |name: &str, message: &str| {
        Outcome::No(Misfit {
            at: at.child(name),
            message: message.to_owned(),
            instead: None,
        })
    };
    for name in &reader.required {
        if writer.requires(name) {
            continue;
        }
        outcomes.push(if !writer.below(name).is_empty() {
            lacks(name, "may be missing")
        } else if writer.lists() {
            lacks(name, "is not listed by the writer")
        } else {
            Outcome::Unknown(at.child(name.clone()))
        });
    }
    for (name, shape) in &reader.properties {
        let below = writer.below(name);
        // A field that the writer does not list is not sent, as far as anybody knows.
        if !below.is_empty() {
            let place = at.child(name.clone());
            outcomes.push(compare(&Parts::of(&below), shape, &place, looks));
        }
    }
    let extra = writer.all.iter().flat_map(|part| part.properties.keys());
    let mut extra = extra.filter(|name| !reader.properties.contains_key(*name));
    match &reader.others {
        Others::Tolerated => {}
        Others::Refused => {
            if let Some(name) = extra.next() {
                let shape = writer.below(name).into_iter().next();
                outcomes.push(Outcome::No(Misfit {
                    at: at.child(name.clone()),
                    message: "is not listed by the reader, who refuses others".into(),
                    instead: Some(shape.map_or(Value::Null, |shape| shape.example(0))),
                }));
            } else if !writer.refuses_others() {
                outcomes.push(Outcome::Unknown(at.clone()));
            }
        }
        Others::Welcome(shape) => {
            for name in extra {
                let place = at.child(name.clone());
                outcomes.push(compare(
                    &Parts::of(&writer.below(name)),
                    shape,
                    &place,
                    looks,
                ));
            }
        }
    }
    all(outcomes)
}

/// The pointer with the first element where any is meant.
fn first_elements(at: &Pointer) -> Pointer {
    let first = |token: &smol_str::SmolStr| {
        if token == "*" {
            "0".into()
        } else {
            token.clone()
        }
    };
    at.tokens().iter().map(first).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::value;
    use crate::value::Object;

    fn object(fields: &Value, required: &Value) -> Value {
        value!({"type": "object", "properties": (fields.clone()), "required": (required.clone())})
    }

    #[test]
    fn schemas_fit_or_show_an_event_that_does_not() {
        let text = || value!({"type": "string"});
        let base = object(&value!({"id": (text()), "note": (text())}), &value!(["id"]));
        let cases = [
            (base.clone(), base.clone(), "yes"),
            (value!(true), base.clone(), "unknown "),
            (base.clone(), value!(true), "yes"),
            (
                base.clone(),
                object(&value!({"id": (text())}), &value!(["id"])),
                "yes",
            ),
            (
                object(&value!({"id": (text())}), &value!(["id"])),
                object(
                    &value!({"id": (text()), "more": (text())}),
                    &value!(["id", "more"]),
                ),
                "/more is not listed by the writer",
            ),
            (
                base.clone(),
                object(
                    &value!({"id": (text()), "note": (text())}),
                    &value!(["note"]),
                ),
                "/note may be missing",
            ),
            (
                object(
                    &value!({"id": {"type": ["string", "integer"]}}),
                    &value!([]),
                ),
                base.clone(),
                "/id may be missing",
            ),
            (
                object(
                    &value!({"id": {"type": ["string", "integer"]}}),
                    &value!(["id"]),
                ),
                base.clone(),
                "/id may be a whole number, the reader takes a string",
            ),
            (
                object(&value!({"id": {"enum": ["a", "b"]}}), &value!(["id"])),
                object(&value!({"id": {"enum": ["a", "c"]}}), &value!(["id"])),
                "/id may be \"b\", the reader does not take it",
            ),
            (
                object(&value!({"id": {"enum": ["a"]}}), &value!(["id"])),
                base.clone(),
                "yes",
            ),
            (
                base.clone(),
                object(&value!({"id": {"enum": ["a", "c"]}}), &value!(["id"])),
                "/id may be other than \"a\", \"c\"",
            ),
            (
                value!({"type": "number"}),
                value!({"type": "number", "minimum": 0}),
                " may be less than 0",
            ),
            (
                value!({"type": "integer", "minimum": 1}),
                value!({"type": "number", "exclusiveMinimum": 0}),
                "yes",
            ),
            (
                value!({"type": "number", "minimum": 0}),
                value!({"type": "number", "exclusiveMinimum": 0}),
                " may be 0",
            ),
            (
                value!({"type": "string"}),
                value!({"type": "string", "maxLength": 3}),
                " may be longer text",
            ),
            (
                value!({"type": "string"}),
                value!({"type": "string", "pattern": "^a"}),
                "unknown ",
            ),
            (
                value!({"anyOf": [{"type": "string"}, {"type": "null"}]}),
                value!({"type": "string"}),
                " may be null, the reader takes a string",
            ),
            (
                value!({"type": "string"}),
                value!({"anyOf": [{"type": "string"}, {"type": "null"}]}),
                "yes",
            ),
            (
                value!({"type": "array", "items": {"type": "string"}, "minItems": 1}),
                value!({"type": "array", "items": {"type": "number"}}),
                "/* may be a string, the reader takes a number",
            ),
            (
                base.clone(),
                value!({"type": "object", "properties": {"id": (text())}, "additionalProperties": false}),
                "/note is not listed by the reader, who refuses others",
            ),
            (
                object(&value!({"id": (text())}), &value!(["id"])),
                value!({"type": "object", "properties": {"id": (text())}, "additionalProperties": false}),
                "unknown ",
            ),
        ];
        for (writer, reader, wanted) in cases {
            let (written, taken) = (Schema::new(&writer), Schema::new(&reader));
            let said = match fits(&written, &taken) {
                Feeds::Yes => "yes".to_owned(),
                Feeds::Unknown(at) => format!("unknown {at}"),
                Feeds::No(example) => {
                    assert!(
                        written.check(&example.instance).is_ok(),
                        "{}",
                        example.instance
                    );
                    assert!(
                        taken.check(&example.instance).is_err(),
                        "{}",
                        example.instance
                    );
                    format!("{} {}", example.pointer, example.message)
                }
            };
            assert_eq!(said, wanted, "{writer} to {reader}");
        }
    }

    fn shape() -> impl Strategy<Value = Value> {
        let scalar = prop_oneof![
            Just(value!({"type": "string"})),
            Just(value!({"type": "string", "maxLength": 2})),
            Just(value!({"type": ["string", "null"]})),
            Just(value!({"type": "integer"})),
            Just(value!({"type": "number", "minimum": 0})),
            Just(value!({"type": "number", "exclusiveMaximum": 2})),
            Just(value!({"enum": ["x", 1]})),
            Just(value!({"const": "x"})),
            Just(value!({"anyOf": [{"type": "integer"}, {"const": "x"}]})),
            Just(value!({"allOf": [{"type": "number"}, {"minimum": 1}]})),
            Just(value!({"type": "array", "items": {"type": "integer"}})),
            Just(value!({"type": "array", "items": {"type": "number"}, "minItems": 1})),
        ];
        let field = (scalar.clone(), any::<bool>());
        let fields = prop::collection::vec(field, 2);
        let object = (fields, 0..3_u8, any::<bool>()).prop_map(|(fields, others, both)| {
            let (mut properties, mut required) = (Object::new(), Vec::new());
            for ((shape, needed), name) in fields.into_iter().zip(["a", "b"]) {
                if name == "a" || both {
                    properties.insert(name, shape);
                    if needed {
                        required.push(Value::from(name));
                    }
                }
            }
            let mut schema = object(&properties.into(), &required.into());
            if others > 0 {
                let place = Pointer::root().child("additionalProperties");
                place.set(&mut schema, Value::Bool(others == 1));
            }
            schema
        });
        prop_oneof![1 => scalar, 3 => object]
    }

    fn event() -> impl Strategy<Value = Value> {
        let scalar = prop_oneof![
            Just(Value::Null),
            Just(value!("x")),
            Just(value!("xyz")),
            (-1..3_i64).prop_map(Value::Int),
            Just(Value::Float(0.5)),
            Just(value!([])),
            Just(value!([1])),
            Just(value!([0.5])),
        ];
        let field = prop::option::of(scalar.clone());
        let object = prop::collection::vec(field, 2).prop_map(|fields| {
            let mut object = Object::new();
            for (value, name) in fields.into_iter().zip(["a", "b"]) {
                if let Some(value) = value {
                    object.insert(name, value);
                }
            }
            Value::from(object)
        });
        prop_oneof![1 => scalar, 3 => object]
    }

    proptest! {
        #[test]
        fn what_fits_is_taken(writer in shape(), reader in shape(), events in prop::collection::vec(event(), 40)) {
            let (written, taken) = (Schema::new(&writer), Schema::new(&reader));
            match fits(&written, &taken) {
                Feeds::Yes => for event in events {
                    // What nobody lists is not counted on.
                    let listed = event.as_object().is_none_or(|object| {
                        object.keys().all(|name| written.declared(&Pointer::root().child(name.clone())) != Declared::NotListed)
                    });
                    if listed && written.check(&event).is_ok() {
                        prop_assert_eq!(taken.check(&event), Ok(()), "{} {} {}", writer, reader, event);
                    }
                },
                Feeds::No(example) => {
                    prop_assert!(written.check(&example.instance).is_ok());
                    prop_assert!(taken.check(&example.instance).is_err());
                }
                Feeds::Unknown(_) => {}
            }
        }
    }
}
