//! PART-002: streams that are placed differently meet in one group.

use crate::catalog::Behaviour;
use crate::validate::design::NodeIx;
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::facts::delivery::Part;
use crate::validate::rules::declare_rule;
use crate::validate::rules::delivery::meeting;
use crate::validate::{Subject, fixes};

declare_rule! {
    /// Finds aggregates over streams that met without being placed by the same key, the same way.
    /// ## Why is this bad
    /// Events are matched only inside one partition. Streams with another key, or another number of
    /// partitions, bring what belongs together to different places. Half of the matches never
    /// happen, and no error says so.
    /// ## When is this fine
    /// When the streams have no group in common.
    /// ## Perturbation
    /// Other partitioning: with one partition and with several, what meets differs.
    /// ## Example
    /// a: manual -> la: log(key=.order, partitions=4) -> both: merge -> sum: aggregate(group=.order, aggregates=[{"name": "top", "function": "max", "of": ".total"}]) -> out: view
    /// b: manual -> lb: log(key=.order, partitions=8) -> both
    /// ## Use instead
    /// a: manual -> la: log(key=.order, partitions=4) -> both: merge -> sum: aggregate(group=.order, aggregates=[{"name": "top", "function": "max", "of": ".total"}]) -> out: view
    /// b: manual -> lb: log(key=.order, partitions=4) -> both
    /// ## Near miss
    /// a: manual -> la: log(key=.order, partitions=4) -> both: merge -> again: repartition(key=.order) -> sum: aggregate(group=.order, aggregates=[{"name": "top", "function": "max", "of": ".total"}]) -> out: view
    /// b: manual -> lb: log(key=.order, partitions=8) -> both
    /// ## Source
    /// Kafka Streams, join co-partitioning requirements
    code = "PART-002", name = "unlike-partitions", severity = Error, since = "0.1.0",
    check = Node(check),
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let Some((view, behaviour)) = design.acting(node) else {
        return;
    };
    let (Behaviour::Aggregate { .. }, Some(port)) = (behaviour, facts.input(node)) else {
        return;
    };
    let Part::Mixed { at } = port.part else {
        return;
    };
    let (title, place) = (design.title(node), design.title(at));
    findings.add(Found::at(Subject::Node(view.id.clone()), format!(
                "the streams that meet at {place} are placed differently, so {title} misses what belongs together; repartition in front of it"
            )).path(meeting(facts, at, node, "folds them as if they were together".into())).fixes(fixes::bring_together(facts, node, None)));
}
