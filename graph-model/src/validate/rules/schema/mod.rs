//! SCHEMA: what an event means.

mod no_way;
mod old_shapes;
mod open_payload;
mod read_insides;
#[cfg(test)]
mod tests;
mod trial;
mod two_meanings;
mod unmet_need;
mod unstable_key;

use crate::id::Id;
use crate::validate::Rule;
use crate::validate::design::Design;
pub(in crate::validate) use unstable_key::Flaw;

/// The rules of the family, by code.
pub(super) const RULES: &[Rule] = &[
    unmet_need::RULE,
    old_shapes::RULE,
    read_insides::RULE,
    unstable_key::RULE,
    two_meanings::RULE,
    no_way::RULE,
    open_payload::RULE,
];

/// What people call a zone.
fn zone_title<'d>(design: &'d Design, zone: &'d Id) -> &'d str {
    match design.document.zones.get(zone) {
        Some(held) if !held.title.is_empty() => &held.title,
        _ => zone.as_str(),
    }
}
