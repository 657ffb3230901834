//! Makes sure that state can be rebuilt.

use super::declare;
use crate::validate::Fix;
use crate::validate::design::{Design, NodeIx};

/// Snapshots of the state, or a log that keeps everything.
pub(in crate::validate) fn make_rebuildable(
    design: &Design,
    node: NodeIx,
    log: NodeIx,
) -> Vec<Fix> {
    let snapshots = declare(
        design,
        node,
        format!("Keep snapshots of {}", design.title(node)),
        "a promise: what runs it has to save them with their position in the log",
        &[("snapshots", Some(true.into()))],
    );
    let everything = declare(
        design,
        log,
        format!("Keep all events of {}", design.title(log)),
        "a promise: the log needs the space, and personal data in it stays",
        &[("retention", None), ("compacted", None)],
    );
    vec![snapshots, everything]
}
