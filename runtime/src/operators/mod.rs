//! Operators: kinds that handle events without I/O, clock or chance.

mod aggregate;
mod decide;
mod dedupe;
mod enrich;
mod expression;
mod fields;
mod filter;
mod fingerprint;
mod fold;
mod function;
mod guard;
mod join;
mod keyed;
mod map;
mod mediate;
mod merge;
#[cfg(test)]
mod properties;
mod redact;
mod repartition;
mod resequence;
mod result;
mod route;
mod split;
#[cfg(test)]
pub(crate) mod testing;
mod tokenise;
mod validate;
mod version_guard;

use crate::kind::Kind;

/// The kinds of this room; a new one is a file and a line here.
pub(crate) fn kinds() -> Vec<Kind> {
    vec![
        aggregate::kind(),
        decide::kind(),
        dedupe::kind(),
        enrich::kind(),
        filter::kind(),
        fold::kind(),
        guard::kind(),
        join::kind(),
        map::kind(),
        mediate::kind(),
        merge::kind(),
        redact::kind(),
        repartition::kind(),
        resequence::kind(),
        route::kind(),
        split::kind(),
        tokenise::kind(),
        validate::kind(),
        version_guard::kind(),
    ]
}
