//! ORDER-007: an event is completed from rows that change meanwhile.

use crate::catalog::Behaviour;
use crate::validate::design::NodeIx;
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::facts::delivery::Mode;
use crate::validate::rules::declare_rule;
use crate::validate::{Step, Subject, fixes};
use crate::value::Value;

declare_rule! {
    /// Finds look-ups that take the row which came last, where rows change while events are on their way.
    /// ## Why is this bad
    /// Yesterday's order is priced with today's price list. Whether it is depends on whether the order
    /// or the new price was faster. Both look right, and only the sum of the month is wrong.
    /// ## When is this fine
    /// When the newest row is wanted whenever the event happened: then assume `latest`.
    /// ## Perturbation
    /// Other timing: the change of the row comes before the event instead of after it.
    /// ## Example
    /// orders: replay(file=orders.jsonl) -> priced: enrich(key=.sku, row_key=.key) -> rows: table(table=priced)
    /// prices: table_changes(table=prices) -> .rows priced
    /// ## Use instead
    /// orders: replay(file=orders.jsonl) -> priced: enrich(key=.sku, row_key=.key, as_of=true) -> rows: table(table=priced)
    /// prices: table_changes(table=prices) -> .rows priced
    /// ## Near miss
    /// orders: replay(file=orders.jsonl) -> named: enrich(key=.country, row_key=.code) -> rows: table(table=named)
    /// countries: replay(file=countries.jsonl) -> .rows named
    /// ## Source
    /// Apache Flink, Joins: a join with a versioned table takes the row that held at the time of the event
    code = "ORDER-007", name = "stale-lookup", severity = Warning, since = "0.1.0",
    check = Node(check),
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let Some((view, Behaviour::Enrich { as_of, .. })) = design.acting(node) else {
        return;
    };
    let changes = facts
        .second(node)
        .is_some_and(|rows| matches!(rows.mode, Mode::Upsert(_) | Mode::Snapshot));
    let versioned = design.value(node, as_of) == Some(&Value::Bool(true));
    if !changes || versioned || facts.assumed(node, "latest") || facts.input(node).is_none() {
        return;
    }
    let rows = view
        .ins
        .iter()
        .filter(|edge| design.edges[**edge].input == 1);
    let Some(rows) = rows.copied().next() else {
        return;
    };
    let (title, from) = (design.title(node), design.title(design.edges[rows].from));
    let message = format!(
        "{title} takes the row that came last, and {from} sends new versions of rows, so an event may get one from after it happened; take the row that held then"
    );
    let path = vec![
        Step {
            place: Subject::Port(design.edges[rows].edge.from.clone()),
            note: "sends new versions of rows".to_owned(),
        },
        Step::node(&view.id, "takes the last one, whenever the event happened"),
    ];
    let found = Found::node(&view.id, message)
        .path(path)
        .fixes([fixes::take_row_of_then(design, node, as_of)]);
    findings.add(found);
}
