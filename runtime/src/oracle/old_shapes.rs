//! S1, too: readers of what a log keeps can read the shapes of old, and keys are of one kind.

use std::collections::{BTreeMap, BTreeSet};

use graph_model::catalog::{Behaviour, Catalog};
use graph_model::document::Document;
use graph_model::id::{Id, NodeId};
use graph_model::schema::Schema;
use graph_model::value::{Object, Value};
use rustc_hash::FxHashMap;
use smol_str::SmolStr;

use super::lineage::steps;
use super::viewers::type_of;
use super::weights::Before;
use super::{Context, Finding, Oracle};
use crate::simulate::{Outcome, What};

/// Types of which older shapes may be read again, and who reads them as they are now.
#[derive(Default)]
pub(super) struct History {
    types: BTreeMap<Id, Schema>,
    readers: BTreeSet<NodeId>,
}

impl History {
    pub(super) fn of(document: &Document, catalog: &Catalog) -> History {
        let types: BTreeMap<Id, Schema> = document
            .types
            .iter()
            .filter(|(_, ty)| ty.declared.get("history").is_some())
            .map(|(id, ty)| (id.clone(), Schema::new(&ty.schema)))
            .collect();
        if types.is_empty() {
            return History::default();
        }
        let behaviour = |id: &NodeId| {
            let kind = catalog.get(&document.nodes.get(id)?.kind)?;
            Some(&kind.behaviour)
        };
        let adapts = |id: &NodeId| {
            matches!(
                behaviour(id),
                Some(Behaviour::Mediate { .. } | Behaviour::Validate { .. })
            )
        };
        let is_source = |id: &&NodeId| matches!(behaviour(id), Some(Behaviour::Source { .. }));
        let sources = document.nodes.keys().filter(is_source);
        // What was adapted before it was kept is of another type.
        let as_sent = read_from(document, sources, adapts).into_iter();
        let is_log = |id: &&NodeId| matches!(behaviour(id), Some(Behaviour::Log { .. }));
        let behind = read_from(document, as_sent.filter(is_log), adapts);
        let changes_nothing = |id: &NodeId| {
            let expr = match behaviour(id) {
                Some(Behaviour::Map { expr }) => document.nodes[id].config_str(expr),
                _ => None,
            };
            expr.is_some_and(|expr| expr.trim() == ".")
        };
        let reads = |id: &&NodeId| {
            !changes_nothing(id)
                && !matches!(
                    behaviour(id),
                    None | Some(
                        Behaviour::Mediate { .. }
                            | Behaviour::Merge
                            | Behaviour::Repartition { .. }
                            | Behaviour::Validate { .. }
                            | Behaviour::DeadLetter
                            | Behaviour::Log { .. }
                            | Behaviour::Queue { .. }
                            | Behaviour::Topic
                    )
                )
        };
        History {
            types,
            readers: behind.into_iter().filter(reads).cloned().collect(),
        }
    }
}

/// Nodes that get what some send, and not through those that adapt it.
fn read_from<'d>(
    document: &'d Document,
    from: impl Iterator<Item = &'d NodeId>,
    adapts: impl Fn(&NodeId) -> bool,
) -> BTreeSet<&'d NodeId> {
    let (mut open, mut seen): (Vec<&NodeId>, _) = (from.collect(), BTreeSet::new());
    while let Some(at) = open.pop() {
        let edges = document.edges.values();
        for edge in edges.filter(|edge| edge.from.node == *at) {
            let to = &edge.to.node;
            if seen.insert(to) && !adapts(to) {
                open.push(to);
            }
        }
    }
    seen
}

