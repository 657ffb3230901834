//! PART: is the number still the number.

mod added_levels;
mod choices;
mod combined_partials;
mod fan_trap;
mod hot_key;
mod split_group;
mod stranded_state;
pub(in crate::validate) mod two_definitions;
mod two_writers;
mod unlike_partitions;
mod updates_as_facts;

use crate::catalog::Behaviour;
use crate::expr::Expr;
use crate::validate::Rule;
use crate::validate::design::{Design, NodeIx};

/// The rules of the family, by code.
pub(super) const RULES: &[Rule] = &[
    split_group::RULE,
    unlike_partitions::RULE,
    combined_partials::RULE,
    stranded_state::RULE,
    two_definitions::RULE,
    updates_as_facts::RULE,
    fan_trap::RULE,
    added_levels::RULE,
    two_writers::RULE,
    hot_key::RULE,
];

/// What somebody claims of an aggregate whose results a later step combines.
pub(in crate::validate) const PARTIAL: &str = "partial";

/// What a node keeps for each key.
struct Keeper<'d> {
    /// The field that holds the key.
    key: &'d str,
    /// What it does by key, such as `folds`.
    does: &'static str,
    /// What is torn apart when the events of a key are not in one place.
    torn: &'static str,
}

/// What a node keeps for each key of its first input.
fn keeper(behaviour: &Behaviour) -> Option<Keeper<'_>> {
    let (key, does, torn) = match behaviour {
        Behaviour::Aggregate { group, .. } | Behaviour::Fold { group, .. } => {
            (group, "folds", "a group is counted")
        }
        Behaviour::Decide { group, .. } => (group, "counts", "a group is decided on"),
        Behaviour::Resequence { key, .. } => (key, "puts in order", "a key has gaps"),
        Behaviour::VersionGuard { key, .. } => (
            key,
            "compares versions",
            "versions of a key pass each other",
        ),
        _ => return None,
    };
    Some(Keeper { key, does, torn })
}

/// The key for which a node keeps something.
fn keeper_key(design: &Design, node: NodeIx) -> Option<&Expr> {
    let keeper = keeper(design.behaviour(node)?)?;
    design.expr(node, keeper.key)
}

/// The fields with the keys of the two inputs that a node brings together.
fn pairing(behaviour: &Behaviour) -> Option<(&str, &str)> {
    match behaviour {
        Behaviour::Join { left, right, .. } => Some((left, right)),
        Behaviour::Enrich { key, row_key, .. } => Some((key, row_key)),
        Behaviour::Decide {
            group, seal_key, ..
        } => Some((group, seal_key)),
        _ => None,
    }
}

#[cfg(test)]
pub(in crate::validate::rules) mod tests;
