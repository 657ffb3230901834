//! AUTH-010: restricted data in a key or a name.

use std::borrow::Cow;

use super::{self as auth, OPERATORS, Place, Seen};
use crate::catalog::{Behaviour, FieldType, JqRole};
use crate::expr::Sources;
use crate::validate::design::{Design, NodeIx};
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::rules::declare_rule;
use crate::validate::{Fix, fixes};
use crate::value::Object;

declare_rule! {
    /// Finds keys, headers and object names made of data that those who run the channel may not read.
    /// ## Why is this bad
    /// A key is not payload: brokers keep it in clear, consoles and metrics show it, errors quote it.
    /// Encrypting the payload leaves it as it is, and it is hard to erase afterwards. Whoever is on
    /// call reads it without ever opening an event.
    /// ## When is this fine
    /// When the people who run it may read the field: then name them as its `operators`.
    /// ## Perturbation
    /// A different secret: whoever looks at the channel's keys sees another one.
    /// ## Example
    /// role hr
    /// role desk
    /// type person(id=/id): id string {org}, ssn string {role:hr}
    /// in: manual(event_type=person) -> lane: queue(group=.ssn) -> list: view @hr
    /// ## Use instead
    /// role hr
    /// role desk
    /// type person(id=/id): id string {org}, ssn string {role:hr}
    /// in: manual(event_type=person) -> lane: queue(group=.id) -> list: view @hr
    /// ## Near miss
    /// role hr
    /// role desk
    /// type person(id=/id): id string {org}, ssn string {role:hr}
    /// in: manual(event_type=person) -> lane: queue(group=.ssn) %operators=hr -> once: dedupe(key=.ssn) -> list: view(key=.ssn) @hr
    /// ## Source
    /// OWASP Logging Cheat Sheet: data to exclude
    code = "AUTH-010", name = "restricted-key", severity = Warning, since = "0.1.0",
    check = Node(check),
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let Some(port) = facts.input(node) else {
        return;
    };
    let Some((view, _)) = design.acting(node) else {
        return;
    };
    let slots = slots(design, node);
    if slots.is_empty() {
        return;
    }
    let read: Vec<&Sources> = slots.iter().map(|(_, sources)| *sources).collect();
    let shown = super::place::with_ids(port, &read);
    if shown.is_empty() {
        return;
    }
    let place = Place {
        seen: Seen::Run,
        side: Some(&OPERATORS),
        audience: view.node.notes.side_audiences.get(&OPERATORS),
        shown: Cow::Owned(shown),
    };
    let mut leaks = auth::leaks(facts, port, &place);
    leaks.retain(|leak| !leak.field.is_root() || !auth::leak::is_typed(facts, leak, node));
    let Some(first) = leaks.first() else { return };
    let used = slots
        .iter()
        .find(|(_, sources)| sources.touched_by(&first.field, false));
    let slot = used.map_or("key", |(title, _)| title);
    let (title, fields) = (design.title(node), auth::list(&leaks));
    let readers = facts.readers(place.audience);
    let mut offers: Vec<Fix> = fixes::other_key(facts, node, &place).into_iter().collect();
    offers.extend(fixes::tokenise(facts, node, &leaks));
    offers.extend(fixes::narrow_audience(facts, node, &place));
    let message = format!(
        "{title} has {fields} in its {}, which {readers} can see there, who may not read it; use another one or let others run it",
        slot.to_lowercase()
    );
    findings.add(
        Found::node(&view.id, message)
            .path(auth::evidence(
                facts,
                first,
                node,
                format!("shows it in clear to {readers}"),
            ))
            .assuming_any(auth::assumed(facts, first, node))
            .fixes(offers),
    );
}

/// Titles of config fields whose values are seen by whoever runs the node, with what they read.
pub(super) fn slots(design: &Design, node: NodeIx) -> Vec<(&str, &Sources)> {
    let Some((view, behaviour)) = design.acting(node) else {
        return Vec::new();
    };
    let outside = auth::is_channel(behaviour)
        || matches!(
            behaviour,
            Behaviour::Bucket { .. } | Behaviour::Effect { .. }
        );
    if !outside {
        return Vec::new();
    }
    let mut slots = Vec::new();
    for field in view.kind.iter().flat_map(|kind| &kind.config) {
        let title = field.title.as_str();
        match field.ty {
            FieldType::Jq { role: JqRole::Key } => {
                let expr = design.expr(node, &field.name);
                slots.extend(expr.map(|expr| (title, &expr.analysis().reads)));
            }
            // Such as headers.
            FieldType::JqTable {
                role: JqRole::Value,
            } => {
                let table = design.value(node, &field.name);
                let table = table.and_then(|value| value.as_object());
                let codes = table.into_iter().flat_map(Object::values);
                let exprs = codes.filter_map(|code| design.compiled(code.as_str()?));
                slots.extend(exprs.map(|expr| (title, &expr.analysis().reads)));
            }
            _ => {}
        }
    }
    slots
}
