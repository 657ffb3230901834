//! SCHEMA-007: events to which fields may be added cross a border as a whole.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::zone_title;
use crate::catalog::{Behaviour, FieldType, JqRole};
use crate::id::Id;
use crate::validate::design::{Design, EdgeIx, NodeIx};
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::facts::origins::Base;
use crate::validate::fixes;
use crate::validate::rules::auth::is_channel;
use crate::validate::rules::declare_rule;
use crate::value::Object;

declare_rule! {
    /// Finds events whose type lets anybody add fields, where they reach another zone or people outside
    /// as a whole.
    /// ## Why is this bad
    /// The field that somebody adds tomorrow travels with the permissions of today. Nobody decides that
    /// people outside see it: it comes along with what they were meant to see. It is noticed when it is
    /// already there.
    /// ## When is this fine
    /// When whatever comes is meant for them, as with the text of a public message.
    /// ## Perturbation
    /// One field more: a field that the type does not list shows up on the other side of the border.
    /// ## Example
    /// role partners external
    /// type order(id=/order): order string, total number, ...
    /// in: manual(event_type=order) -> out: view @partners
    /// ## Use instead
    /// role partners external
    /// type order(id=/order): order string, total number, ...
    /// in: manual(event_type=order) -> some: map(expr={order, total}) -> out: view @partners
    /// ## Near miss
    /// role partners external
    /// role clerks
    /// zone sales
    /// type order(id=/order): order string, total number, ...
    /// type sold(id=/order): order string, total number, !
    /// in: manual(event_type=order) #sales -> lane: topic #sales -> inside: view #sales @clerks
    /// lane -> m: map(expr=.seen = true) -> known: validate(event_type=sold) -> out: view @partners
    /// ## Source
    /// OWASP API Security Top 10 2023, API3 (broken object property level authorization: return single
    /// properties, not whole objects)
    code = "SCHEMA-007", name = "open-payload-passes", severity = Warning, since = "0.1.0",
    check = Whole(check),
}

/// Nodes to which open events are followed, of all sources together.
const LOOKS_MAX: usize = 100_000;

/// What an event crosses on its way to a node.
enum Border<'d> {
    /// To people outside, by the title of their role.
    Outside(String),
    Zone(&'d Id),
}

/// Where events of one source come as a whole, by which wire.
type Reached = BTreeMap<NodeIx, EdgeIx>;

/// What lets fields through far ahead changes nothing else that is known here, so an edit there asks
/// again.
fn check(facts: &Facts, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let mut schemas = design.document.types.keys();
    let any = schemas.any(|ty| {
        let schema = facts.schema(ty.as_str());
        schema.is_some_and(|schema| schema.welcomes_others())
    });
    if !any {
        return;
    }
    let mut sources: Vec<(NodeIx, Id)> = design
        .active()
        .filter_map(|(node, ..)| Some((node, opens(facts, node)?)))
        .collect();
    sources.sort_by(|(a, _), (b, _)| design.nodes[*a].id.cmp(&design.nodes[*b].id));
    let mut told = BTreeSet::new();
    let mut looks = LOOKS_MAX;
    for (source, ty) in sources {
        let reached = reached(facts, source, looks);
        looks = looks.saturating_sub(reached.len());
        for node in reached.keys() {
            if !told.contains(node) && check_node(facts, *node, (source, &ty), &reached, findings) {
                told.insert(*node);
            }
        }
    }
}

/// Follows the events of a source as long as they keep the fields that nobody listed.
fn reached(facts: &Facts, source: NodeIx, limit: usize) -> Reached {
    let design = &*facts.design;
    let mut reached = Reached::new();
    let mut open = VecDeque::from([source]);
    while let Some(at) = open.pop_front() {
        for edge in &design.nodes[at].outs {
            let to = design.edges[*edge].to;
            if reached.len() >= limit {
                return reached;
            }
            if to != source && !reached.contains_key(&to) && carries_whole(facts, *edge, source) {
                reached.insert(to, *edge);
                open.push_back(to);
            }
        }
    }
    reached
}

