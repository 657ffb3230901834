//! D1: what stores hold in the end is what they hold after the reference.
//!
//! Tables count by the last value of a key, what people look at by the last of each key, and everything
//! else in any order, unless somebody said that events come in order there.

use std::collections::{BTreeMap, BTreeSet};

use graph_model::id::NodeId;
use graph_model::value::{Object, Value};
use smol_str::SmolStr;

use super::equal::alike;
use super::{Context, Finding, Oracle};
use crate::simulate::{Content, Outcome};

/// Columns that tell appended rows apart: who wrote them, and not what was written.
const WHICH: [&str; 2] = ["weir_source", "weir_id"];

/// The column that names a row.
const KEY: &str = "weir_key";

/// Compares every store, once everything was worked off; what did not end is another oracle's matter.
pub(super) fn judge(run: &Outcome, reference: &Outcome, context: &Context) -> Vec<Finding> {
    if !run.ended.is_complete() || !reference.ended.is_complete() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (name, wanted) in &reference.stores {
        let Some(found) = run.stores.get(name) else {
            continue;
        };
        if found == wanted {
            continue;
        }
        if is_full(run, name, found, context) || is_full(run, name, wanted, context) {
            continue;
        }
        if is_ordered(run, name, context) {
            let (found, wanted) = (found.to_value(), wanted.to_value());
            findings.push(Finding::new(Oracle::D1, name.clone(), found, wanted));
        } else {
            compare(run, name, found, wanted, &mut findings);
        }
    }
    findings
}

/// Whether people see only the newest of what was shown without a key, whichever that is.
fn is_full(run: &Outcome, store: &SmolStr, content: &Content, context: &Context) -> bool {
    let Content::Shown(rows) = content else {
        return false;
    };
    if rows.iter().any(|(key, _)| key.is_some()) {
        return false;
    }
    let mut writers = run.sinks.iter().filter(|(_, name)| *name == store);
    writers.any(|(id, _)| context.keep.get(id).is_some_and(|keep| rows.len() >= *keep))
}

/// Whether everybody who writes there says that events come in order.
fn is_ordered(run: &Outcome, store: &SmolStr, context: &Context) -> bool {
    let mut writers = run
        .sinks
        .iter()
        .filter(|(_, name)| *name == store)
        .peekable();
    let says = |id: &NodeId| {
        let node = context.document.nodes.get(id);
        node.is_some_and(|node| node.notes.assumptions.contains_key("ordered"))
    };
    writers.peek().is_some() && writers.all(|(id, _)| says(id))
}

/// What people and programs can tell of a store: things by key, or each thing and how often.
enum Seen {
    ByKey(BTreeMap<Value, Value>),
    Bag(BTreeMap<Value, i64>),
}

fn compare(
    run: &Outcome,
    name: &SmolStr,
    found: &Content,
    wanted: &Content,
    findings: &mut Vec<Finding>,
) {
    let mut differ = |observed: &Value, expected: &Value| {
        findings.push(Finding::new(
            Oracle::D1,
            name.clone(),
            observed.clone(),
            expected.clone(),
        ));
    };
    match (seen(found), seen(wanted)) {
        (Seen::ByKey(mut found), Seen::ByKey(mut wanted)) => {
            rename(run, &mut found, &mut wanted);
            let keys: BTreeSet<&Value> = found.keys().chain(wanted.keys()).collect();
            for key in keys {
                let (one, other) = (found.get(key), wanted.get(key));
                let (one, other) = (one.unwrap_or(&Value::Null), other.unwrap_or(&Value::Null));
                if !alike(one, other) {
                    differ(one, other);
                }
            }
        }
        (Seen::Bag(found), Seen::Bag(wanted)) => {
            let mut missed = beyond(&wanted, &found);
            // What is there too often stands beside what is missed.
            for thing in beyond(&found, &wanted) {
                let like = missed.iter().position(|missed| alike(thing, missed));
                if let Some(like) = like {
                    missed.remove(like);
                } else {
                    let instead = (!missed.is_empty()).then(|| missed.remove(0));
                    differ(thing, instead.unwrap_or(&Value::Null));
                }
            }
            for thing in missed {
                differ(&Value::Null, thing);
            }
        }
        _ => differ(&found.to_value(), &wanted.to_value()),
    }
}

