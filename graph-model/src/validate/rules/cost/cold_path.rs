//! COST-003: what has to be quick starts cold.

use rustc_hash::FxHashMap;

use super::{ask_for_rate, seconds};
use crate::catalog::Behaviour;
use crate::validate::design::{EdgeIx, NodeIx};
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::rules::declare_rule;
use crate::validate::rules::loops::number;
use crate::validate::{Step, Subject, fixes};

declare_rule! {
    /// Finds effects that come in time while all functions before them are warm, and too late when they
    /// start.
    /// ## Why is this bad
    /// Rare traffic is slow traffic: whoever comes after a pause waits for a new instance, and with
    /// several functions in a row for each of them. Means do not show it, because most calls are warm.
    /// The ones who wait are those who are new.
    /// ## When is this fine
    /// When somebody who comes rarely can wait: then declare a longer latency.
    /// ## Perturbation
    /// Events with long pauses between them: the age of what comes out.
    /// ## Example
    /// in: manual ^rate=0.0002 -> price: function(component=price.wasm) ^duration=50ms ^cold_start=1.8s ^keep_alive=10m -> show: view ^latency=1s
    /// ## Use instead
    /// in: manual ^rate=0.0002 -> price: function(component=price.wasm) ^duration=50ms ^cold_start=1.8s ^keep_alive=10m ^provisioned=1 -> show: view ^latency=1s
    /// ## Near miss
    /// in: manual ^rate=0.5 -> price: function(component=price.wasm) ^duration=50ms ^cold_start=1.8s ^keep_alive=10m -> show: view ^latency=1s
    /// ## Source
    /// M. Shahrad et al.: Serverless in the wild, USENIX ATC 2020 (45 % of applications are called once an
    /// hour or less). M. Shilkov: Comparison of cold starts in serverless functions, 2021 (1.7 s at 14 MB
    /// of Node.js, end to end)
    code = "COST-003", name = "cold-start-on-quick-path", severity = Info, since = "0.1.0",
    check = Node(check),
}

/// A call that is cold more rarely than this is taken for warm.
const RARE: f64 = 0.01;

/// Nodes that are looked at to find the slowest way.
const SEARCH_MAX: usize = 2048;

/// Seconds of a way.
#[derive(Clone, Copy, Debug, Default)]
struct Way {
    warm: f64,
    cold: f64,
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let Some((view, behaviour)) = design.acting(node) else {
        return;
    };
    let sink = matches!(
        behaviour,
        Behaviour::Effect { .. } | Behaviour::Observe { .. } | Behaviour::Table { .. }
    );
    let limit = design
        .declared_ms(node, "latency")
        .or_else(|| design.budget_ms("latency"));
    let Some(limit) = limit.filter(|_| sink) else {
        return;
    };
    let limit = limit as f64 / 1_000.0;
    let Some(before) = before(facts, node) else {
        return;
    };
    let slowest = |kind: fn(&Way) -> f64| {
        let mut ways: FxHashMap<NodeIx, (f64, Option<EdgeIx>)> = FxHashMap::default();
        for &at in &before {
            let own = kind(&time_at(facts, at));
            let mut best = (0.0, None);
            for edge in &design.nodes[at].ins {
                let from = ways.get(&design.edges[*edge].from);
                if let Some((time, _)) = from.filter(|(time, _)| *time > best.0)
                    && !design.is_failure(*edge)
                {
                    best = (*time, Some(*edge));
                }
            }
            ways.insert(at, (best.0 + own, best.1));
        }
        ways
    };
    let cold_ways = slowest(|way| way.cold);
    let warm = slowest(|way| way.warm).get(&node).map_or(0.0, |way| way.0);
    let cold = cold_ways.get(&node).map_or(0.0, |way| way.0);
    if warm > limit || cold <= limit {
        if warm <= limit {
            ask_where_unknown(facts, &before, findings);
        }
        return;
    }
    let mut way = Vec::new();
    let mut at = node;
    while let Some((_, Some(edge))) = cold_ways.get(&at) {
        at = design.edges[*edge].from;
        way.push(at);
    }
    way.reverse();
    let starts: Vec<NodeIx> = way
        .iter()
        .copied()
        .filter(|at| chance(facts, *at).is_some_and(|chance| chance > RARE))
        .collect();
    let mut path: Vec<Step> = starts
        .iter()
        .filter_map(|at| {
            let start = design.declared_ms(*at, "cold_start")? as f64 / 1_000.0;
            let chance = chance(facts, *at)? * 100.0;
            let note = format!(
                "starts cold for {} of 100 calls, which takes {} more",
                number(chance.min(100.0).round()),
                seconds(start)
            );
            Some(Step::node(&design.nodes[*at].id, note))
        })
        .collect();
    path.push(Step::node(
        &view.id,
        format!(
            "is there after {} when all are warm, else after {}",
            seconds(warm),
            seconds(cold)
        ),
    ));
    let title = design.title(node);
    let names: Vec<&str> = starts.iter().map(|at| design.title(*at)).collect();
    let message = format!(
        "{title} has to be there within {}, and takes {} when {} starts; keep an instance warm",
        seconds(limit),
        seconds(cold),
        names.join(" and ")
    );
    findings.add(
        Found::node(&view.id, message)
            .path(path)
            .fixes(fixes::keep_warm(design, &starts)),
    );
}

