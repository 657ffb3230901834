//! DELIV-006: one event changes two things, and nobody finishes what was begun.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::catalog::{Behaviour, Delivery, PortRole};
use crate::expr::Expr;
use crate::id::NodeId;
use crate::validate::design::{Design, EdgeIx, NodeIx};
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::rules::declare_rule;
use crate::validate::rules::delivery::way_from;
use crate::validate::{Step, fixes};

declare_rule! {
    /// Finds events that change two or more things for good, where nobody sends them again when only some
    /// of that was done.
    /// ## Why is this bad
    /// Saving the order and announcing it are two steps, and a crash may come between them. Then there
    /// is an order that nobody hears of, or news of an order that does not exist. No later event mends
    /// it, because both halves look complete on their own.
    /// ## When is this fine
    /// When somebody compares both from time to time and mends what differs: then accept the hazard.
    /// ## Perturbation
    /// Crash: the process stops after each of the steps in turn, and some of them are missing.
    /// ## Example
    /// timer: schedule(every=1h) -> bills: table(table=bills)
    /// timer -> mail: effect(action=mail)
    /// ## Use instead
    /// timer: schedule(every=1h) -> bills: table(table=bills)
    /// news: table_changes(table=bills) -> mail: effect(action=mail, key=$event.id)
    /// ## Near miss
    /// type order(id=/order): order string
    /// hook: http(path=/orders, event_type=order) -> orders: table(table=orders, key=.order)
    /// hook -> charge: effect(action=charge card, key=.order)
    /// ## Source
    /// C. Richardson: Microservices patterns, Transactional outbox
    code = "DELIV-006", name = "dual-write", severity = Error, since = "0.1.0",
    check = Whole(check),
}

/// Actions that are told apart; more of them say nothing to people.
const ACTIONS_MAX: usize = 8;

/// Wires of one port that are compared with each other.
const WIRES_MAX: usize = 16;

/// Maps that change nothing and are looked through to find a filter.
const MAPS_MAX: usize = 4;

/// Rounds around a loop.
const ROUNDS_MAX: usize = 4;

/// What is done for good with one event, from a node on.
#[derive(PartialEq)]
struct Done {
    /// By id; one of each atomic group.
    actions: Vec<NodeIx>,
    /// Where the ways to them part.
    parts: NodeIx,
}

fn check(facts: &Facts, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let sources: Vec<NodeIx> = design
        .active()
        .filter(|(_, _, behaviour)| is_not_asked_again(behaviour))
        .map(|(node, ..)| node)
        .collect();
    let done = all_done(facts, &sources);
    let mut parted: BTreeMap<&NodeId, (NodeIx, &Done)> = BTreeMap::new();
    for source in sources {
        let Some(done) = done.get(&source) else {
            continue;
        };
        let outside = done
            .actions
            .iter()
            .any(|action| !is_channel(design, *action));
        if done.actions.len() < 2 || !outside {
            continue;
        }
        let held = parted
            .entry(&design.nodes[done.parts].id)
            .or_insert((source, done));
        if design.nodes[source].id < design.nodes[held.0].id {
            *held = (source, done);
        }
    }
    for (at, (source, done)) in parted {
        let titles: Vec<&str> = done
            .actions
            .iter()
            .map(|node| design.title(*node))
            .collect();
        let (last, others) = titles.split_last().expect("there are two or more");
        let steps = format!("{} and {last}", others.join(", "));
        let from = design.title(source);
        let message = format!(
            "{steps} are steps of their own, and {from} sends nothing again when the process stops between them; write one thing, and let the rest follow from it"
        );
        let ids = done
            .actions
            .iter()
            .map(|node| design.nodes[*node].id.clone());
        let found = Found::node(at, message)
            .path(path(facts, source, done))
            .affecting(ids)
            .fixes(fixes::follow_one_write(
                facts,
                source,
                done.parts,
                &done.actions,
            ));
        findings.add(found);
    }
}

