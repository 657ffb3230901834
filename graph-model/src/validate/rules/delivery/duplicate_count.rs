//! DELIV-002: what is not safe to repeat is repeated.

use super::{repeats, way_of_copies};
use crate::catalog::Behaviour;
use crate::validate::design::{Design, NodeIx};
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::delivery::Copies;
use crate::validate::facts::{Facts, Port};
use crate::validate::rules::declare_rule;
use crate::validate::{Subject, fixes};
use crate::value::Value;

declare_rule! {
    /// Finds counts, sums and updates that come out differently when an event comes twice.
    /// ## Why is this bad
    /// Counting is not safe to repeat; setting to five is. Sources and channels repeat events after
    /// a crash or a lost answer, and the count goes up once more. The error never goes away again.
    /// ## When is this fine
    /// When the number is only a trend: then accept the hazard.
    /// ## Perturbation
    /// Duplication: one event delivered twice is counted twice.
    /// ## Example
    /// hook: http(path=/hook) -> count: aggregate(group=.repository, aggregates=[{"name": "pushes", "function": "count"}]) -> out: view
    /// ## Use instead
    /// hook: http(path=/hook) -> once: dedupe(key=$event.id) -> count: aggregate(group=.repository, aggregates=[{"name": "pushes", "function": "count"}]) -> out: view
    /// ## Near miss
    /// hook: http(path=/hook) -> top: aggregate(group=.repository, aggregates=[{"name": "largest", "function": "max", "of": ".size"}]) -> out: view
    code = "DELIV-002", name = "duplicate-count", severity = Error, since = "0.1.0",
    check = Node(check),
}

/// Functions whose result stays the same when a value comes again.
const SAFE: [&str; 4] = ["min", "max", "first", "count_distinct"];

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let Some((view, behaviour)) = design.acting(node) else {
        return;
    };
    let Some(port) = facts.input(node) else {
        return;
    };
    let Some(by) = port.copies.by() else { return };
    let effect = match behaviour {
        Behaviour::Aggregate { .. } if counts_copies(design, node) => "counts it again",
        Behaviour::Table { mode, key } if overwrites(facts, node, mode, key, port) => {
            "puts an old row over a newer one"
        }
        _ => return,
    };
    if facts.assumed(node, "idempotent") {
        return;
    }
    let title = design.title(node);
    findings.add(
        Found::at(
            Subject::Node(view.id.clone()),
            format!(
                "{} {}, and {title} {effect}; put a dedupe in front",
                design.title(by),
                repeats(design, by)
            ),
        )
        .path(way_of_copies(facts, by, node, effect.to_owned()))
        .fixes(fixes::dedupe(facts, node)),
    );
}

/// Whether a late copy undoes what came after it. Rows that are out of order anyway belong to
/// another hazard.
fn overwrites(facts: &Facts, node: NodeIx, mode: &str, key: &str, port: &Port) -> bool {
    let design = &*facts.design;
    let upserts = design.text(node, mode) == Some("upsert");
    let Some(key) = design.expr(node, key).filter(|_| upserts) else {
        return false;
    };
    let key = facts.key(key, port);
    matches!(port.copies, Copies::Any(_))
        && !facts.identifies(&key, port)
        && facts.in_order(&port.order, &key)
}

/// Whether an aggregate comes out differently when an event comes twice.
pub(in crate::validate) fn counts_copies(design: &Design, node: NodeIx) -> bool {
    let Some(Behaviour::Aggregate {
        aggregates, window, ..
    }) = design.behaviour(node)
    else {
        return false;
    };
    // A window of so many events is full too early.
    if design.text(node, window) == Some("count") {
        return true;
    }
    let records = design.value(node, aggregates).and_then(Value::as_array);
    records.unwrap_or_default().iter().any(|record| {
        let function = record.get("function").and_then(Value::as_str);
        !SAFE.contains(&function.unwrap_or("count"))
    })
}
