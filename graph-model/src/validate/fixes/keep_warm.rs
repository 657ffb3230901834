//! Keeps an instance of functions warm.

use super::fix;
use crate::validate::Fix;
use crate::validate::design::{Design, NodeIx};

pub(in crate::validate) fn keep_warm(design: &Design, nodes: &[NodeIx]) -> Option<Fix> {
    let names: Vec<&str> = nodes.iter().map(|node| design.title(*node)).collect();
    if names.is_empty() {
        return None;
    }
    let title = format!("Keep an instance of {} warm", names.join(" and of "));
    let caution = "a promise: it is paid for while nobody calls, too";
    Some(fix(design, title, caution, |build| {
        for node in nodes {
            build.change_node(&design.nodes[*node].id, |node| {
                node.notes.declared.insert("provisioned", 1_i64);
            });
        }
    }))
}
