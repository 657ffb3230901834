//! PART-008: numbers are added up along an axis along which they do not add up.

use std::collections::BTreeSet;

use crate::catalog::Behaviour;
use crate::document::{Adds, Measure};
use crate::expr::{Expr, Operand};
use crate::pointer::Pointer;
use crate::validate::design::NodeIx;
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::numbers::{Function, columns, windowed};
use crate::validate::facts::origins::{Base, Origin, OriginId};
use crate::validate::facts::{Facts, Port};
use crate::validate::fixes;
use crate::validate::rules::declare_rule;
use crate::validate::rules::delivery::way_from;

declare_rule! {
    /// Finds sums of numbers that do not add up: prices and ratios never do, levels such as balances do
    /// not over time.
    /// ## Why is this bad
    /// The balance of yesterday and that of today do not add up to wealth. Some numbers can be summed
    /// over shops and not over days, some over nothing at all. The sum is a number like any other, and
    /// nothing about it looks wrong.
    /// ## When is this fine
    /// When each thing reports once in what is summed: then group by the time of the report, too.
    /// ## Perturbation
    /// One report more: the same level, reported once more, changes the sum.
    /// ## Example
    /// type report(time=/at): shop string, at string, stock number <not_over_time pieces>
    /// in: manual(event_type=report) -> sum: aggregate(group=.shop, aggregates=[{"name": "stock", "function": "sum", "of": ".stock"}]) -> out: view
    /// ## Use instead
    /// type report(time=/at): shop string, at string, stock number <not_over_time pieces>
    /// in: manual(event_type=report) -> mean: aggregate(group=.shop, aggregates=[{"name": "stock", "function": "average", "of": ".stock"}]) -> out: view
    /// ## Near miss
    /// type report(time=/at): shop string, at string, stock number <not_over_time pieces>
    /// in: manual(event_type=report) -> sum: aggregate(group=(.at | .[0:10]), aggregates=[{"name": "stock", "function": "sum", "of": ".stock"}]) -> out: view
    /// ## Source
    /// J. Horner, I.-Y. Song, P. Chen: An analysis of additivity in OLAP systems, 2004
    code = "PART-008", name = "added-levels", severity = Warning, since = "0.1.0",
    check = Node(check),
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let (Some((view, Behaviour::Aggregate { group, .. })), Some(port)) =
        (design.acting(node), facts.input(node))
    else {
        return;
    };
    for column in columns(design, node) {
        let (Function::Sum, Some(of)) = (column.function, column.of) else {
            continue;
        };
        let Some(measure) = measure(facts, of, port) else {
            continue;
        };
        let wrong = match measure.adds {
            Adds::Never => true,
            Adds::NotOverTime => !at_one_time(facts, node, design.expr(node, group), of, port),
            Adds::Always | Adds::Unknown => false,
        };
        if !wrong {
            continue;
        }
        let title = design.title(node);
        let (code, how) = (
            of.code(),
            match measure.adds {
                Adds::Never => "which does not add up",
                _ => "which does not add up over time",
            },
        );
        let source = source(facts, of, port).unwrap_or(node);
        let cause = format!("sends `{code}`, {how}");
        let effect = format!("adds up `{code}` of all events of a group");
        let message = format!(
            "{title} adds up `{code}`, {how}; take the average or the last one, or group by time"
        );
        findings.add(
            Found::node(&view.id, message)
                .detail(column.name.clone())
                .path(way_from(facts, source, cause, node, effect))
                .fixes([fixes::average_instead(facts, node, &column.name)]),
        );
    }
}

fn measure(facts: &Facts, of: &Expr, port: &Port) -> Option<Measure> {
    let form = of.form()?;
    match &form.parts[..] {
        [Operand::Field(field)] => facts.measure_at(field, port),
        _ => None,
    }
}