/// Things under a name that was made up on the way go by what they are.
fn rename(run: &Outcome, found: &mut BTreeMap<Value, Value>, wanted: &mut BTreeMap<Value, Value>) {
    let made_up = |key: &Value| !run.facts.iter().any(|fact| is_told(&fact.event.data, key));
    let mut lonely: Vec<Value> = wanted
        .keys()
        .filter(|key| !found.contains_key(*key) && made_up(key))
        .cloned()
        .collect();
    if lonely.is_empty() {
        return;
    }
    let strange: Vec<Value> = found
        .keys()
        .filter(|key| !wanted.contains_key(*key) && made_up(key))
        .cloned()
        .collect();
    let unnamed = |thing: &Value| match thing {
        Value::Obj(cells) if cells.contains_key(KEY) => {
            let mut cells = Object::clone(cells);
            cells.remove(KEY);
            cells.into()
        }
        other => other.clone(),
    };
    for key in strange {
        let thing = unnamed(&found[&key]);
        if let Some(same) = lonely
            .iter()
            .position(|other| alike(&unnamed(&wanted[other]), &thing))
        {
            wanted.remove(&lonely.remove(same));
            found.remove(&key);
        }
    }
}

/// Whether a payload tells the value, or all of its parts.
fn is_told(payload: &Value, value: &Value) -> bool {
    if let Value::Arr(parts) = value {
        return parts.iter().all(|part| is_told(payload, part));
    }
    match payload {
        Value::Arr(items) => items.iter().any(|item| is_told(item, value)),
        Value::Obj(object) => object.values().any(|item| is_told(item, value)),
        leaf => leaf == value,
    }
}

/// What is held oftener than over there, as many times as it is too many.
fn beyond<'v>(held: &'v BTreeMap<Value, i64>, there: &BTreeMap<Value, i64>) -> Vec<&'v Value> {
    let more = |(thing, count): (&'v Value, &i64)| {
        let more = count - there.get(thing).copied().unwrap_or(0);
        std::iter::repeat_n(thing, usize::try_from(more).unwrap_or(0))
    };
    held.iter().flat_map(more).collect()
}

fn seen(content: &Content) -> Seen {
    match content {
        Content::Rows(rows) => {
            let appended = rows.keys().next().is_some_and(|key| key.len() > 1);
            if appended {
                return bag(rows.values().map(|row| what(&row.cells)));
            }
            let rows = rows.iter();
            Seen::ByKey(
                rows.map(|(key, row)| (Value::from(key.clone()), row.cells.clone().into()))
                    .collect(),
            )
        }
        Content::Shown(rows) => {
            let mut last = BTreeMap::new();
            for (key, row) in rows {
                // Who only looks may see a thing without a key again.
                let key = key.clone().or_else(|| key_of(row));
                last.insert(key.unwrap_or_else(|| row.clone()), row.clone());
            }
            Seen::ByKey(last)
        }
        Content::Lines(lines) => bag(lines.iter().cloned()),
        Content::Done(done) => bag(done.list().iter().map(|done| {
            let mut deed = Object::with_capacity(2);
            deed.insert("action", done.action.clone());
            deed.insert("data", done.data.clone());
            deed.into()
        })),
        Content::Objects(objects) => Seen::ByKey(
            objects
                .iter()
                .map(|(name, object)| (Value::from(name.clone()), object.clone()))
                .collect(),
        ),
    }
}

/// Results name their key and, when they are of a window, its beginning.
fn key_of(row: &Value) -> Option<Value> {
    let key = row.get("key")?.clone();
    Some(match row.get("from") {
        Some(from) => Value::from(vec![key, from.clone()]),
        None => key,
    })
}

fn bag(things: impl Iterator<Item = Value>) -> Seen {
    let mut bag = BTreeMap::new();
    for thing in things {
        *bag.entry(thing).or_default() += 1;
    }
    Seen::Bag(bag)
}

