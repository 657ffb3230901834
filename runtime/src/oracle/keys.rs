//! By which keys nodes keep what they remember: compiled once for all runs of a flow.

use std::collections::BTreeMap;

use graph_model::catalog::{Behaviour, Catalog, KindSpec};
use graph_model::document::{Document, Node};
use graph_model::event::Event;
use graph_model::expr::{Env, Expr};
use graph_model::id::NodeId;
use graph_model::value::Value;

use crate::bindings::EventBindings;
use crate::simulate::{EPOCH_MS, Step};

/// A node that remembers something for each key.
pub(super) struct Keyed {
    /// By the number of the input; nothing where everything has one key.
    keys: Vec<Option<Expr>>,
    /// Makes one event of several, so that no fact can be followed through it.
    pub(super) folds: bool,
}

/// All nodes that remember something.
pub(super) fn keyed(document: &Document, catalog: &Catalog) -> BTreeMap<NodeId, Keyed> {
    let nodes = document.nodes.iter().filter(|(_, node)| !node.disabled);
    nodes
        .filter_map(|(id, node)| {
            let kind = catalog.get(&node.kind)?;
            Some((id.clone(), of(node, kind)?))
        })
        .collect()
}

fn of(node: &Node, kind: &KindSpec) -> Option<Keyed> {
    let (fields, folds): (Vec<&str>, bool) = match &kind.behaviour {
        Behaviour::Aggregate { group, .. } | Behaviour::Fold { group, .. } => (vec![group], true),
        Behaviour::Decide {
            group, seal_key, ..
        } => (vec![group, seal_key], true),
        Behaviour::Join { left, right, .. } => (vec![left, right], true),
        Behaviour::Resequence { key, .. } => (vec![key], true),
        Behaviour::VersionGuard { key, .. } | Behaviour::Dedupe { key, .. } => (vec![key], false),
        _ => return None,
    };
    let keys = fields.into_iter().map(|field| expr(node, kind, field));
    Some(Keyed {
        keys: keys.collect(),
        folds,
    })
}

/// The expression in a field, or that of the kind; nothing when there is none, or it is broken.
pub(super) fn expr(node: &Node, kind: &KindSpec, field: &str) -> Option<Expr> {
    let code = kind.config(node, field)?.as_str()?;
    let code = Some(code).filter(|code| !code.trim().is_empty())?;
    Expr::compile(code).ok()
}

impl Keyed {
    /// Whether somebody said by what the events of a step are grouped.
    pub(super) fn is_grouped(&self, step: &Step) -> bool {
        matches!(self.keys.get(usize::from(step.port)), Some(Some(_)))
    }

    /// The key of an event that a node handled.
    pub(super) fn key(&self, step: &Step, event: &Event) -> Option<Value> {
        match self.keys.get(usize::from(step.port))? {
            Some(expr) => value(expr, step, event),
            None => Some(Value::Null),
        }
    }
}

/// What an expression says of the event of a step.
pub(super) fn value(expr: &Expr, step: &Step, event: &Event) -> Option<Value> {
    let now_ms = EPOCH_MS.saturating_add_unsigned(step.at_us / 1_000);
    let bindings = EventBindings { event, now_ms };
    expr.eval(&event.data, &Env::new(&bindings)).ok()
}
