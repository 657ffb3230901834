//! Results over results against the same function of all the values behind them.

use std::collections::{BTreeMap, BTreeSet};

use graph_model::id::NodeId;
use graph_model::value::{Object, Value};
use rustc_hash::FxHashMap;
use smol_str::SmolStr;

use super::equal::alike;
use super::lineage::steps;
use super::numbers::{Aggregate, Bucket, Column, Part};
use super::{Context, Finding, Oracle};
use crate::simulate::{Outcome, What};

/// Functions of results that ask for the function of everything behind them.
const MEANT: [(&str, &str); 6] = [
    ("average", "average"),
    ("median", "median"),
    ("count_distinct", "sum"),
    ("count", "sum"),
    ("sum", "sum"),
    ("average", "median"),
];

type Parts<'o> = FxHashMap<&'o NodeId, Vec<Part<'o>>>;

/// Results with the node that sent them, by the id of the event.
type Sent<'o> = FxHashMap<&'o SmolStr, (&'o NodeId, Bucket, &'o Value)>;

/// The newest result of each, with the id of its event.
type Last<'o> = BTreeMap<(&'o NodeId, Bucket), (&'o SmolStr, &'o Value)>;

pub(super) fn judge<'o>(run: &'o Outcome, context: &'o Context, parts: &Parts<'o>) -> Vec<Finding> {
    if context.aggregates.len() < 2 {
        return Vec::new();
    }
    let mut sent: Sent<'_> = FxHashMap::default();
    let mut last: Last<'_> = BTreeMap::new();
    // When windows were closed.
    let mut closed: FxHashMap<(&NodeId, Bucket), u64> = FxHashMap::default();
    for (step, event) in steps(run, What::Emitted).chain(steps(run, What::Unled)) {
        let Some((id, aggregate)) = context.aggregates.get_key_value(&step.node) else {
            continue;
        };
        if step.port == 0 && aggregate.names_windows() {
            let bucket = aggregate.bucket_of(step, event);
            let of = (id, bucket.clone());
            if aggregate.is_windowed() {
                closed.entry(of.clone()).or_insert(step.at_us);
            }
            last.insert(of, (&event.context.id, &event.data));
            sent.insert(&event.context.id, (id, bucket, &event.data));
        }
    }
    let mut findings = Vec::new();
    for ((node, bucket), (_, result)) in &last {
        for column in &context.aggregates[*node].columns {
            let Some(observed) = result.get(&column.name) else {
                continue;
            };
            let behind = behind(column, bucket, &parts[node], &sent, &last, context);
            let Some((by, inner, buckets)) = behind else {
                continue;
            };
            let of = parts[by].iter();
            let of: Vec<&Part<'_>> = of.filter(|part| buckets.contains(&part.bucket)).collect();
            // What comes for a window that the end of the run closed is in no result, or in another one.
            let too_late = |part: &&Part<'_>| {
                let closed = closed.get(&(by, part.bucket.clone()));
                closed.is_some_and(|at_us| part.step.at_us > *at_us)
            };
            if of.iter().any(too_late) {
                continue;
            }
            let values: Vec<Value> = of.into_iter().map(|part| inner.value(part)).collect();
            let Some(expected) = fold(&inner.function, &values) else {
                continue;
            };
            if alike(observed, &expected) {
                continue;
            }
            let told = |value: &Value| {
                let mut told = Object::with_capacity(2);
                told.insert("key", bucket.key.clone());
                told.insert(column.name.clone(), value.clone());
                told
            };
            let (observed, expected) = (told(observed), told(&expected));
            findings.push(Finding::new(Oracle::D2, node.as_str(), observed, expected));
        }
    }
    findings
}

