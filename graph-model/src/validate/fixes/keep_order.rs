//! Keeps the events of one key in order, or says that they are.

use super::rekey::same_at;
use super::{fix, kind_that, rekey};
use crate::catalog::Behaviour;
use crate::document::Assumption;
use crate::validate::Fix;
use crate::validate::design::NodeIx;
use crate::validate::facts::Facts;

/// `by` is the node that lost the order, `field` holds the key of `node`.
pub(in crate::validate) fn keep_order(
    facts: &Facts,
    node: NodeIx,
    field: &str,
    by: NodeIx,
) -> Vec<Fix> {
    let design = &*facts.design;
    let mut fixes = Vec::new();
    if arrives_in_order(facts, node, field, by) {
        fixes.extend(rekey(facts, by, node, field));
        fixes.extend(make_a_log(facts, node, field, by));
    }
    let title = format!(
        "Assume that {} gets its events in order",
        design.title(node)
    );
    let caution = "a claim that every run tests";
    fixes.push(fix(design, title, caution, |build| {
        build.change_node(&design.nodes[node].id, |node| {
            let claim = Assumption {
                reason: "later events do not contradict earlier ones".into(),
                ..Assumption::default()
            };
            node.notes.assumptions.insert("ordered".into(), claim);
        });
    }));
    fixes
}

/// Whether there is an order that `by` could keep.
fn arrives_in_order(facts: &Facts, node: NodeIx, field: &str, by: NodeIx) -> bool {
    let key = facts.design.expr(node, field);
    match (key, facts.input(by)) {
        (Some(key), Some(port)) => facts.in_order(&port.order, &facts.key(key, port)),
        _ => false,
    }
}

/// Another kind of channel in the place of a topic or a queue.
fn make_a_log(facts: &Facts, node: NodeIx, field: &str, by: NodeIx) -> Option<Fix> {
    let design = &*facts.design;
    let view = &design.nodes[by];
    let channel = matches!(
        view.kind.as_ref()?.behaviour,
        Behaviour::Topic | Behaviour::Queue { .. }
    );
    let log = kind_that(design, |does| matches!(does, Behaviour::Log { .. }))?;
    let Behaviour::Log { key, .. } = &log.behaviour else {
        return None;
    };
    let text = design.text(node, field)?;
    if !channel || !same_at(facts, by, node, field) {
        return None;
    }
    let title = format!("Make {} a log with the key `{text}`", design.title(by));
    let caution = "its deliveries go one after the other from then on";
    Some(fix(design, title, caution, |build| {
        build.change_node(&view.id, |node| {
            node.kind = log.id.clone();
            let known = |name: &str| log.field(name).is_some();
            node.config = std::mem::take(&mut node.config)
                .into_iter()
                .filter(|(name, _)| known(name))
                .collect();
            node.config.insert(key.clone(), text);
        });
    }))
}
