//! What is left of what oracles find, once nobody promised otherwise.

use graph_model::document::Document;
use graph_model::id::NodeId;
use graph_model::value::Value;
use runtime::oracle::{Context, Finding, Oracle};
use runtime::simulate::{EPOCH_MS, Outcome, Sort};

use crate::alike::is_tolerated;
use crate::exempt::Upstream;
use crate::facts::{brings_facts, max_delay_ms};
use crate::unjudged::{counts_a_copy, is_unjudged};

/// Looks at a run for one oracle; a broken one is a canary.
pub(crate) type Judge<'j> = &'j dyn Fn(Oracle, &Outcome, &Outcome, &Context) -> Vec<Finding>;

/// The oracles as they are, without what nobody promised.
pub(crate) fn judge(
    oracle: Oracle,
    run: &Outcome,
    reference: &Outcome,
    context: &Context,
) -> Vec<Finding> {
    let mut found = oracle.judge(run, reference, context);
    let document = context.document();
    match oracle {
        Oracle::D1 | Oracle::X1 | Oracle::X2 => {
            found.retain(|found| {
                // That a window closed before what came round to it is a matter of time (ORDER-004).
                let too_soon = found.observed.get("came").is_some();
                !too_soon && !is_tolerated(found, run, reference, document)
            });
        }
        Oracle::L1 => {
            let upstream = Upstream::of(document);
            found.retain(|found| upstream.may_miss(&NodeId::new(found.at.clone())).is_none());
        }
        // When results come nobody declares.
        Oracle::L2 if came_in_time(run, document) => found.retain(|found| {
            let mut facts = run.facts.iter();
            facts.any(|fact| fact.event.data == found.expected)
        }),
        Oracle::L2 => found.clear(),
        Oracle::P1 => found.retain(|found| !is_half_a_join(found, document)),
        Oracle::B1 => {
            let upstream = Upstream::of(document);
            if upstream
                .may_echo()
                .or_else(|| upstream.forgets(run))
                .is_some()
            {
                found.clear();
            }
        }
        Oracle::D2 => {
            found.retain(|found| !counts_a_copy(found, run) && !is_unjudged(found, document));
        }
        // What is given up is not counted among what comes.
        Oracle::R1 | Oracle::R2 | Oracle::R4 if gives_up(run) => found.clear(),
        Oracle::R2 => found.retain(|found| !meets_by_chance(found, run, document)),
        // Where few events come there is room for years.
        Oracle::R3 if few_come(document) => found.clear(),
        Oracle::S1 | Oracle::R3 => found.retain(|found| !is_unjudged(found, document)),
        _ => {}
    }
    found
}

/// Whether everything came as soon as its source says, so that whoever waits for that misses nothing. How
/// long channels and wires take nobody can declare.
fn came_in_time(run: &Outcome, document: &Document) -> bool {
    const HELD_UP: [Sort; 6] = [
        Sort::Delay,
        Sort::Late,
        Sort::Clock,
        Sort::Crash,
        Sort::Lose,
        Sort::Replay,
    ];
    let mut facts = run.facts.iter();
    !HELD_UP.iter().any(|sort| run.faults.contains_key(sort))
        && facts.all(|fact| {
            let declared = document
                .nodes
                .get(&fact.source)
                .map(|node| max_delay_ms(node));
            let late_ms = fact.at_us as i64 / 1_000 - (fact.event.context.time_ms - EPOCH_MS);
            (0..=declared.unwrap_or_default() as i64).contains(&late_ms)
        })
}

/// Whether somebody says that few events come.
fn few_come(document: &Document) -> bool {
    let sources = document.nodes.values().filter(|node| brings_facts(node));
    let mut rates = sources.filter_map(|node| node.notes.declared.get("rate")?.as_f64());
    rates.any(|rate| rate < 5.0)
}

/// Whether events failed somewhere.
fn gives_up(run: &Outcome) -> bool {
    run.counters.nodes.values().any(|count| count.failed > 0)
}

/// Whether no more is under way than may meet in a moment: COST-001 is about the mean (Little's law), of which
/// each node may be one call above for each way by which events of a source come to it, and any number where
/// several events come at once.
fn meets_by_chance(found: &Finding, run: &Outcome, document: &Document) -> bool {
    // Who looks for changes now and then finds several.
    const AT_ONCE: [&str; 5] = ["decide", "resequence", "join", "split", "table_changes"];
    let calls = |told: &Value| told.get("calls").and_then(Value::as_f64);
    let Some((observed, limit)) = calls(&found.observed).zip(calls(&found.expected)) else {
        return false;
    };
    let nodes = || document.nodes.values();
    let at_once = nodes().any(|node| {
        let window = node.config_str("window");
        window.is_some_and(|window| window != "none") || AT_ONCE.contains(&node.kind.as_str())
    });
    let upstream = Upstream::of(document);
    let ways: usize = run.loads.keys().map(|node| upstream.ways_to(node)).sum();
    at_once || observed <= limit + ways as f64
}

/// Whether a join has nothing to join: its events are never asked where they are.
fn is_half_a_join(found: &Finding, document: &Document) -> bool {
    let node = NodeId::new(found.at.clone());
    let is_join = document
        .nodes
        .get(&node)
        .is_some_and(|node| node.kind == "join");
    let fed = |port: &str| {
        let mut edges = document.edges.values();
        edges.any(|edge| edge.to.node == node && edge.to.port == port)
    };
    is_join && !(fed("left") && fed("right"))
}
