//! DELIV-003: events vanish without a trace on their way to a place that needs all of them.

use crate::catalog::Behaviour;
use crate::document::WhenFull;
use crate::validate::design::{Design, EdgeIx, NodeIx};
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::facts::delivery::Losing;
use crate::validate::rules::declare_rule;
use crate::validate::rules::delivery::way_from;
use crate::validate::{Severity, Step, Subject, fixes};
use crate::value::Value;

declare_rule! {
    /// Finds places where events vanish, in front of tables, effects and others that need every one.
    /// ## Why is this bad
    /// Nothing failed, nothing is among the dead letters, and the order is gone. A full wire or an
    /// answer that is given too early drops it, and nobody is left who would send it again. The gap is
    /// found by the customer.
    /// ## When is this fine
    /// When newer events make up for lost ones: then assume `may_lose` of the sink.
    /// ## Perturbation
    /// Load or a crash: events that wait on the wire, or that were answered for, are gone.
    /// ## Example
    /// in: replay(file=orders.jsonl) ->? orders: table(table=orders)
    /// ## Use instead
    /// in: replay(file=orders.jsonl) -> orders: table(table=orders)
    /// ## Near miss
    /// in: replay(file=orders.jsonl) -> orders: table(table=orders)
    /// in ->? seen: view
    /// ## Source
    /// RabbitMQ, Queue length limit: the oldest messages are dropped by default
    code = "DELIV-003", name = "silent-loss", severity = Error, since = "0.1.0",
    check = Node(check),
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let (Some((view, behaviour)), Some(port)) = (design.acting(node), facts.input(node)) else {
        return;
    };
    let declared = design
        .declared(node, "must_not_lose")
        .and_then(Value::as_bool);
    let needs = declared.unwrap_or(matches!(
        behaviour,
        Behaviour::Table { .. } | Behaviour::Effect { .. } | Behaviour::Bucket { .. }
    ));
    if !needs || facts.assumed(node, "may_lose") {
        return;
    }
    let title = design.title(node);
    let effect = "never hears of what vanished";
    let Some(losing) = port.losing else {
        if declared == Some(true)
            && let Some(held) = held_in_memory(facts, node, effect)
        {
            findings.add(held);
        }
        return;
    };
    let found = match losing {
        Losing::Node(by) => {
            let loses = design.title(by);
            let cause = "may lose events without a trace".to_owned();
            let message = format!(
                "{loses} {cause}, and {title} needs every one; answer for an event only when it is safe"
            );
            Found::node(&design.nodes[by].id, message)
                .path(way_from(facts, by, cause, node, effect.to_owned()))
                .fixes([fixes::keep_events(design, by)])
        }
        Losing::Wire { from, to } => {
            let Some(edge) = wire(design, from, to) else {
                return;
            };
            let (sends, takes) = (design.title(from), design.title(to));
            let message = format!(
                "the wire from {sends} to {takes} drops the oldest event when it is full, and {title} needs every one; let {sends} wait"
            );
            let at = Subject::Edge(design.edges[edge].id.clone());
            let mut path = vec![Step {
                place: at.clone(),
                note: "drops the oldest event when it is full".to_owned(),
            }];
            let cause = format!("passes through {takes}");
            path.extend(way_from(facts, to, cause, node, effect.to_owned()));
            Found::at(at, message)
                .path(path)
                .fixes([fixes::wait_when_full(design, edge)])
        }
    };
    findings.add(found.affecting([view.id.clone()]));
}

/// What waits for others is taken over from the channel behind it, and gone with the process. That is
/// asked of a place only where somebody says that it needs every event: who orders or joins events knows
/// that they wait.
fn held_in_memory(facts: &Facts, node: NodeIx, effect: &str) -> Option<Found> {
    let design = &*facts.design;
    let holds = |at: NodeIx| {
        let behaviour = design.acting(at).map(|(_, behaviour)| behaviour);
        at != node
            && matches!(
                behaviour,
                Some(Behaviour::Join { .. } | Behaviour::Resequence { .. })
            )
    };
    let way = design.trace(node, |_| true, holds);
    let by = design.edges[*way.first()?].from;
    let (title, holder) = (design.title(node), design.title(by));
    let cause = "holds events in memory until others come, and they are gone when the process ends";
    let message = format!(
        "{holder} {cause}, and {title} must not lose any; store the events in front of {holder} as well"
    );
    let at = Subject::Node(design.nodes[by].id.clone());
    let path = design.steps((by, cause.to_owned()), &way, (node, effect.to_owned()));
    let found = Found::at(at, message)
        .path(path)
        .severity(Severity::Warning)
        .affecting([design.nodes[node].id.clone()]);
    Some(found)
}

/// The wire between two nodes that drops events.
fn wire(design: &Design, from: NodeIx, to: NodeIx) -> Option<EdgeIx> {
    let mut edges = design.nodes[to].ins.iter().copied();
    edges.find(|edge| {
        let view = &design.edges[*edge];
        view.from == from && view.edge.when_full == WhenFull::DropOldest
    })
}
