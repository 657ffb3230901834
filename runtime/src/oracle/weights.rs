//! How often a fact is in what is added up.

use std::collections::{BTreeMap, BTreeSet};

use graph_model::catalog::{Behaviour, Catalog};
use graph_model::document::Document;
use graph_model::id::NodeId;
use graph_model::value::{Object, Value};
use rustc_hash::FxHashMap;
use smol_str::SmolStr;

use super::ends::reached_without;
use super::lineage::{key, steps};
use super::numbers::{Bucket, Column, Part};
use super::versions::decides;
use super::viewers::type_of;
use super::{Context, Finding, Oracle};
use crate::simulate::{Fact, Outcome, What};

/// Functions in which a second time counts.
const ADDING: [&str; 4] = ["count", "sum", "average", "median"];

/// What can be said of the events that come to a node.
#[derive(Clone, Copy, Default)]
pub(super) struct Before {
    /// They may be pairs.
    joined: bool,
    /// They may be changes of rows.
    changes: bool,
    /// They may hold a row that was looked up, or an answer.
    enriched: bool,
    /// They may be whatever somebody made.
    made: bool,
    /// They may be whatever code made.
    coded: bool,
}

impl Before {
    /// Whether they are one fact each, with nothing of another.
    pub(super) fn is_plain(self) -> bool {
        !(self.joined || self.changes || self.enriched || self.made)
    }

    /// Whether code may have made numbers that are those of a fact by chance.
    pub(super) fn is_coded(self) -> bool {
        self.coded
    }
}

/// What stands before each aggregate.
pub(super) fn before(document: &Document, catalog: &Catalog) -> BTreeMap<NodeId, Before> {
    let mut before: BTreeMap<NodeId, Before> = BTreeMap::new();
    for (id, node) in &document.nodes {
        let Some(kind) = catalog.get(&node.kind) else {
            continue;
        };
        let note: fn(&mut Before) = match kind.behaviour {
            Behaviour::Join { .. } => |before| before.joined = true,
            Behaviour::Changes { .. } => |before| before.changes = true,
            // Nobody knows what answers hold.
            Behaviour::Enrich { .. } | Behaviour::Effect { .. } => |before| before.enriched = true,
            Behaviour::Aggregate { .. } | Behaviour::Fold { .. } | Behaviour::Decide { .. } => {
                |before| before.made = true
            }
            Behaviour::Opaque { .. } => |before| {
                before.made = true;
                before.coded = true;
            },
            Behaviour::Source { .. } if hears(document, catalog, id) => |before| before.made = true,
            _ => continue,
        };
        if let Behaviour::Changes { .. } = kind.behaviour {
            note(before.entry(id.clone()).or_default());
        }
        for behind in reached_without(document, [id].into_iter(), None) {
            note(before.entry(behind.clone()).or_default());
        }
    }
    before
}

/// Whether a source hears of what other nodes of the flow leave where it listens.
fn hears(document: &Document, catalog: &Catalog, source: &NodeId) -> bool {
    let resource = |id: &NodeId| {
        let node = document.nodes.get(id)?;
        let held = catalog.get(&node.kind)?.resource.as_ref()?;
        let names = held.named_by.iter().map(|field| node.config_str(field));
        Some((held.sort.clone(), names.collect::<Option<Vec<_>>>()?))
    };
    let listens = resource(source);
    let mut others = document.nodes.keys().filter(|id| *id != source);
    listens.is_some() && others.any(|id| resource(id) == listens)
}

/// What is counted: a thing, or one event.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Thing {
    /// A version of it is no new one: by its type or table, and its key.
    Versioned(SmolStr, Value),
    /// A side of pairs.
    Paired(u32),
    Event(SmolStr, SmolStr),
}

pub(super) fn judge(
    run: &Outcome,
    reference: &Outcome,
    context: &Context,
    parts: &FxHashMap<&NodeId, Vec<Part<'_>>>,
) -> Vec<Finding> {
    let rows = rows(run, context);
    let mut findings = Vec::new();
    for (node, aggregate) in &context.aggregates {
        let before = context.before.get(node).copied().unwrap_or_default();
        if before.made {
            continue;
        }
        for column in &aggregate.columns {
            if !ADDING.contains(&column.function.as_str()) {
                continue;
            }
            let weights = weights(run, context, column, &parts[node], &rows, before);
            let mut meant = None;
            for ((bucket, thing), (weight, fact)) in &weights {
                if *weight < 2 {
                    continue;
                }
                match thing {
                    // Who groups by the thing itself asks for its versions.
                    Thing::Versioned(_, key) if decides(run, context, &bucket.key, key, *fact) => {
                        continue;
                    }
                    Thing::Versioned(..) | Thing::Paired(_) => {}
                    Thing::Event(..) => {
                        let meant = meant.get_or_insert_with(|| {
                            let parts = aggregate.parts(node, reference, context);
                            total(&self::weights(
                                reference, context, column, &parts, &rows, before,
                            ))
                        });
                        let all = total(&weights);
                        if all.get(thing) <= meant.get(thing) {
                            continue;
                        }
                    }
                }
                let mut observed = Object::with_capacity(3);
                observed.insert("column", column.name.clone());
                observed.insert("counts", thing.name(run));
                observed.insert("times", i64::from(*weight));
                let mut expected = Object::with_capacity(1);
                expected.insert("times", 1);
                findings.push(Finding {
                    fact: *fact,
                    ..Finding::new(Oracle::D2, node.as_str(), observed, expected)
                });
            }
        }
    }
    findings
}

