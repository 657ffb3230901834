//! STRUCT: what keeps a flow from being one.

mod broken_expression;
mod double_wire;
mod loose_wire;
mod missing_value;
mod unknown_kind;
mod unknown_reader;
mod unknown_type;
mod unusable_value;

use smol_str::SmolStr;

use crate::validate::design::NodeView;
use crate::validate::diagnostic::Found;
use crate::validate::{Rule, Step};

/// The rules of the family, by code.
pub(super) const RULES: &[Rule] = &[
    unknown_kind::RULE,
    missing_value::RULE,
    unusable_value::RULE,
    broken_expression::RULE,
    loose_wire::RULE,
    double_wire::RULE,
    unknown_type::RULE,
    unknown_reader::RULE,
];

/// What is wrong with a field of a node, whose value shows it.
fn at_field(view: &NodeView, field: &SmolStr, message: String, shows: &str) -> Found {
    Found::node(&view.id, message)
        .detail(field.clone())
        .path(vec![Step::node(&view.id, format!("`{field}` {shows}"))])
}
