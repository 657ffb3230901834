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
use crate::pointer::Pointer;
use crate::validate::Rule;
use crate::validate::design::{Design, NodeIx};
use crate::validate::facts::delivery::{Copies, Part};
use crate::validate::facts::{Facts, Port};

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

/// The same, and what a dedupe keeps of keys that events share, so that the first of each place passes. Where
/// copies alone share a key, which of them passes is a matter of copies.
fn keeper_of(facts: &Facts, node: NodeIx) -> Option<Keeper<'_>> {
    let (_, behaviour) = facts.design.acting(node)?;
    let Behaviour::Dedupe { key, .. } = behaviour else {
        return keeper(behaviour);
    };
    let port = facts.input(node)?;
    let expr = facts.design.expr(node, key)?;
    let reads = &expr.analysis().reads;
    let mut fields = reads.fields.iter();
    let shared = reads.context.is_empty()
        && fields.any(|field| is_shared(facts, field, port))
        && !facts.identifies(&facts.key(expr, port), port);
    let anywhere = matches!(port.part, Part::Any { .. } | Part::Mixed { .. });
    let by_copies = anywhere && port.copies != Copies::No;
    (shared && !by_copies).then_some(Keeper {
        key,
        does: "lets the first pass",
        torn: "a key has a first one",
    })
}

/// Whether several events have one value in a field, as the types say that promise it.
fn is_shared(facts: &Facts, field: &Pointer, port: &Port) -> bool {
    let promised = facts.promise(field, port);
    let by = promised.iter().flat_map(|promised| &promised.by);
    let mut types = by.filter_map(|(_, ty, place)| {
        let ty = facts.design.document.types.get(ty)?;
        Some((ty.id.as_ref()? == place, ty.stands_for()))
    });
    types.any(|(is_id, stands_for)| !is_id || stands_for == Some("version"))
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
