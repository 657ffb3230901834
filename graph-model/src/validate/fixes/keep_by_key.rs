//! Moves what an instance remembers into a store that all instances share.

use super::declare;
use crate::validate::Fix;
use crate::validate::design::NodeIx;
use crate::validate::facts::Facts;

pub(in crate::validate) fn keep_by_key(facts: &Facts, node: NodeIx) -> Vec<Fix> {
    let design = &*facts.design;
    let name = design.title(node);
    let keyed = declare(
        design,
        node,
        format!("Keep what {name} remembers by key in a store"),
        "a promise: its code has to read and write the state of the host, not variables of its own",
        &[("state", Some("keyed".into()))],
    );
    let cached = declare(
        design,
        node,
        format!("Treat what {name} remembers as a cache"),
        "a promise: nothing may be missed when it is empty, and it says by which key it finds things",
        &[("state", Some("cache".into()))],
    );
    vec![keyed, cached]
}
