//! OBS-002: what was given up lies where nobody looks.

use std::collections::BTreeSet;

use crate::catalog::{Behaviour, Family, Observation, PortRole};
use crate::validate::design::{Design, EdgeIx, NodeIx};
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::fixes;
use crate::validate::rules::declare_rule;
use crate::validate::rules::delivery::way_from;

declare_rule! {
    /// Finds places for what failed or came too late that nobody watches, in flows that promise to lose
    /// nothing or that have somebody watch elsewhere.
    /// ## Why is this bad
    /// The event is safe and the customer still waits, because whoever could send it again does not know
    /// of it. Such a place is a list of work, and fills while all lights are green. When somebody looks,
    /// the newest entry is a month old and the oldest has been deleted.
    /// ## When is this fine
    /// When what arrives there may be thrown away: then do not promise that it is kept.
    /// ## Perturbation
    /// One event that always fails: it lies there, and nothing that anybody looks at changes.
    /// ## Example
    /// type order(id=/id): id string, total number
    /// in: replay(file=orders.jsonl, event_type=order) -> lane: queue ^must_not_lose=true -> rows: table(table=orders, key=.id)
    /// lane.failed -> dead: dead_letter
    /// ## Use instead
    /// type order(id=/id): id string, total number
    /// in: replay(file=orders.jsonl, event_type=order) -> lane: queue ^must_not_lose=true -> rows: table(table=orders, key=.id)
    /// lane.failed -> dead: dead_letter ^watched_by=operations
    /// ## Near miss
    /// type order(id=/id): id string, total number
    /// in: replay(file=orders.jsonl, event_type=order) -> lane: queue ^must_not_lose=true -> rows: table(table=orders, key=.id)
    /// lane.failed -> dead: dead_letter
    /// lane.failed -> page: http_out(url="https://pager.example/", key=$event.id)
    /// ## Source
    /// AWS, Using dead-letter queues in Amazon SQS: set up an alarm for any message that is moved there
    code = "OBS-002", name = "unwatched-failures", severity = Warning, since = "0.1.0",
    check = Whole(check),
}

/// Outputs for what came too late or has a wrong shape.
const REFUSED: [&str; 2] = ["late", "invalid"];

/// Nodes that one search looks at.
const SEARCH_MAX: usize = 256;

fn check(facts: &Facts, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let asks = |node: NodeIx| {
        let names = ["must_not_lose", "retention", "watched_by", "owner"];
        names
            .iter()
            .any(|name| design.declared(node, name).is_some())
    };
    // Most flows say nothing that such places could be measured by.
    if !design.active().any(|(node, ..)| asks(node)) {
        return;
    }
    let places: Vec<(NodeIx, Vec<EdgeIx>)> = design
        .active()
        .filter_map(|(node, ..)| Some((node, failures_at(design, node)?)))
        .collect();
    let elsewhere = places.iter().find_map(|(node, _)| watcher(design, *node));
    for (node, edges) in &places {
        if is_watched(design, *node, edges) {
            continue;
        }
        let promise = edges.iter().find_map(|edge| {
            let from = design.edges[*edge].from;
            Some((*edge, promised(design, from)?))
        });
        let Some(&first) = edges.first() else {
            continue;
        };
        let from = design.edges[first].from;
        let (title, gives) = (design.title(*node), design.title(from));
        let (by, why) = if let Some((edge, promised)) = promise {
            let promises = design.title(promised);
            (
                design.edges[edge].from,
                format!("{promises} must not lose any"),
            )
        } else if let Some(kept) = design.declared_text(*node, "retention") {
            (from, format!("after {kept} it is gone"))
        } else if let Some(other) = elsewhere {
            (from, format!("{other} looks only elsewhere"))
        } else {
            continue;
        };
        let message = format!(
            "{title} keeps what {gives} gives up, {why}, and nobody is named who looks there; say who watches it"
        );
        let cause = "gives up what it cannot deliver or use".to_owned();
        let effect = "keeps it, and nobody is named who would notice".to_owned();
        let watcher = elsewhere
            .or_else(|| design.declared_text(by, "owner"))
            .or_else(|| promise.and_then(|(_, node)| design.declared_text(node, "owner")));
        findings.add(
            Found::node(&design.nodes[*node].id, message)
                .path(way_from(facts, by, cause, *node, effect))
                .fixes([fixes::watch(design, *node, watcher)]),
        );
    }
}

