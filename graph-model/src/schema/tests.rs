//! What schemas say, check and promise.

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
