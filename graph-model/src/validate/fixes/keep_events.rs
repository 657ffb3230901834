//! Lets nothing vanish: senders wait, and answers are given for what is safe.

use super::fix;
use crate::document::WhenFull;
use crate::validate::Fix;
use crate::validate::design::{Design, EdgeIx, NodeIx};

/// The sender waits when the wire is full.
pub(in crate::validate) fn wait_when_full(design: &Design, edge: EdgeIx) -> Fix {
    let view = &design.edges[edge];
    let (from, to) = (design.title(view.from), design.title(view.to));
    let title = format!("Let {from} wait while the wire to {to} is full");
    let caution = format!("a slow {to} then slows {from} down");
    fix(design, title, &caution, |build| {
        build.change_edge(&view.id, |edge| edge.when_full = WhenFull::Block);
    })
}

/// A node that was declared to lose events does so no longer.
pub(in crate::validate) fn keep_events(design: &Design, node: NodeIx) -> Fix {
    let title = format!(
        "Let {} answer for events only when they are safe",
        design.title(node)
    );
    let caution = "a promise: what runs there has to keep it";
    fix(design, title, caution, |build| {
        build.change_node(&design.nodes[node].id, |node| {
            node.notes.declared.remove("may_lose");
        });
    })
}
