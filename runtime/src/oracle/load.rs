//! What a flow says about its load: how often sources send, how many work side by side, what is too much.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use graph_model::catalog::{Behaviour, Catalog, Family};
use graph_model::document::{Document, Node, Section};
use graph_model::id::NodeId;
use graph_model::value::Value;

use super::ends::reached_without;

/// What somebody says about the load of a flow, as far as oracles look at it.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// How many events the channels in front of a node hand out at once, where they set a bound.
    pub(super) fed: BTreeMap<NodeId, u64>,
    /// The most instances of a node, where somebody says so.
    pub(super) instances: BTreeMap<NodeId, u64>,
    /// How events come to nodes behind nothing but sources that say how often they send.
    pub(super) paces: BTreeMap<NodeId, Pace>,
    /// Nodes to which events come together that waited for each other.
    pub(super) gathered: BTreeSet<NodeId>,
    /// Calls at once, by the budget.
    pub(super) calls_max: Option<f64>,
    /// Connections that stores take.
    pub(super) connections: BTreeMap<NodeId, f64>,
    /// Nodes of which each instance opens connections: how many, and to which stores.
    pub(super) pools: BTreeMap<NodeId, (f64, Vec<NodeId>)>,
    /// Events a second that one partition takes.
    pub(super) partitions: BTreeMap<NodeId, f64>,
    /// What a million events cost at a node.
    pub(super) prices: BTreeMap<NodeId, f64>,
    /// What an event from outside may cost, by the budget.
    pub(super) cost_max: Option<f64>,
}

/// How events come to a node, and how long it is at each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// Evenly.
    Even,
    /// By chance, so that a few say little.
    Chance,
}

impl Said {
    pub(super) fn of(document: &Document, catalog: &Catalog) -> Said {
        let budgets = document.sections.get(&Section::Budgets);
        let budget = |name: &str| budgets?.get(name)?.as_f64();
        let mut said = Said {
            calls_max: budget("concurrency"),
            cost_max: budget("per_event"),
            paces: paces(document, catalog),
            gathered: gathered(document, catalog),
            ..Said::default()
        };
        for (id, node) in active(document) {
            let number = |name: &str| node.notes.declared.get(name).and_then(Value::as_f64);
            let instances = number("instances").filter(|count| *count >= 1.0);
            let fed = fed_side_by_side(document, catalog, id);
            said.fed.extend(fed.map(|fed| (id.clone(), fed)));
            let own = instances.map(|count| (id.clone(), count as u64));
            said.instances.extend(own);
            let add = |to: &mut BTreeMap<NodeId, f64>, name: &str| {
                to.extend(number(name).map(|number| (id.clone(), number)));
            };
            add(&mut said.connections, "connections");
            add(&mut said.partitions, "partition_rate");
            add(&mut said.prices, "price");
            if let Some(pool) = number("pool") {
                let stores = stores_of(document, catalog, id);
                said.pools.insert(id.clone(), (pool, stores));
            }
        }
        said
    }

    /// How many events a node works on at once, where somebody sets a bound.
    pub(super) fn workers(&self, node: &NodeId) -> Option<u64> {
        let bounds = [self.fed.get(node), self.instances.get(node)];
        bounds.into_iter().flatten().min().copied()
    }
}

fn active(document: &Document) -> impl Iterator<Item = (&NodeId, &Node)> {
    let nodes = document.nodes.iter().filter(|(_, node)| !node.disabled);
    nodes.map(|(id, node)| (id, &**node))
}

