//! SCHEMA: what an event means.

mod unmet_need;

use crate::validate::Rule;

/// The rules of the family, by code.
pub(super) const RULES: &[Rule] = &[unmet_need::RULE];