type Weights = BTreeMap<(Bucket, Thing), (u32, Option<u32>)>;

/// How often each thing is in each result.
fn weights(
    run: &Outcome,
    context: &Context,
    column: &Column,
    parts: &[Part<'_>],
    rows: &FxHashMap<(SmolStr, SmolStr), (&NodeId, &Value)>,
    before: Before,
) -> Weights {
    let mut weights: Weights = BTreeMap::new();
    let mut versions = BTreeSet::new();
    for part in parts {
        let value = column.value(part);
        if value == Value::Null {
            continue;
        }
        let thing = thing(run, context, column, part, &value, rows, before);
        let Some((thing, fact)) = thing else { continue };
        let bucket = Bucket {
            instance: 0,
            ..part.bucket.clone()
        };
        // What comes by two ways is no other version.
        if let Thing::Versioned(..) = &thing
            && !versions.insert((bucket.clone(), thing.clone(), key(part.event)))
        {
            continue;
        }
        let held = weights.entry((bucket, thing)).or_insert((0, fact));
        held.0 += 1;
    }
    weights
}

/// The same over all results.
fn total(weights: &Weights) -> BTreeMap<Thing, u32> {
    let mut total = BTreeMap::new();
    for ((_, thing), (weight, _)) in weights {
        *total.entry(thing.clone()).or_default() += weight;
    }
    total
}

/// Changes of rows that came in: their table and their row.
fn rows<'o>(
    run: &'o Outcome,
    context: &Context,
) -> FxHashMap<(SmolStr, SmolStr), (&'o NodeId, &'o Value)> {
    if !context.before.values().any(|before| before.changes) {
        return FxHashMap::default();
    }
    let arrived = steps(run, What::Arrived);
    arrived
        .filter(|(_, event)| event.data.get("after").is_some() && event.data.get("op").is_some())
        .map(|(step, event)| (key(event), (&step.node, &event.data)))
        .collect()
}

/// What a value in a sum is of.
fn thing(
    run: &Outcome,
    context: &Context,
    column: &Column,
    part: &Part<'_>,
    value: &Value,
    rows: &FxHashMap<(SmolStr, SmolStr), (&NodeId, &Value)>,
    before: Before,
) -> Option<(Thing, Option<u32>)> {
    let fact = part.step.fact;
    if before.changes {
        let (node, change) = rows.get(&key(part.event))?;
        let cells = change.get("after")?.as_object()?;
        // A difference is no copy of a cell.
        let before = change.get("before").and_then(Value::as_object);
        if column.is_difference() {
            return None;
        }
        let moved = |name: &SmolStr, cell: &Value| {
            let old = before.and_then(|before| before.get(name)?.as_f64());
            let moved = cell.as_f64().zip(old).map(|(cell, old)| cell - old);
            moved.is_some() && moved == value.as_f64()
        };
        let cells = || cells.iter().filter(|(_, cell)| *cell == value);
        let copied = column.function == "count"
            || cells().next().is_some() && !cells().all(|(name, cell)| moved(name, cell));
        let row = change.get("key").cloned().unwrap_or_default();
        return copied.then(|| (Thing::Versioned(node.as_str().into(), row), fact));
    }
    if before.joined {
        let name = column.field.as_ref()?;
        let mut of = run.facts.iter().enumerate().filter(|(_, fact)| {
            let held = fact.event.data.as_object();
            held.and_then(|held| held.get(name)) == Some(value)
        });
        let (number, _) = of.next()?;
        // Which of several it is cannot be told.
        return of
            .next()
            .is_none()
            .then_some((Thing::Paired(number as u32), Some(number as u32)));
    }
    let came: Option<&Fact> = fact.and_then(|fact| run.facts.get(fact as usize));
    if let Some(came) = came
        && key(&came.event) == key(part.event)
        && let Some(ty) = type_of(&context.document, came)
    {
        let declared = &context.document.types[ty];
        // States of one thing at several times may be averaged.
        let averages = ["average", "median"].contains(&column.function.as_str());
        let is_state = match declared.stands_for() {
            Some("version") => true,
            Some("snapshot") => !averages,
            _ => false,
        };
        if is_state {
            let id = declared.id.as_ref();
            let id = id.and_then(|id| id.get(&came.event.data)).cloned();
            let thing = Thing::Versioned(ty.as_str().into(), id.unwrap_or_default());
            return Some((thing, fact));
        }
    }
    let (source, id) = key(part.event);
    Some((Thing::Event(source, id), fact))
}

