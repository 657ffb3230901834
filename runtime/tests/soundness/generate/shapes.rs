//! Designs about what events look like: optional fields, fields of several types, shapes of old, and
//! readers that need more or less than was promised.

use super::fields::{Env, Field, Sort, field};
use super::shape::{mapped, quoted};
use super::theme::Drawn;
use super::types::Type;
use crate::chance::Chance;

pub(super) const MIDDLE: [(&str, usize); 11] = [
    ("redact", 2),
    ("version_guard", 2),
    ("resequence", 2),
    ("map", 14),
    ("filter", 5),
    ("log", 6),
    ("aggregate", 5),
    ("mediate", 2),
    ("validate", 2),
    ("join", 2),
    ("dedupe", 2),
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
    let mut fields = vec!["id string".to_owned()];
    let mut known: Vec<Field> = vec![field("id", Sort::Id)];
    if chance.percent(40) {
        marks.push("version=/rev".to_owned());
        marks.push("stands_for=version".to_owned());
        fields.push("rev integer".to_owned());
        known.push(field("rev", Sort::Version));
    }
    let mut old = fields.clone();
    let history = chance.percent(35);
    for (name, tys, sort, percent) in [
        (
            "customer",
            &["string", "string", "string|null"][..],
            Sort::Key,
            100,
        ),
        (
            "code",
            &["integer", "string", "string|integer"][..],
            Sort::Key,
            50,
        ),
        (
            "total",
            &["number", "number", "number|null"][..],
            Sort::Number,
            100,
        ),
        (
            "count",
            &["integer", "integer|string"][..],
            Sort::Number,
            40,
        ),
        (
            "name",
            &["string", "string", "string|null"][..],
            Sort::Other,
            70,
        ),
        ("state", &["new|paid|gone"][..], Sort::State, 40),
        ("test", &["boolean"][..], Sort::Flag, 25),
        ("items", &["array"][..], Sort::Items, 30),
    ] {
        if !chance.percent(percent) {
            continue;
        }
        let ty = *chance.pick(tys);
        let optional = if chance.percent(35) { "?" } else { "" };
        fields.push(format!("{name} {ty}{optional}"));
        known.push(field(name, sort));
        match chance.below(10) {
            0 | 1 => {}
            2 => old.push(format!("{name} {}{optional}", tys[tys.len() - 1])),
            _ => old.push(format!("{name} {ty}{optional}")),
        }
    }
    let mut text = String::new();
    if history {
        marks.push(format!("history=[\"{name}_old\"]"));
        text = format!("type {name}_old(id=/id): {}\n", old.join(", "));
    }
    text.push_str(&format!(
        "type {name}({}): {}",
        marks.join(", "),
        fields.join(", ")
    ));
    Type {
        name,
        text,
        env: Env {
            fields: known,
            ty: Some(place),
        },
    }
}

pub(super) fn config(chance: &mut Chance, kind: &str, at: usize, ins: &Env) -> Option<Drawn> {
    match kind {
        "map" if chance.percent(55) => read(chance, ins),
        "table" if chance.percent(50) => {
            let number = ins.any(chance, &[Sort::Number, Sort::Other])?.path;
            let key = ins.key(chance);
            let code = *chance.pick(&["", " | tostring", " + 1", " // 0"]);
            let columns = format!(
                "{{\"n\": {}, \"s\": {}}}",
                quoted(&format!("{number}{code}")),
                quoted(&key)
            );
            let config = format!("table=t{at}, mode=upsert, key={key}, columns={columns}");
            Some((config, vec![("out", ins.clone())]))
        }
        _ => None,
    }
}

/// An expression that needs a field to be of some sort.
fn read(chance: &mut Chance, ins: &Env) -> Option<Drawn> {
    let held = ins.any(
        chance,
        &[
            Sort::Number,
            Sort::Other,
            Sort::Key,
            Sort::Items,
            Sort::State,
        ],
    )?;
    let path = &held.path;
    let (code, sort) = match held.sort {
        Sort::Number => (
            *chance.pick(&[
                "($ / 2)",
                "($ * 2 + 1)",
                "(($ // 0) + 1)",
                "($ | floor)",
                "(-$)",
            ]),
            Sort::Number,
        ),
        Sort::Items => (
            *chance.pick(&["($ | length)", "([$[]?] | length)"]),
            Sort::Number,
        ),
        _ => (
            *chance.pick(&[
                "\"to \\($)\"",
                "\"to \\($ // \"you\")\"",
                "($ | ascii_upcase)",
                "(\"x\" + $)",
                "($ | tostring)",
                "($ | length)",
                "($ // \"none\")",
                "(if $ == null then \"none\" else $ end)",
            ]),
            Sort::Key,
        ),
    };
    let code = code.replace('$', path);
    let id = ins.id(chance);
    let mut fields = ins.fields.clone();
    fields.retain(|held| held.path != ".made");
    fields.push(field("made", sort));
    if chance.percent(50) {
        let config = format!("expr=. + {{made: {code}}}");
        return Some((config, vec![("out", Env::of(fields))]));
    }
    if chance.percent(20) {
        return Some(mapped(chance, ins));
    }
    let key = ins.key(chance);
    let config = format!("expr={{id: {id}, who: {key}, made: {code}}}");
    let fields = vec![
        field("id", Sort::Id),
        field("who", Sort::Key),
        field("made", sort),
    ];
    Some((config, vec![("out", Env::of(fields))]))
}
