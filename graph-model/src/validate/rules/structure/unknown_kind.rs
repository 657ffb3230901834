//! STRUCT-001: a node of a kind that the catalog does not have.

use crate::validate::Step;
use crate::validate::design::NodeIx;
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::rules::declare_rule;

declare_rule! {
    /// Finds nodes of a kind that this version does not know.
    /// ## Why is this bad
    /// A kind says what a node does with an event. Without it nothing can run here, and nothing can
    /// be said about what lies behind. The rest of the flow is still checked.
    /// ## When is this fine
    /// Never; the file may come from a newer version, which can run it.
    /// ## Example
    /// in: manual -> out: viewer
    /// ## Use instead
    /// in: manual -> out: view
    /// ## Near miss
    /// spare: view
    code = "STRUCT-001", name = "unknown-kind", severity = Error, since = "0.1.0",
    check = Node(check),
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let view = &design.nodes[node];
    if view.kind.is_some() || view.gone {
        return;
    }
    let message = format!(
        "the kind `{}` of {} is not known; replace the node",
        view.node.kind, view.id
    );
    findings.add(Found::node(&view.id, message).path(vec![Step::node(
        &view.id,
        format!("is of kind `{}`", view.node.kind),
    )]));
}
