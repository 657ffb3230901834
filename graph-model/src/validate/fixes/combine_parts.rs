//! Adds up what several places folded apart.

use super::behind::is_main;
use super::{fix, kind_that};
use crate::catalog::{Behaviour, FieldType};
use crate::document::{Assumption, Node};
use crate::id::PortRef;
use crate::pointer::Pointer;
use crate::units;
use crate::validate::Fix;
use crate::validate::design::NodeIx;
use crate::validate::facts::Facts;
use crate::validate::facts::numbers::{Function, columns};
use crate::validate::rules::partition::PARTIAL;
use crate::value::{Object, Value};

/// A second aggregate behind one whose groups are in several of `count` places, where its results can
/// be combined. For windows of time only: other results are sent again with each event.
pub(in crate::validate) fn combine_parts(facts: &Facts, node: NodeIx, count: i64) -> Option<Fix> {
    let design = &*facts.design;
    let view = &design.nodes[node];
    let Behaviour::Aggregate {
        group, aggregates, ..
    } = design.behaviour(node)?
    else {
        return None;
    };
    if !design.compares_times(node) {
        return None;
    }
    let mut records = Vec::new();
    for column in columns(design, node) {
        let function = match column.function {
            Function::Count | Function::Sum => "sum",
            Function::Min => "min",
            Function::Max => "max",
            _ => return None,
        };
        let of = super::identify::path(&Pointer::root().child(column.name.clone()))?;
        let mut record = Object::new();
        record.insert("name", column.name);
        record.insert("function", function);
        record.insert("of", of);
        records.push(Value::from(record));
    }
    if records.is_empty() {
        return None;
    }
    let kind = kind_that(design, |does| matches!(does, Behaviour::Repartition { .. }))?;
    let Behaviour::Repartition { key, partitions } = &kind.behaviour else {
        return None;
    };
    let own = view.kind.as_ref()?;
    let (input, output) = (own.inputs.first()?, own.outputs.first()?);
    let (enters, leaves) = (kind.inputs.first()?, kind.outputs.first()?);
    let grouped = design.text(node, group).is_some();
    let places = if grouped { count } else { 1 };
    let together = Node::new(kind.id.clone())
        .with(key, if grouped { ".key" } else { "null" })
        .with(partitions, places);
    let mut combined = Node::new(view.node.kind.clone());
    // The same windows, but for how long they wait: parts come from places with clocks of their own.
    for field in &own.config {
        if let Some(value) = view.node.config.get(&field.name) {
            combined.config.insert(field.name.clone(), value.clone());
        }
    }
    combined.config.insert(aggregates.clone(), records);
    if grouped {
        combined.config.insert(group.clone(), ".key");
    }
    let timed = |name: &str| design.ms(node, name).unwrap_or(0);
    let waits = own
        .field(LATENESS)
        .filter(|field| field.ty == FieldType::Duration)?;
    let wait =
        std::time::Duration::from_millis((timed(SIZE) + timed(LATENESS)).max(0).unsigned_abs());
    let wait = units::format_duration(wait);
    combined.config.insert(waits.name.clone(), wait.clone());
    let mains: Vec<_> = view
        .outs
        .iter()
        .filter(|edge| is_main(design, **edge))
        .collect();
    let title = format!("Combine the parts of {} behind it", design.title(node));
    let caution = format!("results come {wait} later, and a part that comes after that is missing");
    Some(fix(design, title, &caution, |build| {
        let together = build.add_node(&"together".into(), together, None);
        let combined = build.add_node(&"combined".into(), combined, None);
        for edge in mains {
            build.change_edge(&design.edges[*edge].id, |edge| {
                edge.from = PortRef::new(combined.clone(), output.name.clone());
            });
        }
        build.connect(
            PortRef::new(view.id.clone(), output.name.clone()),
            PortRef::new(together.clone(), enters.name.clone()),
        );
        build.connect(
            PortRef::new(together, leaves.name.clone()),
            PortRef::new(combined, input.name.clone()),
        );
        build.change_node(&view.id, |held| {
            let claim = Assumption {
                reason: "a later step combines the parts".into(),
                ..Assumption::default()
            };
            held.notes.assumptions.insert(PARTIAL.into(), claim);
        });
    }))
}

/// Fields of windows.
const SIZE: &str = "size";
const LATENESS: &str = "lateness";