fn is_not_asked_again(behaviour: &Behaviour) -> bool {
    let Behaviour::Source { delivery, .. } = behaviour else {
        return false;
    };
    *delivery == Delivery::Once
}

fn is_channel(design: &Design, node: NodeIx) -> bool {
    matches!(
        design.behaviour(node),
        Some(Behaviour::Queue { .. } | Behaviour::Topic | Behaviour::Log { .. })
    )
}

/// Whether what comes out of a node is no longer the event that came in, but what the node knows.
fn remembers(design: &Design, node: NodeIx) -> bool {
    matches!(
        design.behaviour(node),
        Some(
            Behaviour::Aggregate { .. }
                | Behaviour::Fold { .. }
                | Behaviour::Decide { .. }
                | Behaviour::Join { .. }
                | Behaviour::Resequence { .. }
        )
    )
}

/// Whether a node does something for good.
pub(in crate::validate) fn is_action(design: &Design, node: NodeIx) -> bool {
    is_channel(design, node)
        || matches!(
            design.behaviour(node),
            Some(Behaviour::Table { .. } | Behaviour::Effect { .. } | Behaviour::Bucket { .. })
        )
}

/// Wires by which one event goes on in the same handling.
fn ways_on(design: &Design, node: NodeIx) -> impl Iterator<Item = EdgeIx> + '_ {
    let ends = is_channel(design, node) || remembers(design, node);
    let outs = design.nodes[node].outs.iter().copied();
    outs.filter(move |edge| {
        let view = &design.edges[*edge];
        !ends && view.role == PortRole::Data && !view.resource && view.input == 0
    })
}

/// What is done behind the sources, by node.
fn all_done(facts: &Facts, sources: &[NodeIx]) -> FxHashMap<NodeIx, Rc<Done>> {
    let design = &*facts.design;
    let mut seen: FxHashSet<NodeIx> = sources.iter().copied().collect();
    let mut open: Vec<NodeIx> = sources.to_vec();
    while let Some(node) = open.pop() {
        for edge in ways_on(design, node) {
            let to = design.edges[edge].to;
            if seen.insert(to) {
                open.push(to);
            }
        }
    }
    let mut done = FxHashMap::default();
    if seen.is_empty() {
        return done;
    }
    for component in facts.components.iter().rev() {
        for _ in 0..ROUNDS_MAX {
            let mut more = false;
            for node in component.iter().filter(|node| seen.contains(node)) {
                if let Some(now) = done_from(design, *node, &done)
                    && done.get(node) != Some(&now)
                {
                    more = true;
                    done.insert(*node, now);
                }
            }
            if !more || component.len() == 1 {
                break;
            }
        }
    }
    done
}

/// What is done with an event that comes to a node, as far as that is known of the nodes behind it.
fn done_from(
    design: &Design,
    node: NodeIx,
    known: &FxHashMap<NodeIx, Rc<Done>>,
) -> Option<Rc<Done>> {
    design.acting(node)?;
    let mut edges: Vec<EdgeIx> = ways_on(design, node)
        .filter(|edge| known.contains_key(&design.edges[*edge].to))
        .collect();
    let port = |edge: &EdgeIx| &design.edges[*edge].edge.from.port;
    edges.sort_by_key(port);
    // An event leaves by one port of a node.
    let ports = edges.chunk_by(|one, other| port(one) == port(other));
    let acts = is_action(design, node);
    let with = |actions| {
        Rc::new(Done {
            actions,
            parts: node,
        })
    };
    let mut most = acts.then(|| with(vec![node]));
    for edges in ports {
        let mut done = together(design, node, edges, known);
        // What leaves aside is what it did nothing for.
        if acts && design.edges[edges[0]].main {
            done = with(joined(design, &[node], &done.actions));
        }
        let more = |most: &Rc<Done>| match done.actions.len().cmp(&most.actions.len()) {
            Ordering::Greater => true,
            Ordering::Equal => !acts,
            Ordering::Less => false,
        };
        if most.as_ref().is_none_or(more) {
            most = Some(done);
        }
    }
    most
}

