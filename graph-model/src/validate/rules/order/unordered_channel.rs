//! ORDER-001: a step depends on order, and a channel does not keep it.

use crate::validate::design::NodeIx;
use crate::validate::diagnostic::RuleFindings;
use crate::validate::facts::Facts;
use crate::validate::facts::delivery::Loss;
use crate::validate::rules::{declare_rule, order};

declare_rule! {
    /// Finds steps that depend on which event comes first or last, or on each result before the last, behind
    /// something that keeps no order.
    /// ## Why is this bad
    /// Shipped can arrive before created. If the result depends on who came last, the network
    /// decides your data. It goes well in every test, because tests are not under load.
    /// ## When is this fine
    /// When later events never contradict earlier ones: then assume `ordered`, and every run tests
    /// that.
    /// ## Perturbation
    /// Reordering: two events of one key, delivered the other way round, leave another result.
    /// ## Example
    /// in: manual -> lane: queue -> once: dedupe -> latest: table(table=latest, key=.sensor)
    /// ## Use instead
    /// in: manual -> lane: queue(group=.sensor) -> once: dedupe -> latest: table(table=latest, key=.sensor)
    /// ## Near miss
    /// in: manual -> lane: queue(concurrency=4) -> apart: repartition(key=.sensor, partitions=4) -> news: version_guard(key=.sensor, version=.reading) -> latest: table(table=latest, key=.sensor)
    /// ## Source
    /// Amazon SQS, Standard queues: best-effort ordering
    code = "ORDER-001", name = "unordered-channel", severity = Error, since = "0.1.0",
    check = Node(check),
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let ours = |loss| {
        matches!(
            loss,
            Loss::Source | Loss::Channel | Loss::Names | Loss::Code
        )
    };
    order::report(facts, node, findings, ours);
}
