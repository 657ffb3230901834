//! PART-001: the events of one group are folded in several places.

use crate::catalog::Behaviour;
use crate::validate::design::NodeIx;
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::facts::delivery::Part;
use crate::validate::rules::declare_rule;
use crate::validate::rules::delivery::{placing, way_from};
use crate::validate::{Subject, fixes};

declare_rule! {
    /// Finds aggregates whose groups are spread over several partitions or instances.
    /// ## Why is this bad
    /// An instance can only fold what it sees. If the group does not decide the partition, each
    /// partition keeps a total of its own, and the last one to write wins. The number is wrong on
    /// every run, and differently each time.
    /// ## When is this fine
    /// When the results are meant as parts, and a later step adds them up.
    /// ## Perturbation
    /// Other partitioning: with one partition and with several, the results of a group differ.
    /// ## Example
    /// in: manual -> lane: log(key=.order, partitions=4) -> sum: aggregate(group=.customer, aggregates=[{"name": "orders", "function": "max", "of": ".total"}]) -> out: view
    /// ## Use instead
    /// in: manual -> lane: log(key=.customer, partitions=4) -> sum: aggregate(group=.customer, aggregates=[{"name": "orders", "function": "max", "of": ".total"}]) -> out: view
    /// ## Near miss
    /// in: manual -> lane: log(key=.tenant, partitions=4) -> short: map(expr={t: .tenant, c: .customer}) -> sum: aggregate(group=[.t, .c], aggregates=[{"name": "orders", "function": "max", "of": ".total"}]) -> out: view
    code = "PART-001", name = "split-group", severity = Error, since = "0.1.0",
    check = Node(check),
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let Some((view, behaviour)) = design.acting(node) else {
        return;
    };
    let (Behaviour::Aggregate { group, .. }, Some(port)) = (behaviour, facts.input(node)) else {
        return;
    };
    let key = design.expr(node, group);
    let key = key.map(|key| facts.key(key, port)).unwrap_or_default();
    let (count, by) = match &port.part {
        Part::Hash {
            key: placed,
            count,
            by,
        } if !facts.determines(&key, placed) => (*count, *by),
        Part::Any { count, by } => (*count, *by),
        _ => return,
    };
    let title = design.title(node);
    let group = design.text(node, group).map_or_else(
        || "folds all events".to_owned(),
        |group| format!("folds by `{group}`"),
    );
    let how = placing(design, by);
    let placer = design.title(by);
    let cause = format!("places events {how} in {count} partitions");
    findings.add(Found::at(Subject::Node(view.id.clone()), format!(
                "{title} {group}, but {placer} places events {how}, so a group is counted in several of {count} places; repartition in front of it"
            )).path(way_from(facts, by, cause, node, format!("{group}, in each place apart"))).fixes(fixes::bring_together(facts, node, Some(by))));
}
