//! Words and evidence for how events arrive. Shared by the rules of partitions, deliveries, order.

mod blocked_line;
mod broken_claim;
pub(in crate::validate) mod dual_write;
pub(in crate::validate) mod duplicate_count;
mod duplicate_effect;
pub(in crate::validate) mod lost_identity;
mod short_memory;
mod silent_loss;
mod still_at_work;
#[cfg(test)]
pub(in crate::validate::rules) mod tests;
mod there_and_back;

use std::time::Duration;

use smol_str::SmolStr;

use crate::catalog::{Behaviour, Delivery};
use crate::units;
use crate::validate::Rule;
use crate::validate::design::{Design, NodeIx};
use crate::validate::facts::Facts;
use crate::validate::facts::delivery::Part;
use crate::validate::{Step, Subject};
use crate::value::Value;

/// The rules of the family, by code.
pub(super) const RULES: &[Rule] = &[
    duplicate_effect::RULE,
    duplicate_count::RULE,
    silent_loss::RULE,
    lost_identity::RULE,
    short_memory::RULE,
    dual_write::RULE,
    blocked_line::RULE,
    still_at_work::RULE,
    broken_claim::RULE,
];

/// The field in which a node keeps the key that it places events by.
pub(in crate::validate) fn key_field(design: &Design, node: NodeIx) -> Option<&str> {
    match design.behaviour(node)? {
        Behaviour::Log { key, .. } | Behaviour::Repartition { key, .. } => Some(key),
        Behaviour::Queue { fifo, .. } => fifo.as_deref(),
        _ => None,
    }
}

/// `` by `.customer` `` or ` as they come`, for a node that places events.
pub(in crate::validate) fn placing(design: &Design, node: NodeIx) -> String {
    let kept = match design.behaviour(node) {
        Some(
            Behaviour::Aggregate { group, .. }
            | Behaviour::Fold { group, .. }
            | Behaviour::Decide { group, .. }
            | Behaviour::Resequence { key: group, .. }
            | Behaviour::VersionGuard { key: group, .. }
            | Behaviour::Join { left: group, .. },
        ) => Some(group.as_str()),
        _ => key_field(design, node),
    };
    match kept.and_then(|field| design.text(node, field)) {
        Some(key) => format!("by `{key}`"),
        None => "as they come".to_owned(),
    }
}

/// Why copies come from a node.
pub(in crate::validate) fn repeats(design: &Design, node: NodeIx) -> &'static str {
    match design.behaviour(node) {
        Some(Behaviour::Source {
            delivery: Delivery::CallerRetries,
            ..
        }) => "may be called again for the same event",
        Some(Behaviour::Source { .. } | Behaviour::Log { .. }) => {
            "reads a part again after a restart"
        }
        _ => "delivers again what was not acknowledged in time",
    }
}

/// Id of the diagnostic that is the reason why copies come to a node at all, or that it takes them for
/// news.
pub(in crate::validate) fn cause_of_copies(facts: &Facts, node: NodeIx) -> Option<SmolStr> {
    lost_identity::diagnostic_of(facts, node).or_else(|| {
        let passed = facts.input(node)?.redelivery.let_through?;
        lost_identity::diagnostic_of(facts, passed)
    })
}

/// The way of the copies from the node that makes them.
pub(in crate::validate) fn way_of_copies(
    facts: &Facts,
    by: NodeIx,
    to: NodeIx,
    effect: String,
) -> Vec<Step> {
    let carries = |edge| {
        facts
            .edge(edge)
            .is_some_and(|port| port.copies.by() == Some(by))
    };
    let way = facts.design.trace(to, carries, |node| node == by);
    let cause = repeats(&facts.design, by).to_owned();
    facts.design.steps((by, cause), &way, (to, effect))
}

/// The way from a node that shaped the stream, along all wires.
pub(in crate::validate) fn way_from(
    facts: &Facts,
    by: NodeIx,
    cause: String,
    to: NodeIx,
    effect: String,
) -> Vec<Step> {
    let way = facts.design.trace(to, |_| true, |node| node == by);
    facts.design.steps((by, cause), &way, (to, effect))
}

/// Each stream that meets at a node, with how it is placed, and what follows from that.
pub(in crate::validate) fn meeting(
    facts: &Facts,
    at: NodeIx,
    to: NodeIx,
    effect: String,
) -> Vec<Step> {
    let design = &*facts.design;
    let sides = design.nodes[at].ins.iter().filter_map(|edge| {
        let note = match &facts.edge(*edge)?.part {
            Part::Single => "is in one place".to_owned(),
            Part::Hash { count, by, .. } => {
                format!("is placed {} in {count} partitions", placing(design, *by))
            }
            Part::Any { count, .. } => format!("goes to any of {count} instances"),
            Part::Mixed { .. } => "is placed in several ways".to_owned(),
        };
        Some(Step {
            place: Subject::Port(design.edges[*edge].edge.from.clone()),
            note,
        })
    });
    let mut steps: Vec<Step> = sides.collect();
    steps.push(Step::node(&design.nodes[to].id, effect));
    steps
}

/// A length of time for people: exact where that is short.
pub(in crate::validate) fn in_words(ms: i64) -> String {
    const UNITS: [(f64, &str); 4] = [(86_400e3, "d"), (3_600e3, "h"), (60e3, "m"), (1e3, "s")];
    let ms = ms.max(0);
    let exact = units::format_duration(Duration::from_millis(ms.unsigned_abs()));
    if exact.len() <= 4 {
        return exact;
    }
    let count = ms as f64;
    let (size, unit) = UNITS
        .into_iter()
        .find(|(size, _)| count >= *size)
        .unwrap_or((1.0, "ms"));
    let number = format!("{:.1}", count / size);
    format!("{}{unit}", number.trim_end_matches(".0"))
}

/// How many partitions are meant where none is given.
pub(in crate::validate) fn partitions(part: &Part) -> i64 {
    match part {
        Part::Hash { count, .. } | Part::Any { count, .. } => *count,
        Part::Single | Part::Mixed { .. } => 4,
    }
}

/// Whether an aggregate uses one of these functions.
pub(in crate::validate) fn folds_by(
    design: &Design,
    node: NodeIx,
    aggregates: &str,
    functions: &[&str],
) -> bool {
    let records = design.value(node, aggregates).and_then(Value::as_array);
    records.unwrap_or_default().iter().any(|record| {
        let function = record.get("function").and_then(Value::as_str);
        functions.contains(&function.unwrap_or("count"))
    })
}
