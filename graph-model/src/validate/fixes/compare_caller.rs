//! Lets events pass only when what they act on is the caller's.

use super::identify::path;
use super::{Placed, new_node, put_before};
use crate::pointer::Pointer;
use crate::validate::Fix;
use crate::validate::design::NodeIx;
use crate::validate::facts::Facts;

/// A filter in front of the node that compares two fields.
pub(in crate::validate) fn compare_caller(
    facts: &Facts,
    node: NodeIx,
    acts_on: &Pointer,
    caller: &Pointer,
) -> Option<Fix> {
    let design = &*facts.design;
    let test = format!("{} == {}", path(acts_on)?, path(caller)?);
    let title = format!("Let only `{test}` pass to {}", design.title(node));
    let new = new_node::filter(design, test)?;
    let edges = design.nodes[node].ins.clone();
    if edges.iter().any(|edge| design.edges[*edge].resource) {
        return None;
    }
    let caution = "events of callers who act for others are dropped; wire `dropped` to keep them";
    let at = Placed { node, edges };
    Some(put_before(design, at, "own_only", new, title, caution))
}
