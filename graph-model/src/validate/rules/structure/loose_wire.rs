//! STRUCT-005: a wire that starts or ends at nothing.

use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::rules::declare_rule;
use crate::validate::{Step, Subject, fixes};

declare_rule! {
    /// Finds wires whose node or port is not there.
    /// ## Why is this bad
    /// A wire carries events only from an output to an input that are there. Events would leave and
    /// never arrive. A renamed port is the usual cause.
    /// ## When is this fine
    /// Never.
    /// ## Example
    /// in: manual -> out: view
    /// in.orders -> out
    /// ## Use instead
    /// in: manual -> out: view
    /// ## Near miss
    /// by: route(routes={"orders": ".a"}) -> out: view
    /// by.orders -> other: view
    /// in: manual -> by
    code = "STRUCT-005", name = "loose-wire", severity = Error, since = "0.1.0",
    check = Whole(check),
}

fn check(facts: &Facts, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    for (id, edge) in design.loose() {
        for (end, output) in [(&edge.from, true), (&edge.to, false)] {
            let message = match design.find(&end.node) {
                None => format!("the wire ends at {end}, but there is no such node; remove it"),
                Some(node) => {
                    let view = &design.nodes[node];
                    let Some(kind) = &view.kind else { continue };
                    let (role, word) = if output {
                        (kind.output_role(&view.node, &end.port), "output")
                    } else {
                        (kind.input_role(&view.node, &end.port), "input")
                    };
                    if role.is_some() {
                        continue;
                    }
                    format!(
                        "the wire ends at {end}, but {} has no such {word}; connect it again or remove it",
                        end.node
                    )
                }
            };
            findings.add(
                Found::at(Subject::Edge(id.clone()), message)
                    .detail(if output { "from" } else { "to" })
                    .path(vec![Step {
                        place: Subject::Port(end.clone()),
                        note: "is not there".into(),
                    }])
                    .fixes(vec![fixes::remove_wire(design, id)]),
            );
        }
    }
}
