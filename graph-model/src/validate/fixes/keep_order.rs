//! Keeps the events of one key in order, or says that they are.

use super::identify::path;
use super::rekey::same_at;
use super::{Placed, assume, fix, insert_before, kind_that, rekey};
use crate::catalog::Behaviour;
use crate::document::Node;
use crate::validate::Fix;
use crate::validate::design::NodeIx;
use crate::validate::facts::Facts;
use crate::validate::rules::order::Sort;

/// `by` is the node that lost the order, `field` holds the key of `node`, if it has one.
pub(in crate::validate) fn keep_order(
    facts: &Facts,
    node: NodeIx,
    (field, sort): (Option<&str>, Sort),
    by: NodeIx,
) -> Vec<Fix> {
    let design = &*facts.design;
    let mut fixes = Vec::new();
    let title = design.title(node);
    if let Some(field) = field {
        if arrives_in_order(facts, node, field, by) {
            fixes.extend(rekey(facts, by, node, field));
            fixes.extend(make_a_log(facts, node, field, by));
        }
        fixes.extend(by_version(facts, node, field, sort));
    }
    if let Some(Behaviour::Fold { .. }) = design.behaviour(node) {
        let claim = ("commutative", "the state is the same in any order");
        let title = format!("Assume that {title} comes to the same state in any order");
        fixes.push(assume(design, node, title, claim));
    }
    let title = format!("Assume that {title} gets its events in order");
    let claim = ("ordered", "later events do not contradict earlier ones");
    fixes.push(assume(design, node, title, claim));
    fixes
}

/// A guard against old versions where only the last event counts; where every event does, they are
/// put in order.
fn by_version(facts: &Facts, node: NodeIx, field: &str, sort: Sort) -> Option<Fix> {
    let design = &*facts.design;
    let port = facts.input(node)?;
    let ty = design.document.types.get(port.payload.ty.as_ref()?)?;
    let version = path(ty.version.as_ref()?)?;
    let key = design.text(node, field)?;
    // Versions count up for each thing: those of two things say nothing about each other.
    let of_one_thing = ty.id.as_ref().is_none_or(|id| {
        let key = design.expr(node, field);
        let key = key.map(|key| facts.key(key, port)).unwrap_or_default();
        facts.determines(&key, &[facts.field(id, port)])
    });
    if !of_one_thing {
        return None;
    }
    let guards = |does: &Behaviour| match sort {
        Sort::Last => matches!(does, Behaviour::VersionGuard { .. }),
        Sort::First | Sort::Each | Sort::Code => matches!(does, Behaviour::Resequence { .. }),
    };
    let kind = kind_that(design, guards)?;
    let (Behaviour::VersionGuard {
        key: own,
        version: by,
    }
    | Behaviour::Resequence {
        key: own,
        version: by,
    }) = &kind.behaviour
    else {
        return None;
    };
    let new = Node::new(kind.id.clone())
        .with(own, key)
        .with(by, version.clone());
    let edges = design.nodes[node].ins.clone();
    let title = design.title(node);
    let (wished, title, caution) = match sort {
        Sort::Last => (
            "newer",
            format!("Let only newer versions of `{key}` pass to {title}"),
            "older versions are dropped; wire `stale` to keep them",
        ),
        Sort::First | Sort::Each | Sort::Code => (
            "in_order",
            format!("Put the versions of `{key}` in order in front of {title}"),
            "versions have to count up by one",
        ),
    };
    Some(fix(design, title, caution, |build| {
        insert_before(design, build, Placed { node, edges }, &wished.into(), new);
    }))
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
