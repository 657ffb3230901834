//! Lets a node forget, or gives it room.

use super::{declare, fix};
use crate::catalog::{Behaviour, FieldType};
use crate::validate::Fix;
use crate::validate::design::{Design, NodeIx};

/// How long something is remembered when nobody has said it.
const REMEMBERED: &str = "7d";

/// A window for what folds for ever, a time for what code remembers.
pub(in crate::validate) fn forget(design: &Design, node: NodeIx) -> Vec<Fix> {
    let name = design.title(node);
    match design.behaviour(node) {
        Some(Behaviour::Aggregate { window, .. }) => {
            let title = format!("Let {name} fold within windows of time");
            let caution = "a result comes when its window closes, and tells of that window only";
            vec![fix(design, title, caution, |build| {
                build.set_config(&design.nodes[node].id, window, Some("time".into()));
            })]
        }
        Some(Behaviour::Opaque { .. }) => {
            let title = format!("Let {name} forget what is older than {REMEMBERED}");
            let caution = "a promise: what keeps the state has to drop it then";
            let ttl = [("state_ttl", Some(REMEMBERED.into()))];
            vec![declare(design, node, title, caution, &ttl)]
        }
        _ => Vec::new(),
    }
}

/// Room for so many keys, as far as the kind allows it.
pub(in crate::validate) fn make_room(
    design: &Design,
    node: NodeIx,
    field: &str,
    keys: f64,
) -> Vec<Fix> {
    let view = &design.nodes[node];
    let spec = view.kind.as_ref().and_then(|kind| kind.field(field));
    let mut fixes = Vec::new();
    if let Some(FieldType::Integer { max, .. }) = spec.map(|spec| &spec.ty)
        && keys <= *max as f64
    {
        let keys = keys as i64;
        let title = format!("Give {} room for {keys} keys", design.title(node));
        let caution = "it takes the memory for them";
        fixes.push(fix(design, title, caution, |build| {
            build.set_config(&view.id, field, Some(keys.into()));
        }));
    }
    fixes.extend(forget(design, node));
    fixes
}
