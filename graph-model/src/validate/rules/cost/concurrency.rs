//! COST-001: more calls are under way at once than are allowed.

use super::{ask_for_rate, seconds};
use crate::validate::design::NodeIx;
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::rules::declare_rule;
use crate::validate::rules::loops::number;
use crate::validate::{Step, Subject, fixes};

declare_rule! {
    /// Finds flows whose calls at the peak, taken together, are more than the budget `concurrency`.
    /// ## Why is this bad
    /// Waiting takes a place as much as working does: ten seconds at two hundred a second are two
    /// thousand calls at once. Beyond the limit the platform refuses, and not only this flow but all
    /// that share the account. Retries then come on top.
    /// ## When is this fine
    /// When the limit can be raised: then raise it, and the budget with it.
    /// ## Perturbation
    /// The declared peak: calls that are refused are counted.
    /// ## Example
    /// budget concurrency=1000
    /// in: manual ^rate=10 ^peak=200 -> call: function(component=call.wasm) ^duration=10s -> out: view
    /// ## Use instead
    /// budget concurrency=1000
    /// in: manual ^rate=10 ^peak=200 -> call: function(component=call.wasm) ^duration=2s -> out: view
    /// ## Near miss
    /// budget concurrency=1000
    /// in: manual ^rate=50 ^peak=200 -> lane: queue(concurrency=100) -> call: function(component=call.wasm) ^duration=1s -> out: view
    /// second: manual ^peak=200 -> other: function(component=other.wasm) ^duration=4s -> out
    /// ## Source
    /// J. Little: A proof for the queuing formula L = λW, 1961. AWS: Lambda quotas, read 2026-11-23 (1,000
    /// environments at once in an account and region by default)
    code = "COST-001", name = "concurrency-over-budget", severity = Warning, since = "0.1.0",
    check = Whole(check),
}

/// Calls of a node at the peak.
struct Load {
    node: NodeIx,
    rate: f64,
    takes: f64,
    calls: f64,
    /// They cannot be more, because only so many work at once.
    held: bool,
}

fn check(facts: &Facts, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let Some(budget) = design.budget_number("concurrency") else {
        return;
    };
    let working: Vec<(NodeIx, f64)> = design
        .active()
        .filter_map(|(node, _, _)| Some((node, design.takes(node)?)))
        .collect();
    let Some(rates) = facts.rates() else {
        if let Some((node, _)) = working.first() {
            ask_for_rate(facts, *node, findings);
        }
        return;
    };
    let (mut least, mut most) = (0.0, 0.0);
    let mut loads = Vec::new();
    let mut doubted = None;
    for (node, takes) in working {
        let span = rates.peak(node);
        let bound = design
            .workers(node)
            .map_or(f64::INFINITY, |workers| workers.count);
        let calls = (span.least * takes).min(bound);
        let at_most = (span.most * takes).min(bound);
        least += calls;
        most += at_most;
        if at_most > calls && doubted.is_none() {
            doubted = Some(node);
        }
        loads.push(Load {
            node,
            rate: span.least,
            takes,
            calls,
            held: span.least * takes > bound,
        });
    }
    if least <= budget {
        if let Some(node) = doubted.filter(|_| most > budget) {
            ask_for_rate(facts, node, findings);
        }
        return;
    }
    loads.retain(|load| load.calls > 0.0);
    loads.sort_by(|a, b| b.calls.total_cmp(&a.calls));
    let Some(largest) = loads.first() else { return };
    let mut path: Vec<Step> = loads
        .iter()
        .take(4)
        .map(|load| {
            let (rate, takes, calls) = (number(load.rate), seconds(load.takes), number(load.calls));
            let note = if load.held {
                format!("has {calls} calls at once, as many as are let in")
            } else {
                format!("gets {rate} events a second and takes {takes} for each: {calls} at once")
            };
            Step::node(&design.nodes[load.node].id, note)
        })
        .collect();
    if loads.len() > 1 {
        let id = &design.nodes[largest.node].id;
        path.push(Step::node(
            id,
            format!("and the others come to {} together", number(least)),
        ));
    }
    let subject = Subject::Node(design.nodes[largest.node].id.clone());
    let message = format!(
        "{} calls are under way at once at the peak, most of them in {}, and the budget allows {}; let \
         events wait in a queue, or make the call shorter",
        number(least),
        design.title(largest.node),
        number(budget)
    );
    let left = budget - (least - largest.calls);
    let needed = rates.average(largest.node).most * largest.takes;
    let fixes = fixes::cap_calls(facts, largest.node, left, needed);
    findings.add(Found::at(subject, message).path(path).fixes(fixes));
}