impl Thing {
    fn name(&self, run: &Outcome) -> Value {
        match self {
            Thing::Versioned(_, key) => key.clone(),
            Thing::Paired(fact) => super::lineage::name(run, *fact).into(),
            Thing::Event(_, id) => id.clone().into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Trial;
    use super::*;
    use crate::simulate::FaultKind;

    const SUM: &str = r#"aggregates=[{"name": "sum", "function": "sum", "of": ".total"}]"#;

    fn check(flow: &str, facts: &str, wanted: &str) {
        let found = Trial::new(flow, facts).judge(Oracle::D2);
        assert_eq!(found, wanted, "{flow}");
    }

    #[test]
    fn versions_are_no_facts() {
        let facts = r#"in {"id":"o-1","total":10}
            in {"id":"o-1","total":12}
            in {"id":"o-2","total":5}"#;
        let flow = |stands: &str, rest: &str| {
            format!(
                "type order(id=/id, stands_for={stands}): id string, total number\nin: manual(event_type=order) -> {rest}"
            )
        };
        let told =
            r#"D2 at `sums`: {"column":"sum","counts":"o-1","times":2} instead of {"times":1}"#;
        let sums = format!("sums: aggregate({SUM}) -> out: view");
        check(&flow("version", &sums), facts, told);
        check(&flow("fact", &sums), facts, "");
        let each = format!("sums: aggregate(group=[.id], {SUM}) -> out: view");
        check(&flow("version", &each), facts, "");
        check(
            &flow("version", &format!("first: dedupe(key=.id) -> {sums}")),
            facts,
            "",
        );
    }

    #[test]
    fn rows_are_counted_once_however_often_they_change() {
        let facts = r#"in {"id":"o-1","total":10}
            in {"id":"o-1","total":13}"#;
        let flow = |of: &str| {
            format!(
                "in: manual -> rows: table(table=orders, key=.id, columns={{\"total\": \".total\"}}, mode=upsert)
                 changes: table_changes(table=orders) -> more: map(expr={{total: {of}}}) -> sums: aggregate({SUM}) -> out: view"
            )
        };
        check(
            &flow(".after.total"),
            facts,
            r#"D2 at `sums`: {"column":"sum","counts":"o-1","times":2} instead of {"times":1}"#,
        );
        check(&flow("(.after.total - (.before.total // 0))"), facts, "");
        let from_nothing = r#"in {"id":"o-1","total":0}
            in {"id":"o-1","total":13}"#;
        check(
            &flow("(.after.total - (.before.total // 0))"),
            from_nothing,
            "",
        );
    }

    #[test]
    fn a_partner_more_does_not_add() {
        let facts = r#"orders {"id":"o-1","total":10}
            parcels {"order":"o-1","grams":300}
            parcels {"order":"o-1","grams":400}"#;
        let flow = |once: &str| {
            format!(
                r#"orders: manual -> both: join(left_key=.id, right_key=.order) -> {once} sums: aggregate(aggregates=[{{"name": "sum", "function": "sum", "of": ".left.total"}}]) -> out: view
                parcels: manual -> .right both"#
            )
        };
        check(
            &flow(""),
            facts,
            r#"D2 at `sums`: {"column":"sum","counts":"f0","times":2} instead of {"times":1}"#,
        );
        check(&flow("once: dedupe(key=.left.id) ->"), facts, "");
    }

    #[test]
    fn a_copy_does_not_add() {
        let flow = |once: &str| {
            format!("in: manual -> lane: queue -> {once} sums: aggregate({SUM}) -> out: view")
        };
        let judge = |once: &str| {
            let trial = Trial::new(&flow(once), "in {\"total\":10}\nin {\"total\":10}");
            let again = FaultKind::Duplicate { after_us: 1_000 };
            trial.fault(again, "lane ->", 0).judge(Oracle::D2)
        };
        assert_eq!(
            judge(""),
            r#"D2 at `sums`: {"column":"sum","counts":"f0","times":2} instead of {"times":1}"#
        );
        assert_eq!(judge("once: dedupe ->"), "");
    }
}
