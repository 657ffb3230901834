//! Who sees what at a place, and what of it they may not see. Shared by the rules of access.

mod side_copy_leaks;
mod somebody_elses_row;
mod unreadable_shown;

use std::collections::BTreeSet;

use crate::catalog::{Behaviour, FieldType, JqRole};
use crate::document::Audience;
use crate::expr::Sources;
use crate::id::Id;
use crate::label::Atom;
use crate::pointer::Pointer;
use crate::validate::Rule;
use crate::validate::Step;
use crate::validate::design::NodeIx;
use crate::validate::facts::labels::{Labels, Tag, TagId};
use crate::validate::facts::origins::OriginId;
use crate::validate::facts::{Facts, Port};

/// The rules of the family, by code.
pub(super) const RULES: &[Rule] = &[
    unreadable_shown::RULE,
    somebody_elses_row::RULE,
    side_copy_leaks::RULE,
];

/// A field that somebody sees who may not.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::validate) struct Leak {
    pub field: Pointer,
    pub tag: TagId,
    pub why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::validate) enum Why {
    /// No reader clause speaks of these viewers.
    Unreadable,
    /// The viewers may see what is theirs, and nothing compares them with the owner.
    SomebodyElses(OriginId),
}

/// What a node shows of what arrives: all of it, or what its columns take.
pub(in crate::validate) fn shown(facts: &Facts, node: NodeIx, port: &Port) -> Labels {
    let design = &*facts.design;
    let Some(kind) = &design.nodes[node].kind else {
        return Labels::default();
    };
    let mut read = Sources::default();
    let mut columns = 0;
    if let Behaviour::Table { key, .. } = &kind.behaviour {
        for field in &kind.config {
            let FieldType::JqTable {
                role: JqRole::Value,
            } = field.ty
            else {
                continue;
            };
            let table = design
                .value(node, &field.name)
                .and_then(|value| value.as_object());
            for code in table.into_iter().flat_map(crate::value::Object::values) {
                columns += 1;
                if let Some(expr) = code.as_str().and_then(|code| design.compiled(code)) {
                    read.extend(&expr.analysis().reads);
                }
            }
        }
        if let Some(key) = design.expr(node, key) {
            read.extend(&key.analysis().reads);
        }
    }
    if columns == 0 {
        return (*port.labels).clone();
    }
    let fields = port.labels.0.iter();
    let taken = fields.filter(|(field, _)| read.touched_by(field, false));
    Labels(
        taken
            .map(|(field, tags)| (field.clone(), tags.clone()))
            .collect(),
    )
}

/// What of the shown fields the audience may not see. Nobody named means everybody inside.
pub(in crate::validate) fn leaks(
    facts: &Facts,
    port: &Port,
    shown: &Labels,
    audience: Option<&Audience>,
) -> Vec<Leak> {
    let mut leaks = Vec::new();
    for (field, tags) in &shown.0 {
        for tag in tags {
            let roles: Vec<Option<&Id>> = match audience {
                Some(audience) => audience.roles.iter().map(Some).collect(),
                None => vec![None],
            };
            let whys: Vec<Why> = roles
                .into_iter()
                .filter_map(|role| refusal(facts, port, &facts.tags[*tag as usize], role, audience))
                .collect();
            let worst = whys
                .iter()
                .find(|why| **why == Why::Unreadable)
                .or(whys.first());
            if let Some(why) = worst {
                leaks.push(Leak {
                    field: field.clone(),
                    tag: *tag,
                    why: *why,
                });
            }
        }
    }
    leaks
}

fn refusal(
    facts: &Facts,
    port: &Port,
    tag: &Tag,
    role: Option<&Id>,
    audience: Option<&Audience>,
) -> Option<Why> {
    let roles = &facts.design.document.roles;
    let external = role
        .and_then(|role| roles.get(role))
        .is_some_and(|role| role.external);
    let allowed = tag.clause.0.iter().any(|atom| match atom {
        Atom::Org => !external,
        Atom::Role(allowed) => role == Some(allowed),
        Atom::Subject(_) | Atom::Tenant(_) => false,
    });
    if allowed {
        return None;
    }
    let compared = |owner: OriginId| {
        let rows = audience.map_or(&[][..], |audience| &audience.rows);
        port.guards.iter().any(|(guarded, _)| *guarded == owner)
            || rows
                .iter()
                .any(|row| facts.field(&row.field, port) == owner)
    };
    if tag.anchors.iter().any(|(_, owner)| compared(*owner)) {
        return None;
    }
    if role.is_some_and(|role| has_claims(facts, role, external)) {
        for (_, owner) in &tag.anchors {
            if facts.place_of(*owner, port).is_some() {
                return Some(Why::SomebodyElses(*owner));
            }
        }
    }
    Some(Why::Unreadable)
}

/// Whether people with the role can own events at all.
fn has_claims(facts: &Facts, role: &Id, external: bool) -> bool {
    let mut members = facts
        .design
        .document
        .principals
        .values()
        .filter(|principal| principal.roles.contains(role))
        .peekable();
    if members.peek().is_none() {
        return external;
    }
    members.any(|member| !member.claims.is_empty())
}

/// `/name` and `/diagnosis`.
pub(in crate::validate) fn list(leaks: &[Leak]) -> String {
    let fields: BTreeSet<String> = leaks
        .iter()
        .map(|leak| {
            if leak.field.is_root() {
                "the whole event".to_owned()
            } else {
                format!("`{}`", leak.field)
            }
        })
        .collect();
    let fields: Vec<String> = fields.into_iter().collect();
    match &fields[..] {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// The way of the first leak from the event type that labels it to the place that shows it.
pub(in crate::validate) fn evidence(
    facts: &Facts,
    leak: &Leak,
    to: NodeIx,
    effect: String,
) -> Vec<Step> {
    let design = &*facts.design;
    let tag = &facts.tags[leak.tag as usize];
    let carries = |edge| {
        facts
            .edge(edge)
            .is_some_and(|port| port.labels.0.values().any(|tags| tags.contains(&leak.tag)))
    };
    let way = design.trace(to, carries, |node| node == tag.node);
    let cause = format!("`{}` of {} is for {}", tag.field, tag.ty, tag.clause);
    design.steps((tag.node, cause), &way, (to, effect))
}
