//! Goes back to the default of a field.

use super::fix;
use crate::catalog::FieldSpec;
use crate::validate::Fix;
use crate::validate::design::{Design, NodeIx};
use crate::value::Value;

/// `None` when the field has no default.
pub(in crate::validate) fn use_default(
    design: &Design,
    node: NodeIx,
    field: &FieldSpec,
) -> Option<Fix> {
    if field.default == Value::Null {
        return None;
    }
    let (name, default) = (&field.title, field.default.to_text());
    let title = format!("Use `{default}` for {name} of {}", design.title(node));
    Some(fix(design, title, "", |build| {
        build.set_config(&design.nodes[node].id, &field.name, None);
    }))
}
