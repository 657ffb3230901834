//! Configurations of what folds events.

use super::fields::{Env, Field, Sort, field};
use super::shape::quoted;
use crate::chance::Chance;

type Drawn = (String, Vec<(&'static str, Env)>);

pub(super) fn aggregate(chance: &mut Chance, ins: &Env) -> Drawn {
    let group = if chance.percent(90) {
        Some(ins.key(chance))
    } else {
        None
    };
    let functions = [
        ("count", 4),
        ("sum", 6),
        ("min", 2),
        ("max", 3),
        ("average", 2),
        ("median", 1),
        ("first", 1),
        ("last", 1),
        ("count_distinct", 1),
        ("list", 1),
    ];
    let mut records = Vec::new();
    let mut fields = keys(group.as_deref());
    for place in 0..=chance.skewed(3) {
        let function = chance.weighted(&functions);
        let of = match function {
            "count" => String::new(),
            "count_distinct" | "list" => format!(", \"of\": {}", quoted(&ins.key(chance))),
            _ => match ins.number(chance) {
                Some(number) => format!(", \"of\": {}", quoted(&number)),
                None => continue,
            },
        };
        let name = format!("x{place}");
        records.push(format!(
            "{{\"name\": \"{name}\", \"function\": \"{function}\"{of}}}"
        ));
        let sort = if function == "list" {
            Sort::Other
        } else {
            Sort::Number
        };
        fields.push(field(&name, sort));
    }
    if records.is_empty() {
        records.push("{\"name\": \"x0\", \"function\": \"count\"}".to_owned());
        fields.push(field("x0", Sort::Number));
    }
    let mut config = vec![format!("aggregates=[{}]", records.join(", "))];
    config.extend(group.map(|group| format!("group={group}")));
    match chance.below(10) {
        0..5 => {}
        5..9 => {
            let size = *chance.pick(&["1s", "10s", "1m", "1h", "1d"]);
            config.push(format!("window=time, size={size}"));
            let lateness = *chance.pick(&["", "", "1m", "2h"]);
            if !lateness.is_empty() {
                config.push(format!("lateness={lateness}"));
            }
        }
        _ => config.push(format!("window=count, count={}", chance.within(1, 4))),
    }
    let outs = vec![("out", Env::of(fields)), ("late", ins.clone())];
    (config.join(", "), outs)
}

pub(super) fn decide(chance: &mut Chance, ins: &Env, second: &Env, seals: bool) -> Drawn {
    let group = ins.key(chance);
    let claim = *chance.pick(&["at_least", "fewer_than", "absent"]);
    let wait = if seals {
        *chance.pick(&["window", "seal", "seal", "no"])
    } else {
        *chance.pick(&["window", "window", "no"])
    };
    let mut config = format!(
        "group={group}, claim={claim}, wait={wait}, count={}",
        chance.within(1, 3)
    );
    if wait == "window" {
        let size = *chance.pick(&["10s", "1m", "1d"]);
        config.push_str(&format!(", size={size}"));
    }
    if seals {
        config.push_str(&format!(", seal_key={}", second.key(chance)));
    }
    let mut fields = keys(Some(&group));
    fields.push(field("count", Sort::Number));
    fields.push(field("holds", Sort::Flag));
    (
        config,
        vec![("out", Env::of(fields)), ("late", ins.clone())],
    )
}

pub(super) fn fold(chance: &mut Chance, ins: &Env) -> Drawn {
    let group = ins.key(chance);
    let number = ins.number(chance).unwrap_or_else(|| "(1)".to_owned());
    let step = match chance.below(5) {
        0 | 1 => format!("($state // 0) + ({number} // 0)"),
        2 => "($state // 0) + 1".to_owned(),
        3 => format!("if $state == null or {number} > $state then {number} else $state end"),
        _ => number,
    };
    let mut fields = keys(Some(&group));
    fields.push(field("state", Sort::Number));
    (
        format!("group={group}, step={step}"),
        vec![("out", Env::of(fields))],
    )
}

/// What is known of the key of a result.
fn keys(group: Option<&str>) -> Vec<Field> {
    match group {
        Some(group) if group.starts_with('[') => vec![
            field("key", Sort::Other),
            field("key[0]", Sort::Key),
            field("key[1]", Sort::Key),
        ],
        Some(_) => vec![field("key", Sort::Key)],
        None => Vec::new(),
    }
}
