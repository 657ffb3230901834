//! Leaves fields out in front of a node that does not need them.

use std::collections::BTreeSet;

use super::{Placed, new_node, put_before};
use crate::pointer::Pointer;
use crate::validate::Fix;
use crate::validate::design::NodeIx;
use crate::validate::facts::Facts;
use crate::validate::rules::auth::words;

/// A redaction in front of the node.
pub(in crate::validate) fn leave_out(
    facts: &Facts,
    node: NodeIx,
    fields: &BTreeSet<Pointer>,
) -> Option<Fix> {
    let design = &*facts.design;
    let new = new_node::redact(design, fields)?;
    let edges = design.nodes[node].ins.clone();
    if edges.iter().any(|edge| design.edges[*edge].resource) {
        return None;
    }
    let title = format!(
        "Leave out {} before {}",
        words(fields.iter()),
        design.title(node)
    );
    let at = Placed { node, edges };
    Some(put_before(design, at, "less", new, title, ""))
}
