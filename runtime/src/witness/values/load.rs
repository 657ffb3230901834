//! How many facts come, and how often, where it is the load that matters.

use std::collections::BTreeSet;

use graph_model::document::{Document, Node, Section};
use graph_model::id::NodeId;
use graph_model::value::Value;

use super::{Hint, Wish};

/// Facts of the source that sends most, for a while.
const STEADY: usize = 120;
/// Facts of a run at most.
const FACTS_MAX: usize = 3_000;
/// The part of one group where nobody says it.
const HOT: f64 = 0.9;

/// The facts of one source.
pub(super) struct Tempo {
    pub(super) count: usize,
    /// Between two of them, in microseconds; nothing where the wish alone says when they come.
    pub(super) gap_us: Option<f64>,
}

impl Tempo {
    pub(super) fn of(document: &Document, node: &Node, wish: &Wish) -> Tempo {
        let rate = |node: &Node| match wish.hint {
            Hint::Steady => number(node, "rate"),
            Hint::Peak | Hint::Hot => number(node, "peak").or(number(node, "rate")),
            _ => None,
        };
        if wish.hint == Hint::Burst {
            return Tempo {
                count: wish.count,
                gap_us: Some(0.0),
            };
        }
        let rates = document.nodes.values().filter_map(|node| rate(node));
        let most = rates.fold(0.0, f64::max);
        match rate(node).filter(|rate| *rate > 0.0) {
            Some(rate) => Tempo {
                // Over the same time.
                count: (wish.count as f64 * rate / most).ceil() as usize,
                gap_us: Some(1e6 / rate),
            },
            None => Tempo {
                count: wish.count,
                gap_us: None,
            },
        }
    }
}

/// How many facts the source that sends most has to send, where that depends on the flow.
pub(in super::super) fn many(document: &Document, hint: Hint) -> Option<usize> {
    let nodes = || document.nodes.values();
    let wanted = match hint {
        Hint::Steady | Hint::Hot => STEADY as f64,
        Hint::Peak => {
            let budgets = document.sections.get(&Section::Budgets);
            let calls = budgets.and_then(|budgets| budgets.get("concurrency")?.as_f64());
            // Some more, as what is under way at first ends in between.
            calls.map_or(STEADY as f64, |calls| calls * 1.2 + 10.0)
        }
        Hint::Burst => {
            let stores = nodes().filter_map(|node| number(node, "connections"));
            let pools = nodes().filter_map(|node| number(node, "pool"));
            let pool = pools
                .filter(|pool| *pool >= 1.0)
                .fold(f64::INFINITY, f64::min);
            stores.fold(0.0, f64::max) / pool + 1.0
        }
        _ => return None,
    };
    Some((wanted as usize).clamp(2, FACTS_MAX))
}

/// The largest part of the events of one group that is declared.
pub(in super::super) fn hot_share(document: &Document, nodes: &BTreeSet<NodeId>) -> f64 {
    let nodes = nodes.iter().filter_map(|id| document.nodes.get(id));
    let shares = nodes.filter_map(|node| number(node, "hot_key"));
    shares.reduce(f64::max).unwrap_or(HOT)
}

fn number(node: &Node, name: &str) -> Option<f64> {
    node.notes.declared.get(name).and_then(Value::as_f64)
}
