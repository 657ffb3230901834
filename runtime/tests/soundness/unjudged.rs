//! What the silence of the rules about numbers and shapes does not promise, by name and with the reason.
//! Each is a gap that somebody may close.

use std::collections::BTreeSet;
use std::sync::Arc;

use graph_model::document::{Document, Node};
use graph_model::expr::Expr;
use graph_model::id::NodeId;
use graph_model::pointer::Pointer;
use graph_model::value::Value;
use runtime::oracle::{Finding, Oracle};
use runtime::simulate::Outcome;

use crate::exempt::Upstream;
use crate::family::Family;

/// Why nothing is promised of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Gap {
    /// What a split makes of an event is not followed field by field, unless it names each.
    BehindSplit,
    /// It reads what an expression in front of it computes. Rules know the types of fields that types
    /// declare, and of their copies.
    Computed,
    /// It folds the first of each key. Which one that is, and whether all of a key come to the same place, is
    /// the matter of S-DET.
    FirstOfKey,
}

/// The nodes that a family does not judge.
pub(crate) fn unjudged<'d>(document: &'d Document, family: &Family) -> Vec<(&'d NodeId, Gap)> {
    let judges = |oracle| family.judges.contains(&oracle);
    let nodes = document.nodes.iter();
    nodes
        .filter_map(|(id, node)| {
            let gap = if judges(Oracle::S1) {
                gap(document, id)
            } else if judges(Oracle::D2) && node.kind == "aggregate" {
                first_of_key(document, id)
            } else {
                None
            };
            Some((id, gap?))
        })
        .collect()
}

/// Whether an event is in a number more often than in the reference: copies, and what comes by several
/// ways at other times, are the matter of S-DET.
pub(crate) fn counts_a_copy(found: &Finding, run: &Outcome) -> bool {
    let counted = found.observed.get("counts").and_then(Value::as_str);
    let mut facts = run.facts.iter();
    counted.is_some_and(|id| facts.any(|fact| fact.event.context.id == id))
}

/// Whether nobody promised otherwise.
pub(crate) fn is_unjudged(found: &Finding, document: &Document) -> bool {
    let at = document.nodes.get_key_value(&NodeId::new(found.at.clone()));
    at.is_some_and(|(id, _)| match found.oracle {
        Oracle::S1 => gap(document, id).is_some(),
        Oracle::D2 => first_of_key(document, id).is_some(),
        Oracle::R3 => is_behind_split(document, id),
        _ => false,
    })
}

fn first_of_key(document: &Document, id: &NodeId) -> Option<Gap> {
    let before = before(document, id);
    let mut nodes = before.iter().filter_map(|id| document.nodes.get(*id));
    let keyed = |node: &Arc<Node>| {
        let key = node.config_str("key").filter(|_| node.kind == "dedupe");
        key.is_some_and(|key| !key.contains("$event.id"))
    };
    nodes.any(keyed).then_some(Gap::FirstOfKey)
}

/// Through stores as well.
fn is_behind_split(document: &Document, id: &NodeId) -> bool {
    let known = document.nodes.get_key_value(id);
    known.is_some_and(|(id, _)| {
        let before = Upstream::of(document).before(id);
        let mut others = before.into_iter().filter(|at| *at != id);
        others.any(|at| document.nodes[at].kind == "split")
    })
}

fn gap(document: &Document, id: &NodeId) -> Option<Gap> {
    let before = before(document, id);
    let nodes = || before.iter().filter_map(|id| document.nodes.get(*id));
    if is_behind_split(document, id) {
        return Some(Gap::BehindSplit);
    }
    let read = Value::from(document.nodes[id].config.clone()).to_json();
    let mut computed: BTreeSet<String> = nodes().flat_map(|node| computed(node)).collect();
    // What copies a field that is computed has it under another name.
    let copied: Vec<(String, String)> = nodes().flat_map(|node| copied(node)).collect();
    let mut known = 0;
    while known < computed.len() {
        known = computed.len();
        let more = copied.iter().filter(|(from, _)| computed.contains(from));
        let more: Vec<String> = more.map(|(_, to)| to.clone()).collect();
        computed.extend(more);
    }
    let mut computed = computed.iter();
    computed
        .any(|name| read.contains(&format!(".{name}")))
        .then_some(Gap::Computed)
}

/// Fields that the expression of a node copies, with the names that they get.
fn copied(node: &Node) -> Vec<(String, String)> {
    let expr = node.config_str("expr").filter(|_| node.kind == "map");
    let expr = expr.and_then(|code| Expr::compile(code).ok());
    let rows = expr.iter().flat_map(|expr| &expr.analysis().outputs);
    let first = |at: &Pointer| at.tokens().first().map(ToString::to_string);
    rows.filter_map(|row| Some((first(row.copy.as_ref()?)?, first(&row.pointer)?)))
        .collect()
}

/// Fields that the expression of a node computes.
fn computed(node: &Node) -> Vec<String> {
    let expr = node.config_str("expr").filter(|_| node.kind == "map");
    let expr = expr.and_then(|code| Expr::compile(code).ok());
    let rows = expr.iter().flat_map(|expr| &expr.analysis().outputs);
    let made = rows.filter(|row| row.copy.is_none());
    made.filter_map(|row| row.pointer.tokens().first().map(ToString::to_string))
        .collect()
}

/// Everything that feeds a node.
fn before<'d>(document: &'d Document, id: &'d NodeId) -> BTreeSet<&'d NodeId> {
    let (mut open, mut seen) = (vec![id], BTreeSet::new());
    while let Some(at) = open.pop() {
        let edges = document.edges.values();
        for edge in edges.filter(|edge| edge.to.node == *at) {
            if seen.insert(&edge.from.node) {
                open.push(&edge.from.node);
            }
        }
    }
    seen
}