/// Tells where a node takes open events across a border, and whether it does.
fn check_node(
    facts: &Facts,
    node: NodeIx,
    (source, ty): (NodeIx, &Id),
    reached: &Reached,
    findings: &mut RuleFindings<'_, '_>,
) -> bool {
    let design = &*facts.design;
    let Some((view, behaviour)) = design.acting(node) else {
        return false;
    };
    let outside = outside(facts, node);
    let zone = |node: NodeIx| design.nodes[node].node.zone.as_ref();
    let last = reached.get(&node);
    let before = last.and_then(|edge| zone(design.edges[*edge].from));
    let foreign = zone(node).filter(|own| {
        let left = zone(source).is_some_and(|home| home != *own);
        left && before != Some(*own)
    });
    let Some(border) = outside
        .map(Border::Outside)
        .or(foreign.map(Border::Zone))
        .filter(|_| takes_whole(design, node, behaviour))
    else {
        return false;
    };
    let mut way = Vec::new();
    let mut at = node;
    while let Some(edge) = reached.get(&at) {
        way.push(*edge);
        at = design.edges[*edge].from;
    }
    way.reverse();
    let title = design.title(node);
    let (whom, effect) = match border {
        Border::Outside(role) => (role.clone(), format!("shows all of it to {role}")),
        Border::Zone(zone) => {
            let zone = zone_title(design, zone);
            (zone.to_owned(), format!("takes all of it into {zone}"))
        }
    };
    let message = format!(
        "{title} hands all of `{ty}` to {whom}, also fields that are added later; name the fields that are meant for them, or close the type"
    );
    let cause = format!("sends `{ty}`, to which fields may be added");
    let path = design.steps((source, cause), &way, (node, effect));
    findings.add(
        Found::node(&view.id, message)
            .path(path)
            .fixes(fixes::name_fields(facts, node, ty)),
    );
    true
}

/// Whether a node shows, keeps or hands on events as a whole.
fn takes_whole(design: &Design, node: NodeIx, behaviour: &Behaviour) -> bool {
    let taker = is_channel(behaviour)
        || matches!(
            behaviour,
            Behaviour::Observe { .. }
                | Behaviour::Table { .. }
                | Behaviour::Bucket { .. }
                | Behaviour::Effect { .. }
                | Behaviour::Opaque { .. }
        );
    let Some(kind) = design.nodes[node].kind.as_ref().filter(|_| taker) else {
        return false;
    };
    let observed = matches!(behaviour, Behaviour::Observe { .. });
    !kind.config.iter().any(|field| match field.ty {
        FieldType::JqTable {
            role: JqRole::Value,
        } => {
            let table = design.value(node, &field.name);
            let table = table.and_then(|value| value.as_object());
            table.is_some_and(|table: &Object| !table.is_empty())
        }
        FieldType::Jq {
            role: JqRole::Mapping,
        } => {
            let expr = design.expr(node, &field.name);
            expr.is_some_and(|expr| expr.analysis().rest.is_none())
        }
        FieldType::Jq {
            role: JqRole::Value,
        } => observed && design.expr(node, &field.name).is_some(),
        _ => false,
    })
}

/// People outside who see what arrives at a node.
fn outside(facts: &Facts, node: NodeIx) -> Option<String> {
    let design = &*facts.design;
    let audience = design.nodes[node].node.notes.audience.as_ref()?;
    let mut roles = audience.roles.iter();
    let role = roles.find(|role| design.is_external(role.as_str()))?;
    let held = design.document.roles.get(role);
    let title = held.map(|held| held.title.as_str());
    let title = title.filter(|title| !title.is_empty());
    Some(title.unwrap_or(role.as_str()).to_owned())
}

/// The event type of what a node brings in, when anybody may add fields to it.
fn opens(facts: &Facts, node: NodeIx) -> Option<Id> {
    let makes = matches!(
        facts.design.acting(node)?.1,
        Behaviour::Source { .. } | Behaviour::Changes { .. } | Behaviour::Opaque { .. }
    );
    let ty = facts.output(node).filter(|_| makes)?.payload.ty.clone()?;
    let schema = facts.schema(ty.as_str())?;
    schema.welcomes_others().then_some(ty)
}

/// Whether a wire carries the fields that the source got and nobody listed.
fn carries_whole(facts: &Facts, edge: EdgeIx, source: NodeIx) -> bool {
    let design = &*facts.design;
    let from = design.edges[edge].from;
    let Some(port) = facts.edge(edge).filter(|_| !design.edges[edge].resource) else {
        return false;
    };
    // What is checked against a closed type has no other fields.
    let checks = matches!(
        design.behaviour(from),
        Some(Behaviour::Validate { .. } | Behaviour::Mediate { .. })
    );
    let schema = port.payload.ty.as_ref().filter(|_| checks);
    let schema = schema.and_then(|ty| facts.schema(ty.as_str()));
    if schema.is_some_and(|schema| schema.refuses_others()) && design.edges[edge].main {
        return false;
    }
    // What a node makes anew has the fields that it gives it.
    from == source || port.payload.base != Base::Made(from)
}
