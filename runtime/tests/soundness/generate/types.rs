//! Event types of a design: what identifies an event, what decides what, who may read it.

use super::fields::{Env, Field, Sort, field};
use crate::chance::Chance;

pub(super) struct Type {
    pub(super) name: &'static str,
    /// As the notation has it.
    pub(super) text: String,
    pub(super) env: Env,
}

/// One to three types.
pub(super) fn draw(chance: &mut Chance) -> Vec<Type> {
    let count = chance.within(1, 3);
    let names = ["order", "parcel", "reading"];
    (0..count)
        .map(|place| one(chance, names[place], place))
        .collect()
}

fn one(chance: &mut Chance, name: &'static str, place: usize) -> Type {
    let mut marks = Vec::new();
    let mut fields = Vec::new();
    let mut known: Vec<Field> = Vec::new();
    let mut add = |name: &str, ty: &str, sort| {
        fields.push(format!("{name} {ty}"));
        known.push(field(name, sort));
    };
    let versions = chance.percent(30);
    if chance.percent(85) {
        marks.push("id=/id".to_owned());
        add("id", "string", Sort::Id);
        if versions {
            marks.push("version=/rev".to_owned());
            marks.push("stands_for=version".to_owned());
            add("rev", "integer", Sort::Version);
        } else if chance.percent(20) {
            marks.push("stands_for=fact".to_owned());
        }
    }
    if chance.percent(15) {
        marks.push("time=/at".to_owned());
        add("at", "string", Sort::Other);
    }
    let optional = if chance.percent(10) { "?" } else { "" };
    let reader = if chance.percent(15) {
        " {role:finance}"
    } else {
        ""
    };
    add("customer", &format!("string{optional}{reader}"), Sort::Key);
    if chance.percent(50) {
        add("tenant", "string", Sort::Key);
        if chance.percent(30) {
            marks.push("tenant=/tenant".to_owned());
        }
        if chance.percent(30) {
            marks.push("depends=/customer>/tenant".to_owned());
        }
    }
    if versions && chance.percent(50) {
        marks.push("depends=/id>/customer".to_owned());
    }
    let unit = *chance.pick(&["", " <always EUR>", " <always EUR>", " <never EUR>"]);
    let optional = if chance.percent(8) { "?" } else { "" };
    add("total", &format!("number{optional}{unit}"), Sort::Number);
    if chance.percent(40) {
        add("count", "integer", Sort::Number);
    }
    if chance.percent(40) {
        add("state", "new|paid|gone", Sort::State);
    }
    if chance.percent(25) {
        add("test", "boolean", Sort::Flag);
    }
    if chance.percent(25) {
        add("items", "array", Sort::Items);
    }
    if chance.percent(20) {
        add(
            "mail",
            "string {subject:/customer | role:finance}",
            Sort::Other,
        );
    }
    if chance.percent(15) {
        fields.push("...".to_owned());
    }
    let marks = if marks.is_empty() {
        String::new()
    } else {
        format!("({})", marks.join(", "))
    };
    Type {
        name,
        text: format!("type {name}{marks}: {}", fields.join(", ")),
        env: Env {
            fields: known,
            ty: Some(place),
        },
    }
}
