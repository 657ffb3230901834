//! The one decision who may see a field at a place, and the evidence for it.

use std::collections::BTreeSet;

use super::place::CONTEXT;
use super::{Place, shown_place};
use crate::catalog::Behaviour;
use crate::document::Audience;
use crate::id::Id;
use crate::label::Atom;
use crate::pointer::Pointer;
use crate::validate::Step;
use crate::validate::design::{EdgeIx, NodeIx};
use crate::validate::facts::labels::Tag;
use crate::validate::facts::origins::OriginId;
use crate::validate::facts::tags::TagId;
use crate::validate::facts::{Facts, Port};

/// A field that somebody sees who may not.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::validate) struct Leak {
    pub field: Pointer,
    pub tag: TagId,
    pub why: Why,
}

impl Leak {
    /// Whether it is no field of the payload, which nobody could take out.
    pub(in crate::validate) fn is_of_context(&self) -> bool {
        self.field
            .tokens()
            .first()
            .is_some_and(|first| first == CONTEXT)
    }
}

/// Why they may not see it, the gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::validate) enum Why {
    /// It is a number over people, and may be one over fewer than this many.
    TooFew(i64),
    /// No reader clause speaks of these viewers.
    Unreadable,
    /// The viewers may see what is theirs, and nothing here says whose it is.
    OwnerLost(OriginId),
    /// The viewers may see what is theirs, and nothing compares them with the owner.
    SomebodyElses(OriginId),
}

/// What of the shown fields the audience may not see, by field.
pub(in crate::validate) fn leaks(facts: &Facts, port: &Port, place: &Place<'_>) -> Vec<Leak> {
    let mut leaks = Vec::new();
    for (field, tags) in place.shown.iter() {
        for tag in tags {
            if let Some(why) = refusal(facts, port, tag, place.audience) {
                leaks.push(Leak {
                    field: field.clone(),
                    tag,
                    why,
                });
            }
        }
    }
    // The numbers of tags say who was seen first, which is nothing to people.
    if leaks.len() > 1 {
        leaks.sort_by_cached_key(|leak| {
            let tag = &facts.tags[leak.tag as usize];
            let node = facts.design.nodes[tag.node].id.clone();
            let text = tag.clause.to_string();
            (
                leak.field.clone(),
                tag.ty.clone(),
                tag.field.clone(),
                text,
                node,
                tag.fold.is_some(),
            )
        });
    }
    leaks
}

/// Whether nobody sees at a node what they may not see.
pub(in crate::validate) fn is_clean(facts: &Facts, node: NodeIx) -> bool {
    if let Some((asked, clean)) = facts.clean.get()
        && asked == node
    {
        return clean;
    }
    let clean = looked_at(facts, node).is_none_or(|port| {
        let mut places = super::places(facts, node, port).into_iter();
        places.all(|place| leaks(facts, port, &place).is_empty())
    });
    facts.clean.set(Some((node, clean)));
    clean
}

/// What arrives at a node where somebody sees what they may not.
pub(super) fn leaking(facts: &Facts, node: NodeIx) -> Option<&Port> {
    if is_clean(facts, node) {
        return None;
    }
    looked_at(facts, node)
}

/// The events that somebody who looks at a node sees: those that arrive, at a source from outside.
pub(in crate::validate) fn looked_at(facts: &Facts, node: NodeIx) -> Option<&Port> {
    let source = matches!(
        facts.design.behaviour(node),
        Some(Behaviour::Source { .. } | Behaviour::Changes { .. })
    );
    if source {
        facts.output(node)
    } else {
        facts.input(node)
    }
}

/// The same with the place where the node shows it.
pub(super) fn leaking_place(facts: &Facts, node: NodeIx) -> Option<(&Port, Place<'_>)> {
    let port = leaking(facts, node)?;
    Some((port, shown_place(facts, node, port)?))
}

/// Why some of the audience may not see what the tag is on.
pub(in crate::validate) fn refusal(
    facts: &Facts,
    port: &Port,
    tag: TagId,
    audience: Option<&Audience>,
) -> Option<Why> {
    let Some(audience) = audience else {
        return refusal_of(facts, port, tag, None, &Audience::default());
    };
    let roles = audience.roles.iter();
    roles
        .filter_map(|role| refusal_of(facts, port, tag, Some(role), audience))
        .min()
}

