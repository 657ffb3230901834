//! Whether one fact may come to a node by several ways and as different events, so that what identifies
//! it names no single one.

use std::collections::BTreeSet;

use rustc_hash::FxHashSet;

use crate::catalog::{Behaviour, PortRole};
use crate::validate::design::{Design, EdgeIx, NodeIx};
use crate::validate::facts::Facts;

/// Whether one fact may come to a node as several events that differ.
pub(super) fn come_to(facts: &Facts, node: NodeIx) -> bool {
    let design = &*facts.design;
    // What an effect hands on may be an answer to it.
    let answers = |from: NodeIx| matches!(design.behaviour(from), Some(Behaviour::Effect { .. }));
    let differ = |at: &NodeIx| {
        let ins = &design.nodes[*at].ins;
        let mut payloads = ins
            .iter()
            .filter_map(|edge| Some(&facts.edge(*edge)?.payload));
        let first = payloads.next();
        payloads.any(|payload| Some(payload) != first)
            || ins.len() > 1 && {
                let answered = |edge: &EdgeIx| {
                    let before = before(design, design.edges[*edge].from);
                    let answering = before.into_iter().filter(|at| answers(*at));
                    answering.collect::<FxHashSet<_>>()
                };
                let first = answered(&ins[0]);
                ins[1..].iter().any(|edge| answered(edge) != first)
            }
    };
    let before = before(design, node);
    before.iter().any(differ) && fork(design, &before)
}

/// Whether one fact may come to a node by several ways.
pub(in crate::validate) fn meet_at(design: &Design, node: NodeIx) -> bool {
    fork(design, &before(design, node))
}

/// A node and all that lead to it.
fn before(design: &Design, node: NodeIx) -> FxHashSet<NodeIx> {
    let mut before = FxHashSet::from_iter([node]);
    let mut open = vec![node];
    while let Some(at) = open.pop() {
        for edge in &design.nodes[at].ins {
            let from = design.edges[*edge].from;
            if before.insert(from) {
                open.push(from);
            }
        }
    }
    before
}

/// Whether what leaves one of these by a wire meets what leaves there by another, and both may be about
/// the same fact. What comes round is a matter of its loop.
fn fork(design: &Design, before: &FxHashSet<NodeIx>) -> bool {
    let forks = |fork: &NodeIx| {
        let outs = design.nodes[*fork].outs.iter().copied();
        let leads_on = |edge: &EdgeIx| {
            let to = design.edges[*edge].to;
            before.contains(&to)
                && to != *fork
                && !design.behind(to, &mut BTreeSet::from([to])).contains(fork)
        };
        let ways: Vec<EdgeIx> = outs.filter(leads_on).collect();
        ways.iter().enumerate().any(|(place, one)| {
            let others = &ways[place + 1..];
            others.iter().any(|other| !are_apart(design, *one, *other))
        })
    };
    before
        .iter()
        .filter(|node| design.nodes[**node].outs.len() > 1)
        .any(forks)
}

/// Whether no event of a node leaves by both of these wires.
fn are_apart(design: &Design, one: EdgeIx, other: EdgeIx) -> bool {
    let (one, other) = (&design.edges[one], &design.edges[other]);
    let same_port = one.edge.from.port == other.edge.from.port;
    let data = |role| role == PortRole::Data;
    match design.behaviour(one.from) {
        // What was given up has not gone on, and comes behind what came after it.
        _ if !data(one.role) || !data(other.role) => true,
        // Each goes to one of those who wait.
        Some(Behaviour::Queue { .. }) => true,
        Some(
            Behaviour::Filter { .. }
            | Behaviour::Route { .. }
            | Behaviour::Enrich { .. }
            | Behaviour::Validate { .. }
            | Behaviour::Guard { .. }
            | Behaviour::VersionGuard { .. }
            | Behaviour::Resequence { .. }
            | Behaviour::Dedupe { .. },
        ) => !same_port && !one.resource && !other.resource,
        _ => false,
    }
}
