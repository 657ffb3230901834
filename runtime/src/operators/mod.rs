//! Operators: kinds that handle events without I/O, clock or chance.

mod aggregate;
mod dedupe;
mod filter;
mod guard;
mod map;
mod mediate;
mod merge;
mod redact;
mod repartition;
mod route;
mod split;

use graph_model::catalog::KindSpec;

/// The kinds of this room; a new one is a file and a line here.
pub(crate) fn specs() -> Vec<KindSpec> {
    vec![
        aggregate::spec(),
        dedupe::spec(),
        filter::spec(),
        guard::spec(),
        map::spec(),
        mediate::spec(),
        merge::spec(),
        redact::spec(),
        repartition::spec(),
        route::spec(),
        split::spec(),
    ]
}
