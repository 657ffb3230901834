//! STRUCT-006: two wires between the same two ports.

use rustc_hash::FxHashMap;

use crate::id::PortRef;
use crate::validate::design::NodeIx;
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::rules::declare_rule;
use crate::validate::{Step, Subject, fixes};

declare_rule! {
    /// Finds ports that are joined by more than one wire.
    /// ## Why is this bad
    /// Every wire carries every event, so each event arrives twice. Whatever counts or charges does
    /// it twice. On the canvas the two wires look like one.
    /// ## When is this fine
    /// Never; make the second event on purpose, with a split.
    /// ## Example
    /// in: manual -> out: view
    /// in.out -> out.in
    /// ## Use instead
    /// in: manual -> out: view
    /// ## Near miss
    /// in: manual -> out: view
    /// in -> other: view
    code = "STRUCT-006", name = "double-wire", severity = Error, since = "0.1.0",
    check = Node(check),
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let outs = &design.nodes[node].outs;
    if outs.len() < 2 {
        return;
    }
    let mut seen: FxHashMap<(&PortRef, &PortRef), &str> = FxHashMap::default();
    for view in outs.iter().map(|edge| &design.edges[*edge]) {
        let ends = (&view.edge.from, &view.edge.to);
        let Some(first) = seen.get(&ends) else {
            seen.insert(ends, view.id.as_str());
            continue;
        };
        let (from, to) = ends;
        let message = format!(
            "{from} and {to} are joined twice, so each event arrives twice; remove one wire"
        );
        findings.add(
            Found::at(Subject::Edge(view.id.clone()), message)
                .path(vec![
                    Step {
                        place: Subject::Edge((*first).into()),
                        note: "carries each event".into(),
                    },
                    Step {
                        place: Subject::Edge(view.id.clone()),
                        note: "carries it again".into(),
                    },
                ])
                .fixes(vec![fixes::remove_wire(design, &view.id)]),
        );
    }
}
