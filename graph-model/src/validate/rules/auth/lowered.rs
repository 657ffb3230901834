//! Steps that were to take a label away from what leaks, and did not.

use std::collections::{BTreeSet, VecDeque};

use super::{Leak, Place, Seen, main_place};
use crate::catalog::Behaviour;
use crate::document::Audience;
use crate::pointer::Pointer;
use crate::validate::design::{Design, EdgeIx, NodeIx};
use crate::validate::facts::labels::Labels;
use crate::validate::facts::tags::TagId;
use crate::validate::facts::{Facts, pointers};

/// Nodes that are looked at around one leak at most.
const AROUND_MAX: usize = 1024;

/// How the step failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::validate) enum Lowered {
    /// It has no authority to: what it makes of the field is as restricted as the field.
    Without(NodeIx),
    /// The raw field takes these wires past it.
    Past { step: NodeIx, wires: Vec<EdgeIx> },
}

impl Lowered {
    pub(in crate::validate) fn step(&self) -> NodeIx {
        match self {
            Lowered::Without(step) | Lowered::Past { step, .. } => *step,
        }
    }
}

/// The step that was to keep the leak from the people who see it, when there is one.
pub(in crate::validate) fn lowered(
    facts: &Facts,
    to: NodeIx,
    leak: &Leak,
    place: &Place<'_>,
) -> Option<Lowered> {
    let upstream = upstream(facts, leak.tag, to);
    let port = facts.input(to)?;
    let shown = facts.field(&leak.field, port);
    for node in upstream.iter().filter(|node| **node != to) {
        let Some(output) = facts.output(*node) else {
            continue;
        };
        let made = |field: &Pointer| facts.field(field, output) == shown;
        if let Some(fields) = hidden(&facts.design, *node)
            && holds(&output.labels, &fields, leak.tag)
            && fields.iter().any(made)
        {
            return Some(Lowered::Without(*node));
        }
    }
    let known: BTreeSet<NodeIx> = upstream.iter().copied().collect();
    for node in &upstream {
        for step in steps_beside(facts, *node, &known, leak.tag) {
            let wires = past(facts, &known, step, leak.tag);
            if !wires.is_empty() && protects(facts, step, to, place.audience) {
                return Some(Lowered::Past { step, wires });
            }
        }
    }
    None
}

/// Steps that take the tag away from what forks off at a node, as it is there.
fn steps_beside(facts: &Facts, fork: NodeIx, known: &BTreeSet<NodeIx>, tag: TagId) -> Vec<NodeIx> {
    let design = &*facts.design;
    let mut seen = BTreeSet::new();
    let mut open = VecDeque::from([fork]);
    let mut steps = Vec::new();
    while let Some(node) = open.pop_front() {
        for edge in &design.nodes[node].outs {
            let next = design.edges[*edge].to;
            if known.contains(&next) || !carries(facts, *edge, tag) || !seen.insert(next) {
                continue;
            }
            if lowers(facts, next, tag) {
                steps.push(next);
            } else if passes(facts, next) && seen.len() < AROUND_MAX {
                open.push_back(next);
            }
        }
    }
    steps
}

/// Whether what leaves a node is what came.
fn passes(facts: &Facts, node: NodeIx) -> bool {
    match (facts.input(node), facts.output(node)) {
        (Some(input), Some(output)) => input.payload == output.payload,
        _ => false,
    }
}

/// Nodes that a tag passes on its ways to a node, the nearest first.
fn upstream(facts: &Facts, tag: TagId, to: NodeIx) -> Vec<NodeIx> {
    let mut seen = BTreeSet::from([to]);
    let mut open = VecDeque::from([to]);
    let mut nodes = Vec::new();
    while let Some(node) = open.pop_front() {
        nodes.push(node);
        for edge in &facts.design.nodes[node].ins {
            let from = facts.design.edges[*edge].from;
            if seen.len() < AROUND_MAX && carries(facts, *edge, tag) && seen.insert(from) {
                open.push_back(from);
            }
        }
    }
    nodes
}

