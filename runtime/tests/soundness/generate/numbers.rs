//! Designs about what numbers are made of: units, levels, versions, results over results.

use super::fields::{Env, Field, Sort, field};
use super::shape::quoted;
use super::theme::Drawn;
use super::types::Type;
use crate::chance::Chance;

pub(super) const ENDS: [(&str, usize); 2] = [("metric", 3), ("view", 1)];

pub(super) const MIDDLE: [(&str, usize); 10] = [
    ("version_guard", 3),
    ("resequence", 2),
    ("aggregate", 16),
    ("join", 6),
    ("merge", 6),
    ("map", 5),
    ("filter", 3),
    ("table", 2),
    ("dedupe", 3),
    ("log", 3),
];

pub(super) fn types(chance: &mut Chance) -> Vec<Type> {
    let count = chance.within(1, 3);
    let names = ["order", "parcel", "reading"];
    (0..count)
        .map(|place| one(chance, names[place], place))
        .collect()
}

fn one(chance: &mut Chance, name: &'static str, place: usize) -> Type {
    let mut marks = vec!["id=/id".to_owned()];
    let mut fields = Vec::new();
    let mut known: Vec<Field> = Vec::new();
    let mut add = |name: &str, ty: &str, sort| {
        fields.push(format!("{name} {ty}"));
        known.push(field(name, sort));
    };
    add("id", "string", Sort::Id);
    match chance.below(10) {
        0..4 => {
            marks.push("version=/rev".to_owned());
            marks.push("stands_for=version".to_owned());
            add("rev", "integer", Sort::Version);
        }
        4 => marks.push("stands_for=snapshot".to_owned()),
        5..8 => marks.push("stands_for=fact".to_owned()),
        _ => {}
    }
    if chance.percent(40) {
        marks.push("time=/at".to_owned());
        add("at", "string", Sort::Other);
    }
    add("customer", "string", Sort::Key);
    if chance.percent(60) {
        add("shop", "string", Sort::Key);
        if chance.percent(30) {
            marks.push("depends=/customer>/shop".to_owned());
        }
    }
    if chance.percent(30) {
        marks.push("depends=/id>/customer".to_owned());
    }
    let unit = *chance.pick(&["", " <always EUR>", " <always EUR>", " <always cent>"]);
    add("total", &format!("number{unit}"), Sort::Number);
    if chance.percent(35) {
        let unit = *chance.pick(&["<never EUR>", "<never>", "<not_over_time EUR>"]);
        add("price", &format!("number {unit}"), Sort::Number);
    }
    if chance.percent(35) {
        add("stock", "integer <not_over_time pieces>", Sort::Number);
    }
    if chance.percent(30) {
        add("state", "new|paid|gone", Sort::State);
    }
    Type {
        name,
        text: format!("type {name}({}): {}", marks.join(", "), fields.join(", ")),
        env: Env {
            fields: known,
            ty: Some(place),
        },
    }
}

pub(super) fn config(chance: &mut Chance, kind: &str, ins: &Env) -> Option<Drawn> {
    match kind {
        // Two of a name are one number.
        "metric" => {
            let value = ins.number(chance).unwrap_or_else(|| "(1)".to_owned());
            let name = *chance.pick(&["sales", "goods"]);
            let key = ins.key(chance);
            let config = format!("name={name}, value={value}, key={key}");
            Some((config, Vec::new()))
        }
        "aggregate" if chance.percent(60) => Some(again(chance, ins)),
        _ => None,
    }
}

/// A fold of one number, whatever it may be; over results, as likely one that does not combine.
fn again(chance: &mut Chance, ins: &Env) -> Drawn {
    let function = chance.weighted(&[
        ("sum", 6),
        ("average", 4),
        ("median", 1),
        ("count_distinct", 2),
        ("max", 1),
    ]);
    let of = match function {
        "count_distinct" => Some(ins.key(chance)),
        _ => ins.number(chance),
    };
    let column = match of {
        Some(of) => format!(
            "{{\"name\": \"x0\", \"function\": \"{function}\", \"of\": {}}}",
            quoted(&of)
        ),
        None => "{\"name\": \"x0\", \"function\": \"count\"}".to_owned(),
    };
    let mut fields = vec![field("x0", Sort::Number)];
    let mut config = format!("aggregates=[{column}]");
    if chance.percent(80) {
        let key = ins.any(chance, &[Sort::Key, Sort::State]);
        let key = key.map_or_else(|| ins.key(chance), |held| held.path);
        config.push_str(&format!(", group={key}"));
        fields.push(field("key", Sort::Key));
    }
    if chance.percent(55) {
        let size = *chance.pick(&["10s", "1h", "1d"]);
        config.push_str(&format!(", window=time, size={size}"));
    }
    (
        config,
        vec![("out", Env::of(fields)), ("late", ins.clone())],
    )
}
