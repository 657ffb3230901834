//! AUTH-012: restricted data is delivered to code that does not read it.

use std::collections::BTreeSet;

use super::{Leak, Why, words};
use crate::catalog::Behaviour;
use crate::expr::related;
use crate::label::Atom;
use crate::pointer::Pointer;
use crate::validate::design::NodeIx;
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::tags::TagId;
use crate::validate::facts::{Facts, pointers};
use crate::validate::fixes;
use crate::validate::rules::declare_rule;

declare_rule! {
    /// Finds restricted fields that are delivered to code which does not look at them.
    /// ## Why is this bad
    /// Every consumer that gets a field is a place from which it can leak: its logs, its memory, its
    /// errors. Where nobody reads the field, that risk buys nothing. Left out in front, it cannot be
    /// lost there.
    /// ## When is this fine
    /// When the code keeps events as they are, to send them on: then say that it reads the field.
    /// ## Perturbation
    /// The same events without the field: whatever comes out is the same.
    /// ## Example
    /// role adjusters
    /// type claim(id=/id): id string {org}, amount number {org}, diagnosis string {role:adjusters}
    /// type bill(id=/id): id string, cents integer
    /// in: manual(event_type=claim) -> rate: function(component=f.wasm, output_type=bill) ^reads=["/id","/amount"] -> bills: view
    /// ## Use instead
    /// role adjusters
    /// type claim(id=/id): id string {org}, amount number {org}, diagnosis string {role:adjusters}
    /// type bill(id=/id): id string, cents integer
    /// in: manual(event_type=claim) -> less: redact(fields=["/diagnosis"]) -> rate: function(component=f.wasm, output_type=bill) ^reads=["/id","/amount"] -> bills: view
    /// ## Near miss
    /// role adjusters
    /// type claim(id=/id): id string {org}, amount number {org}, diagnosis string {role:adjusters}
    /// type bill(id=/id): id string, cents integer
    /// in: manual(event_type=claim) -> rate: function(component=f.wasm, output_type=bill) ^reads=["/id","/diagnosis"] -> bills: view @adjusters
    /// ## Source
    /// Regulation (EU) 2016/679, article 5(1)(c): data minimisation
    code = "AUTH-012", name = "unread-field", severity = Info, since = "0.1.0",
    check = Node(check),
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let Some((view, Behaviour::Opaque { .. } | Behaviour::Effect { .. })) = design.acting(node)
    else {
        return;
    };
    let reads = pointers(design.declared(node, "reads"));
    let Some(port) = facts.input(node).filter(|_| !reads.is_empty()) else {
        return;
    };
    let restricted = |tag: &TagId| {
        let clause = &facts.tags[*tag as usize].clause;
        !clause.0.contains(&Atom::Org)
    };
    let mut fields: BTreeSet<Pointer> = BTreeSet::new();
    let mut first: Option<Leak> = None;
    for (field, tags) in port.labels.iter() {
        let read = reads.iter().any(|read| related(read, field));
        if field.is_root() || read {
            continue;
        }
        let mut tags: Vec<TagId> = tags.iter().filter(restricted).collect();
        tags.sort_by_key(|tag| {
            let tag = &facts.tags[*tag as usize];
            (&tag.ty, &tag.field, &design.nodes[tag.node].id)
        });
        if let Some(tag) = tags.first() {
            fields.insert(field.clone());
            first.get_or_insert(Leak {
                field: field.clone(),
                tag: *tag,
                why: Why::Unreadable,
            });
        }
    }
    let Some(first) = first else { return };
    let (title, listed) = (design.title(node), words(fields.iter()));
    findings.add(
        Found::node(
            &view.id,
            format!("{title} gets {listed} and does not read it; leave it out in front"),
        )
        .path(super::evidence(
            facts,
            &first,
            node,
            "gets it and does not read it".to_owned(),
        ))
        .fixes(fixes::leave_out(facts, node, &fields)),
    );
}
