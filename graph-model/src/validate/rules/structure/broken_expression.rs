//! STRUCT-004: an expression that cannot be read.

use crate::catalog::FieldProblem;
use crate::validate::Step;
use crate::validate::design::NodeIx;
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::rules::declare_rule;

declare_rule! {
    /// Finds jq expressions that cannot be compiled.
    /// ## Why is this bad
    /// The node does not know what to compute. The flow does not start until it does. Nothing is
    /// known of what leaves the node.
    /// ## When is this fine
    /// Never.
    /// ## Example
    /// in: manual -> big: filter(when=.total >) -> out: view
    /// ## Use instead
    /// in: manual -> big: filter(when=.total > 10) -> out: view
    /// ## Near miss
    /// in: manual -> big: filter(when=.missing.entirely) -> out: view
    code = "STRUCT-004", name = "broken-expression", severity = Error, since = "0.1.0",
    check = Node(check),
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let view = &design.nodes[node];
    for (field, problem) in &view.problems {
        let (FieldProblem::Expression { place, error }, Some(kind)) = (problem, &view.kind) else {
            continue;
        };
        let field = &kind.config[*field];
        let title = design.title(node);
        let place = if place.is_empty() {
            field.title.to_string()
        } else {
            format!("{}, {place}", field.title)
        };
        findings.add(
            Found::node(&view.id, format!("{title}: {place}: {error}"))
                .detail(field.name.clone())
                .path(vec![Step::node(
                    &view.id,
                    format!(
                        "line {}, column {} of `{}`",
                        error.line, error.column, field.name
                    ),
                )]),
        );
    }
}
