//! Keeps keys where they are.

use super::{bring_together, fix};
use crate::catalog::{Behaviour, FieldType};
use crate::validate::Fix;
use crate::validate::design::NodeIx;
use crate::validate::facts::Facts;
use crate::value::Value;

/// Lets a log begin with as many partitions as it may ever have, places the events anew in front of
/// the one node that depends on it, or gives up that the log grows.
pub(in crate::validate) fn fix_partitions(
    facts: &Facts,
    log: NodeIx,
    kept: &[(NodeIx, &'static str)],
) -> Vec<Fix> {
    let mut fixes = Vec::new();
    // What two streams bring together needs as many partitions on the other side.
    let alone = |(node, _): &(NodeIx, _)| facts.second(*node).is_none();
    if kept.iter().all(alone) {
        fixes.extend(begin_with_all(facts, log));
    }
    if let [(node, _)] = kept
        && let Some(group) = group(facts, *node)
    {
        fixes.extend(bring_together(facts, *node, group, None));
    }
    fixes.extend(keep_number(facts, log));
    fixes
}

fn keep_number(facts: &Facts, log: NodeIx) -> Option<Fix> {
    let design = &*facts.design;
    let Behaviour::Log { partitions, .. } = design.behaviour(log)? else {
        return None;
    };
    let count = design.value(log, partitions).and_then(Value::as_i64)?;
    let title = format!(
        "Keep the number of partitions of {} at {count}",
        design.title(log)
    );
    let caution = "it must not grow outside Weir either";
    Some(fix(design, title, caution, |build| {
        build.change_node(&design.nodes[log].id, |held| {
            held.notes.declared.remove("partitions_max");
        });
    }))
}

fn begin_with_all(facts: &Facts, log: NodeIx) -> Option<Fix> {
    let design = &*facts.design;
    let view = &design.nodes[log];
    let Behaviour::Log { partitions, .. } = design.behaviour(log)? else {
        return None;
    };
    let most = design.declared_number(log, "partitions_max")?;
    let field = view.kind.as_ref()?.field(partitions)?;
    let FieldType::Integer { max, .. } = field.ty else {
        return None;
    };
    let most = (most <= max as f64).then_some(most as i64)?;
    let title = format!("Begin with {most} partitions at {}", design.title(log));
    let caution = "each is handled by an instance of its own";
    Some(fix(design, title, caution, |build| {
        build.set_config(&view.id, partitions, Some(most.into()));
    }))
}

/// The field with the key of a node that keeps something for one.
fn group(facts: &Facts, node: NodeIx) -> Option<&str> {
    match facts.design.behaviour(node)? {
        Behaviour::Aggregate { group, .. } | Behaviour::Decide { group, .. } => Some(group),
        _ => None,
    }
}

/// As many partitions as there are keys.
pub(in crate::validate) fn fewer_partitions(facts: &Facts, node: NodeIx, keys: f64) -> Option<Fix> {
    let design = &*facts.design;
    let (Behaviour::Log { partitions, .. } | Behaviour::Repartition { partitions, .. }) =
        design.behaviour(node)?
    else {
        return None;
    };
    let count = (keys >= 1.0).then_some(keys as i64)?;
    let noun = if count == 1 {
        "partition"
    } else {
        "partitions"
    };
    let title = format!("Give {} {count} {noun}", design.title(node));
    let caution = "two keys may still share one";
    Some(fix(design, title, caution, |build| {
        build.set_config(&design.nodes[node].id, partitions, Some(count.into()));
    }))
}
