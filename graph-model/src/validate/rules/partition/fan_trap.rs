//! PART-007: a join multiplies a number, and the copies are added up.

use super::combined_partials::does;
use super::keeper_key;
use crate::catalog::Behaviour;
use crate::validate::design::NodeIx;
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::facts::numbers::{Function, columns};
use crate::validate::fixes;
use crate::validate::rules::declare_rule;
use crate::validate::rules::delivery::way_from;

declare_rule! {
    /// Finds sums over pairs in which one event may stand several times, because it has several
    /// partners.
    /// ## Why is this bad
    /// Joining an order with its three parcels makes three pairs, each with the whole price. Added up,
    /// the order has cost three times as much. Orders with one parcel are right, so most tests are,
    /// too.
    /// ## When is this fine
    /// When the key comes once on the other side: promise that in the join, and a second one fails.
    /// ## Perturbation
    /// One partner more: another event with the same key on the other side changes the sum.
    /// ## Example
    /// type order(id=/id): id string, shop string, total number
    /// orders: manual(event_type=order) -> both: join(left_key=.id, right_key=.order) -> sum: aggregate(group=.left.shop, aggregates=[{"name": "revenue", "function": "sum", "of": ".left.total"}]) -> out: view
    /// parcels: manual -> .right both
    /// ## Use instead
    /// type order(id=/id): id string, shop string, total number
    /// orders: manual(event_type=order) -> both: join(left_key=.id, right_key=.order) -> once: dedupe(key=.left.id) -> sum: aggregate(group=.left.shop, aggregates=[{"name": "revenue", "function": "sum", "of": ".left.total"}]) -> out: view
    /// parcels: manual -> .right both
    /// ## Near miss
    /// type order(id=/id): id string, shop string, total number
    /// orders: manual(event_type=order) -> both: join(left_key=.id, right_key=.order) -> m: map(expr={shop: .left.shop, weight: (.right.grams / 1000)}) -> sum: aggregate(group=.shop, aggregates=[{"name": "weight", "function": "sum", "of": ".weight"}]) -> out: view
    /// parcels: manual -> .right both
    /// ## Source
    /// H.-J. Lenz, A. Shoshani: Summarizability in OLAP and statistical data bases, 1997 (disjointness);
    /// fan traps in data modelling
    code = "PART-007", name = "fan-trap", severity = Error, since = "0.1.0",
    check = Node(check),
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let Some((view, Behaviour::Aggregate { .. })) = design.acting(node) else {
        return;
    };
    let Some(port) = facts.input(node).filter(|port| !port.multiplied.is_empty()) else {
        return;
    };
    for &(join, side) in port.multiplied.iter() {
        let all = columns(design, node);
        let mut sums = all
            .iter()
            .filter(|column| {
                use Function::{Average, Median, Sum};
                matches!(column.function, Sum | Average | Median)
            })
            .filter(|column| {
                let of = column.of;
                of.is_some_and(|of| facts.belongs((join, side), &facts.key(of, port)))
            });
        let Some((does, of)) = sums.find_map(|column| Some((does(column.function), column.of?)))
        else {
            continue;
        };
        let (title, at) = (design.title(node), design.title(join));
        let (one, many) = (feeder(facts, join, side), feeder(facts, join, 1 - side));
        let code = of.code();
        let cause = format!("pairs each event of {one} with all of {many} that have its key");
        let effect = format!("{does} `{code}` of {one} once for each pair");
        let message = format!(
            "{title} {does} `{code}`, but {at} pairs an event of {one} with each of {many} that has its key, so it counts as often as it has partners; count it once"
        );
        let found = Found::node(&view.id, message);
        let key = keeper_key(design, node);
        findings.add(
            found
                .detail(format!("{}:{side}", design.nodes[join].id))
                .path(way_from(facts, join, cause, node, effect))
                .fixes(fixes::count_once(facts, node, (join, side), key)),
        );
    }
}

/// What leads to an input of a join.
fn feeder(facts: &Facts, join: NodeIx, side: usize) -> &str {
    let design = &*facts.design;
    let mut ins = design.nodes[join].ins.iter();
    let edge = ins.find(|edge| design.edges[**edge].input == side);
    edge.map_or("one side", |edge| design.title(design.edges[*edge].from))
}
