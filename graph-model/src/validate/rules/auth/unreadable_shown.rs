//! AUTH-001: a field is shown to people who may not read its source.

use super::{self as auth, Why};
use crate::validate::design::NodeIx;
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::fixes;
use crate::validate::rules::declare_rule;

declare_rule! {
    /// Finds fields that are shown to people whom no reader clause of the field speaks of.
    /// ## Why is this bad
    /// Being allowed to receive an event is not being allowed to see what it was made from. A label
    /// belongs to the data and travels with every copy and everything computed from it. No broker
    /// checks that, so the design has to.
    /// ## When is this fine
    /// When the label is stricter than the rule it stands for: then change the label.
    /// ## Perturbation
    /// A different secret: with another value in the field, somebody who may not read it sees something
    /// else.
    /// ## Example
    /// role finance
    /// role adjusters
    /// type claim: amount number {org}, diagnosis string {role:adjusters}
    /// in: manual(event_type=claim) -> bill: map(expr={amount, why: .diagnosis}) -> out: view @finance
    /// ## Use instead
    /// role finance
    /// role adjusters
    /// type claim: amount number {org}, diagnosis string {role:adjusters}
    /// in: manual(event_type=claim) -> bill: map(expr={amount}) -> out: view @finance
    /// ## Near miss
    /// role finance
    /// role adjusters
    /// type claim: amount number {org}, diagnosis string {role:adjusters}
    /// in: manual(event_type=claim) -> hide: redact(fields=["/diagnosis"]) -> out: view @finance
    /// in -> all: table(table=claims, columns={"amount": ".amount"}) @finance
    /// ## Source
    /// D. Denning, A lattice model of secure information flow, 1976
    code = "AUTH-001", name = "unreadable-field-shown", severity = Error, since = "0.1.0",
    check = Node(check),
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let Some((port, place)) = auth::leaking_place(facts, node) else {
        return;
    };
    let mut leaks = auth::leaks(facts, port, &place);
    leaks.retain(|leak| leak.why == Why::Unreadable);
    leaks.retain(|leak| auth::lowered(facts, node, leak, &place).is_none());
    let Some(first) = leaks.first() else { return };
    let title = facts.design.title(node);
    let readers = facts.readers(place.audience);
    let fields = auth::list(&leaks);
    let redact = fixes::redact_fields(facts, node, &leaks);
    let narrow = fixes::narrow_audience(facts, node, &place);
    let message = format!(
        "{title} shows {fields} to {readers}, who may not read it; redact it on the way or narrow the audience"
    );
    findings.add(
        Found::node(&facts.design.nodes[node].id, message)
            .path(auth::evidence(
                facts,
                first,
                node,
                format!("shows it to {readers}"),
            ))
            .assuming_any(auth::assumed(facts, first, node))
            .fixes(redact.into_iter().chain(narrow)),
    );
}
