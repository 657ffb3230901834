//! What outsiders sent, where it matters.

use crate::pointer::Pointer;
use crate::validate::Step;
use crate::validate::design::NodeIx;
use crate::validate::facts::labels::Sort;
use crate::validate::facts::tags::TagId;
use crate::validate::facts::{Facts, Port};

/// What of a field outsiders sent, in the order of the nodes that they sent it to. Who is logged in is
/// not theirs to choose.
pub(super) fn at(facts: &Facts, port: &Port, field: &Pointer, sort: Sort) -> Vec<TagId> {
    let tags = port.taint.at(field);
    let mut tags: Vec<TagId> = tags
        .iter()
        .filter(|tag| {
            let tag = &facts.tags[*tag as usize];
            let mut anchors = tag.anchors.iter();
            tag.sort == sort && !anchors.any(|(_, origin)| facts.holds_owner(field, *origin, port))
        })
        .collect();
    tags.sort_by_key(|tag| &facts.design.nodes[facts.tags[*tag as usize].node].id);
    tags
}

/// The way from where it was sent to.
pub(super) fn evidence(
    facts: &Facts,
    tag: TagId,
    cause: String,
    to: NodeIx,
    effect: String,
) -> Vec<Step> {
    let source = facts.tags[tag as usize].node;
    let carries = |edge| {
        facts
            .edge(edge)
            .is_some_and(|port| port.taint.sets().any(|tags| tags.contains(tag)))
    };
    let way = facts.design.trace(to, carries, |node| node == source);
    facts.design.steps((source, cause), &way, (to, effect))
}
