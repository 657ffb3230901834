//! Combines what results are made of instead of the results.

use std::collections::BTreeSet;

use smol_str::{SmolStr, format_smolstr};

use super::behind::insert_behind;
use super::take_latest::change_columns;
use super::{fix, identify, new_node};
use crate::catalog::Behaviour;
use crate::document::Node;
use crate::expr::{Expr, Operand};
use crate::pointer::Pointer;
use crate::validate::Fix;
use crate::validate::design::{Design, NodeIx};
use crate::validate::facts::delivery::Mode;
use crate::validate::facts::numbers::{Column, Function, Partial, columns};
use crate::validate::facts::{Facts, Port};
use crate::value::{Object, Value};

/// Carries sum and count to the node and divides behind it, or folds the events themselves there.
/// `column` is the one that combines `partials`.
pub(in crate::validate) fn carry_parts(
    facts: &Facts,
    node: NodeIx,
    column: &Column<'_>,
    partials: &BTreeSet<Partial>,
    port: &Port,
) -> Vec<Fix> {
    let carried = carry(facts, node, column, partials, port);
    // Where results come again and again, their parts cannot be added up either.
    let carried = carried.filter(|_| port.mode == Mode::Append);
    carried
        .into_iter()
        .chain(fold_events(facts, node, partials))
        .collect()
}

fn carry(
    facts: &Facts,
    node: NodeIx,
    column: &Column<'_>,
    partials: &BTreeSet<Partial>,
    port: &Port,
) -> Option<Fix> {
    let design = &*facts.design;
    let averages = partials
        .iter()
        .all(|partial| partial.function == Function::Average);
    let field = copied(column.of?)?;
    if column.function != Function::Average || !averages {
        return None;
    }
    // A sum and a count that arrive beside the average.
    let name = &partials.first()?.name;
    let names = [
        format_smolstr!("{name}_sum"),
        format_smolstr!("{name}_count"),
    ];
    let above = field.parent()?;
    for new in &names {
        for partial in partials {
            let taken = columns(design, partial.aggregate);
            if partial.name != *name || taken.iter().any(|column| column.name == *new) {
                return None;
            }
        }
        let origin = facts.field(&above.child(new.clone()), port);
        let from: BTreeSet<NodeIx> = partials.iter().map(|partial| partial.aggregate).collect();
        if facts.makers(origin, &Pointer::root().child(new.clone()))? != from {
            return None;
        }
    }
    let own = [
        format_smolstr!("{}_sum", column.name),
        format_smolstr!("{}_count", column.name),
    ];
    let taken = columns(design, node);
    if own
        .iter()
        .any(|new| taken.iter().any(|column| column.name == *new))
    {
        return None;
    }
    let path = |name: &SmolStr| identify::path(&Pointer::root().child(name.clone()));
    let paths = [
        identify::path(&above.child(names[0].clone()))?,
        identify::path(&above.child(names[1].clone()))?,
    ];
    let (result, sum, count) = (path(&column.name)?, path(&own[0])?, path(&own[1])?);
    let divide = format!(
        "{result} = (if ({count} // 0) == 0 then null else {sum} / {count} end) | del({sum}, {count})"
    );
    let new = new_node::map(design, divide)?;
    let view = &design.nodes[node];
    let leaves = view.kind.as_ref()?.outputs.first()?.name.clone();
    let title = format!(
        "Carry sum and count to {} and divide behind it",
        design.title(node)
    );
    Some(fix(design, title, "", |build| {
        for partial in partials {
            let at = partial.aggregate;
            build.change_node(&design.nodes[at].id, |held| {
                add_columns(facts, at, held, |held| {
                    if held.get("name").and_then(Value::as_str) != Some(name) {
                        return Vec::new();
                    }
                    vec![
                        renamed(held, &names[0], "sum", None),
                        renamed(held, &names[1], "count", None),
                    ]
                });
            });
        }
        build.change_node(&view.id, |held| {
            add_columns(facts, node, held, |held| {
                if held.get("name").and_then(Value::as_str) != Some(&column.name) {
                    return Vec::new();
                }
                vec![renamed(held, &own[1], "sum", Some(&paths[1]))]
            });
            change_columns(facts, node, held, |name, record| {
                if name == column.name {
                    record.insert("name", own[0].clone());
                    record.insert("of", paths[0].as_str());
                }
            });
        });
        insert_behind(design, build, (node, &leaves), &"divide".into(), new);
    }))
}

