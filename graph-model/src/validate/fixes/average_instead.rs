//! Folds a number in a way that means something.

use super::fix;
use super::take_latest::change_columns;
use crate::validate::Fix;
use crate::validate::design::NodeIx;
use crate::validate::facts::Facts;

/// The average where a sum was.
pub(in crate::validate) fn average_instead(facts: &Facts, node: NodeIx, column: &str) -> Fix {
    let design = &*facts.design;
    let title = format!("Take the average as `{column}` at {}", design.title(node));
    fix(design, title, "every report weighs the same", |build| {
        build.change_node(&design.nodes[node].id, |held| {
            change_columns(facts, node, held, |name, record| {
                if name == column {
                    record.insert("function", "average");
                }
            });
        });
    })
}
