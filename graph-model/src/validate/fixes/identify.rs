//! Tells copies of an event from new ones.

use super::{Placed, fix, new_node, put_before};
use crate::pointer::Pointer;
use crate::validate::Fix;
use crate::validate::design::NodeIx;
use crate::validate::facts::Facts;
use crate::validate::rules::delivery::lost_identity;

/// The id of the event.
const OWN_ID: &str = "$event.id";

/// A dedupe in front of a node, or where the copies can still be told apart.
pub(in crate::validate) fn dedupe(facts: &Facts, node: NodeIx) -> Option<Fix> {
    let design = &*facts.design;
    let (node, identity) = if let Some(identity) = identity(facts, node) {
        (node, identity)
    } else {
        let before = lost_identity::of_ids(facts, node)?;
        (before, identity(facts, before)?)
    };
    let new = new_node::dedupe(design, identity)?;
    let edges = design.nodes[node].ins.clone();
    let title = format!("Put a dedupe in front of {}", design.title(node));
    let caution = "it remembers keys for a time; a copy that comes later passes";
    let at = Placed { node, edges };
    Some(put_before(design, at, "once", new, title, caution))
}

/// An idempotency key for an effect, or a dedupe in front of it.
pub(in crate::validate) fn identify_effect(facts: &Facts, node: NodeIx, key: &str) -> Vec<Fix> {
    [give_identity(facts, node, key), dedupe(facts, node)]
        .into_iter()
        .flatten()
        .collect()
}

/// The key of a node is what identifies its events.
pub(in crate::validate) fn give_identity(facts: &Facts, node: NodeIx, key: &str) -> Option<Fix> {
    Some(give(facts, node, key, identity(facts, node)?))
}

/// The same, where the id of the event itself will not do.
pub(in crate::validate) fn give_field(facts: &Facts, node: NodeIx, key: &str) -> Option<Fix> {
    let identity = identity(facts, node).filter(|identity| identity != OWN_ID)?;
    Some(give(facts, node, key, identity))
}

fn give(facts: &Facts, node: NodeIx, key: &str, identity: String) -> Fix {
    let design = &*facts.design;
    let title = format!("Give {} the key `{identity}`", design.title(node));
    fix(design, title, "", |build| {
        build.set_config(&design.nodes[node].id, key, Some(identity.into()));
    })
}

/// What identifies the events that arrive at a node: the id that their type names, or their own.
/// Nothing when copies have other ones.
pub(super) fn identity(facts: &Facts, node: NodeIx) -> Option<String> {
    let port = facts.input(node)?;
    let declared = port.payload.ty.as_ref();
    let declared = declared.and_then(|ty| facts.design.document.types.get(ty));
    // The id of versions is that of the thing.
    let declared = declared.filter(|ty| ty.stands_for() != Some("version"));
    let declared = declared.and_then(|ty| ty.id.as_ref());
    let stable = declared.filter(|id| facts.is_stable(id, port));
    stable
        .and_then(path)
        .or_else(|| facts.named(port).then(|| OWN_ID.to_owned()))
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
