//! Designs about who may see what: labelled fields, owners, audiences, copies beside the way, releases.

use super::fields::{Env, Field, Sort, field};
use super::fill::Filled;
use super::shape::{mapped, pointer, quoted};
use super::theme::Drawn;
use super::types::Type;
use crate::chance::Chance;

pub(super) const MIDDLE: [(&str, usize); 12] = [
    ("version_guard", 2),
    ("resequence", 2),
    ("map", 9),
    ("filter", 5),
    ("guard", 8),
    ("redact", 6),
    ("tokenise", 5),
    ("aggregate", 8),
    ("log", 5),
    ("queue", 4),
    ("topic", 3),
    ("merge", 2),
];

/// Fields that may be labelled.
const SECRETS: [&str; 5] = ["card", "mail", "note", "total", "state"];

pub(super) fn types(chance: &mut Chance) -> Vec<Type> {
    let count = chance.within(1, 2);
    let names = ["order", "parcel"];
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
    if chance.percent(40) {
        marks.push("version=/rev".to_owned());
        marks.push("stands_for=version".to_owned());
        add("rev", "integer", Sort::Version);
    }
    let owner = *chance.pick(&[
        "",
        "",
        " {org}",
        " {org | subject:/customer}",
        " {role:finance | subject:/customer}",
    ]);
    add("customer", &format!("string{owner}"), Sort::Key);
    if chance.percent(60) {
        marks.push("subject=/customer".to_owned());
    }
    if chance.percent(20) {
        marks.push("depends=/id>/customer".to_owned());
    }
    let tenants = chance.percent(40);
    if tenants {
        add("tenant", "string", Sort::Key);
        marks.push("tenant=/tenant".to_owned());
        if chance.percent(40) {
            marks.push("depends=/customer>/tenant".to_owned());
        }
    }
    let open_to_all = chance.percent(15);
    let readers = |chance: &mut Chance| {
        if open_to_all {
            return "";
        }
        let all = [
            "{role:finance}",
            "{role:finance | subject:/customer}",
            "{subject:/customer}",
            "{org}",
            "{role:finance | role:support}",
            "{role:finance; org}",
        ];
        if tenants && chance.percent(25) {
            return "{tenant:/tenant | role:finance}";
        }
        *chance.pick::<&str>(&all)
    };
    for (name, ty, sort, percent) in [
        ("card", "string", Sort::Other, 70),
        ("mail", "string", Sort::Key, 40),
        ("note", "string", Sort::Other, 40),
        ("total", "number", Sort::Number, 100),
        ("state", "new|paid|gone", Sort::State, 50),
    ] {
        if !chance.percent(percent) {
            continue;
        }
        let open = (name == "total" || name == "state") && chance.percent(50);
        let label = if open { "" } else { readers(chance) };
        add(name, format!("{ty} {label}").trim_end(), sort);
    }
    if chance.percent(30) {
        add("count", "integer", Sort::Number);
    }
    if chance.percent(30) {
        fields.push("...".to_owned());
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

/// Rules by which labels may be lowered.
pub(super) fn releases(chance: &mut Chance, types: &[Type]) -> String {
    let mut lines = String::new();
    for (number, ty) in types.iter().enumerate() {
        let name = ty.name;
        for field in SECRETS {
            if chance.percent(60) {
                continue;
            }
            let by = match field {
                "total" | "state" => *chance.pick(&["aggregate 2", "aggregate 3"]),
                _ => *chance.pick(&["tokenise", "role finance"]),
            };
            lines.push_str(&format!("release r{number}{field}: {name}/{field} {by}\n"));
        }
    }
    lines
}

pub(super) fn config(chance: &mut Chance, kind: &str, ins: &Env) -> Option<Drawn> {
    match kind {
        "guard" => {
            let owner = owner(chance, ins)?;
            let config = format!("field={owner}, claim=customer");
            Some((config, vec![("out", ins.clone()), ("stopped", ins.clone())]))
        }
        "redact" => {
            let hidden = secret(chance, ins)?;
            let how = *chance.pick(&["remove", "mask", "hash"]);
            let mut env = ins.clone();
            env.fields.retain(|held| how == "hash" || *held != hidden);
            env.ty = None;
            let key = if how == "hash" { ", secret=PATH" } else { "" };
            let config = format!("fields=[{}], how={how}{key}", quoted(&pointer(&hidden)));
            Some((config, vec![("out", env)]))
        }
        "tokenise" => {
            let hidden = secret(chance, ins)?;
            let mut env = ins.clone();
            env.ty = None;
            let config = format!("fields=[{}], secret=PATH", quoted(&pointer(&hidden)));
            Some((config, vec![("out", env)]))
        }
        "map" => Some(match chance.below(8) {
            0 => mixed(chance, ins)?,
            1 => chosen(chance, ins)?,
            _ => mapped(chance, ins),
        }),
        _ => None,
    }
}

/// A text that is made of two fields.
fn mixed(chance: &mut Chance, ins: &Env) -> Option<Drawn> {
    let (one, other) = (secret(chance, ins)?, ins.key(chance));
    let mut fields = ins.fields.clone();
    fields.retain(|held| *held != one && held.path != ".text");
    fields.push(field("text", Sort::Key));
    let one = one.path;
    let config = format!("expr=. + {{text: \"\\({other}) \\({one})\"}} | del({one})");
    Some((config, vec![("out", Env::of(fields))]))
}

/// A field that says how a secret compares.
fn chosen(chance: &mut Chance, ins: &Env) -> Option<Drawn> {
    let number = ins.any(chance, &[Sort::Number])?.path;
    let id = ins.id(chance);
    let key = ins.key(chance);
    let word = format!(
        "if {number} > {} then \"big\" else \"small\" end",
        chance.below(8)
    );
    let made = format!("{{id: {id}, who: {key}, size: ({word})}}");
    let expr = match chance.below(2) {
        0 => made,
        _ => format!("if {number} > 3 then {made} else empty end"),
    };
    let fields = vec![
        field("id", Sort::Id),
        field("who", Sort::Key),
        field("size", Sort::Key),
    ];
    Some((format!("expr={expr}"), vec![("out", Env::of(fields))]))
}

/// A field that may be labelled, or whatever else there is.
fn secret(chance: &mut Chance, ins: &Env) -> Option<Field> {
    let named = |held: &&Field| {
        let last = held.path.rsplit('.').next();
        last.is_some_and(|last| SECRETS.contains(&last))
    };
    let secrets: Vec<Field> = ins.fields.iter().filter(named).cloned().collect();
    if secrets.is_empty() || chance.percent(10) {
        return ins.any(chance, &[Sort::Other, Sort::Number, Sort::State, Sort::Key]);
    }
    Some(chance.pick(&secrets).clone())
}

/// The field with the owner, mostly.
fn owner(chance: &mut Chance, ins: &Env) -> Option<String> {
    let mut owners = ins
        .fields
        .iter()
        .filter(|held| held.path.ends_with(".customer"));
    let found = owners.next().cloned().filter(|_| chance.percent(85));
    let found = found.or_else(|| ins.any(chance, &[Sort::Key, Sort::Id]));
    found.map(|held| pointer(&held))
}

pub(super) fn marks(chance: &mut Chance, part: &Filled) -> String {
    let mut marks = String::new();
    let who = |chance: &mut Chance| {
        let all = [
            "finance",
            "support",
            "finance,support",
            "shoppers",
            "shoppers",
        ];
        let roles = *chance.pick::<&str>(&all);
        match owner(chance, &part.ins) {
            Some(owner) if roles == "shoppers" && chance.percent(60) => {
                format!("{roles}[customer = {owner}]")
            }
            _ => roles.to_owned(),
        }
    };
    let audience = match part.kind {
        "view" | "metric" | "console" | "export" | "dead_letter" => 85,
        "table" | "bucket" | "effect" | "http_out" => 25,
        "log" | "queue" | "topic" => 10,
        _ => 0,
    };
    if chance.percent(audience) {
        marks.push_str(&format!(" @{}", who(chance)));
    }
    let mut side = |name: &str, percent: usize, chance: &mut Chance| {
        if chance.percent(percent) {
            marks.push_str(&format!(" %{name}={}", who(chance)));
        }
    };
    match part.kind {
        "log" | "queue" | "topic" => {
            side("operators", 40, chance);
            side("readers", 15, chance);
            side("dead_letter", 20, chance);
            side("trace", 10, chance);
        }
        "effect" | "http_out" | "bucket" => side("operators", 40, chance),
        "table" => side("readers", 20, chance),
        "map" | "aggregate" | "manual" | "replay" => side("trace", 8, chance),
        _ => {}
    }
    let field = |chance: &mut Chance, sorts: &[Sort]| {
        let found = part.ins.any(chance, sorts);
        found.map(|held| pointer(&held))
    };
    match part.kind {
        "redact" | "tokenise" if chance.percent(50) => marks.push_str(" &mia"),
        "http" if chance.percent(50) => marks.push_str(" ^principal=/customer"),
        "effect" | "http_out" => {
            if chance.percent(30)
                && let Some(on) = field(chance, &[Sort::Key, Sort::Id])
            {
                marks.push_str(&format!(" ^acts_on={on}"));
            }
            if chance.percent(30)
                && let Some(at) = field(chance, &[Sort::Number, Sort::Other, Sort::Key])
            {
                marks.push_str(&format!(" ^sensitive=[{}]", quoted(&at)));
            }
        }
        _ => {}
    }
    marks
}
