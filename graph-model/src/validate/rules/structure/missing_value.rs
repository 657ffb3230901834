//! STRUCT-002: a required field without a value.

use crate::catalog::FieldProblem;
use crate::validate::design::NodeIx;
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::rules::declare_rule;
use crate::validate::{Step, Subject};

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
        let title = design.title(node);
        findings.add(
            Found::at(
                Subject::Node(view.id.clone()),
                format!("{title}: {} needs a value", field.title),
            )
            .detail(field.name.clone())
            .path(vec![Step::node(
                &view.id,
                format!("`{}` is empty", field.name),
            )]),
        );
    }
}
