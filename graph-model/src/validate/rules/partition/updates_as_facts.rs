//! PART-006: new versions of a thing are added up as if each were a thing of its own.

use std::collections::BTreeSet;

use crate::catalog::Behaviour;
use crate::pointer::Pointer;
use crate::validate::design::{EdgeIx, NodeIx};
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::delivery::Mode;
use crate::validate::facts::numbers::{Column, Function, columns, windowed};
use crate::validate::facts::{Facts, Port};
use crate::validate::fixes;
use crate::validate::rules::declare_rule;

declare_rule! {
    /// Finds sums, counts and averages over events of which each is the new version of a thing, or the
    /// state of all things.
    /// ## Why is this bad
    /// Order 7 with a total of 10, then order 7 with a total of 12, is one order of 12 and not two of
    /// 22. A stream of versions tells the history of things, it is no list of things. The number
    /// grows whenever somebody corrects a letter, and nothing looks broken.
    /// ## When is this fine
    /// When the changes themselves are counted: group them by the thing that changes.
    /// ## Perturbation
    /// One thing more often: a second version of one thing, with the same values, changes the result.
    /// ## Example
    /// type order(id=/id, stands_for=version): id string, shop string, total number
    /// in: manual(event_type=order) -> sum: aggregate(group=.shop, aggregates=[{"name": "revenue", "function": "sum", "of": ".total"}]) -> out: view
    /// ## Use instead
    /// type order(id=/id, stands_for=version): id string, shop string, total number
    /// in: manual(event_type=order) -> placed: dedupe(key=.id) -> sum: aggregate(group=.shop, aggregates=[{"name": "revenue", "function": "sum", "of": ".total"}]) -> out: view
    /// ## Near miss
    /// in: manual -> rows: table(table=orders, key=.id, columns={"shop": ".shop", "total": ".total"})
    /// changes: table_changes(table=orders) -> once: dedupe -> more: map(expr={shop: .after.shop, by: (.after.total - (.before.total // 0))}) -> sum: aggregate(group=.shop, aggregates=[{"name": "revenue", "function": "sum", "of": ".by"}]) -> out: view
    /// ## Source
    /// Apache Flink, dynamic tables and changelog modes; Kafka Streams, duality of streams and tables
    code = "PART-006", name = "updates-as-facts", severity = Error, since = "0.1.0",
    check = Node(check),
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let Some((view, Behaviour::Aggregate { group, .. })) = design.acting(node) else {
        return;
    };
    let Some(port) = facts.input(node).filter(|port| port.mode != Mode::Append) else {
        return;
    };
    let wrong = wrong(facts, node, group, port);
    let Some(first) = wrong.first() else { return };
    let causes = causes(facts, node);
    let way = design.trace(
        node,
        |edge| carries(facts, edge),
        |at| at != node && causes.contains(&at),
    );
    let cause = way.first().map(|edge| design.edges[*edge].from);
    let alone = cause.filter(|_| causes.len() == 1);
    let says = match cause.and_then(|cause| design.behaviour(cause)) {
        Some(Behaviour::Changes { .. }) => "sends every change of a row".to_owned(),
        Some(Behaviour::Aggregate { .. }) => "sends its result anew after every event".to_owned(),
        Some(Behaviour::Fold { .. }) => "sends its state anew after every event".to_owned(),
        _ if port.mode == Mode::Snapshot => {
            "sends the state of everything again and again".to_owned()
        }
        _ => "sends each new version of a thing".to_owned(),
    };
    let title = design.title(node);
    let what = match first.of {
        Some(of) => format!("`{}`", of.code()),
        None => "events".to_owned(),
    };
    let does = match first.function {
        Function::Sum => "adds up",
        Function::Average => "averages",
        Function::Median => "takes the median of",
        _ => "counts",
    };
    let feeder = cause.map_or("what feeds it", |cause| design.title(cause));
    let effect = format!("{does} {what} of every version as if each were a fact");
    let path = match cause {
        Some(cause) => design.steps((cause, says.clone()), &way, (node, effect)),
        None => design.steps((node, says.clone()), &[], (node, effect)),
    };
    let message = format!(
        "{title} {does} {what}, but {feeder} {says}, so one thing counts as often as it changes; take the difference, or only the latest of each"
    );
    findings.add(
        Found::node(&view.id, message)
            .path(path)
            .fixes(fixes::take_latest(facts, node, alone, &wrong)),
    );
}

/// The columns in which an older version stays beside the newer one.
fn wrong<'f>(facts: &'f Facts, node: NodeIx, group: &str, port: &Port) -> Vec<Column<'f>> {
    let design = &*facts.design;
    let group = design.expr(node, group);
    let group = group
        .map(|group| facts.key(group, port))
        .unwrap_or_default();
    // Who groups by the thing looks at its history; what is the only one of its sort is grouped by all.
    let history = match &port.mode {
        Mode::Upsert(thing) => {
            let only = facts.determines(&[], thing);
            !thing.is_empty() && !only && facts.determines(&group, thing)
        }
        Mode::Append | Mode::Snapshot | Mode::Mixed => false,
    };
    if port.mode == Mode::Snapshot && windowed(design, node) {
        // How many come in a window is not known.
        return Vec::new();
    }
    let root = Pointer::root();
    let is_change = |column: &Column| {
        let of = column.of;
        of.is_some_and(|of| facts.is_change(of, &root, port))
    };
    let columns = columns(design, node).into_iter();
    columns
        .filter(|column| match column.function {
            Function::Sum => !is_change(column),
            Function::Average | Function::Median => {
                !history && port.mode != Mode::Snapshot && !is_change(column)
            }
            Function::Count => !history,
            _ => false,
        })
        .collect()
}

/// All nodes where versions begin that reach a node.
fn causes(facts: &Facts, node: NodeIx) -> BTreeSet<NodeIx> {
    let design = &*facts.design;
    let mut causes = BTreeSet::new();
    let (mut open, mut seen) = (vec![node], BTreeSet::new());
    while let Some(at) = open.pop() {
        let ins = design.nodes[at].ins.iter().copied();
        for edge in ins.filter(|edge| carries(facts, *edge)) {
            let from = design.edges[edge].from;
            if begins(facts, edge) {
                causes.insert(from);
            } else if seen.insert(from) {
                open.push(from);
            }
        }
    }
    causes
}

fn carries(facts: &Facts, edge: EdgeIx) -> bool {
    let port = facts.edge(edge);
    port.is_some_and(|port| port.mode != Mode::Append)
}

/// Whether what a wire carries stands for versions, whatever its start gets.
fn begins(facts: &Facts, edge: EdgeIx) -> bool {
    let design = &*facts.design;
    let view = &design.edges[edge];
    match design.behaviour(view.from) {
        Some(Behaviour::Source { .. } | Behaviour::Changes { .. }) => true,
        Some(Behaviour::Aggregate { .. } | Behaviour::Fold { .. }) if view.main => true,
        _ => {
            let ins = &design.nodes[view.from].ins;
            !ins.iter().any(|edge| carries(facts, *edge))
        }
    }
}