/// How events come to the nodes behind sources that say it.
fn paces(document: &Document, catalog: &Catalog) -> BTreeMap<NodeId, Pace> {
    let is_source = |node: &Node| {
        let kind = catalog.get(&node.kind);
        kind.is_some_and(|kind| kind.family == Family::Source)
    };
    let (mut silent, mut by_chance) = (Vec::new(), Vec::new());
    for (id, node) in active(document).filter(|(_, node)| is_source(node)) {
        let says = node.notes.declared.contains_key("rate");
        if !says && node.config_str("gaps").is_none() && node.kind != "generator" {
            silent.push(id);
        } else if node.config_str("gaps") == Some("exponential") {
            by_chance.push(id);
        }
    }
    let silent = reached_without(document, silent.into_iter(), None);
    let by_chance = reached_without(document, by_chance.into_iter(), None);
    let gathered = gathered(document, catalog);
    active(document)
        .filter(|(id, node)| !is_source(node) && !silent.contains(id) && !gathered.contains(*id))
        .map(|(id, node)| {
            let varies = node.notes.declared.contains_key("spread") || by_chance.contains(id);
            let pace = if varies { Pace::Chance } else { Pace::Even };
            (id.clone(), pace)
        })
        .collect()
}

/// The nodes behind those where events wait for others, and leave with them, all at once.
fn gathered(document: &Document, catalog: &Catalog) -> BTreeSet<NodeId> {
    let gathering = active(document).filter(|(_, node)| gathers(catalog, node));
    let behind = reached_without(document, gathering.map(|(id, _)| id), None);
    behind.into_iter().cloned().collect()
}

/// Whether a node holds events back for others that come later.
fn gathers(catalog: &Catalog, node: &Node) -> bool {
    let Some(kind) = catalog.get(&node.kind) else {
        return false;
    };
    let text = |field: &str| kind.config(node, field).and_then(Value::as_str);
    match &kind.behaviour {
        Behaviour::Aggregate { window, .. } => text(window).is_some_and(|window| window != "none"),
        Behaviour::Decide { wait, .. } => text(wait) != Some("no"),
        Behaviour::Resequence { .. } | Behaviour::Join { .. } => true,
        _ => false,
    }
}

/// How many events the channels in front of a node hand out at once; nothing where something hands it
/// as many as come.
fn fed_side_by_side(document: &Document, catalog: &Catalog, id: &NodeId) -> Option<u64> {
    let mut seen = BTreeSet::from([id]);
    let mut open = VecDeque::from([id]);
    let mut count = 0;
    while let Some(at) = open.pop_front() {
        let edges = document.edges.values().filter(|edge| edge.to.node == *at);
        for from in edges.map(|edge| &edge.from.node) {
            if !seen.insert(from) {
                continue;
            }
            let node = document.nodes.get(from)?;
            let kind = catalog.get(&node.kind)?;
            let field = match &kind.behaviour {
                Behaviour::Queue { concurrency, .. } => concurrency,
                Behaviour::Log { partitions, .. } | Behaviour::Repartition { partitions, .. } => {
                    partitions
                }
                _ if kind.family == Family::Source || kind.family == Family::Channel => {
                    return None;
                }
                _ => {
                    open.push_back(from);
                    continue;
                }
            };
            let slots = kind.config(node, field).and_then(Value::as_i64)?;
            count += u64::try_from(slots).ok()?;
        }
    }
    (count > 0).then_some(count)
}

/// The stores that a node writes to before a channel takes over.
fn stores_of(document: &Document, catalog: &Catalog, id: &NodeId) -> Vec<NodeId> {
    let mut stores = Vec::new();
    let mut seen = BTreeSet::from([id]);
    let mut open = VecDeque::from([id]);
    while let Some(at) = open.pop_front() {
        let edges = document.edges.values().filter(|edge| edge.from.node == *at);
        for to in edges.map(|edge| &edge.to.node) {
            let kind = document.nodes.get(to).and_then(|to| catalog.get(&to.kind));
            let Some(kind) = kind.filter(|_| seen.insert(to)) else {
                continue;
            };
            match (&kind.behaviour, kind.family) {
                (Behaviour::Opaque { .. }, _) | (_, Family::Channel) => {}
                (_, Family::Sink) => stores.push(to.clone()),
                _ => open.push_back(to),
            }
        }
    }
    stores
}