fn time_at(facts: &Facts, node: NodeIx) -> Way {
    let design = &*facts.design;
    let warm = design.takes(node).unwrap_or(0.0);
    let start = design.declared_ms(node, "cold_start").unwrap_or(0) as f64 / 1_000.0;
    let cold = chance(facts, node).is_some_and(|chance| chance > RARE);
    Way {
        warm,
        cold: warm + if cold { start } else { 0.0 },
    }
}

/// How probable it is at least that a call finds no warm instance; `None` when that is not known.
fn chance(facts: &Facts, node: NodeIx) -> Option<f64> {
    let design = &*facts.design;
    design.declared_ms(node, "cold_start")?;
    if design.declared_number(node, "provisioned").is_some() {
        return Some(0.0);
    }
    let kept = design.declared_ms(node, "keep_alive")? as f64 / 1_000.0;
    let rate = facts.rates()?.average(node).most;
    // Arrivals that do not know of each other.
    rate.is_finite().then(|| (-rate * kept).exp())
}

fn ask_where_unknown(facts: &Facts, before: &[NodeIx], findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    for &node in before {
        if design.declared_ms(node, "cold_start").is_none() || chance(facts, node).is_some() {
            continue;
        }
        if design.declared_ms(node, "keep_alive").is_none() {
            let reason = format!(
                "nobody says how long an instance of {} stays warm; declare it",
                design.title(node)
            );
            findings.unchecked(Subject::Node(design.nodes[node].id.clone()), reason);
        } else {
            ask_for_rate(facts, node, findings);
        }
    }
}

/// The nodes before one and itself, feeders first; loops are cut. `None` when they are too many, or
/// when none of them takes any time.
fn before(facts: &Facts, node: NodeIx) -> Option<Vec<NodeIx>> {
    let design = &*facts.design;
    let mut state: FxHashMap<NodeIx, bool> = FxHashMap::default();
    let mut order = Vec::new();
    let mut open = vec![(node, 0)];
    state.insert(node, false);
    while let Some((at, next)) = open.pop() {
        let Some(edge) = design.nodes[at].ins.get(next) else {
            order.push(at);
            continue;
        };
        open.push((at, next + 1));
        let from = design.edges[*edge].from;
        if !design.is_failure(*edge) && !state.contains_key(&from) {
            if state.len() > SEARCH_MAX {
                return None;
            }
            state.insert(from, false);
            open.push((from, 0));
        }
    }
    let timed = order
        .iter()
        .any(|at| design.declared_ms(*at, "cold_start").is_some());
    timed.then_some(order)
}
