//! LOOP: events that trigger events.

pub(in crate::validate) mod event_storm;

use crate::validate::Rule;

/// The rules of the family, by code.
pub(super) const RULES: &[Rule] = &[event_storm::RULE];
