//! AUTH-008: what strangers sent drives something sensitive.

use std::collections::BTreeSet;

use super::{taint, words};
use crate::pointer::Pointer;
use crate::validate::design::NodeIx;
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::labels::Sort;
use crate::validate::facts::tags::TagId;
use crate::validate::facts::{Facts, pointers};
use crate::validate::fixes;
use crate::validate::rules::declare_rule;

declare_rule! {
    /// Finds sensitive fields, such as paths, queries and amounts, that hold what strangers sent and
    /// nothing has checked.
    /// ## Why is this bad
    /// An event is not trustworthy because it is inside; most of them start with something that a
    /// stranger typed. What was never checked reaches the query, the path or the amount as it was
    /// sent. The check belongs in front of the first use of a right that the sender does not have.
    /// ## When is this fine
    /// When only your own services can send: then name the publishers of the source.
    /// ## Perturbation
    /// A hostile text in the field: it arrives as it was sent.
    /// ## Example
    /// type upload(id=/id): id string, path string
    /// in: http(path=/in, event_type=upload) -> lane: queue -> keep: effect(action=copy, key=.id) ^sensitive=["/path"]
    /// ## Use instead
    /// type upload(id=/id): id string, path string
    /// in: http(path=/in, event_type=upload) -> safe: validate(event_type=upload) -> lane: queue -> keep: effect(action=copy, key=.id) ^sensitive=["/path"]
    /// ## Near miss
    /// type upload(id=/id): id string, path string
    /// in: http(path=/in, event_type=upload) -> lane: queue -> fixed: map(expr={id, note: .path, path: "inbox"}) -> keep: effect(action=copy, key=.id) ^sensitive=["/path"]
    /// ## Source
    /// OWASP Serverless Top 10, S1: injection
    code = "AUTH-008", name = "unchecked-input", severity = Error, since = "0.1.0",
    check = Node(check),
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    if design.acting(node).is_none() {
        return;
    }
    let sensitive = pointers(design.declared(node, "sensitive"));
    let Some(port) = facts.input(node).filter(|_| !sensitive.is_empty()) else {
        return;
    };
    let mut fields: BTreeSet<Pointer> = BTreeSet::new();
    let mut first: Option<TagId> = None;
    for field in &sensitive {
        let unchecked = taint::at(facts, port, field, Sort::Unchecked);
        if let Some(tag) = unchecked.first() {
            fields.insert(field.clone());
            first.get_or_insert(*tag);
        }
    }
    let Some(first) = first else { return };
    let source = facts.tags[first as usize].node;
    let (title, fields) = (design.title(node), words(fields.iter()));
    let message = format!(
        "{title} trusts {fields} as strangers sent it to {}; check it on the way",
        design.title(source)
    );
    findings.add(
        Found::node(&design.nodes[node].id, message)
            .path(taint::evidence(
                facts,
                first,
                "takes what strangers send".to_owned(),
                node,
                format!("uses {fields}"),
            ))
            .fixes(fixes::validate_input(facts, node, source)),
    );
}
