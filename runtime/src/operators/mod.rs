//! Operators: kinds that handle events without I/O, clock or chance.

mod aggregate;
mod dedupe;
mod expression;
mod fields;
mod filter;
mod fingerprint;
mod function;
mod guard;
mod map;
mod mediate;
mod merge;
#[cfg(test)]
mod properties;
mod redact;
mod repartition;
mod result;
mod route;
mod split;
#[cfg(test)]
pub(crate) mod testing;

use crate::kind::Kind;

/// The kinds of this room; a new one is a file and a line here.
pub(crate) fn kinds() -> Vec<Kind> {
    vec![
        aggregate::kind(),
        dedupe::kind(),
        filter::kind(),
        guard::kind(),
        map::kind(),
        mediate::kind(),
        merge::kind(),
        redact::kind(),
        repartition::kind(),
        route::kind(),
        split::kind(),
    ]
}
