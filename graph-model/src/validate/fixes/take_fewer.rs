//! Takes fewer events at once.

use super::declare;
use crate::validate::Fix;
use crate::validate::design::{Design, NodeIx};

/// As many as fit.
pub(in crate::validate) fn take_fewer(design: &Design, node: NodeIx, fits: f64) -> Option<Fix> {
    if fits < 1.0 {
        return None;
    }
    let count = fits as i64;
    let name = design.title(node);
    let title = match count {
        1 => format!("Let {name} take one event at a time"),
        more => format!("Let {name} take {more} events at a time"),
    };
    let caution = "a promise: what feeds it has to be set to that";
    Some(declare(
        design,
        node,
        title,
        caution,
        &[("batch", Some(count.into()))],
    ))
}
