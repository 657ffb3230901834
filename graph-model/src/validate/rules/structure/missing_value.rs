//! STRUCT-002: a required field without a value.

use super::at_field;
use crate::catalog::FieldProblem;
use crate::validate::design::NodeIx;
use crate::validate::diagnostic::RuleFindings;
use crate::validate::facts::Facts;
use crate::validate::rules::declare_rule;

declare_rule! {
    /// Finds nodes whose configuration lacks something that they cannot run without.
    /// ## Why is this bad
    /// The node does not know what to do. The flow does not start until it does. Hazards around it
    /// may be hidden.
    /// ## When is this fine
    /// While you are drawing.
    /// ## Example
    /// in: manual -> out: table
    /// ## Use instead
    /// in: manual -> out: table(table=orders)
    /// ## Near miss
    /// in: manual -> out: view
    code = "STRUCT-002", name = "missing-value", severity = Error, since = "0.1.0",
    check = Node(check),
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let view = &design.nodes[node];
    for (field, problem) in &view.problems {
        let (FieldProblem::Missing, Some(kind)) = (problem, &view.kind) else {
            continue;
        };
        let field = &kind.config[*field];
        let message = format!("{}: {} needs a value", design.title(node), field.title);
        findings.add(at_field(view, &field.name, message, "is empty"));
    }
}
