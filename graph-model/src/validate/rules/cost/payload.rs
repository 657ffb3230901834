//! COST-004: events are larger than what carries them.

use crate::catalog::Behaviour;
use crate::validate::design::NodeIx;
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::facts::size::bytes;
use crate::validate::rules::declare_rule;
use crate::validate::{Step, Subject, fixes};

declare_rule! {
    /// Finds channels and sinks that may get larger events than they take.
    /// ## Why is this bad
    /// It fits until somebody attaches a photo. Then the channel refuses the event, and whoever sent it
    /// has no other way. Trying again does not make it smaller.
    /// ## When is this fine
    /// When such events never come in practice: then declare the size that they have at most.
    /// ## Perturbation
    /// The largest event that the types allow: it is refused.
    /// ## Example
    /// type report(id=/id, size_max=2 MiB): id string, text string
    /// in: replay(file=a.jsonl, event_type=report) -> lane: queue ^payload_limit=1MiB -> out: view
    /// ## Use instead
    /// type report(id=/id, size_max=2 MiB): id string, text string
    /// in: replay(file=a.jsonl, event_type=report) -> keep: bucket(name=$event.id) -> claim: map(expr={claim: $event.id}) -> lane: queue ^payload_limit=1MiB -> out: view
    /// ## Near miss
    /// type report(id=/id, size_max=2 MiB): id string, text string
    /// in: replay(file=a.jsonl, event_type=report) -> pack: function(component=pack.wasm) ^growth=0.4 -> lane: queue ^payload_limit=1MiB -> out: view
    /// ## Source
    /// AWS: service models of botocore 1.44.5 (SQS takes 1,048,576 bytes), SNS quotas, read 2026-10-01
    /// (262,144 bytes). G. Hohpe, B. Woolf: Enterprise integration patterns, claim check
    code = "COST-004", name = "payload-over-limit", severity = Error, since = "0.1.0",
    check = Node(check),
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let Some((view, _)) = design.acting(node) else {
        return;
    };
    let own = design.declared_bytes(node, "payload_limit");
    let limit = match own {
        Some(own) => Some(own),
        None if design.is_channel(node) => design.budget_bytes("payload"),
        None => None,
    };
    let Some((limit, port)) = limit.zip(facts.input(node)) else {
        return;
    };
    let title = design.title(node);
    let Some(size) = port.size else {
        let lost = facts.size_lost_at(node);
        if let Some(lost) = lost {
            let reason = format!(
                "nobody says how large events are behind {}; declare its growth",
                design.title(lost)
            );
            findings.unchecked(Subject::Node(design.nodes[lost].id.clone()), reason);
        } else if let (Some(_), Some(ty)) = (own, &port.payload.ty) {
            let reason =
                format!("{title} has a limit, and nobody says how large `{ty}` is; declare it");
            findings.unchecked(Subject::Type(ty.clone()), reason);
        }
        return;
    };
    if size <= limit {
        return;
    }
    let made = |at: NodeIx| {
        at != node
            && matches!(
                design.behaviour(at),
                Some(Behaviour::Source { .. } | Behaviour::Changes { .. })
            )
    };
    let large = |edge| {
        facts
            .edge(edge)
            .is_some_and(|port| port.size.is_some_and(|size| size > 0))
    };
    let way = design.trace(node, large, made);
    let mut path = Vec::new();
    let mut before = None;
    for edge in &way {
        let size = facts.edge(*edge).and_then(|port| port.size);
        let Some(size) = size.filter(|size| Some(*size) != before) else {
            continue;
        };
        let note = match before {
            None => format!("sends events of up to {}", bytes(size)),
            Some(smaller) if smaller < size => format!("makes them {} large", bytes(size)),
            Some(_) => format!("makes them no larger than {}", bytes(size)),
        };
        path.push(Step {
            place: Subject::Port(design.edges[*edge].edge.from.clone()),
            note,
        });
        before = Some(size);
    }
    path.push(Step::node(
        &view.id,
        format!("takes {} at most", bytes(limit)),
    ));
    let message = format!(
        "{title} gets events of up to {} and takes {}; keep the payload elsewhere and send a claim for it",
        bytes(size),
        bytes(limit)
    );
    findings.add(
        Found::node(&view.id, message)
            .path(path)
            .fixes(fixes::check_in(design, node)),
    );
}
