//! AUTH-002: people see what belongs to somebody else.

use std::collections::BTreeMap;

use super::{self as auth, Why};
use crate::validate::design::NodeIx;
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::fixes;
use crate::validate::rules::declare_rule;

declare_rule! {
    /// Finds places where people may see what is theirs, but nothing compares them with the owner.
    /// ## Why is this bad
    /// That patients may see claims means their own claims. The check of the role passes for
    /// everyone who has it, so one patient reads what belongs to another. The owner in the event has
    /// to be compared with the viewer each time somebody looks.
    /// ## When is this fine
    /// When all people with the role may see all events: then name the role in the label.
    /// ## Perturbation
    /// Another subject: with another value in a row of one person, another person of the same role sees
    /// something else.
    /// ## Example
    /// role patients external
    /// principal ana(patients): patient_id=p-1
    /// type claim: patient_id string {org | subject:/patient_id}, amount number {subject:/patient_id}
    /// in: manual(event_type=claim) -> portal: view @patients
    /// ## Use instead
    /// role patients external
    /// principal ana(patients): patient_id=p-1
    /// type claim: patient_id string {org | subject:/patient_id}, amount number {subject:/patient_id}
    /// in: manual(event_type=claim) -> own: guard(field=/patient_id, claim=patient_id) -> portal: view @patients
    /// ## Near miss
    /// role patients external
    /// principal ana(patients): patient_id=p-1
    /// type claim: patient_id string {org | subject:/patient_id}, amount number {subject:/patient_id}
    /// in: manual(event_type=claim) -> short: map(expr={who: .patient_id, sum: .amount}) -> portal: view @patients[patient_id = /who]
    /// ## Source
    /// OWASP API Security Top 10, API1: broken object level authorization
    code = "AUTH-002", name = "somebody-elses-row", severity = Error, since = "0.1.0",
    check = Node(check),
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let Some((port, place)) = auth::leaking_place(facts, node) else {
        return;
    };
    // One finding for each owner that nothing compares: where streams met, there may be several.
    let mut owners = BTreeMap::new();
    for leak in auth::leaks(facts, port, &place) {
        if let Why::SomebodyElses(owner) = leak.why
            && let Some(field) = facts.place_of_owner(owner, port)
        {
            owners.entry(field).or_insert_with(Vec::new).push(leak);
        }
    }
    let title = facts.design.title(node);
    let readers = facts.readers(place.audience);
    for (field, leaks) in owners {
        let fields = auth::list(&leaks);
        let message = format!(
            "{title} shows {fields} of everybody to all {readers}, because nothing compares `{field}` with the viewer; put a guard in front"
        );
        findings.add(
            Found::node(&facts.design.nodes[node].id, message)
                .detail(field.to_string())
                .path(auth::evidence(
                    facts,
                    &leaks[0],
                    node,
                    format!("shows it to {readers} without comparing `{field}`"),
                ))
                .assuming_any(auth::assumed(facts, &leaks[0], node))
                .fixes(fixes::compare_owner(facts, node, &field, &place)),
        );
    }
}
