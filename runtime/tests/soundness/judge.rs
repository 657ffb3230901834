//! What is left of what oracles find, once nobody promised otherwise.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use graph_model::document::{Document, Node};
use graph_model::id::NodeId;
use graph_model::value::{Object, Value};
use runtime::oracle::{Context, Finding, Oracle};
use runtime::simulate::{Content, EPOCH_MS, Outcome, Sort};

use crate::exempt::{Upstream, place_of};
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

/// What people look at, with results called after their node alone, and not after the instance as well.
fn placeless(content: &Content, document: &Document) -> Option<Vec<Value>> {
    let rename = |text: &str| {
        let (of, rest) = text.split_once('/')?;
        let (node, instance) = of.rsplit_once('.')?;
        let is_number = instance.bytes().all(|byte| byte.is_ascii_digit());
        let known = is_number && document.nodes.contains_key(&NodeId::new(node));
        known.then(|| Value::from(format!("{node}/{rest}")))
    };
    fn within(value: &Value, rename: &dyn Fn(&str) -> Option<Value>) -> Value {
        match value {
            Value::Str(text) => rename(text).unwrap_or_else(|| value.clone()),
            Value::Arr(items) => {
                let items = items.iter().map(|item| within(item, rename));
                items.collect::<Vec<Value>>().into()
            }
            Value::Obj(object) => {
                let fields = object.iter();
                let fields = fields.map(|(name, item)| (name.clone(), within(item, rename)));
                fields.collect::<Object>().into()
            }
            _ => value.clone(),
        }
    }
    let mut rows: Vec<Value> = match content {
        Content::Shown(rows) => rows.iter().map(|(_, row)| within(row, &rename)).collect(),
        Content::Lines(lines) => lines.iter().map(|line| within(line, &rename)).collect(),
        _ => return None,
    };
    rows.sort();
    Some(rows)
}

/// What is sure of a place: of deeds with a key that they were done, whichever event asked first; of what
/// people look at without a key the last result of each thing, where all are results; of changes that were
/// written down the last of each row, as nobody promises that lines come once.
fn settled(content: &Content) -> Option<BTreeMap<Value, Value>> {
    let mut sure = BTreeMap::new();
    match content {
        Content::Done(done) => {
            for deed in done.list() {
                let key = Value::from(vec![deed.action.clone().into(), deed.key.clone()?]);
                sure.insert(key, Value::Null);
            }
        }
        Content::Shown(rows) if rows.iter().all(|(key, _)| key.is_none()) => {
            let rows = rows.iter().map(|(_, row)| row);
            for row in rows {
                let key = Value::from(vec![
                    row.get("key")?.clone(),
                    row.get("from").cloned().unwrap_or_default(),
                ]);
                sure.insert(key, row.clone());
            }
        }
        Content::Lines(lines) if lines.iter().all(|line| line.get("op").is_some()) => {
            for line in lines {
                sure.insert(line.get("key")?.clone(), line.get("after").cloned()?);
            }
        }
        _ => return None,
    }
    Some(sure)
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

/// What was given up may be given up again, or only in the run: that is no state of the flow, and
/// losses have an oracle of their own. Who reads lines of a file may read one again: nobody promises
/// that exports hold each line once, nor that people see each result of so many events once. Names that were
/// made are compared by what they name.
fn is_tolerated(found: &Finding, run: &Outcome, reference: &Outcome, document: &Document) -> bool {
    let sinks = document.nodes.iter();
    let mut sinks = sinks.filter(|(id, node)| {
        place_of(id, node).is_some_and(|place| found.at == place) || found.at == id.as_str()
    });
    let given_up = |(_, node): (&NodeId, &Arc<Node>)| node.kind == "dead_letter";
    let held = |outcome: &Outcome| match outcome.stores.get(&found.at) {
        Some(Content::Objects(objects)) => {
            let mut held: Vec<Value> = objects.values().cloned().collect();
            held.sort();
            Some(held)
        }
        _ => None,
    };
    let renamed = held(run).is_some() && held(run) == held(reference);
    let again = match reference.stores.get(&found.at) {
        Some(Content::Lines(lines)) => {
            found.expected == Value::Null && lines.contains(&found.observed)
        }
        _ => false,
    };
    let upstream = Upstream::of(document);
    let counts = |id: &NodeId| {
        let node = document.nodes.get(id);
        node.is_some_and(|node| node.config_str("window") == Some("count"))
    };
    let of_counted = || {
        let mut at = sinks.clone();
        at.any(|(id, _)| upstream.before(id).into_iter().any(counts))
    };
    let shown = |outcome: &Outcome| match outcome.stores.get(&found.at) {
        Some(Content::Shown(rows)) if rows.iter().all(|(key, _)| key.is_none()) => {
            let rows = rows.iter().map(|(_, row)| row.clone());
            Some(rows.collect::<BTreeSet<Value>>())
        }
        _ => None,
    };
    let shown_again = shown(run).is_some() && shown(run) == shown(reference) && of_counted();
    let placeless = |outcome: &Outcome| {
        outcome
            .stores
            .get(&found.at)
            .and_then(|held| placeless(held, document))
    };
    let renamed = renamed || placeless(run).is_some() && placeless(run) == placeless(reference);
    let settled = |outcome: &Outcome| outcome.stores.get(&found.at).and_then(settled);
    let settled = settled(run).is_some() && settled(run) == settled(reference);
    renamed || again || shown_again || settled || sinks.any(given_up)
}
