//! Declares of a node what it is to be from now on.

use super::fix;
use crate::validate::Fix;
use crate::validate::design::{Design, NodeIx};
use crate::value::Value;

/// Sets declarations, or takes them back. For what people then have to make true, so the caution says
/// what that is.
pub(in crate::validate) fn declare(
    design: &Design,
    node: NodeIx,
    title: String,
    caution: &str,
    declared: &[(&str, Option<Value>)],
) -> Fix {
    fix(design, title, caution, |build| {
        build.change_node(&design.nodes[node].id, |node| {
            for (name, value) in declared {
                match value {
                    Some(value) => {
                        node.notes.declared.insert(*name, value.clone());
                    }
                    None => {
                        node.notes.declared.remove(name);
                    }
                }
            }
        });
    })
}
