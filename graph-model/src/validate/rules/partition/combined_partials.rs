//! PART-003: results of groups are combined by a function that cannot combine them.

use crate::validate::design::NodeIx;
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::numbers::{Column, Function, Partial, columns, windowed};
use crate::validate::facts::{Facts, Port};
use crate::validate::fixes;
use crate::validate::rules::declare_rule;
use crate::validate::rules::delivery::way_from;

declare_rule! {
    /// Finds averages of averages, sums of distinct counts, and other results of groups that are
    /// combined although they no longer say how much went into each.
    /// ## Why is this bad
    /// The average of two averages does not ask how many values each of them stands for. A distinct
    /// count that is added to another one counts twice whoever is in both. Only the ingredients can be
    /// combined, and they are gone.
    /// ## When is this fine
    /// When all groups are of one size and have no value in common, for ever: then accept the hazard and
    /// say why.
    /// ## Perturbation
    /// Other sizes: one group of one event and one of nine give another result than their ten events.
    /// ## Example
    /// in: manual -> hour: aggregate(group=.shop, window=time, size=1h, aggregates=[{"name": "mean", "function": "average", "of": ".total"}]) -> all: aggregate(group=.key, aggregates=[{"name": "mean", "function": "average", "of": ".mean"}]) -> out: view
    /// ## Use instead
    /// in: manual -> hour: aggregate(group=.shop, window=time, size=1h, aggregates=[{"name": "sum", "function": "sum", "of": ".total"}, {"name": "n", "function": "count", "of": ".total"}]) -> all: aggregate(group=.key, aggregates=[{"name": "sum", "function": "sum", "of": ".sum"}, {"name": "n", "function": "sum", "of": ".n"}]) -> mean: map(expr={key, mean: (.sum / .n)}) -> out: view
    /// ## Near miss
    /// in: manual -> hour: aggregate(group=.shop, window=time, size=1h, aggregates=[{"name": "sales", "function": "sum", "of": ".total"}]) -> all: aggregate(group=.key, aggregates=[{"name": "per_hour", "function": "average", "of": ".sales"}]) -> out: view
    /// ## Source
    /// J. Gray and others: Data Cube, 1997 (distributive, algebraic and holistic functions); H.-J. Lenz,
    /// A. Shoshani: Summarizability in OLAP and statistical data bases, 1997
    code = "PART-003", name = "combined-partials", severity = Error, since = "0.1.0",
    check = Node(check),
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let Some(port) = facts.input(node) else {
        return;
    };
    for column in columns(design, node) {
        let Some(of) = column.of else { continue };
        let partials = facts.partials_in(of, port);
        let Some(partial) = partials
            .iter()
            .find(|partial| !combines(facts, &column, partial))
        else {
            continue;
        };
        let (title, feeder) = (design.title(node), design.title(partial.aggregate));
        let (does, code) = (does(column.function), of.code());
        let noun = partial.function.noun();
        let lost = match partial.function {
            Function::Distinct => "what is in two groups counts twice",
            _ => "a group of one weighs as much as a group of a thousand",
        };
        let next = match partial.function {
            Function::Distinct => "count the events themselves",
            _ if column.function == Function::Median => "take the median of the events themselves",
            _ => "carry sum and count, and divide at the end",
        };
        let cause = format!(
            "sends {noun} as `{}`, without how much went into it",
            partial.name
        );
        let effect = format!("{does} `{code}` of several groups");
        let message =
            format!("{title} {does} `{code}`, which is {noun} from {feeder}, so {lost}; {next}");
        findings.add(
            Found::node(&design.nodes[node].id, message)
                .detail(column.name.clone())
                .path(way_from(facts, partial.aggregate, cause, node, effect))
                .fixes(fixes::carry_parts(facts, node, &column, &partials, port)),
        );
    }
}

/// Whether a column makes of results what it would make of their events, or something else that
/// people ask for, such as the average of sums.
fn combines(facts: &Facts, column: &Column<'_>, partial: &Partial) -> bool {
    match (partial.function, column.function) {
        (Function::Average | Function::Ratio, Function::Average | Function::Sum)
        | (Function::Average | Function::Ratio | Function::Median, Function::Median) => false,
        (Function::Distinct, Function::Sum) => apart(facts, partial),
        _ => true,
    }
}

/// Whether no value is counted in two results of a distinct count.
fn apart(facts: &Facts, partial: &Partial) -> bool {
    let design = &*facts.design;
    let node = partial.aggregate;
    let mut columns = columns(design, node).into_iter();
    let counted = columns.find(|column| column.name == partial.name);
    let (Some(of), Some(port)) = (counted.and_then(|column| column.of), facts.input(node)) else {
        return true;
    };
    let value = facts.key(of, port);
    facts.identifies(&value, port)
        || !windowed(design, node) && facts.determines(&value, &grouped(facts, node, port))
}

/// What an aggregate groups by.
fn grouped(facts: &Facts, node: NodeIx, port: &Port) -> Vec<u32> {
    let key = super::keeper_key(&facts.design, node);
    key.map(|key| facts.key(key, port)).unwrap_or_default()
}

pub(super) fn does(function: Function) -> &'static str {
    match function {
        Function::Sum => "adds up",
        Function::Median => "takes the median of",
        _ => "averages",
    }
}
