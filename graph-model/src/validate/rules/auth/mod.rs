//! Who sees what at a place, and what of it they may not see. Shared by the rules of access.

mod actor_from_payload;
mod bypassed_redaction;
mod erasure_gap;
mod leak;
mod lowered;
mod open_store;
mod owner_lost;
mod place;
mod restricted_key;
mod side_copy_leaks;
mod small_group;
mod somebody_elses_row;
mod stale_guard;
mod taint;
mod telling_route;
mod unchecked_input;
mod unread_field;
mod unreadable_shown;
mod unused_right;

pub(in crate::validate) use leak::{
    Leak, Why, assumed, evidence, is_clean, leaks, list, looked_at, refusal, root_of, way, words,
};
pub(in crate::validate) use lowered::{Lowered, behind, lowered};
pub(in crate::validate) use place::{OPERATORS, Place, Seen, is_channel, main_place, places};

use crate::validate::Rule;
use leak::{leaking, leaking_place};
use place::shown_place;

/// The rules of the family, by code.
pub(super) const RULES: &[Rule] = &[
    unreadable_shown::RULE,
    somebody_elses_row::RULE,
    owner_lost::RULE,
    open_store::RULE,
    telling_route::RULE,
    small_group::RULE,
    actor_from_payload::RULE,
    unchecked_input::RULE,
    side_copy_leaks::RULE,
    restricted_key::RULE,
    unused_right::RULE,
    unread_field::RULE,
    bypassed_redaction::RULE,
    stale_guard::RULE,
    erasure_gap::RULE,
];

#[cfg(test)]
mod tests;
