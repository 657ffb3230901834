//! Claims something of a node that the validator cannot know.

use super::fix;
use crate::document::Assumption;
use crate::validate::Fix;
use crate::validate::design::{Design, NodeIx};

/// The title says what is claimed, `what` is its name, `reason` why it should hold.
pub(in crate::validate) fn assume(
    design: &Design,
    node: NodeIx,
    title: String,
    (what, reason): (&str, &str),
) -> Fix {
    let caution = "a claim that every run tests";
    fix(design, title, caution, |build| {
        build.change_node(&design.nodes[node].id, |node| {
            let claim = Assumption {
                reason: reason.into(),
                ..Assumption::default()
            };
            node.notes.assumptions.insert(what.into(), claim);
        });
    })
}
