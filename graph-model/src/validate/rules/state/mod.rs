//! STATE: what is remembered, where, and whose it is.

use crate::validate::Rule;

/// The rules of the family, by code.
pub(super) const RULES: &[Rule] = &[];
