//! What is added up, by what it measures: amounts of one unit, and nothing that does not add.

use std::collections::{BTreeMap, BTreeSet};

use graph_model::document::{Adds, Measure};
use graph_model::event::rfc3339;
use graph_model::id::NodeId;
use graph_model::pointer::Pointer;
use graph_model::value::{Object, Value};
use rustc_hash::FxHashMap;
use smol_str::SmolStr;

use super::numbers::{Bucket, Column, Part};
use super::viewers::type_of;
use super::{Context, Finding, Oracle};
use crate::simulate::Outcome;

/// What went into one result.
#[derive(Default)]
struct Added {
    units: BTreeSet<SmolStr>,
    /// Times of levels, such as balances.
    times: BTreeSet<SmolStr>,
    /// Numbers that never add up.
    never: u32,
    fact: Option<u32>,
}

pub(super) fn judge(
    run: &Outcome,
    context: &Context,
    parts: &FxHashMap<&NodeId, Vec<Part<'_>>>,
) -> Vec<Finding> {
    if context
        .document
        .types
        .values()
        .all(|ty| ty.measures.is_empty())
    {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (node, aggregate) in &context.aggregates {
        let before = context.before.get(node).copied().unwrap_or_default();
        if before.is_coded() {
            // What code says is its own, whatever it is called.
            continue;
        }
        let sums = aggregate
            .columns
            .iter()
            .filter(|column| column.function == "sum");
        for column in sums {
            let mut results: BTreeMap<Bucket, Added> = BTreeMap::new();
            for part in &parts[node] {
                add(run, context, column, part, &mut results);
            }
            let wrong = results.into_iter().find_map(|(bucket, added)| {
                let what = added.wrong(&bucket)?;
                Some((bucket, added.fact, what))
            });
            if let Some((bucket, fact, (observed, expected))) = wrong {
                let mut told = Object::with_capacity(3);
                told.insert("adds_up", observed);
                told.insert("column", column.name.clone());
                told.insert("key", bucket.key);
                findings.push(Finding {
                    fact,
                    ..Finding::new(Oracle::D2, node.as_str(), told, expected)
                });
            }
        }
    }
    findings
}

/// Notes the measure of a value that is folded as its fact says it.
fn add(
    run: &Outcome,
    context: &Context,
    column: &Column,
    part: &Part<'_>,
    results: &mut BTreeMap<Bucket, Added>,
) {
    if column.field.is_none() {
        // Of what is computed nobody said anything.
        return;
    }
    let value = column.value(part);
    // Nothing of one unit is nothing of another.
    if value.as_f64().is_none_or(|number| number == 0.0) {
        return;
    }
    let fact = part.step.fact.and_then(|fact| run.facts.get(fact as usize));
    let Some((fact, ty)) = fact.and_then(|fact| Some((fact, type_of(&context.document, fact)?)))
    else {
        return;
    };
    let ty = &context.document.types[ty];
    let measures = ty.measures.iter();
    let alike: Vec<(&Pointer, &Measure)> = measures
        .filter(|(at, _)| at.get(&fact.event.data) == Some(&value))
        .collect();
    let named = alike
        .iter()
        .find(|(at, _)| at.last() == column.field.as_ref());
    // Which of several numbers it is cannot be told where they are equal, nor whether it is one of them
    // where somebody else says it.
    let said = context.literals.contains(&value);
    let measure = match (named, &alike[..]) {
        (Some((_, measure)), _) => *measure,
        (None, [(_, measure)]) if !said && times(&fact.event.data, &value) == 1 => *measure,
        _ => return,
    };
    let added = results.entry(part.bucket.clone()).or_default();
    added.fact = part.step.fact;
    if !measure.unit.is_empty() {
        added.units.insert(measure.unit.clone());
    }
    match measure.adds {
        Adds::Never => added.never += 1,
        Adds::NotOverTime => {
            let at = ty.time.as_ref().and_then(|at| at.get(&fact.event.data));
            let at = at.map_or_else(
                || rfc3339(fact.event.context.time_ms).into(),
                Value::to_text,
            );
            added.times.insert(at);
        }
        Adds::Always | Adds::Unknown => {}
    }
}

/// How many fields of a payload hold a value.
fn times(payload: &Value, value: &Value) -> usize {
    match payload {
        Value::Obj(object) => object.values().map(|held| times(held, value)).sum(),
        Value::Arr(items) => items.iter().map(|held| times(held, value)).sum(),
        held => usize::from(held == value),
    }
}

impl Added {
    /// What is wrong with it, and what would be right.
    fn wrong(&self, bucket: &Bucket) -> Option<(Value, &'static str)> {
        if self.units.len() > 1 {
            let units = self.units.iter().cloned().collect();
            return Some((units, "one unit"));
        }
        if self.never > 1 {
            return Some((Value::from("numbers that never add up"), "one of them"));
        }
        // A key that tells the day has one time for each.
        let key = bucket.key.to_text();
        let tells = |time: &SmolStr| time.get(..10).is_some_and(|day| key.contains(day));
        (self.times.len() > 1 && !self.times.iter().all(tells))
            .then(|| (self.times.iter().cloned().collect(), "levels of one time"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Trial;
    use super::*;

    const SUM: &str = r#"aggregate(aggregates=[{"name": "sum", "function": "sum", "of": ".n"}])"#;

    fn check(flow: &str, facts: &str, wanted: &str) {
        assert_eq!(Trial::new(flow, facts).judge(Oracle::D2), wanted, "{flow}");
    }

    #[test]
    fn units_are_not_mixed() {
        let flow = |way: &str| {
            format!(
                "type sale: n number <always EUR>\ntype refund: n number <always cent>
                 a: manual(event_type=sale) -> sum: {SUM} -> out: view
                 b: manual(event_type=refund) -> {way} sum"
            )
        };
        let facts = "a {\"n\":5}\nb {\"n\":300}";
        check(
            &flow(""),
            facts,
            r#"D2 at `sum`: {"adds_up":["EUR","cent"],"column":"sum","key":null} instead of "one unit""#,
        );
        check(&flow("euro: map(expr=.n |= . / 100) ->"), facts, "");
    }

    #[test]
    fn a_number_is_not_another_one_that_equals_it() {
        let flow = format!(
            "type report: n number, stock number <not_over_time pieces>
             in: manual(event_type=report) -> sum: {SUM} -> out: view"
        );
        check(
            &flow,
            "in {\"n\":5,\"stock\":5}\nin {\"n\":7,\"stock\":7}",
            "",
        );
    }

    #[test]
    fn levels_are_not_added_over_time() {
        let flow = |adds: &str, group: &str| {
            format!(
                "type report(time=/at): at string, n number <{adds} pieces>
                 in: manual(event_type=report) -> sum: aggregate(group={group}, aggregates=[{{\"name\": \"sum\", \"function\": \"sum\", \"of\": \".n\"}}]) -> out: view"
            )
        };
        let facts = "in {\"at\":\"2026-01-01T08:00:00Z\",\"n\":5}\nin {\"at\":\"2026-01-02T08:00:00Z\",\"n\":7}";
        check(
            &flow("not_over_time", "1"),
            facts,
            r#"D2 at `sum`: {"adds_up":["2026-01-01T08:00:00Z","2026-01-02T08:00:00Z"],"column":"sum","key":null} instead of "levels of one time""#,
        );
        check(&flow("not_over_time", "(.at | .[0:10])"), facts, "");
        check(&flow("always", "1"), facts, "");
    }
}
