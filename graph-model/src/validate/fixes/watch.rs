//! Names somebody who looks where failures end.

use super::declare;
use crate::validate::Fix;
use crate::validate::design::{Design, NodeIx};

/// Who looks after failures where nobody says it.
const OPERATORS: &str = "operators";

/// Lets somebody watch a place: whoever watches others, or answers for what fails.
pub(in crate::validate) fn watch(design: &Design, node: NodeIx, watcher: Option<&str>) -> Fix {
    let watcher = watcher.unwrap_or(OPERATORS);
    let title = format!("Let {watcher} watch {}", design.title(node));
    let caution = "see that they are told when something arrives, and can send it again";
    declare(
        design,
        node,
        title,
        caution,
        &[("watched_by", Some(watcher.into()))],
    )
}
