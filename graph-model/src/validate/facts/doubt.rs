//! Who would have to say something so that a rate is known.

use std::collections::VecDeque;

use rustc_hash::FxHashSet;

use crate::catalog::Behaviour;
use crate::validate::design::{EdgeIx, NodeIx};
use crate::validate::facts::Facts;

/// Nodes that are looked at.
const SEARCH_MAX: usize = 4096;

impl Facts {
    /// The nearest node before one that leaves open how many events arrive there, and what it could
    /// declare.
    pub(crate) fn doubt_before(&self, node: NodeIx) -> Option<(NodeIx, &'static str)> {
        let design = &*self.design;
        let mut seen = FxHashSet::from_iter([node]);
        let mut open = VecDeque::from([node]);
        while let Some(at) = open.pop_front() {
            if self.says_no_rate(at) {
                return Some((at, "rate"));
            }
            for edge in &design.nodes[at].ins {
                let from = design.edges[*edge].from;
                if design.is_failure(*edge) || !seen.insert(from) || seen.len() > SEARCH_MAX {
                    continue;
                }
                if !design.nodes[from].ins.is_empty() && self.leaves_open(*edge) {
                    return Some((from, "gain"));
                }
                open.push_back(from);
            }
        }
        None
    }

    /// The nearest node behind a source that leaves open how many events it makes.
    pub(crate) fn doubt_behind(&self, source: NodeIx) -> Option<NodeIx> {
        let design = &*self.design;
        let mut seen = FxHashSet::from_iter([source]);
        let mut open = VecDeque::from([source]);
        while let Some(at) = open.pop_front() {
            for edge in &design.nodes[at].outs {
                let to = design.edges[*edge].to;
                if design.is_failure(*edge) {
                    continue;
                }
                if at != source && self.leaves_open(*edge) {
                    return Some(at);
                }
                if seen.len() <= SEARCH_MAX && seen.insert(to) {
                    open.push_back(to);
                }
            }
        }
        None
    }

    fn leaves_open(&self, edge: EdgeIx) -> bool {
        [0, 1].iter().any(|input| {
            let gain = self.gain(edge, *input);
            gain.most > gain.least
        })
    }

    /// Whether a node brings in events and nobody says how many.
    fn says_no_rate(&self, node: NodeIx) -> bool {
        let design = &*self.design;
        let source = matches!(
            design.behaviour(node),
            Some(Behaviour::Source { .. } | Behaviour::Changes { .. })
        );
        let said = ["rate", "peak"]
            .iter()
            .any(|name| design.declared_number(node, name).is_some());
        source && design.nodes[node].ins.is_empty() && !said
    }
}
