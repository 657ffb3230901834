//! Says that a store keeps events no longer than they may be kept.

use super::declare;
use crate::validate::Fix;
use crate::validate::design::NodeIx;
use crate::validate::facts::Facts;

pub(in crate::validate) fn keep_shorter(facts: &Facts, node: NodeIx, within: &str) -> Fix {
    let design = &*facts.design;
    let title = format!("Keep events of {} for {within}", design.title(node));
    let caution = "set it where they are kept too; older ones cannot be read again";
    let retention = [("retention", Some(within.into()))];
    declare(design, node, title, caution, &retention)
}
