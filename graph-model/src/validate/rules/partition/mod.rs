//! PART: is the number still the number.

mod split_group;
mod unlike_partitions;

use crate::validate::Rule;

/// The rules of the family, by code.
pub(super) const RULES: &[Rule] = &[split_group::RULE, unlike_partitions::RULE];