fn carries(facts: &Facts, edge: EdgeIx, tag: TagId) -> bool {
    let port = facts.edge(edge);
    port.is_some_and(|port| port.labels.sets().any(|tags| tags.contains(tag)))
}

/// Wires that take a tag past a step, from where its way forks off from the known ones.
fn past(facts: &Facts, known: &BTreeSet<NodeIx>, step: NodeIx, tag: TagId) -> Vec<EdgeIx> {
    let design = &*facts.design;
    let mut forks = BTreeSet::new();
    let mut seen = BTreeSet::from([step]);
    let mut open = VecDeque::from([step]);
    while let Some(node) = open.pop_front() {
        for edge in &design.nodes[node].ins {
            let view = &design.edges[*edge];
            if !carries(facts, *edge, tag) || view.resource {
                continue;
            }
            if known.contains(&view.from) {
                forks.insert((view.from, &view.edge.from));
            } else if passes(facts, view.from) && seen.insert(view.from) {
                open.push_back(view.from);
            }
        }
    }
    let mut wires: Vec<EdgeIx> = Vec::new();
    for (fork, port) in forks {
        let outs = design.nodes[fork].outs.iter().copied();
        wires.extend(outs.filter(|edge| {
            let view = &design.edges[*edge];
            view.edge.from == *port
                && known.contains(&view.to)
                && !view.resource
                && carries(facts, *edge, tag)
        }));
    }
    wires.sort_by(|a, b| design.edges[*a].id.cmp(&design.edges[*b].id));
    wires
}

/// Fields that a step hides or replaces.
fn hidden(design: &Design, node: NodeIx) -> Option<Vec<Pointer>> {
    let (_, behaviour) = design.acting(node)?;
    match behaviour {
        Behaviour::Redact { fields, .. } | Behaviour::Tokenise { fields } => {
            Some(pointers(design.value(node, fields)))
        }
        _ => None,
    }
}

fn holds(labels: &Labels, fields: &[Pointer], tag: TagId) -> bool {
    let mut under = labels
        .iter()
        .filter(|(at, _)| fields.iter().any(|field| crate::expr::covers(field, at)));
    under.any(|(_, tags)| tags.contains(tag))
}

/// Whether a step takes a tag away that arrives at it.
fn lowers(facts: &Facts, step: NodeIx, tag: TagId) -> bool {
    let Some(fields) = hidden(&facts.design, step) else {
        return false;
    };
    let (Some(input), Some(output)) = (facts.input(step), facts.output(step)) else {
        return false;
    };
    holds(&input.labels, &fields, tag) && !output.labels.all().contains(tag)
}

/// Whether what passes a step comes to the same node, or to the same people elsewhere.
fn protects(facts: &Facts, step: NodeIx, to: NodeIx, audience: Option<&Audience>) -> bool {
    behind(facts, step).into_iter().any(|node| {
        let port = facts.input(node);
        let place = port.and_then(|port| main_place(facts, node, port));
        let place = place.filter(|place| place.seen == Seen::Shown);
        node == to || place.is_some_and(|place| share(place.audience, audience))
    })
}

/// The node, and the nodes that its events come to.
pub(in crate::validate) fn behind(facts: &Facts, node: NodeIx) -> Vec<NodeIx> {
    let design = &*facts.design;
    let mut seen = BTreeSet::from([node]);
    let mut open = VecDeque::from([node]);
    let mut nodes = Vec::new();
    while let Some(node) = open.pop_front() {
        nodes.push(node);
        for edge in &design.nodes[node].outs {
            let next = design.edges[*edge].to;
            if seen.len() < AROUND_MAX && seen.insert(next) {
                open.push_back(next);
            }
        }
    }
    nodes
}

fn share(one: Option<&Audience>, other: Option<&Audience>) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => one.roles.iter().any(|role| other.roles.contains(role)),
        _ => false,
    }
}
