//! SCHEMA: what an event means.

mod looked_at;
mod no_way;
mod old_shapes;
mod open_payload;
mod read_insides;
#[cfg(test)]
mod tests;
mod trial;
mod two_meanings;
mod unmet_need;
mod unstable_key;
mod ways;

use crate::id::Id;
use crate::pointer::Pointer;
use crate::validate::design::{Design, NodeIx};
use crate::validate::diagnostic::Found;
use crate::validate::facts::Facts;
use crate::validate::rules::delivery::way_from;
use crate::validate::{Rule, fixes};
pub(in crate::validate) use unstable_key::Flaw;

/// The rules of the family, by code.
pub(super) const RULES: &[Rule] = &[
    unmet_need::RULE,
    old_shapes::RULE,
    read_insides::RULE,
    unstable_key::RULE,
    two_meanings::RULE,
    no_way::RULE,
    open_payload::RULE,
];

/// What people call a zone.
fn zone_title<'d>(design: &'d Design, zone: &'d Id) -> &'d str {
    match design.document.zones.get(zone) {
        Some(held) if !held.title.is_empty() => &held.title,
        _ => zone.as_str(),
    }
}

/// A field that a node needs, and that pairs do not have which found no partner at the join.
fn unpaired(facts: &Facts, join: NodeIx, (node, needs): (NodeIx, &str), field: &Pointer) -> Found {
    let design = &*facts.design;
    let (title, by) = (design.title(node), design.title(join));
    let message = format!(
        "{title} {needs} `{field}`, which is missing where {by} found no partner; set such events aside"
    );
    let cause = "sends what found no partner with nothing on the other side".to_owned();
    Found::node(&design.nodes[node].id, message)
        .detail(field.to_string())
        .path(way_from(
            facts,
            join,
            cause,
            node,
            format!("{needs} `{field}`"),
        ))
        .fixes(fixes::set_events_aside(facts, node, field))
}