/// Takes the events in front of the aggregate that makes the results.
fn fold_events(facts: &Facts, node: NodeIx, partials: &BTreeSet<Partial>) -> Option<Fix> {
    let design = &*facts.design;
    let made_by: Vec<NodeIx> = partials.iter().map(|partial| partial.aggregate).collect();
    let [inner] = made_by[..] else {
        return None;
    };
    let view = &design.nodes[node];
    let direct = view.ins.iter().all(|edge| {
        let edge = &design.edges[*edge];
        edge.from == inner && edge.main && edge.input == 0
    });
    let (
        Behaviour::Aggregate { group, .. },
        Behaviour::Aggregate {
            group: inner_group, ..
        },
    ) = (design.behaviour(node)?, design.behaviour(inner)?)
    else {
        return None;
    };
    let feeders = &design.nodes[inner].ins;
    if !direct || feeders.is_empty() || feeders.iter().any(|edge| design.edges[*edge].resource) {
        return None;
    }
    let by = raw_group(design, (node, group), (inner, inner_group))?;
    let results = columns(design, inner);
    let mut raw: Vec<(SmolStr, &str, String)> = Vec::new();
    for column in columns(design, node) {
        let field = copied(column.of?)?;
        let [name] = field.tokens() else { return None };
        let result = results.iter().find(|result| result.name == *name)?;
        let function = match (result.function, column.function) {
            (Function::Average, Function::Average) => "average",
            (Function::Average | Function::Median, Function::Median) => "median",
            (Function::Distinct, Function::Sum) => "count_distinct",
            (Function::Sum, Function::Sum) => "sum",
            (Function::Count, Function::Sum) => "count",
            (Function::Min, Function::Min) => "min",
            (Function::Max, Function::Max) => "max",
            _ => return None,
        };
        let of = result.of.map_or("", |of| of.code());
        raw.push((column.name, function, of.to_owned()));
    }
    let title = format!(
        "Fold at {} the events in front of {}",
        design.title(node),
        design.title(inner)
    );
    let caution = "its result is then that of single events, also in time";
    Some(fix(design, title, caution, |build| {
        build.change_node(&view.id, |held| {
            if by.is_empty() {
                held.config.remove(group);
            } else {
                held.config.insert(group.clone(), by.as_str());
            }
            change_columns(facts, node, held, |name, record| {
                let Some((_, function, of)) = raw.iter().find(|(own, ..)| own == name) else {
                    return;
                };
                record.insert("function", *function);
                if of.is_empty() {
                    record.remove("of");
                } else {
                    record.insert("of", of.as_str());
                }
            });
        });
        let to = design.edges[view.ins[0]].edge.to.clone();
        for edge in &view.ins {
            build.remove_edge(&design.edges[*edge].id);
        }
        for edge in feeders {
            build.connect(design.edges[*edge].edge.from.clone(), to.clone());
        }
    }))
}

/// The group of a node as it reads in front of the aggregate that feeds it, empty for all events;
/// `None` when it cannot be told.
fn raw_group(design: &Design, outer: (NodeIx, &str), inner: (NodeIx, &str)) -> Option<String> {
    let Some(code) = design.text(outer.0, outer.1) else {
        return Some(String::new());
    };
    let by = design.expr(inner.0, inner.1)?;
    if code.trim() == ".key" {
        return Some(by.code().to_owned());
    }
    // One of several parts of the key.
    let number = code.trim().strip_prefix(".key[")?.strip_suffix(']')?;
    let number: usize = number.parse().ok()?;
    let form = by.form().filter(|form| form.is_plain())?;
    let array = format!("[{}]", vec!["_"; form.parts.len()].join(","));
    match form.parts.get(number)? {
        Operand::Field(field) if form.shape == array => identify::path(field),
        _ => None,
    }
}

/// The field that an expression takes as it is.
fn copied(expr: &Expr) -> Option<Pointer> {
    let form = expr.form()?;
    match &form.parts[..] {
        [Operand::Field(field)] if form.shape == "_" => Some(field.clone()),
        _ => None,
    }
}

fn renamed(record: &Object, name: &str, function: &str, of: Option<&str>) -> Object {
    let mut record = record.clone();
    record.insert("name", name);
    record.insert("function", function);
    if let Some(of) = of {
        record.insert("of", of);
    }
    record
}

/// Adds columns behind those of an aggregate.
fn add_columns(
    facts: &Facts,
    node: NodeIx,
    held: &mut Node,
    more: impl Fn(&Object) -> Vec<Object>,
) {
    let Some(Behaviour::Aggregate { aggregates, .. }) = facts.design.behaviour(node) else {
        return;
    };
    let records = held.config.get(aggregates).and_then(Value::as_array);
    let mut records = records.unwrap_or_default().to_vec();
    let new: Vec<Value> = records
        .iter()
        .filter_map(Value::as_object)
        .flat_map(more)
        .map(Value::from)
        .collect();
    records.extend(new);
    held.config.insert(aggregates.clone(), records);
}
