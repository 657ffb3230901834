//! Makes a fold of versions count each thing once.

use std::fmt::Write;

use super::behind::{insert_behind, is_main};
use super::{Placed, comes_back, fix, identify, kind_that, new_node, put_before};
use crate::catalog::{Behaviour, FieldType};
use crate::document::Node;
use crate::expr::Expr;
use crate::expr::Operand;
use crate::pointer::Pointer;
use crate::validate::Fix;
use crate::validate::design::{EdgeIx, NodeIx};
use crate::validate::facts::delivery::Mode;
use crate::validate::facts::numbers::{Column, Function, columns, windowed};
use crate::validate::facts::{Facts, Port};
use crate::value::{Object, Value};

/// Takes the difference of a change, the latest version of each thing, or the first one. `cause` is
/// where all versions begin, `wrong` are the columns that add them up.
pub(in crate::validate) fn take_latest(
    facts: &Facts,
    node: NodeIx,
    cause: Option<NodeIx>,
    wrong: &[Column<'_>],
) -> Vec<Fix> {
    let Some(port) = facts.input(node) else {
        return Vec::new();
    };
    let thing = thing(facts, port);
    let mut fixes = Vec::new();
    if let Some(cause) = cause {
        fixes.extend(take_difference(facts, node, cause, port, wrong));
        fixes.extend(close_windows(facts, cause, port));
    }
    if let Some(thing) = &thing {
        fixes.extend(count_things(facts, node, thing, wrong));
        fixes.extend(keep_latest(facts, node, thing, port));
    }
    if comes_back(&facts.design, node) {
        // What it sends meets what is put in front of it, so its own versions would still come.
        return fixes;
    }
    if let Some(cause) = cause {
        fixes.extend(only_created(facts, node, cause, port));
    }
    if let Some(thing) = &thing {
        fixes.extend(only_first(facts, node, thing));
    }
    fixes
}

/// What identifies the thing that has versions, as it can be read at the port.
fn thing(facts: &Facts, port: &Port) -> Option<String> {
    let Mode::Upsert(key) = &port.mode else {
        return None;
    };
    let paths = key
        .iter()
        .map(|part| identify::path(&facts.place_of(*part, port)?));
    let paths: Vec<String> = paths.collect::<Option<_>>()?;
    match &paths[..] {
        [] => None,
        [one] => Some(one.clone()),
        several => Some(format!("[{}]", several.join(", "))),
    }
}

/// Adds up how much a value of a row has changed.
fn take_difference(
    facts: &Facts,
    node: NodeIx,
    cause: NodeIx,
    port: &Port,
    wrong: &[Column<'_>],
) -> Option<Fix> {
    let design = &*facts.design;
    let changed = facts
        .output(cause)
        .filter(|_| matches!(design.behaviour(cause), Some(Behaviour::Changes { .. })))?;
    let mut codes = Vec::new();
    for column in wrong {
        let form = column.of?.form()?;
        let [Operand::Field(field)] = &form.parts[..] else {
            return None;
        };
        if column.function != Function::Sum || form.shape != "_" {
            return None;
        }
        let after = facts.place_of(facts.field(field, port), changed)?;
        let below = Pointer::root().child("after").strip_from(&after)?;
        let before = Pointer::root().child("before").join(&below);
        let before = facts.place_of(facts.field(&before, changed), port)?;
        let (after, before) = (identify::path(field)?, identify::path(&before)?);
        codes.push((
            column.name.clone(),
            format!("({after} // 0) - ({before} // 0)"),
        ));
    }
    let (_, shown) = codes.first()?;
    let title = format!("Add up `{shown}` at {}", design.title(node));
    Some(fix(design, title, "", |build| {
        build.change_node(&design.nodes[node].id, |held| {
            change_columns(facts, node, held, |name, record| {
                if let Some((_, code)) = codes.iter().find(|(changed, _)| changed == name) {
                    record.insert("of", code.as_str());
                }
            });
        });
    }))
}

/// Lets an aggregate in front send each result once.
fn close_windows(facts: &Facts, cause: NodeIx, port: &Port) -> Option<Fix> {
    let design = &*facts.design;
    let view = &design.nodes[cause];
    let Some(Behaviour::Aggregate { window, .. }) = design.behaviour(cause) else {
        return None;
    };
    let field = view.kind.as_ref()?.field(window)?;
    let FieldType::Choice { options } = &field.ty else {
        return None;
    };
    let has_some = design.text(cause, window) != Some("none");
    if has_some || port.delay.is_some() || !options.iter().any(|option| option == "time") {
        return None;
    }
    let title = format!("Give {} time windows", design.title(cause));
    let caution = "a result comes when its window closes, not after every event";
    Some(fix(design, title, caution, |build| {
        build.set_config(&view.id, window, Some("time".into()));
    }))
}

/// Counts things and not their versions.
fn count_things(facts: &Facts, node: NodeIx, thing: &str, wrong: &[Column<'_>]) -> Option<Fix> {
    let design = &*facts.design;
    if !wrong
        .iter()
        .all(|column| column.function == Function::Count && column.of.is_none())
    {
        return None;
    }
    let title = format!("Count each `{thing}` once at {}", design.title(node));
    let caution = "it has to remember every one of them";
    Some(fix(design, title, caution, |build| {
        build.change_node(&design.nodes[node].id, |held| {
            change_columns(facts, node, held, |name, record| {
                if wrong.iter().any(|column| column.name == *name) {
                    record.insert("function", "count_distinct");
                    record.insert("of", thing);
                }
            });
        });
    }))
}

/// Keeps the latest version of each thing in the state of a fold, and computes from those.
fn keep_latest(facts: &Facts, node: NodeIx, thing: &str, port: &Port) -> Option<Fix> {
    let design = &*facts.design;
    let view = &design.nodes[node];
    let Some(Behaviour::Aggregate { group, .. }) = design.behaviour(node) else {
        return None;
    };
    let fold = kind_that(design, |does| matches!(does, Behaviour::Fold { .. }))?;
    let map = kind_that(design, |does| matches!(does, Behaviour::Map { .. }))?;
    let (
        Behaviour::Fold {
            group: fold_group,
            step,
            ..
        },
        Behaviour::Map { expr },
    ) = (&fold.behaviour, &map.behaviour)
    else {
        return None;
    };
    let grouped = design.expr(node, group);
    let key = grouped
        .map(|group| facts.key(group, port))
        .unwrap_or_default();
    let main = |edge: &EdgeIx| is_main(design, *edge);
    if windowed(design, node)
        || !facts.in_order(&port.order, &key)
        || !view.outs.iter().all(main)
        || view.outs.is_empty()
    {
        return None;
    }
    let (mut kept, mut made) = (String::new(), String::from("{key"));
    for column in columns(design, node) {
        let name = &column.name;
        identify::path(&Pointer::root().child(name.clone()))?;
        let all = format!("[.state[].{name} | select(. != null)]");
        let code = match column.function {
            Function::Sum => format!("({all} | add)"),
            Function::Average => {
                format!("({all} | if length == 0 then null else add / length end)")
            }
            Function::Min => format!("({all} | min)"),
            Function::Max => format!("({all} | max)"),
            Function::Count => format!("({all} | length)"),
            _ => return None,
        };
        let of = column.of.map_or("true", |of| of.code());
        // Writing to a string does not fail, here and below.
        write!(
            kept,
            "{}{name}: ({of})",
            if kept.is_empty() { "" } else { ", " }
        )
        .ok()?;
        write!(made, ", {name}: {code}").ok()?;
    }
    made.push('}');
    let as_text = if thing.starts_with('[') {
        "tojson"
    } else {
        "tostring"
    };
    let next = format!("($state // {{}}) + {{({thing} | {as_text}): {{{kept}}}}}");
    let leaves = fold.outputs.first()?;
    let title = format!(
        "Keep the latest of each `{thing}` at {}",
        design.title(node)
    );
    let caution =
        "it has to remember every one of them, and one that changes its group stays in both";
    Some(fix(design, title, caution, |build| {
        build.change_node(&view.id, |held| {
            held.kind = fold.id.clone();
            held.config = Object::new();
            if let Some(group) = design.text(node, group) {
                held.config.insert(fold_group.clone(), group);
            }
            held.config.insert(step.clone(), next);
        });
        let new = Node::new(map.id.clone()).with(expr, made);
        let wished = format!("{}_of_latest", view.id).into();
        insert_behind(design, build, (node, &leaves.name), &wished, new);
    }))
}

/// Lets only those changes pass by which rows came to be.
fn only_created(facts: &Facts, node: NodeIx, cause: NodeIx, port: &Port) -> Option<Fix> {
    let design = &*facts.design;
    let changed = facts
        .output(cause)
        .filter(|_| matches!(design.behaviour(cause), Some(Behaviour::Changes { .. })))?;
    let op = facts.field(&Pointer::root().child("op"), changed);
    let op = identify::path(&facts.place_of(op, port)?)?;
    let new = new_node::filter(design, format!("{op} == \"insert\""))?;
    let edges = design.nodes[node].ins.clone();
    let title = format!("Take only new rows in front of {}", design.title(node));
    let caution = "what changes later is not in the result";
    let at = Placed { node, edges };
    Some(put_before(design, at, "created", new, title, caution))
}

/// Lets the first version of each thing pass, where all of them come to one place.
fn only_first(facts: &Facts, node: NodeIx, thing: &str) -> Option<Fix> {
    let design = &*facts.design;
    let port = facts.input(node)?;
    let key = Expr::compile(thing).ok()?;
    if !facts.in_one_place(&facts.key(&key, port), port) {
        return None;
    }
    let new = new_node::dedupe(design, thing)?;
    let edges = design.nodes[node].ins.clone();
    let title = format!(
        "Take only the first version of each `{thing}` in front of {}",
        design.title(node)
    );
    let caution =
        "what changes later is not in the result, and what it remembers it forgets after a time";
    let at = Placed { node, edges };
    Some(put_before(design, at, "first", new, title, caution))
}

/// Changes the columns of an aggregate by their names.
pub(super) fn change_columns(
    facts: &Facts,
    node: NodeIx,
    held: &mut Node,
    mut change: impl FnMut(&str, &mut Object),
) {
    let Some(Behaviour::Aggregate { aggregates, .. }) = facts.design.behaviour(node) else {
        return;
    };
    let records = facts
        .design
        .value(node, aggregates)
        .and_then(Value::as_array);
    let records = records.unwrap_or_default().iter().map(|record| {
        let (Some(record), Some(name)) = (
            record.as_object(),
            record.get("name").and_then(Value::as_str),
        ) else {
            return record.clone();
        };
        let mut record = record.clone();
        change(name, &mut record);
        Value::from(record)
    });
    let records: Value = records.collect();
    held.config.insert(aggregates.clone(), records);
}