/// Finds readers of shapes that their type does not have, and keys that are the same in two ways.
pub(super) fn judge(run: &Outcome, context: &Context) -> Vec<Finding> {
    let document = &*context.document;
    let mut findings = Vec::new();
    let mut told: BTreeSet<&NodeId> = BTreeSet::new();
    let mut keys: FxHashMap<(&NodeId, SmolStr), Value> = FxHashMap::default();
    // Whether some events had no key, and some had one.
    let mut groups: FxHashMap<&NodeId, (bool, bool)> = FxHashMap::default();
    for (step, event) in steps(run, What::Handled) {
        let fact = step.fact.and_then(|fact| run.facts.get(fact as usize));
        let Some(ty) = fact.and_then(|fact| type_of(document, fact)) else {
            continue;
        };
        let mut tell = |observed: Object, expected: &str| {
            if told.insert(&step.node) {
                findings.push(Finding {
                    fact: step.fact,
                    ..Finding::new(Oracle::S1, step.node.as_str(), observed, expected)
                });
            }
        };
        let as_it_came = fact.is_some_and(|fact| fact.event.data == event.data);
        if as_it_came
            && context.history.readers.contains(&step.node)
            && let Some(schema) = context.history.types.get(ty)
            && let Err(wrong) = schema.check(&event.data)
        {
            let mut observed = Object::with_capacity(2);
            observed.insert("event", event.data.clone());
            observed.insert("wrong", wrong.to_string());
            tell(observed, ty.as_str());
        }
        if let Some(key) = context
            .keyed
            .get(&step.node)
            .filter(|keyed| keyed.is_grouped(step) && before(context, &step.node).is_plain())
            .and_then(|keyed| keyed.key(step, event))
        {
            let lacks = if key == Value::Null {
                Lacks::Key
            } else {
                let known = keys.entry((&step.node, key.to_text()));
                let known = known.or_insert_with(|| key.clone());
                let same = known.type_name() == key.type_name();
                if same {
                    Lacks::Nothing
                } else {
                    Lacks::Form(known.clone())
                }
            };
            let group = groups.entry(&step.node).or_default();
            group.0 |= lacks == Lacks::Key;
            group.1 |= lacks != Lacks::Key;
            let mut observed = Object::with_capacity(1);
            if let Lacks::Form(known) = lacks {
                observed.insert("keys", Value::from(vec![known, key]));
                tell(observed, "one key");
            } else if *group == (true, true) {
                // A field that is never there is no key at all.
                observed.insert("key", Value::Null);
                tell(observed, "a key");
            }
        }
    }
    findings
}

/// What is missing of a key.
#[derive(PartialEq)]
enum Lacks {
    Nothing,
    Key,
    /// The same text was a key of another sort.
    Form(Value),
}

fn before(context: &Context, node: &NodeId) -> Before {
    context.before.get(node).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::testing::Trial;
    use super::*;

    fn check(flow: &str, facts: &str, wanted: &str) {
        let found = Trial::new(flow, facts).judge(Oracle::S1);
        assert_eq!(found, wanted, "{flow}");
    }

    #[test]
    fn readers_of_a_log_meet_old_shapes() {
        let flow = |total: &str, way: &str| {
            format!(
                "type order_v1(id=/order): order string
                 type order(id=/order, history=[\"order_v1\"]): order string, total {total}
                 in: manual(event_type=order) -> lane: {way} out: view"
            )
        };
        let old = r#"in {"order":"o-1"}"#;
        let found = Trial::new(&flow("number", "log(key=.order) ->"), old).judge(Oracle::S1);
        assert!(
            found.starts_with(r#"S1 at `out`: {"event":{"order":"o-1"}"#),
            "{found}"
        );
        check(&flow("number?", "log(key=.order) ->"), old, "");
        check(&flow("number", "queue ->"), old, "");
    }

    #[test]
    fn keys_are_of_one_kind() {
        let flow = |group: &str| {
            format!(
                "type order: customer string|integer?\nin: manual(event_type=order) -> sum: aggregate(group={group}, aggregates=[{{\"name\": \"n\"}}]) -> out: view"
            )
        };
        let both = "in {\"customer\":\"7\"}\nin {\"customer\":7}";
        check(
            &flow(".customer"),
            both,
            r#"S1 at `sum`: {"keys":["7",7]} instead of "one key""#,
        );
        check(&flow("(.customer | tostring)"), both, "");
        let some = "in {}\nin {\"customer\":7}";
        let told = r#"S1 at `sum`: {"key":null} instead of "a key""#;
        check(&flow(".customer"), some, told);
        check(&flow(".nothing"), some, "");
    }
}
