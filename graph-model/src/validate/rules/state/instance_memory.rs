//! STATE-001: what the business depends on is kept where the platform may drop it.

use super::noticed_by;
use crate::catalog::Behaviour;
use crate::validate::design::{CodeState, NodeIx};
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::facts::delivery::Part;
use crate::validate::rules::declare_rule;
use crate::validate::{Severity, Step, fixes};

declare_rule! {
    /// Finds functions that answer from what one of their instances remembers.
    /// ## Why is this bad
    /// The platform starts, copies and ends instances as it likes, and each of them has a memory of
    /// its own. What one has counted, the next one does not know, and after a pause nobody knows it.
    /// Tests do not show it, because they run against one instance that stays.
    /// ## When is this fine
    /// When it is a cache and nothing is missed when it is empty: then declare the state as `cache`.
    /// ## Perturbation
    /// Two instances that take turns, or a new instance between two events: the answers differ from
    /// those of one instance.
    /// ## Example
    /// in: manual -> limit: function(component=limit.wasm) ^state=instance ^instances=8 -> out: view
    /// ## Use instead
    /// in: manual -> limit: function(component=limit.wasm) ^state=keyed ^instances=8 -> out: view
    /// ## Near miss
    /// in: manual -> limit: function(component=limit.wasm) ^state=cache ^cache_key=.account ^instances=8 -> out: view
    /// ## Source
    /// A. Jangda, D. Pinckney, Y. Brun, A. Guha: Formal foundations of serverless computing, OOPSLA
    /// 2019 (a function is safe when its results do not depend on whether instances are reused).
    /// AWS: Lambda developer guide, execution environments (they are ended at any time)
    code = "STATE-001", name = "state-in-instance-memory", severity = Error, since = "0.1.0",
    check = Node(check),
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let Some((view, Behaviour::Opaque { .. })) = design.acting(node) else {
        return;
    };
    if design.code_state(node) != Some(CodeState::Instance) {
        return;
    }
    let title = design.title(node);
    let several = several_instances(facts, node);
    let noticed = noticed_by(design, node);
    let mut path = Vec::new();
    if let Some((by, how)) = several {
        let place = &design.nodes[by].id;
        if by == node {
            path.push(Step::node(place, how));
        } else {
            path.push(Step::node(place, how));
            path.push(Step::node(&view.id, "remembers it in the one that got it"));
        }
    } else {
        path.push(Step::node(
            &view.id,
            "forgets when the platform starts another instance in its place",
        ));
    }
    let message = match &noticed {
        Some((by, _)) => format!(
            "{title} answers from the memory of one instance, and {} takes that for the truth; \
             keep the state by key in a store",
            design.title(*by)
        ),
        None => format!(
            "{title} keeps what it knows in the memory of one instance; keep it by key in a store"
        ),
    };
    let mut found = Found::node(&view.id, message)
        .fixes(fixes::keep_by_key(facts, node))
        .severity(Severity::Error);
    match noticed {
        Some((by, way)) => {
            let effect = "gets another answer from another instance".to_owned();
            let cause = "answers from what this instance remembers".to_owned();
            path.extend(design.steps((node, cause), &way, (by, effect)));
            found = found.affecting([design.nodes[by].id.clone()]);
        }
        None => found = found.severity(Severity::Warning),
    }
    findings.add(found.path(path));
}

/// Who spreads events over instances of a node, and how.
fn several_instances(facts: &Facts, node: NodeIx) -> Option<(NodeIx, String)> {
    let design = &*facts.design;
    match facts.input(node).map(|port| &port.part) {
        Some(Part::Hash { count, by, .. } | Part::Any { count, by }) if *count > 1 => {
            return Some((*by, format!("spreads events over {count} instances")));
        }
        _ => {}
    }
    let instances = design.declared_number(node, "instances")?;
    (instances > 1.0).then(|| {
        (
            node,
            format!("works in up to {instances} instances at once"),
        )
    })
}
