//! STRUCT-008: an audience that names a role which the document does not declare.

use crate::validate::Step;
use crate::validate::design::NodeIx;
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::rules::declare_rule;

declare_rule! {
    /// Finds audiences with roles that are not declared.
    /// ## Why is this bad
    /// A role that nobody declared is held by nobody. The audience is then smaller than it reads, or
    /// a misspelt role grants nothing. Whether it lies outside the organisation is unknown.
    /// ## When is this fine
    /// Never.
    /// ## Example
    /// role finance
    /// in: manual -> out: view @finanse
    /// ## Use instead
    /// role finance
    /// in: manual -> out: view @finance
    /// ## Near miss
    /// role finance
    /// in: manual -> out: view
    code = "STRUCT-008", name = "unknown-reader", severity = Error, since = "0.1.0",
    check = Node(check),
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let view = &design.nodes[node];
    let notes = &view.node.notes;
    let audiences = notes.audience.iter().chain(notes.side_audiences.values());
    let mut roles: Vec<_> = audiences
        .flat_map(|audience| &audience.roles)
        .filter(|role| !design.document.roles.contains_key(*role))
        .collect();
    roles.sort();
    roles.dedup();
    for role in roles {
        let title = design.title(node);
        let message = format!(
            "{title} is shown to the role `{role}`, which is not declared; declare it or choose another"
        );
        findings.add(
            Found::node(&view.id, message)
                .detail(role.as_str())
                .path(vec![Step::node(
                    &view.id,
                    format!("names the role `{role}`"),
                )]),
        );
    }
}
