//! OBS: whether anybody can tell.

mod bare_number;
mod lost_causality;
mod silent_stall;
#[cfg(test)]
mod tests;
mod unwatched_failures;

use crate::validate::Rule;

/// The rules of the family, by code.
pub(super) const RULES: &[Rule] = &[
    lost_causality::RULE,
    unwatched_failures::RULE,
    bare_number::RULE,
    silent_stall::RULE,
];
