//! ORDER-005: the time at which an event is handled decides what becomes of it.

use crate::catalog::{Behaviour, Observation};
use crate::validate::design::NodeIx;
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::fixes;
use crate::validate::rules::declare_rule;
use crate::validate::rules::delivery::way_from;

declare_rule! {
    /// Finds results that are kept and depend on when events were handled, not on when they happened.
    /// ## Why is this bad
    /// Replay the same events tomorrow and you get another answer. A busy hour, a restart or a slower
    /// machine is enough to move an event to the other side of the line. No test holds for long, because
    /// no two runs are alike.
    /// ## When is this fine
    /// When the question is about this moment and nobody asks again: then assume `nondeterministic`.
    /// ## Perturbation
    /// Other timing: the same events, handled later, leave another result.
    /// ## Example
    /// in: replay(file=orders.jsonl) -> due: filter(when=.due < $now) -> rows: table(table=due)
    /// ## Use instead
    /// in: replay(file=orders.jsonl) -> due: filter(when=.due < ($event.time | fromdate)) -> rows: table(table=due)
    /// ## Near miss
    /// in: replay(file=orders.jsonl) -> once: dedupe(ttl=1h) -> rows: table(table=orders, columns={"order": ".order", "kept_at": "$now"})
    /// once -> due: filter(when=.due < $now) -> seen: view
    /// ## Source
    /// Apache Flink, Timely stream processing: processing time is not deterministic
    code = "ORDER-005", name = "wall-clock-decides", severity = Warning, since = "0.1.0",
    check = Node(check),
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let (Some((view, behaviour)), Some(port)) = (design.acting(node), facts.input(node)) else {
        return;
    };
    let keeps = match behaviour {
        Behaviour::Table { .. } | Behaviour::Bucket { .. } | Behaviour::Effect { .. } => true,
        Behaviour::Observe { observation } => {
            matches!(observation, Observation::Metric | Observation::Export)
        }
        _ => false,
    };
    let own = design.asks_the_time(node).then_some(node);
    let Some(by) = port.doubts.clock.or(own).filter(|_| keeps) else {
        return;
    };
    if ["nondeterministic"]
        .iter()
        .any(|what| facts.assumed(by, what) || facts.assumed(node, what))
    {
        return;
    }
    let (title, at) = (design.title(node), design.title(by));
    let clock = &design.nodes[by];
    let field = clock
        .clock
        .and_then(|at| clock.kind.as_ref()?.config.get(at));
    let (cause, message) = match (
        field,
        facts.input(by).and_then(|port| port.doubts.read_time),
    ) {
        (None, Some(source)) => {
            let source = design.title(source);
            (
                format!("compares the times at which {source} read the events"),
                format!(
                    "{at} compares times of events, but {source} gives them the time at which it reads them, so {title} depends on when that was; name the field with the time in their type"
                ),
            )
        }
        (field, _) => {
            let field = field.map_or("expression", |field| &field.title);
            (
                format!("looks at the clock in its field {field}"),
                format!(
                    "{at} looks at the clock in its field {field}, so {title} depends on when events are handled; use the time of the event"
                ),
            )
        }
    };
    let effect = "is another one after a replay".to_owned();
    let found = Found::node(&clock.id, message)
        .path(way_from(facts, by, cause, node, effect))
        .affecting([view.id.clone()])
        .fixes(field.and_then(|field| fixes::use_event_time(design, by, field)));
    findings.add(found);
}
