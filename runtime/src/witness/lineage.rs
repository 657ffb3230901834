//! What the run without faults says about where a fault would matter.

use std::collections::{BTreeMap, BTreeSet};

use graph_model::catalog::Catalog;
use graph_model::document::Document;
use graph_model::id::NodeId;
use smol_str::SmolStr;

use super::graph::is_failed;
use super::places::kinds;
use crate::simulate::{Admitted, Fault, Outcome, Place, Sort, What};

/// Pairs of faults that are tried, at most.
pub(super) const PAIRS_MAX: usize = 48;

/// Pairs of faults on the ways of facts that come to the same node in question: one fact is held up,
/// repeated or broken off where it passes, and so is another one, or the same one further on.
pub(super) fn pairs(
    document: &Document,
    catalog: &Catalog,
    admitted: &[Admitted],
    sorts: &[Sort],
    clean: &Outcome,
    blamed: &BTreeSet<NodeId>,
) -> Vec<[Fault; 2]> {
    let ways = ways(document, catalog, clean);
    let mut facts: BTreeSet<u32> = BTreeSet::new();
    for step in &clean.trace {
        if matches!(step.what, What::Handled | What::Written) && blamed.contains(&step.node) {
            facts.extend(step.fact);
        }
    }
    let mut single: Vec<Fault> = Vec::new();
    for fact in facts {
        for (place, nth) in ways.get(&fact).into_iter().flatten() {
            for one in admitted.iter().filter(|one| one.place == *place) {
                if !sorts.contains(&one.sort) {
                    continue;
                }
                single.extend(kinds(one.sort).iter().take(1).map(|kind| Fault {
                    kind: *kind,
                    place: place.clone(),
                    nth: *nth,
                }));
            }
        }
    }
    let mut pairs = Vec::new();
    // Pairs whose members are far apart in the list concern different facts: those come first.
    for apart in (1..single.len()).rev() {
        for first in 0..single.len() - apart {
            pairs.push([single[first].clone(), single[first + apart].clone()]);
            if pairs.len() >= PAIRS_MAX {
                return pairs;
            }
        }
    }
    pairs
}

/// By fact: the places that it passes, and as which of the events there.
fn ways(
    document: &Document,
    catalog: &Catalog,
    clean: &Outcome,
) -> BTreeMap<u32, Vec<(Place, u64)>> {
    let mut ways: BTreeMap<u32, Vec<(Place, u64)>> = BTreeMap::new();
    let mut passed: BTreeMap<(&NodeId, bool), u64> = BTreeMap::new();
    // A channel notes a delivery once for each of its readers.
    let mut taken: BTreeMap<(&NodeId, &SmolStr), usize> = BTreeMap::new();
    for step in &clean.trace {
        let delivered = step.what == What::Delivered;
        if !delivered && !matches!(step.what, What::Handled | What::Arrived) {
            continue;
        }
        let count = passed.entry((&step.node, delivered)).or_default();
        let nth = *count;
        *count += 1;
        let Some(fact) = step.fact else { continue };
        let way = ways.entry(fact).or_default();
        if !delivered {
            way.push((Place::Node(step.node.clone()), nth));
            continue;
        }
        let wires = document.edges.iter();
        let readers: Vec<_> = wires
            .filter(|(_, edge)| {
                edge.from.node == step.node && !is_failed(document, catalog, &edge.from)
            })
            .map(|(id, _)| id)
            .collect();
        let turn = taken.entry((&step.node, &step.event)).or_default();
        if let Some(reader) = readers.get(*turn % readers.len().max(1)) {
            way.push((Place::Edge((*reader).clone()), nth / readers.len() as u64));
        }
        *turn += 1;
    }
    ways
}