/// The wires by which failures leave the nodes that have them, where a node keeps nothing else.
fn failures_at(design: &Design, node: NodeIx) -> Option<Vec<EdgeIx>> {
    let (view, behaviour) = design.acting(node)?;
    let keeps = matches!(
        behaviour,
        Behaviour::DeadLetter
            | Behaviour::Table { .. }
            | Behaviour::Bucket { .. }
            | Behaviour::Observe {
                observation: Observation::Export
            }
    );
    if !keeps || view.ins.is_empty() {
        return None;
    }
    let mut found = Vec::new();
    let (mut open, mut seen) = (view.ins.clone(), BTreeSet::new());
    while let Some(edge) = open.pop() {
        let held = &design.edges[edge];
        if is_failure(design, edge) {
            found.push(edge);
            continue;
        }
        let (from, _) = design.acting(held.from)?;
        let kind = from.kind.as_ref()?;
        if kind.family != Family::Operator || from.ins.is_empty() {
            return None;
        }
        if seen.insert(held.from) {
            open.extend(&from.ins);
        }
        if seen.len() > SEARCH_MAX {
            return None;
        }
    }
    found.sort_by_key(|edge| &design.edges[*edge].id);
    Some(found)
}

/// Whether what a node could not deliver or use takes a wire.
fn is_failure(design: &Design, edge: EdgeIx) -> bool {
    let view = &design.edges[edge];
    let refused = REFUSED.contains(&view.edge.from.port.as_str());
    view.role == PortRole::Failed || view.role == PortRole::Data && !view.main && refused
}

/// Who is said to look at a node.
fn watcher(design: &Design, node: NodeIx) -> Option<&str> {
    let said = design.declared_text(node, "watched_by");
    said.or_else(|| design.declared_text(node, "owner"))
}

/// Whether somebody is named who looks, or hears of each failure in another way.
fn is_watched(design: &Design, node: NodeIx, edges: &[EdgeIx]) -> bool {
    let view = &design.nodes[node];
    let read = view.node.notes.audience.is_some() || !view.outs.is_empty();
    let looked_into = || {
        let mut others = (0..design.nodes.len()).map(|other| design.declared(other, "reads_from"));
        others.any(|said| said.is_some_and(|said| said.as_str() == Some(view.id.as_str())))
    };
    watcher(design, node).is_some()
        || read
        || edges.iter().all(|edge| is_told(design, node, *edge))
        || looked_into()
}

/// Whether what goes to a place by a wire also goes where somebody notices it.
fn is_told(design: &Design, place: NodeIx, edge: EdgeIx) -> bool {
    let (mut open, mut seen) = (Vec::new(), BTreeSet::from([place]));
    let beside = design.wires_of_port(edge).filter(|other| *other != edge);
    open.extend(beside.map(|other| design.edges[other].to));
    while let Some(node) = open.pop() {
        if !seen.insert(node) || seen.len() > SEARCH_MAX {
            continue;
        }
        let Some((view, behaviour)) = design.acting(node) else {
            continue;
        };
        let notices = matches!(
            behaviour,
            Behaviour::Effect { .. }
                | Behaviour::Opaque { .. }
                | Behaviour::Observe {
                    observation: Observation::View | Observation::Metric
                }
        );
        if notices || watcher(design, node).is_some() {
            return true;
        }
        open.extend(view.outs.iter().map(|edge| design.edges[*edge].to));
    }
    false
}

/// The node that promises not to lose what another one sends: itself, or one behind it.
fn promised(design: &Design, from: NodeIx) -> Option<NodeIx> {
    let (mut open, mut seen) = (vec![from], BTreeSet::new());
    let mut found = Vec::new();
    while let Some(node) = open.pop() {
        if !seen.insert(node) || seen.len() > SEARCH_MAX {
            continue;
        }
        if design.declared_flag(node, "must_not_lose") {
            found.push(node);
            continue;
        }
        let outs = design.nodes[node].outs.iter().copied();
        let ordinary = outs.filter(|edge| design.edges[*edge].main);
        open.extend(ordinary.map(|edge| design.edges[edge].to));
    }
    found.into_iter().min_by_key(|node| &design.nodes[*node].id)
}