/// The most that is done with one event that goes along some of these wires.
fn together(
    design: &Design,
    node: NodeIx,
    edges: &[EdgeIx],
    known: &FxHashMap<NodeIx, Rc<Done>>,
) -> Rc<Done> {
    let edges = &edges[..edges.len().min(WIRES_MAX)];
    let behind = |edge: EdgeIx| &known[&design.edges[edge].to];
    let mut best = Rc::clone(behind(edges[0]));
    if edges.len() == 1 {
        return best;
    }
    for (at, edge) in edges.iter().enumerate() {
        let mut all = vec![*edge];
        let mut done = Rc::clone(behind(*edge));
        for other in edges[at + 1..].iter().chain(&edges[..at]) {
            if all.iter().any(|one| exclude(design, *one, *other)) {
                continue;
            }
            all.push(*other);
            let actions = joined(design, &done.actions, &behind(*other).actions);
            if actions != done.actions {
                done = Rc::new(Done {
                    actions,
                    parts: node,
                });
            }
        }
        if done.actions.len() > best.actions.len() {
            best = done;
        }
    }
    best
}

/// Whether no event passes the filters at the ends of both wires.
fn exclude(design: &Design, one: EdgeIx, other: EdgeIx) -> bool {
    let condition = |edge: EdgeIx| {
        let mut node = design.edges[edge].to;
        for _ in 0..MAPS_MAX {
            match design.behaviour(node)? {
                Behaviour::Filter { predicate } => {
                    return Some(&design.expr(node, predicate)?.analysis().condition);
                }
                Behaviour::Map { expr } if is_identity(design.expr(node, expr)?) => {
                    let [on] = design.nodes[node].outs[..] else {
                        return None;
                    };
                    node = design.edges[on].to;
                }
                _ => return None,
            }
        }
        None
    };
    match (condition(one), condition(other)) {
        (Some(one), Some(other)) => one.excludes(other),
        _ => false,
    }
}

/// Whether what comes out is what came in.
fn is_identity(expr: &Expr) -> bool {
    let analysis = expr.analysis();
    let whole = analysis
        .rest
        .as_ref()
        .is_some_and(|rest| rest.except.is_empty());
    whole && analysis.outputs.is_empty()
}

/// Both, by id, with one of each atomic group.
fn joined(design: &Design, one: &[NodeIx], other: &[NodeIx]) -> Vec<NodeIx> {
    let mut all: Vec<NodeIx> = one.iter().chain(other).copied().collect();
    all.sort_by_key(|node| &design.nodes[*node].id);
    all.dedup();
    let mut groups: Vec<&str> = Vec::new();
    all.retain(|node| match design.declared_text(*node, "atomic") {
        Some(group) if groups.contains(&group) => false,
        Some(group) => {
            groups.push(group);
            true
        }
        None => true,
    });
    all.truncate(ACTIONS_MAX);
    all
}

/// The event, where its ways part, what is done, and what may be missing.
fn path(facts: &Facts, source: NodeIx, done: &Done) -> Vec<Step> {
    let design = &*facts.design;
    let [mut first, mut second, ..] = done.actions[..] else {
        return Vec::new();
    };
    if done.actions.contains(&done.parts) {
        // The others come behind it.
        let mut others = done.actions.iter().filter(|node| **node != done.parts);
        second = others.next().copied().unwrap_or(second);
        first = done.parts;
    }
    let cause = "sends an event once".to_owned();
    let mut steps = way_from(facts, source, cause, first, "is done first".to_owned());
    let late = "is missing when the process stops in between";
    steps.push(Step::node(&design.nodes[second].id, late));
    steps
}
