//! AUTH-001: a field is shown to people who may not read its source.

use super::{self as auth, Seen, Why};
use crate::validate::design::NodeIx;
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::rules::declare_rule;
use crate::validate::{Subject, fixes};

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
    if auth::is_clean(facts, node) {
        return;
    }
    let Some(port) = facts.input(node) else {
        return;
    };
    let place = auth::main_place(facts, node, port);
    let Some(place) = place.filter(|place| place.seen == Seen::Shown) else {
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
    findings.add(
        Found::at(
            Subject::Node(facts.design.nodes[node].id.clone()),
            format!(
                "{title} shows {fields} to {readers}, who may not read it; redact it on the way or narrow the audience"
            ),
        )
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
