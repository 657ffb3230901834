//! DELIV-002: what is not safe to repeat is repeated.

use crate::catalog::Behaviour;
use crate::validate::design::{Design, NodeIx};
use crate::value::Value;

/// Functions whose result stays the same when a value comes again.
const SAFE: [&str; 4] = ["min", "max", "first", "count_distinct"];

/// Whether an aggregate comes out differently when an event comes twice.
pub(in crate::validate) fn counts_copies(design: &Design<'_>, node: NodeIx) -> bool {
    let Some(Behaviour::Aggregate {
        aggregates, window, ..
    }) = design.nodes[node].kind.map(|kind| &kind.behaviour)
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