/// Whether all events of a group are of one time: it is part of the key, or each thing has one result
/// in a window.
fn at_one_time(facts: &Facts, node: NodeIx, group: Option<&Expr>, of: &Expr, port: &Port) -> bool {
    let design = &*facts.design;
    let partials = facts.partials_in(of, port);
    // What comes round a loop comes beside others.
    let once = |aggregate: NodeIx| aggregate != node && windowed(design, aggregate);
    let results = facts.only_partials(of, port)
        && !partials.is_empty()
        && partials.iter().all(|partial| once(partial.aggregate));
    if results && windowed(design, node) {
        return true;
    }
    let Some(group) = group else { return false };
    let times = times(facts, port);
    let reads = &group.analysis().reads;
    let by_context = reads
        .context
        .iter()
        .any(|read| read.pointer.is_root() || read.pointer == Pointer::root().child("time"));
    by_context
        || reads
            .fields
            .iter()
            .chain(&reads.shapes)
            .any(|field| !field.is_root() && is_time(facts, facts.field(field, port), &times))
}

/// Whether a value is a time, or is made of one.
fn is_time(facts: &Facts, origin: OriginId, times: &BTreeSet<OriginId>) -> bool {
    let mut open = vec![origin];
    let mut seen = BTreeSet::new();
    while let Some(origin) = open.pop() {
        if times.contains(&origin) {
            return true;
        }
        if !seen.insert(origin) {
            continue;
        }
        match facts.origin(origin) {
            Origin::Context(_, place) => {
                if place == Pointer::root().child("time") {
                    return true;
                }
            }
            Origin::Computed(_, parts) => open.extend(parts),
            Origin::Field(Base::Made(node), place) => {
                let edge = |name: &str| place == Pointer::root().child(name);
                if windowed(&facts.design, node) && (edge("from") || edge("to")) {
                    return true;
                }
                if is_declared_time(facts, Base::Made(node), &place) {
                    return true;
                }
                let (Some(expr), Some(port)) = (facts.mapping(node), facts.input(node)) else {
                    continue;
                };
                let rows = expr.analysis().outputs.iter();
                for row in rows.filter(|row| row.pointer == place) {
                    if row
                        .deps
                        .context
                        .iter()
                        .any(|read| read.pointer.last().is_some_and(|last| last == "time"))
                    {
                        return true;
                    }
                    let fields = row.deps.fields.iter().chain(&row.deps.shapes);
                    open.extend(
                        fields
                            .filter(|field| !field.is_root())
                            .map(|field| facts.field(field, port)),
                    );
                }
            }
            Origin::Field(base @ Base::Sent(..), place) => {
                if is_declared_time(facts, base, &place) {
                    return true;
                }
            }
            Origin::Field(Base::Met(_), _) => {}
        }
    }
    false
}

/// Whether the type of what a node sends says that a field is the time of the event.
fn is_declared_time(facts: &Facts, base: Base, place: &Pointer) -> bool {
    let ty = facts
        .sent_as(base)
        .and_then(|port| port.payload.ty.as_ref());
    let ty = ty.and_then(|ty| facts.design.document.types.get(ty));
    ty.and_then(|ty| ty.time.as_ref()) == Some(place)
}

/// The times that the type of events at a port names.
fn times(facts: &Facts, port: &Port) -> BTreeSet<OriginId> {
    let ty = port.payload.ty.as_ref();
    let ty = ty.and_then(|ty| facts.design.document.types.get(ty));
    let time = ty.and_then(|ty| ty.time.as_ref());
    time.map(|time| facts.field(time, port))
        .into_iter()
        .collect()
}

/// The node that sends the number.
fn source(facts: &Facts, of: &Expr, port: &Port) -> Option<NodeIx> {
    let form = of.form()?;
    let [Operand::Field(field)] = &form.parts[..] else {
        return None;
    };
    match facts.origin(facts.field(field, port)) {
        Origin::Field(base, _) => Some(base.node()),
        _ => None,
    }
}
