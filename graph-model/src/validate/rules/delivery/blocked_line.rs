//! DELIV-007: one event that cannot be handled stops all that come behind it.

use super::in_words;
use crate::catalog::Behaviour;
use crate::validate::design::NodeIx;
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::facts::redelivery::ATTEMPTS;
use crate::validate::rules::declare_rule;
use crate::validate::{Step, fixes};

declare_rule! {
    /// Finds channels that keep order and try a bad event again for more than an hour.
    /// ## Why is this bad
    /// In a line that keeps its order nobody passes the one in front. An event that no attempt can mend
    /// stands there until the attempts run out, and all healthy events of its key or partition wait.
    /// Nothing looks broken, only quiet.
    /// ## When is this fine
    /// When nothing may go on without this event: then accept the hazard, and watch the line.
    /// ## Perturbation
    /// Failure: one event that cannot be handled, and nothing behind it arrives.
    /// ## Example
    /// in: manual -> all: log(key=.customer, partitions=4, max_attempts=1000) -> orders: table(table=orders)
    /// ## Use instead
    /// in: manual -> all: log(key=.customer, partitions=4, max_attempts=5) -> orders: table(table=orders)
    /// all.failed -> bad: dead_letter
    /// ## Near miss
    /// in: manual -> lane: queue(max_attempts=1000, concurrency=4) -> orders: table(table=orders)
    /// ## Source
    /// AWS Lambda, event source mappings of Kinesis and DynamoDB: retried until the record expires by default
    code = "DELIV-007", name = "blocked-line", severity = Error, since = "0.1.0",
    check = Node(check),
}

/// Longest time that a line may stand for one event.
const STANDS_MS_MAX: i64 = 3_600_000;

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let Some((view, behaviour)) = design.acting(node) else {
        return;
    };
    let place = match behaviour {
        Behaviour::Log { key, .. } => match design.text(node, key) {
            Some(key) => format!("its partition of `{key}`"),
            None => "the line".to_owned(),
        },
        Behaviour::Queue {
            fifo: Some(group), ..
        } => match design.text(node, group) {
            Some(group) => format!("its `{group}`"),
            None => return,
        },
        _ => return,
    };
    let Some(stands) = design.paused_for(node).filter(|ms| *ms > STANDS_MS_MAX) else {
        return;
    };
    let (title, stands) = (design.title(node), in_words(stands));
    let message = format!(
        "an event that cannot be handled holds up {place} in {title} for {stands}; give it up after a few attempts"
    );
    let mut path = vec![Step::node(
        &view.id,
        format!("tries a bad event again for {stands}, in its place"),
    )];
    if let Some(edge) = view.outs.iter().find(|edge| design.edges[**edge].main) {
        let reader = design.edges[*edge].to;
        let note = "gets nothing that comes behind it".to_owned();
        path.push(Step::node(&design.nodes[reader].id, note));
    }
    let found = Found::node(&view.id, message)
        .path(path)
        .fixes(fixes::give_up_sooner(design, node, ATTEMPTS));
    findings.add(found);
}
