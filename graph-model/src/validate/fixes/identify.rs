//! Tells copies of an event from new ones.

use super::{Placed, fix, insert_before, kind_that};
use crate::catalog::Behaviour;
use crate::document::Node;
use crate::pointer::Pointer;
use crate::validate::Fix;
use crate::validate::design::NodeIx;
use crate::validate::facts::Facts;

/// A dedupe in front of a node.
pub(in crate::validate) fn dedupe(facts: &Facts, node: NodeIx) -> Option<Fix> {
    let design = &*facts.design;
    let kind = kind_that(design, |does| matches!(does, Behaviour::Dedupe { .. }))?;
    let Behaviour::Dedupe { key, .. } = &kind.behaviour else {
        return None;
    };
    let new = Node::new(kind.id.clone()).with(key, identity(facts, node));
    let edges = design.nodes[node].ins.clone();
    let title = format!("Put a dedupe in front of {}", design.title(node));
    let caution = "it remembers keys for a time; a copy that comes later passes";
    Some(fix(design, title, caution, |build| {
        insert_before(design, build, Placed { node, edges }, &"once".into(), new);
    }))
}

/// An idempotency key for an effect, or a dedupe in front of it.
pub(in crate::validate) fn identify_effect(facts: &Facts, node: NodeIx, key: &str) -> Vec<Fix> {
    let design = &*facts.design;
    let identity = identity(facts, node);
    let title = format!("Give {} the key `{identity}`", design.title(node));
    let keyed = fix(design, title, "", |build| {
        build.set_config(&design.nodes[node].id, key, Some(identity.into()));
    });
    [Some(keyed), dedupe(facts, node)]
        .into_iter()
        .flatten()
        .collect()
}

/// What identifies the events that arrive at a node: the id that their type names, or their own.
fn identity(facts: &Facts, node: NodeIx) -> String {
    let port = facts.input(node);
    let ty = port.and_then(|port| port.payload.ty.as_ref());
    let declared = ty.and_then(|ty| facts.design.document.types.get(ty));
    declared
        .and_then(|ty| ty.id.as_ref())
        .and_then(path)
        .unwrap_or_else(|| "$event.id".to_owned())
}

/// A pointer as a jq path, when its names need no quotes.
pub(super) fn path(field: &Pointer) -> Option<String> {
    let plain = |token: &str| {
        token.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && token.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    if field.is_root() || !field.tokens().iter().all(|token| plain(token)) {
        return None;
    }
    Some(format!(".{}", field.tokens().join(".")))
}
