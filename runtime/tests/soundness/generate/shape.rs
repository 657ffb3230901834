//! Expressions over the fields that reach a node.

use super::fields::{Env, Field, Sort, field};
use crate::chance::Chance;

type Drawn = (String, Vec<(&'static str, Env)>);

pub(super) fn effect_key(chance: &mut Chance, ins: &Env) -> String {
    match chance.below(3) {
        0 => String::new(),
        1 => ", key=$event.id".to_owned(),
        _ => format!(", key={}", ins.id(chance)),
    }
}

pub(super) fn mapped(chance: &mut Chance, ins: &Env) -> Drawn {
    let numbers = [Sort::Number];
    match chance.below(6) {
        0 => ("expr=.".to_owned(), vec![("out", ins.clone())]),
        1 if let Some(number) = ins.any(chance, &numbers) => {
            let mut fields = ins.fields.clone();
            fields.retain(|held| held.path != ".double");
            fields.push(field("double", Sort::Number));
            let config = format!("expr=. + {{double: ({} * 2)}}", number.path);
            (config, vec![("out", Env::of(fields))])
        }
        _ => {
            // Some of the fields, some of them by other names.
            let mut fields = Vec::new();
            let mut made = Vec::new();
            for (place, held) in ins.fields.iter().enumerate() {
                if chance.percent(30) && ins.fields.len() > 2 {
                    continue;
                }
                let last = held.path.rsplit('.').next().unwrap_or("x");
                let last: String = last.chars().filter(char::is_ascii_alphanumeric).collect();
                let taken = made.iter().any(|(name, _)| *name == last);
                let name = if chance.percent(20) || taken || last.is_empty() {
                    format!("f{place}")
                } else {
                    last
                };
                fields.push(format!("{name}: {}", held.path));
                made.push((name, held.sort));
            }
            if fields.is_empty() {
                return ("expr=.".to_owned(), vec![("out", ins.clone())]);
            }
            let env = made.iter().map(|(name, sort)| field(name, *sort));
            let config = format!("expr={{{}}}", fields.join(", "));
            (config, vec![("out", Env::of(env.collect()))])
        }
    }
}

/// The same fields once more, as an object.
pub(super) fn remake(ins: &Env) -> String {
    let mut made: Vec<String> = Vec::new();
    for held in &ins.fields {
        let name = held.path.trim_start_matches('.');
        if name.chars().all(|c| c.is_ascii_alphanumeric()) && !name.is_empty() {
            made.push(format!("{name}: {}", held.path));
        }
    }
    if made.is_empty() {
        ".".to_owned()
    } else {
        format!("{{{}}}", made.join(", "))
    }
}

pub(super) fn splitted(chance: &mut Chance, ins: &Env) -> Drawn {
    let items = ins.any(chance, &[Sort::Items]);
    let id = ins.id(chance);
    if let Some(items) = items {
        let config = format!(
            "expr=[{}[]? as $i | {{id: {id}, sku: $i.sku, qty: $i.qty}}]",
            items.path
        );
        let fields = vec![
            field("id", Sort::Key),
            field("sku", Sort::Key),
            field("qty", Sort::Number),
        ];
        return (config, vec![("out", Env::of(fields))]);
    }
    let mut fields = ins.fields.clone();
    fields.retain(|held| held.path != ".part");
    fields.push(field("part", Sort::Number));
    let config = "expr=[. + {part: 1}, . + {part: 2}]".to_owned();
    (config, vec![("out", Env::of(fields))])
}

pub(super) fn predicate(chance: &mut Chance, ins: &Env) -> String {
    if let Some(state) = ins.any(chance, &[Sort::State])
        && chance.percent(40)
    {
        let word = *chance.pick(&["new", "paid", "gone"]);
        return format!("{} == \"{word}\"", state.path);
    }
    if let Some(flag) = ins.any(chance, &[Sort::Flag])
        && chance.percent(40)
    {
        return format!("{} == false", flag.path);
    }
    match ins.any(chance, &[Sort::Number]) {
        Some(number) => format!("{} > {}", number.path, chance.below(8)),
        None => "(true)".to_owned(),
    }
}

/// The field with a thing's id and the one that counts its versions.
pub(super) fn thing(chance: &mut Chance, ins: &Env) -> Option<(String, String)> {
    let above = |held: &Field| {
        held.path
            .rsplit_once('.')
            .map(|(above, _)| above.to_owned())
    };
    let of_sort = |sort: Sort| ins.fields.iter().filter(move |held| held.sort == sort);
    let beside = |version: &Field| {
        let mut ids = of_sort(Sort::Id);
        let id = ids.find(|id| above(id).is_some() && above(id) == above(version))?;
        Some((id.path.clone(), version.path.clone()))
    };
    let things: Vec<(String, String)> = of_sort(Sort::Version).filter_map(beside).collect();
    (!things.is_empty()).then(|| chance.pick(&things).clone())
}

/// The fields of an event that stands in a field.
pub(super) fn below(name: &str, env: &Env) -> Vec<Field> {
    let fields = env.fields.iter().map(|held| Field {
        path: format!(".{name}{}", held.path),
        sort: held.sort,
    });
    fields.collect()
}

pub(super) fn pointer(field: &Field) -> String {
    let path = field.path.replace('[', "/").replace(']', "");
    path.replace('.', "/")
}

pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
