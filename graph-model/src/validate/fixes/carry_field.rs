//! Carries through a step what it drops.

use super::carry_owner::Kept;
use super::{declare, fix};
use crate::pointer::Pointer;
use crate::validate::Fix;
use crate::validate::design::{Design, NodeIx};
use crate::value::Value;

/// A step keeps the field that `kept` says how to keep.
pub(in crate::validate) fn carry_field(
    design: &Design,
    node: NodeIx,
    at: &Pointer,
    kept: Kept,
) -> Option<Fix> {
    let change = kept.change?;
    let title = format!("Carry `{at}` through {}", design.title(node));
    Some(fix(design, title, "", |build| {
        build.set_config(&design.nodes[node].id, &change.field, Some(change.value));
    }))
}

/// Code hands the correlation on.
pub(in crate::validate) fn hand_on_correlation(design: &Design, node: NodeIx) -> Fix {
    let title = format!("Hand the correlation on in {}", design.title(node));
    let caution = "change it so that what it sends has the correlation id of what it got";
    let value = Some(Value::Bool(true));
    declare(design, node, title, caution, &[("propagates", value)])
}
