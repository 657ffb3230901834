//! AUTH-001: a field is shown to people who may not read its source.

use super::{self as auth, Leak, Why};
use crate::catalog::Behaviour;
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
    let design = &*facts.design;
    let Some((view, behaviour)) = design.acting(node) else {
        return;
    };
    let observes = matches!(
        behaviour,
        Behaviour::Observe { .. } | Behaviour::Table { .. } | Behaviour::Effect { .. }
    );
    let Some(port) = facts.input(node).filter(|_| observes) else {
        return;
    };
    let audience = view.node.notes.audience.as_ref();
    let shown = auth::shown(facts, node, port);
    let mut leaks = auth::leaks(facts, port, &shown, audience);
    leaks.retain(|leak| leak.why == Why::Unreadable);
    let Some(first) = leaks.first() else { return };
    let title = design.title(node);
    let readers = facts.readers(audience);
    let fields = auth::list(&leaks);
    findings.add(Found::at(Subject::Node(view.id.clone()), format!(
                "{title} shows {fields} to {readers}, who may not read it; redact it on the way or narrow the audience"
            )).path(auth::evidence(facts, first, node, format!("shows it to {readers}"))).fixes(offers(facts, node, &leaks)));
}

fn offers(facts: &Facts, node: usize, leaks: &[Leak]) -> Vec<crate::validate::Fix> {
    let redact = fixes::redact_fields(facts, node, leaks);
    let narrow = fixes::narrow_audience(facts, node, None);
    redact.into_iter().chain(narrow).collect()
}
