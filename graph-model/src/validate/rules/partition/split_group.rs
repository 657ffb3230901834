//! PART-001: the events of one group are folded in several places.

use super::{Keeper, PARTIAL, keeper_of};
use crate::catalog::Behaviour;
use crate::validate::design::NodeIx;
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::facts::delivery::Part;
use crate::validate::facts::numbers::{Column, Function, columns};
use crate::validate::fixes;
use crate::validate::rules::declare_rule;
use crate::validate::rules::delivery::{placing, way_from};

declare_rule! {
    /// Finds nodes that keep something for each group, whose groups are spread over several partitions
    /// or instances.
    /// ## Why is this bad
    /// An instance can only fold what it sees. If the group does not decide the partition, each
    /// partition keeps a total of its own, and the last one to write wins. The number is wrong on
    /// every run, and differently each time.
    /// ## When is this fine
    /// When the results are parts that a later step adds up: then assume `partial` of the node.
    /// ## Perturbation
    /// Other partitioning: with one partition and with several, the results of a group differ.
    /// ## Example
    /// in: manual -> lane: log(key=.order, partitions=4) -> sum: aggregate(group=.customer, aggregates=[{"name": "orders", "function": "max", "of": ".total"}]) -> out: view
    /// ## Use instead
    /// in: manual -> lane: log(key=.customer, partitions=4) -> sum: aggregate(group=.customer, aggregates=[{"name": "orders", "function": "max", "of": ".total"}]) -> out: view
    /// ## Near miss
    /// in: manual -> lane: log(key=.tenant, partitions=4) -> short: map(expr={t: .tenant, c: .customer}) -> sum: aggregate(group=[.t, .c], aggregates=[{"name": "orders", "function": "max", "of": ".total"}]) -> out: view
    /// ## Source
    /// Apache Flink, keyed streams; Kafka Streams, repartitioning before grouping
    code = "PART-001", name = "split-group", severity = Error, since = "0.1.0",
    check = Node(check),
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let Some((view, behaviour)) = design.acting(node) else {
        return;
    };
    let Some(keeper) = keeper_of(facts, node) else {
        return;
    };
    // Where no events come, seals alone are answered.
    let sealed = match behaviour {
        Behaviour::Decide { seal_key, .. } => facts.second(node).map(|port| (&**seal_key, port)),
        _ => None,
    };
    let events = facts.input(node).map(|port| (keeper.key, port));
    let Some((by_key, port)) = events.or(sealed) else {
        return;
    };
    let (Part::Hash { count, by, .. } | Part::Any { count, by }) = port.part else {
        return;
    };
    let key = design.expr(node, by_key);
    let key = key.map(|key| facts.key(key, port)).unwrap_or_default();
    if facts.in_one_place(&key, port) || is_partial(facts, node) {
        return;
    }
    let title = design.title(node);
    let Keeper { does, torn, .. } = keeper;
    let group = design.text(node, by_key).map_or_else(
        || format!("{does} all events"),
        |group| format!("{does} by `{group}`"),
    );
    let how = placing(design, by);
    let placer = design.title(by);
    let cause = format!("places events {how} in {count} partitions");
    let message = format!(
        "{title} {group}, but {placer} places events {how}, so {torn} in several of {count} places; repartition in front of it"
    );
    findings.add(
        Found::node(&view.id, message)
            .path(way_from(
                facts,
                by,
                cause,
                node,
                format!("{group}, in each place apart"),
            ))
            .fixes(fixes::bring_together(facts, node, by_key, Some(by)))
            .fixes(fixes::combine_parts(facts, node, count)),
    );
}

/// Whether somebody claims that a later step combines the results, and that can be done.
fn is_partial(facts: &Facts, node: NodeIx) -> bool {
    let columns = columns(&facts.design, node);
    let combine = |column: &Column<'_>| {
        use Function::{Count, Max, Min, Sum};
        matches!(column.function, Count | Sum | Min | Max)
    };
    facts.assumed(node, PARTIAL) && !columns.is_empty() && columns.iter().all(combine)
}
