//! L1: every fact comes to the places that need all of them, or is kept among the given-up events.

use std::collections::BTreeMap;

use graph_model::catalog::{Behaviour, Catalog};
use graph_model::document::Document;
use graph_model::id::{Id, NodeId};
use graph_model::pointer::Pointer;
use graph_model::schema::Schema;
use graph_model::value::{Object, Value};

use super::ends::{reached_by, trail};
use super::lineage::{name, steps, twins};
use super::viewers::type_of;
use super::{Context, Finding, Oracle};
use crate::simulate::{Outcome, What};

/// Finds facts that vanished on their way.
pub(super) fn judge(run: &Outcome, reference: &Outcome, context: &Context) -> Vec<Finding> {
    if !run.ended.is_complete() {
        return Vec::new();
    }
    let meant = reached_by(reference, &context.ends);
    let found = reached_by(run, &context.ends);
    let twins = twins(run, reference);
    let mut findings = no_way(run, context);
    for (fact, ends) in found.iter().enumerate() {
        let Some(other) = twins[fact] else { continue };
        let missed = meant[other as usize]
            .iter()
            .filter(|end| context.ends[**end].needs_all && !ends.contains(end));
        for end in missed {
            let fact = fact as u32;
            let trail = trail(run, fact, reference, other, context);
            if trail.given_up || trail.decided {
                continue;
            }
            let mut observed = Object::with_capacity(1);
            let last = trail.last.map(|node| Value::from(node.as_str()));
            observed.insert("last_seen_at", last.unwrap_or_default());
            findings.push(Finding {
                fact: Some(fact),
                ..Finding::new(Oracle::L1, end.as_str(), observed, name(run, fact))
            });
        }
    }
    findings
}

/// Facts of a declared type that none of the conditions of a route foresaw, and that nothing leads on.
fn no_way(run: &Outcome, context: &Context) -> Vec<Finding> {
    if context.ways.is_empty() {
        return Vec::new();
    }
    let document = &*context.document;
    let unled = steps(run, What::Unled);
    unled
        .filter_map(|(step, event)| {
            let (_, words) = context
                .ways
                .get(&step.node)
                .filter(|(port, _)| *port == step.port)?;
            let fact = run.facts.get(step.fact? as usize)?;
            let ty = type_of(document, fact)?;
            // What code says is its own, whatever it is called.
            let before = context.before.get(&step.node).copied().unwrap_or_default();
            if before.is_coded() {
                return None;
            }
            // All words that a field may have are known: one of them was forgotten.
            let (_, field) = words.iter().find(|(of, _)| of == ty)?;
            let value = field.get(&fact.event.data)?;
            // Another field may have the same name by then.
            if field.get(&event.data) != Some(value) {
                return None;
            }
            let mut observed = Object::with_capacity(1);
            observed.insert(field.to_string(), value.clone());
            Some(Finding {
                fact: step.fact,
                ..Finding::new(Oracle::L1, step.node.as_str(), observed, "a way on")
            })
        })
        .collect()
}

/// For each route that leads on only what it foresees: the port of the rest, and the fields with known
/// words of which its conditions speak.
pub(super) fn ways(document: &Document, catalog: &Catalog) -> Ways {
    let nodes = document.nodes.iter().filter(|(_, node)| !node.disabled);
    nodes
        .filter_map(|(id, node)| {
            let kind = catalog.get(&node.kind)?;
            let Behaviour::Route { routes, otherwise } = &kind.behaviour else {
                return None;
            };
            let ports = kind.outputs_of(node);
            let port = ports.iter().position(|port| port.name == *otherwise)?;
            let said = kind.config(node, routes)?.to_json();
            let mut words = Vec::new();
            for (ty, declared) in &document.types {
                let schema = Schema::new(&declared.schema);
                for field in schema.fields() {
                    let name = field.pointer.last().map_or("", |name| name.as_str());
                    if schema.values(&field.pointer).is_some()
                        && said.contains(&format!(".{name} "))
                    {
                        words.push((ty.clone(), field.pointer.clone()));
                    }
                }
            }
            Some((id.clone(), (port as u16, words)))
        })
        .collect()
}

pub(super) type Ways = BTreeMap<NodeId, (u16, Vec<(Id, Pointer)>)>;

#[cfg(test)]
mod tests {
    use super::super::testing::Trial;
    use super::*;
    use crate::simulate::{FaultKind, Point};

    const BEFORE: FaultKind = FaultKind::Crash(Point::BeforeEffect);

    fn check(flow: &str, kind: FaultKind, place: &str, wanted: &str) {
        let facts = r#"in {"id":"a","v":1}
                       in {"id":"a","v":2}
                       in {"id":"b","v":1}"#;
        let found = Trial::new(flow, facts).fault(kind, place, 1);
        assert_eq!(found.judge(Oracle::L1), wanted, "{flow}");
    }

    #[test]
    fn what_vanishes_is_told() {
        let table = "out: table(table=t, key=.id)";
        check(
            &format!("in: manual -> {table}"),
            BEFORE,
            "out",
            r#"L1 at `out`: {"last_seen_at":"out"} instead of "f1""#,
        );
        check(
            &format!("in: manual -> pass: map(expr=.) ->? {table}"),
            FaultKind::Lose,
            "pass ->",
            r#"L1 at `out`: {"last_seen_at":"pass"} instead of "f1""#,
        );
        check(
            &format!("in: manual -> lane: queue -> {table}"),
            BEFORE,
            "out",
            "",
        );
        check("in: manual -> out: view", BEFORE, "out", "");
    }

    #[test]
    fn a_word_that_no_route_foresees_is_told() {
        let judge = |more: &str| {
            let flow = format!(
                r#"type order: kind sale|gift
                in: manual(event_type=order) -> by: route(routes={{"sales": ".kind == \"sale\""}})
                by.sales -> a: view{more}"#
            );
            Trial::new(&flow, "in {\"kind\":\"gift\"}").judge(Oracle::L1)
        };
        assert_eq!(
            judge(""),
            r#"L1 at `by`: {"/kind":"gift"} instead of "a way on""#
        );
        assert_eq!(judge("\nby.otherwise -> b: view"), "");
    }

    #[test]
    fn what_was_decided_is_no_loss() {
        let flow = "in: manual -> lane: queue -> newer: version_guard(key=.id, version=.v) -> out: table(table=t, key=.id)";
        let late = FaultKind::Delay { by_us: 60_000 };
        let facts = r#"in {"id":"a","v":1}
                       in {"id":"a","v":2}"#;
        let trial = Trial::new(flow, facts).fault(late, "lane ->", 0);
        assert_eq!(trial.judge(Oracle::L1), "");
    }
}
