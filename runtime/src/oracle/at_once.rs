//! R2: no more calls are under way, and no more connections open, than there may be.

use std::collections::BTreeMap;

use graph_model::id::NodeId;
use graph_model::value::Object;

use rustc_hash::FxHashMap;
use smol_str::SmolStr;

use super::load::Said;
use super::{Context, Finding, Oracle};
use crate::simulate::{Call, Outcome, What};

/// A call, from its begin to its end, as a platform makes it that starts an instance for whatever comes.
#[derive(Clone, Copy)]
struct Span {
    from_us: u64,
    to_us: u64,
}

/// Finds the moment at which most is under way, where that is too much.
pub(super) fn judge(run: &Outcome, _reference: &Outcome, context: &Context) -> Vec<Finding> {
    let said = &context.said;
    if said.calls_max.is_none() && said.connections.is_empty() {
        return Vec::new();
    }
    let spans = spans(run, said);
    let mut findings = Vec::new();
    // What takes no time is no call, whatever it holds open.
    let mut working = spans.clone();
    working.retain(|node, _| run.loads.contains_key(*node));
    if let Some(budget) = said.calls_max
        && let Some((calls, node)) = busiest(&working, said)
        && calls as f64 > budget
    {
        findings.push(Finding::new(
            Oracle::R2,
            node.as_str(),
            told("calls", calls as f64),
            told("calls", budget),
        ));
    }
    for (store, limit) in &said.connections {
        let pools = said.pools.iter();
        let users = pools.filter(|(_, (_, stores))| stores.contains(store));
        // An instance keeps its connections for the next event.
        let opened = users.map(|(node, (pool, _))| pool * at_once(&spans, node, said) as f64);
        let opened: f64 = opened.sum();
        if opened > *limit {
            findings.push(Finding::new(
                Oracle::R2,
                store.as_str(),
                told("connections", opened),
                told("connections", *limit),
            ));
        }
    }
    findings
}

fn told(name: &'static str, count: f64) -> Object {
    let mut told = Object::with_capacity(1);
    told.insert(name, count);
    told
}

/// The calls of every node. Where nothing says how many work side by side, an event is not kept waiting,
/// nor is what it became; what that saves, it saves at the nodes behind, too.
fn spans<'r>(run: &'r Outcome, said: &Said) -> BTreeMap<&'r NodeId, Vec<Span>> {
    let mut spans: BTreeMap<&NodeId, Vec<Span>> = BTreeMap::new();
    let mut calls: BTreeMap<&NodeId, std::slice::Iter<'_, Call>> = BTreeMap::new();
    for (node, load) in &run.loads {
        calls.insert(node, load.calls.iter());
    }
    // When an event left the node before, and how much earlier it would have.
    let mut left: FxHashMap<&SmolStr, (u64, u64)> = FxHashMap::default();
    let mut at_hand: BTreeMap<(&NodeId, u32), u64> = BTreeMap::new();
    let mut done: BTreeMap<(&NodeId, u32), u64> = BTreeMap::new();
    for step in &run.trace {
        let place = (&step.node, step.instance);
        match step.what {
            What::Arrived => {
                left.insert(&step.event, (step.at_us, 0));
            }
            What::Emitted => {
                let saved_us = at_hand.get(&place).copied().unwrap_or_default();
                left.insert(&step.event, (step.at_us, saved_us));
            }
            What::Handled => {
                let came = left.get(&step.event);
                let (left_us, mut saved_us) = came.copied().unwrap_or((step.at_us, 0));
                if said.fed.contains_key(&step.node) {
                    saved_us = 0;
                } else {
                    saved_us += step.at_us.saturating_sub(left_us);
                }
                at_hand.insert(place, saved_us);
                let from_us = step.at_us.saturating_sub(saved_us);
                let call = calls.get_mut(&step.node).and_then(Iterator::next);
                // What takes no time is there at its moment.
                let takes_us = call.map_or(1, |call| call.takes_us);
                let to_us = from_us + takes_us;
                let until_us = done.insert(place, to_us).unwrap_or_default();
                // Where a channel hands out only so many, parts of one are done one after the other.
                let in_turn = said.fed.contains_key(&step.node) && until_us > from_us;
                if call.is_some() || said.pools.contains_key(&step.node) && !in_turn {
                    let spans = spans.entry(&step.node).or_default();
                    spans.push(Span { from_us, to_us });
                }
            }
            _ => {}
        }
    }
    spans
}

