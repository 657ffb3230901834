//! Takes the value of a field out.

use super::fix;
use crate::catalog::FieldSpec;
use crate::validate::Fix;
use crate::validate::design::{Design, NodeIx};

pub(in crate::validate) fn clear_field(design: &Design, node: NodeIx, field: &FieldSpec) -> Fix {
    let title = format!("Clear {} of {}", field.title, design.title(node));
    fix(design, title, "", |build| {
        build.set_config(&design.nodes[node].id, &field.name, None);
    })
}