fn refusal_of(
    facts: &Facts,
    port: &Port,
    number: TagId,
    role: Option<&Id>,
    audience: &Audience,
) -> Option<Why> {
    let tag = &facts.tags[number as usize];
    let external = role.is_some_and(|role| facts.design.is_external(role.as_str()));
    let allowed = tag.clause.0.iter().any(|atom| match atom {
        Atom::Org => !external,
        Atom::Role(allowed) => role == Some(allowed),
        Atom::Subject(_) | Atom::Tenant(_) => false,
    });
    if allowed {
        return None;
    }
    let compared = |owner: OriginId| {
        let mut rows = audience.rows.iter();
        port.guards_of(owner).next().is_some()
            || rows.any(|row| facts.holds_owner(&row.field, owner, port))
    };
    if tag.anchors.iter().any(|(_, owner)| compared(*owner)) {
        return None;
    }
    if let Some(size) = facts.free_from(tag) {
        return Some(Why::TooFew(size));
    }
    if role.is_some_and(|role| has_claims(facts, role, external)) {
        for (_, owner) in &*tag.anchors {
            if facts.place_of_owner(*owner, port).is_some() {
                return Some(Why::SomebodyElses(*owner));
            }
        }
        if let Some((_, owner)) = facts.tags[facts.root(number) as usize].anchors.first() {
            return Some(Why::OwnerLost(*owner));
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
    words(leaks.iter().map(|leak| &leak.field))
}

/// Fields that are named at most; of one more it costs no more to name it than to count it.
const NAMED_MAX: usize = 8;

/// The same of fields.
pub(in crate::validate) fn words<'f>(fields: impl Iterator<Item = &'f Pointer>) -> String {
    let fields: BTreeSet<String> = fields
        .map(|field| {
            if field.is_root() {
                "the whole event".to_owned()
            } else {
                format!("`{field}`")
            }
        })
        .collect();
    let fields: Vec<String> = fields.into_iter().collect();
    match &fields[..] {
        [] => String::new(),
        [one] => one.clone(),
        all if all.len() > NAMED_MAX + 1 => {
            let more = all.len() - NAMED_MAX;
            format!("{} and {more} more", all[..NAMED_MAX].join(", "))
        }
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// The tag of the event type that a leak goes back to.
pub(in crate::validate) fn root_of<'f>(facts: &'f Facts, leak: &Leak) -> &'f Tag {
    &facts.tags[facts.root(leak.tag) as usize]
}

/// The shortest way of a leak from the node that labels it to the one that shows it.
pub(in crate::validate) fn way(facts: &Facts, tag: TagId, to: NodeIx) -> Vec<EdgeIx> {
    let design = &*facts.design;
    let root = facts.root(tag);
    let carries = |edge: EdgeIx, wanted: &dyn Fn(TagId) -> bool| {
        facts
            .edge(edge)
            .is_some_and(|port| port.labels.tags().chain(&port.presence).any(wanted))
    };
    let source = facts.tags[root as usize].node;
    let Some(fold) = &facts.tags[tag as usize].fold else {
        return design.trace(
            to,
            |edge| carries(edge, &|held| held == tag),
            |node| node == source,
        );
    };
    let of_root = |held: TagId| facts.root(held) == root;
    let mut way = design.trace(
        fold.by,
        |edge| carries(edge, &of_root),
        |node| node == source,
    );
    way.extend(design.trace(
        to,
        |edge| carries(edge, &|held| held == tag),
        |node| node == fold.by,
    ));
    way
}

/// What the finding of a leak rests on that nobody can look into.
pub(in crate::validate) fn assumed(facts: &Facts, leak: &Leak, to: NodeIx) -> Option<String> {
    let code = code(facts, leak, to).next()?;
    let title = facts.design.title(code);
    Some(format!("the code of {title} may pass on all that it gets"))
}

/// Whether the last code on the way of a leak says of which type its events are, and so what each field is.
pub(super) fn is_typed(facts: &Facts, leak: &Leak, to: NodeIx) -> bool {
    let design = &*facts.design;
    let last = code(facts, leak, to).last();
    last.is_some_and(|code| match design.behaviour(code) {
        Some(Behaviour::Opaque { ty, types, .. }) => {
            let ty = ty.as_ref().and_then(|field| design.text(code, field));
            let types = types.as_ref().and_then(|field| design.value(code, field));
            ty.is_some() || types.is_some()
        }
        _ => false,
    })
}

/// Code on the way of a leak.
fn code(facts: &Facts, leak: &Leak, to: NodeIx) -> impl Iterator<Item = NodeIx> {
    let source = facts.tags[leak.tag as usize].node;
    let way = way(facts, leak.tag, to).into_iter();
    way.map(|edge| facts.design.edges[edge].from)
        .filter(move |node| *node != source && facts.is_opaque(*node))
}

/// The way of a leak with what happens on it.
pub(in crate::validate) fn evidence(
    facts: &Facts,
    leak: &Leak,
    to: NodeIx,
    effect: String,
) -> Vec<Step> {
    let design = &*facts.design;
    let tag = root_of(facts, leak);
    let cause = format!("`{}` of {} is for {}", tag.field, tag.ty, tag.clause);
    design.steps((tag.node, cause), &way(facts, leak.tag, to), (to, effect))
}
