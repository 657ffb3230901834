//! COST: what it costs, and which limits it meets.

use crate::validate::Rule;

/// The rules of the family, by code.
pub(super) const RULES: &[Rule] = &[];
