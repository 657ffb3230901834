//! How many events come to a node at once: because one event became them, or because they came by several
//! ways.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::validate::design::{EdgeIx, NodeIx};
use crate::validate::facts::Facts;

impl Facts {
    /// How many events come to a node together, as one from outside became them, where somebody says it.
    pub(crate) fn burst(&self, node: NodeIx) -> f64 {
        let design = &*self.design;
        let mut counts: FxHashMap<NodeIx, f64> = FxHashMap::default();
        for component in &self.components {
            let round: FxHashSet<NodeIx> = component.iter().copied().collect();
            let comes_round = |from: NodeIx| round.len() > 1 && round.contains(&from);
            for &at in component {
                let ins = design.nodes[at].ins.iter().copied();
                // What comes round comes later.
                let ins = ins.filter(|edge| {
                    !design.is_failure(*edge) && !comes_round(design.edges[*edge].from)
                });
                let many = ins.map(|edge| {
                    let before = counts.get(&design.edges[edge].from);
                    before.copied().unwrap_or(1.0) * self.becomes(edge)
                });
                let many = many.fold(1.0, f64::max);
                counts.insert(at, many);
            }
            if let Some(count) = counts.get(&node) {
                return *count;
            }
        }
        1.0
    }

    /// By how many ways events of sources come to a node, each at its own pace. What comes round in a loop
    /// comes by one more.
    pub(crate) fn ways_to(&self, node: NodeIx) -> f64 {
        let design = &*self.design;
        let mut counts: FxHashMap<NodeIx, f64> = FxHashMap::default();
        for component in &self.components {
            let round: FxHashSet<NodeIx> = component.iter().copied().collect();
            for &at in component {
                let ins = design.nodes[at].ins.iter().copied();
                let ins = ins.filter(|edge| !design.is_failure(*edge));
                let ways = ins.map(|edge| {
                    let from = design.edges[edge].from;
                    let before = counts.get(&from).filter(|_| !round.contains(&from));
                    before.copied().unwrap_or(1.0)
                });
                let ways = ways.sum::<f64>();
                // Who only hears of others brings nothing of its own.
                let says = ["rate", "peak"];
                let says = says.iter().any(|name| design.declared(at, name).is_some());
                let own = design.starts(at) && (says || ways <= 0.0);
                counts.insert(at, ways + if own { 1.0 } else { 0.0 });
            }
            if let Some(count) = counts.get(&node) {
                return *count;
            }
        }
        1.0
    }

    /// How many events leave by a wire for one, where somebody says it.
    fn becomes(&self, edge: EdgeIx) -> f64 {
        let gains = [0, 1].map(|input| self.gain(edge, input).most);
        let said = gains.into_iter().filter(|most| most.is_finite());
        said.fold(1.0, f64::max)
    }
}
