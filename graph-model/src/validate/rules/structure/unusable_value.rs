//! STRUCT-003: a field holds what it cannot use.

use super::at_field;
use crate::catalog::FieldProblem;
use crate::validate::design::NodeIx;
use crate::validate::diagnostic::RuleFindings;
use crate::validate::facts::Facts;
use crate::validate::fixes;
use crate::validate::rules::declare_rule;

declare_rule! {
    /// Finds config values and declarations of the wrong type or outside their range.
    /// ## Why is this bad
    /// The node cannot read its configuration. The flow does not start until it can. A guess would
    /// hide the mistake.
    /// ## When is this fine
    /// Never.
    /// ## Example
    /// in: manual -> lane: queue(visibility=soon) -> out: view
    /// ## Use instead
    /// in: manual -> lane: queue(visibility=30s) -> out: view
    /// ## Near miss
    /// in: manual -> lane: queue(unheard_of=soon) -> out: view
    code = "STRUCT-003", name = "unusable-value", severity = Error, since = "0.1.0",
    check = Node(check),
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let view = &design.nodes[node];
    for (field, problem) in &view.problems {
        let (FieldProblem::Invalid(problem), Some(kind)) = (problem, &view.kind) else {
            continue;
        };
        let field = &kind.config[*field];
        let message = format!("{}: {}: {problem}", design.title(node), field.title);
        let found = at_field(view, &field.name, message, "is set to it");
        findings.add(found.fixes(fixes::use_default(design, node, field)));
    }
    for (field, problem) in &view.misdeclared {
        let message = format!("{}: {}: {problem}", design.title(node), field.title);
        let found = at_field(view, &field.name, message, "is declared so");
        findings.add(found.fixes([fixes::undeclare(design, node, field)]));
    }
}