/// A row without what tells it apart.
fn what(cells: &Object) -> Value {
    let cells = cells
        .iter()
        .filter(|(name, _)| !WHICH.contains(&name.as_str()));
    let cells: Object = cells
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    cells.into()
}

#[cfg(test)]
mod tests {
    use super::super::testing::Trial;
    use super::*;
    use crate::simulate::FaultKind;

    const DELAY: FaultKind = FaultKind::Delay { by_us: 50_000 };
    const AGAIN: FaultKind = FaultKind::Duplicate { after_us: 1_000 };

    /// What D1 says when something goes wrong behind the queue.
    fn check(kind: FaultKind, sink: &str, wanted: &str) {
        let flow = format!("in: manual -> hold: queue(concurrency=2) -> {sink}");
        let facts = r#"in {"k":"a","n":1,"v":1}
                       in {"k":"a","n":2,"v":2}"#;
        let found = Trial::new(&flow, facts).fault(kind, "hold ->", 0);
        assert_eq!(found.judge(Oracle::D1), wanted, "{sink}");
    }

    #[test]
    fn the_last_value_of_a_key_counts() {
        let table = "out: table(table=t, key=.k, columns={\"n\": \".n\"}";
        check(
            DELAY,
            &format!("{table}, mode=upsert)"),
            r#"D1 at `table data.sqlite/t`: {"n":1,"weir_key":"a"} instead of {"n":2,"weir_key":"a"}"#,
        );
        check(
            DELAY,
            &format!("{table}, mode=compare_and_set, version=.v)"),
            "",
        );
        check(
            DELAY,
            "out: view(key=.k)",
            r#"D1 at `view out`: {"k":"a","n":1,"v":1} instead of {"k":"a","n":2,"v":2}"#,
        );
        check(DELAY, "out: view", "");
        check(AGAIN, "out: view", "");
    }

    #[test]
    fn only_the_newest_are_seen_where_no_more_are_kept() {
        check(DELAY, "out: view(keep=1)", "");
        check(
            DELAY,
            "out: view(keep=1, key=.k)",
            r#"D1 at `view out`: {"k":"a","n":1,"v":1} instead of {"k":"a","n":2,"v":2}"#,
        );
    }

    #[test]
    fn elsewhere_things_are_counted_in_any_order() {
        check(DELAY, "out: export(file=e.jsonl)", "");
        check(
            AGAIN,
            "out: export(file=e.jsonl)",
            r#"D1 at `file e.jsonl`: {"k":"a","n":1,"v":1}"#,
        );
        check(
            DELAY,
            "out: export(file=e.jsonl) ~ordered",
            r#"D1 at `file e.jsonl`: [{"k":"a","n":2,"v":2},{"k":"a","n":1,"v":1}] instead of [{"k":"a","n":1,"v":1},{"k":"a","n":2,"v":2}]"#,
        );
    }

    #[test]
    fn names_that_were_made_up_may_be_others() {
        let judge = |small: &str| {
            let flow = format!(
                "in: manual -> save: bucket(folder=photos)
                 heard: file_watch(folder=photos, format=json) -> small: map(expr={small}) -> store: bucket(folder=small)"
            );
            let facts = "in {\"n\":1}\nin {\"n\":2}";
            Trial::new(&flow, facts)
                .fault(DELAY, "in ->", 0)
                .judge(Oracle::D1)
        };
        assert_eq!(judge("{n}"), "");
        assert!(judge("{n, at: $now}").starts_with("D1 at `folder small`"));
    }

    #[test]
    fn sums_of_fractions_need_not_agree_to_the_bit() {
        assert!(alike(&Value::Float(0.1 + 0.2), &Value::Float(0.3)));
        assert!(!alike(&Value::Float(0.31), &Value::Float(0.3)));
        let row = |sum| graph_model::value!({"key": "a", "sum": (sum)});
        assert!(alike(&row(0.1 + 0.2), &row(0.3)));
    }
}