/// The most calls at once, and the node that had most of them then.
fn busiest<'r>(spans: &BTreeMap<&'r NodeId, Vec<Span>>, said: &Said) -> Option<(u64, &'r NodeId)> {
    let mut turns = Vec::new();
    for (at, (node, spans)) in spans.iter().enumerate() {
        let cap = said.instances.get(*node).copied().unwrap_or(u64::MAX);
        for span in spans {
            turns.push((span.to_us, false, at, cap));
            turns.push((span.from_us, true, at, cap));
        }
    }
    // What ends makes room for what begins at the same time.
    turns.sort_unstable();
    let nodes: Vec<&NodeId> = spans.keys().copied().collect();
    let mut open = vec![0_u64; nodes.len()];
    let (mut all, mut most) = (0, None);
    for (_, begins, at, cap) in turns {
        all -= open[at].min(cap);
        open[at] = if begins { open[at] + 1 } else { open[at] - 1 };
        all += open[at].min(cap);
        if most.is_none_or(|(held, _)| all > held) {
            let busy = (0..open.len()).max_by_key(|at| (open[*at], usize::MAX - at));
            most = busy.map(|at| (all, nodes[at]));
        }
    }
    most
}

/// The most calls of one node at once.
fn at_once(spans: &BTreeMap<&NodeId, Vec<Span>>, node: &NodeId, said: &Said) -> u64 {
    let own = spans.get_key_value(node);
    let own: BTreeMap<_, _> = own
        .map(|(node, spans)| (*node, spans.clone()))
        .into_iter()
        .collect();
    busiest(&own, said).map_or(0, |(calls, _)| calls)
}

#[cfg(test)]
mod tests {
    use super::super::testing::Trial;
    use super::*;

    /// Facts, a millisecond apart.
    fn judge(flow: &str) -> String {
        let facts: String = (0..20).map(|n| format!("in {{\"n\":{n}}}\n")).collect();
        Trial::new(flow, &facts).judge(Oracle::R2)
    }

    #[test]
    fn more_calls_than_the_budget_allows_are_told() {
        let flow = |calls: u32, before: &str, takes: &str| {
            format!(
                "budget concurrency={calls}\nin: manual -> {before}call: map(expr=.) ^duration={takes} -> out: view"
            )
        };
        assert_eq!(
            judge(&flow(4, "", "5ms")),
            r#"R2 at `call`: {"calls":5} instead of {"calls":4}"#
        );
        assert_eq!(judge(&flow(5, "", "5ms")), "");
        assert_eq!(judge(&flow(4, "lane: queue(concurrency=3) -> ", "5ms")), "");
        let open = "open: map(expr=.) ^pool=2 -> rows: table(table=t, mode=append) ^connections=99\nin -> ";
        assert_eq!(judge(&flow(5, open, "5ms")), "");
        // Those behind are not kept waiting either.
        let two = "first: map(expr=.) ^duration=3ms -> ";
        assert_eq!(
            judge(&flow(7, two, "5ms")),
            r#"R2 at `call`: {"calls":8} instead of {"calls":7}"#
        );
        assert_eq!(judge(&flow(8, two, "5ms")), "");
    }

    #[test]
    fn more_connections_than_a_store_takes_are_told() {
        let flow = |pool: u32, takes: u32, before: &str| {
            format!(
                "in: manual -> {before}save: map(expr=.) ^duration=5ms ^pool={pool} -> rows: table(table=rows, mode=append) ^connections={takes}"
            )
        };
        assert_eq!(
            judge(&flow(3, 12, "")),
            r#"R2 at `rows`: {"connections":15} instead of {"connections":12}"#
        );
        assert_eq!(judge(&flow(3, 15, "")), "");
        assert_eq!(judge(&flow(3, 12, "lane: queue(concurrency=4) -> ")), "");
    }
}
