//! Leaves data to who owns it.

use super::fix;
use crate::validate::Fix;
use crate::validate::design::{Design, NodeIx};

/// Nothing is written here any more.
pub(in crate::validate) fn leave_to_owner(design: &Design, node: NodeIx) -> Option<Fix> {
    let view = &design.nodes[node];
    let drawn = || {
        view.ins
            .iter()
            .filter(|edge| !design.edges[**edge].resource)
    };
    drawn().next()?;
    let title = format!("Write nothing into {} here", design.title(node));
    let caution = "wire what came here to the owner, and feed the copy by the owner's events";
    Some(fix(design, title, caution, |build| {
        for edge in drawn() {
            build.remove_edge(&design.edges[*edge].id);
        }
    }))
}
