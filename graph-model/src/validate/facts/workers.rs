//! How many calls of a node run side by side, as its channels and its declarations have it.

use rustc_hash::FxHashSet;

use crate::catalog::Behaviour;
use crate::validate::design::{Design, NodeIx};
use crate::value::Value;

/// Nodes that are looked at to find what feeds one.
const SEARCH_MAX: usize = 1024;

/// A bound on calls at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Workers {
    pub count: f64,
    /// The node that sets the bound.
    pub by: NodeIx,
}

impl Design {
    /// How many calls of a node run side by side at most; `None` when nothing bounds them.
    pub(crate) fn workers(&self, node: NodeIx) -> Option<Workers> {
        let own = self
            .instances(node)
            .map(|count| Workers { count, by: node });
        let fed = self.fed_side_by_side(node);
        match (own, fed) {
            (Some(own), Some(fed)) if fed.count < own.count => Some(fed),
            (own, fed) => own.or(fed),
        }
    }

    /// Seconds that one event takes at a node, where somebody says it.
    pub(crate) fn takes(&self, node: NodeIx) -> Option<f64> {
        let ms = self.declared_ms(node, "duration")?;
        (ms > 0).then(|| ms as f64 / 1_000.0)
    }

    fn instances(&self, node: NodeIx) -> Option<f64> {
        let count = self.declared_number(node, "instances")?;
        (count >= 1.0).then_some(count)
    }

    /// How many the channels in front of a node hand out at once; `None` when one of them, or a
    /// source, sets no bound.
    fn fed_side_by_side(&self, node: NodeIx) -> Option<Workers> {
        let mut seen = FxHashSet::from_iter([node]);
        let mut open = vec![node];
        let (mut count, mut widest) = (0.0, None::<Workers>);
        while let Some(at) = open.pop() {
            for edge in &self.nodes[at].ins {
                let from = self.edges[*edge].from;
                if !seen.insert(from) {
                    continue;
                }
                if seen.len() > SEARCH_MAX {
                    return None;
                }
                let number = |field: &str| self.value(from, field).and_then(Value::as_f64);
                let slots = match self.behaviour(from)? {
                    Behaviour::Queue { concurrency, .. } => number(concurrency)?,
                    Behaviour::Log { partitions, .. }
                    | Behaviour::Repartition { partitions, .. } => number(partitions)?,
                    Behaviour::Topic | Behaviour::Source { .. } | Behaviour::Changes { .. } => {
                        self.instances(from)?
                    }
                    _ => {
                        open.push(from);
                        continue;
                    }
                };
                let slots = self.instances(from).map_or(slots, |most| most.min(slots));
                count += slots;
                if widest.is_none_or(|widest| slots > widest.count) {
                    widest = Some(Workers {
                        count: slots,
                        by: from,
                    });
                }
            }
        }
        widest.map(|widest| Workers { count, ..widest })
    }
}
