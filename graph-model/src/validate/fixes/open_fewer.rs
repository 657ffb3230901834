//! Opens fewer connections to a store.

use super::declare;
use crate::validate::Fix;
use crate::validate::design::{Design, NodeIx};

/// The function has a pool in each of its instances; all of them may open `left` connections.
pub(in crate::validate) fn open_fewer(
    design: &Design,
    node: NodeIx,
    (pool, instances): (f64, f64),
    left: f64,
) -> Vec<Fix> {
    let name = design.title(node);
    let mut fixes = Vec::new();
    let each = (left / instances).floor();
    if each >= 1.0 {
        let count = each as i64;
        let title = match count {
            1 => format!("Let each instance of {name} open one connection"),
            more => format!("Let each instance of {name} open {more} connections"),
        };
        let caution = "a promise: its pool has to be set to that size";
        let pool = [("pool", Some(count.into()))];
        fixes.push(declare(design, node, title, caution, &pool));
    }
    let most = (left / pool).floor();
    if most >= 1.0 {
        let count = most as i64;
        let title = format!("Let at most {count} instances of {name} work at once");
        let caution = "a promise: what runs it has to hold it to that; events wait meanwhile";
        let instances = [("instances", Some(count.into()))];
        fixes.push(declare(design, node, title, caution, &instances));
    }
    fixes
}