/// The node whose results all of a column are, which of its columns, and which results.
fn behind<'o>(
    column: &Column,
    bucket: &Bucket,
    parts: &[Part<'o>],
    sent: &Sent<'o>,
    last: &Last<'o>,
    context: &'o Context,
) -> Option<(&'o NodeId, &'o Column, BTreeSet<Bucket>)> {
    column.field.as_ref()?;
    let mut found: Option<(&NodeId, &Column)> = None;
    let mut buckets = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for part in parts.iter().filter(|part| part.bucket == *bucket) {
        let (by, of, data) = sent.get(&part.event.context.id)?;
        let value = column.value(part);
        let aggregate: &Aggregate = &context.aggregates[*by];
        // The column of the same name, with the same in it.
        let same = |inner: &&Column| {
            let meant = (inner.function.as_str(), column.function.as_str());
            Some(&inner.name) == column.field.as_ref()
                && MEANT.contains(&meant)
                && data.get(&inner.name) == Some(&value)
        };
        let inner = match found {
            Some((node, inner)) if node == *by => Some(inner).filter(same),
            Some(_) => None,
            None => aggregate.columns.iter().find(same),
        }?;
        found = Some((*by, inner));
        buckets.insert(of.clone());
        if !ids.insert(&part.event.context.id) {
            // It comes by several ways, and whether it is meant once or twice nobody says.
            return None;
        }
    }
    let (by, inner) = found?;
    if context.round.contains(by) {
        // Its results are among what they are made of.
        return None;
    }
    // Where the newest of the results was left out on the way, something else is meant.
    let all = buckets.iter().all(|bucket| {
        let newest = last.get(&(by, bucket.clone()));
        newest.is_some_and(|(id, _)| ids.contains(id))
    });
    if !all {
        return None;
    }
    Some((by, inner, buckets))
}

/// What a function makes of values; nothing when there are none, or they are of another sort.
fn fold(function: &str, values: &[Value]) -> Option<Value> {
    let held: Vec<&Value> = values
        .iter()
        .filter(|value| **value != Value::Null)
        .collect();
    let numbers = || -> Option<Vec<f64>> { held.iter().map(|value| value.as_f64()).collect() };
    if held.is_empty() {
        return None;
    }
    Some(match function {
        "count" => Value::from(held.len() as i64),
        "count_distinct" => Value::from(held.iter().collect::<BTreeSet<_>>().len() as i64),
        "sum" => Value::Float(numbers()?.iter().sum()),
        "average" => {
            let numbers = numbers()?;
            Value::Float(numbers.iter().sum::<f64>() / numbers.len() as f64)
        }
        "median" => {
            let mut numbers = numbers()?;
            numbers.sort_by(f64::total_cmp);
            let middle = numbers.len() / 2;
            Value::Float(if numbers.len() % 2 == 1 {
                numbers[middle]
            } else {
                f64::midpoint(numbers[middle - 1], numbers[middle])
            })
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::Trial;
    use super::*;

    fn check(first: &str, second: &str, wanted: &str) {
        let flow = format!(
            "in: manual -> hour: aggregate(group=.shop, window=time, size=3ms, aggregates=[{first}]) -> all: aggregate(group=.key, aggregates=[{second}]) -> out: view"
        );
        let mut facts = vec![r#"in {"shop":"a","total":10,"who":"x"}"#.to_owned()];
        for n in 0..6 {
            facts.push(format!(
                r#"in {{"shop":"a","total":{n},"who":"w{}"}}"#,
                n % 2
            ));
        }
        let trial = Trial::new(&flow, &facts.join("\n"));
        assert_eq!(trial.judge(Oracle::D2), wanted, "{flow}");
    }

    fn column(name: &str, function: &str, of: &str) -> String {
        format!(r#"{{"name": "{name}", "function": "{function}", "of": ".{of}"}}"#)
    }

    #[test]
    fn parts_are_combined_as_they_can_be() {
        check(
            &column("mean", "average", "total"),
            &column("mean", "average", "mean"),
            r#"D2 at `all`: {"key":"a","mean":3.888888888888889} instead of {"key":"a","mean":3.5714285714285716}"#,
        );
        check(
            &column("people", "count_distinct", "who"),
            &column("people", "sum", "people"),
            r#"D2 at `all`: {"key":"a","people":6} instead of {"key":"a","people":3}"#,
        );
        check(
            &column("sales", "sum", "total"),
            &column("sales", "sum", "sales"),
            "",
        );
        check(
            &column("sales", "sum", "total"),
            &column("per_hour", "average", "sales"),
            "",
        );
        check(
            &column("best", "max", "total"),
            &column("best", "max", "best"),
            "",
        );
    }

    #[test]
    fn updates_of_a_sum_are_no_parts() {
        let flow = r#"in: manual -> each: aggregate(group=.who, aggregates=[{"name": "n", "function": "sum", "of": ".total"}]) -> all: aggregate(aggregates=[{"name": "n", "function": "sum", "of": ".n"}]) -> out: view"#;
        let facts = "in {\"who\":\"x\",\"total\":1}\nin {\"who\":\"x\",\"total\":2}";
        assert_eq!(
            Trial::new(flow, facts).judge(Oracle::D2),
            r#"D2 at `all`: {"key":null,"n":4} instead of {"key":null,"n":3}"#
        );
    }
}
