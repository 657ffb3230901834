//! STRUCT-007: an event type that the document does not declare.

use crate::validate::design::NodeIx;
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::rules::declare_rule;
use crate::validate::{Step, fixes};

declare_rule! {
    /// Finds nodes that name an event type which is not declared.
    /// ## Why is this bad
    /// The type says which fields an event has and who may read them. Without it shapes and labels
    /// are not checked behind this node. A misspelt name switches the checks off silently.
    /// ## When is this fine
    /// Never; leave the field empty when the shape is not known.
    /// ## Example
    /// type order: id string
    /// in: manual(event_type=ordr) -> out: view
    /// ## Use instead
    /// type order: id string
    /// in: manual(event_type=order) -> out: view
    /// ## Near miss
    /// type order: id string
    /// in: manual -> out: view
    code = "STRUCT-007", name = "unknown-type", severity = Error, since = "0.1.0",
    check = Node(check),
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let view = &design.nodes[node];
    let Some(kind) = &view.kind else { return };
    let mut told = None;
    for (field, ty) in kind.types_of(&view.node) {
        // One thing at a time of each field.
        let again = told == Some(&field.name);
        if again || design.document.types.contains_key(ty) {
            continue;
        }
        told = Some(&field.name);
        let title = design.title(node);
        let message = format!(
            "{title} names the event type `{ty}`, which is not declared; declare it or choose another"
        );
        findings.add(
            Found::node(&view.id, message)
                .detail(field.name.clone())
                .path(vec![Step::node(
                    &view.id,
                    format!("`{}` names `{ty}`", field.name),
                )])
                .fixes(vec![fixes::clear_field(design, node, field)]),
        );
    }
}
