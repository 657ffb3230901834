//! Takes back a declaration.

use super::fix;
use crate::catalog::FieldSpec;
use crate::validate::Fix;
use crate::validate::design::{Design, NodeIx};

pub(in crate::validate) fn undeclare(design: &Design, node: NodeIx, field: &FieldSpec) -> Fix {
    let title = format!(
        "Take back what is declared as {} of {}",
        field.title,
        design.title(node)
    );
    fix(design, title, "", |build| {
        build.change_node(&design.nodes[node].id, |node| {
            node.notes.declared.remove(&field.name);
        });
    })
}
