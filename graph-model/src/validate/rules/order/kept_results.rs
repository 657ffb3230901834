//! What takes each result of a fold that sends a new one with every event, or the last of some of them: the
//! last of all is the same in any order, and those before it are not.

use rustc_hash::FxHashSet;

use super::Sort;
use crate::catalog::{Behaviour, Observation};
use crate::validate::design::{Design, NodeIx};
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::facts::delivery::{Loss, Mode, Order};
use crate::validate::facts::numbers::windowed;
use crate::validate::fixes;
use crate::validate::rules::delivery::{placing, way_from};
use crate::validate::rules::order::late_facts::LATENESS;
use crate::value::Value;

/// Reports a node that keeps all results, where the order of what they are made of is one of `ours`.
pub(super) fn report(
    facts: &Facts,
    node: NodeIx,
    findings: &mut RuleFindings<'_, '_>,
    ours: fn(Loss) -> bool,
) {
    let design = &*facts.design;
    let Some(Keeps { does, last }) = keeps(facts, node) else {
        return;
    };
    let assumed = ["ordered", "commutative"];
    if assumed.iter().any(|what| facts.assumed(node, what)) {
        return;
    }
    // Which window a result falls into says its time, which is that of the event before it.
    let timed = design.compares_times(node);
    for maker in makers(facts, node, timed, last) {
        let Some(Behaviour::Aggregate { group, window, .. }) = design.behaviour(maker) else {
            continue;
        };
        let Some(port) = facts.input(maker) else {
            continue;
        };
        let key = design.expr(maker, group);
        let key = key.map(|key| facts.key(key, port)).unwrap_or_default();
        if facts.in_order(&port.order, &key) {
            continue;
        }
        let (by, loss) = match &port.order {
            Order::Lost(by, loss) => (*by, *loss),
            // That its groups are split comes first.
            _ if !facts.in_one_place(&key, port) => continue,
            order => (super::keeper(facts, maker, order), Loss::Instances),
        };
        // Where each group has one event there is one result.
        if !ours(loss)
            || facts.identifies(&key, port)
            || assumed.iter().any(|what| facts.assumed(maker, what))
        {
            continue;
        }
        let (title, makes) = (design.title(node), design.title(maker));
        let cause = match loss {
            Loss::Instances => format!("keeps order only {}", placing(design, by)),
            _ => super::cause(loss),
        };
        let message = format!(
            "{makes} sends a new result with each event, and {title} {does}, but {} {cause}, so the results before the last may be others each time; send one result of each window",
            design.title(by)
        );
        let mut path = way_from(
            facts,
            by,
            cause,
            maker,
            "sends a result of what has come so far".to_owned(),
        );
        path.extend(
            way_from(facts, maker, String::new(), node, does.to_owned())
                .into_iter()
                .skip(1),
        );
        findings.add(
            Found::node(&design.nodes[node].id, message)
                .detail(design.nodes[maker].id.as_str())
                .path(path)
                .fixes([fixes::wait_for_window(
                    facts,
                    maker,
                    (window, "time"),
                    LATENESS,
                )])
                .fixes(fixes::keep_order(
                    facts,
                    maker,
                    (Some(group), Sort::Each),
                    by,
                )),
        );
    }
}

/// What a node does with results.
struct Keeps {
    does: &'static str,
    /// It keeps the last that comes, which is the last of all if none of them is left out.
    last: bool,
}

/// What a node does with each of the results, when it keeps or folds all of them or takes one.
fn keeps(facts: &Facts, node: NodeIx) -> Option<Keeps> {
    let design = &*facts.design;
    let (_, behaviour) = design.acting(node)?;
    // Whether each thing has one key for all of its results.
    let by_thing = |key: &str| {
        let port = facts.input(node)?;
        let key = facts.key(design.expr(node, key)?, port);
        match &port.mode {
            Mode::Upsert(thing) => Some(!thing.is_empty() && facts.determines(thing, &key)),
            Mode::Append | Mode::Snapshot | Mode::Mixed => None,
        }
    };
    let last = |does| Some(Keeps { does, last: true });
    let does = match behaviour {
        Behaviour::Table { mode, key, .. }
            if design.text(node, mode) == Some("upsert") && by_thing(key) == Some(true) =>
        {
            return last("keeps the last of those that come through");
        }
        Behaviour::Bucket { name } if by_thing(name) == Some(true) => {
            return last("keeps the last of those that come through");
        }
        Behaviour::Observe {
            observation: Observation::View | Observation::Metric,
        } if super::shown_by(design, node).is_some_and(|key| by_thing(key) == Some(true)) => {
            return last("shows the last of those that come through");
        }
        // What is done once for a thing is done once, whichever result comes first.
        Behaviour::Effect { key } if by_thing(key) != Some(true) => "acts on each of them",
        Behaviour::Dedupe { key, .. } if by_thing(key) == Some(true) => "takes the first of them",
        Behaviour::Table { mode, key, .. }
            if design.text(node, mode) == Some("append") || by_thing(key) != Some(true) =>
        {
            "keeps all of them"
        }
        Behaviour::Bucket { name } if by_thing(name) != Some(true) => "keeps all of them",
        Behaviour::Observe {
            observation: Observation::Export,
        } => "writes down all of them",
        Behaviour::Fold { .. } => "folds all of them",
        // Of results that come in order the last is the same in any case.
        Behaviour::Aggregate { aggregates, .. }
            if design.compares_times(node) || !is_last(design, node, aggregates) =>
        {
            "folds all of them"
        }
        _ => return None,
    };
    Some(Keeps { does, last: false })
}

/// Aggregates that send running results, through whatever passes these on to the node; where only the last
/// counts, through something that may leave it out.
fn makers(facts: &Facts, node: NodeIx, timed: bool, last: bool) -> Vec<NodeIx> {
    let design = &*facts.design;
    let (mut found, mut open) = (Vec::new(), vec![(node, !last)]);
    let mut seen = FxHashSet::from_iter([(node, !last)]);
    while let Some((at, some)) = open.pop() {
        for edge in &design.nodes[at].ins {
            let view = &design.edges[*edge];
            let running = facts
                .edge(*edge)
                .is_some_and(|port| port.doubts.running.is_some());
            let some = some || facts.picks(*edge);
            if !running || !seen.insert((view.from, some)) {
                continue;
            }
            match design.behaviour(view.from) {
                Some(Behaviour::Aggregate { aggregates, .. }) if view.main => {
                    if some
                        && !windowed(design, view.from)
                        && !found.contains(&view.from)
                        && (timed || varies(design, view.from, aggregates))
                    {
                        found.push(view.from);
                    }
                }
                _ => open.push((view.from, some)),
            }
        }
    }
    found.sort_unstable_by(|a, b| design.nodes[*a].id.cmp(&design.nodes[*b].id));
    found
}

/// Whether results of an aggregate are others when other events of their group came before: all but plain
/// counts, which go up by one.
fn varies(design: &Design, node: NodeIx, aggregates: &str) -> bool {
    let records = design.value(node, aggregates).and_then(Value::as_array);
    records.unwrap_or_default().iter().any(|record| {
        let text = |name: &str| record.get(name).and_then(Value::as_str);
        text("function").unwrap_or("count") != "count"
            || text("of").is_some_and(|of| !of.is_empty())
    })
}

/// Whether an aggregate keeps the last of everything.
fn is_last(design: &Design, node: NodeIx, aggregates: &str) -> bool {
    let records = design.value(node, aggregates).and_then(Value::as_array);
    let records = records.unwrap_or_default();
    let last = |record: &Value| record.get("function").and_then(Value::as_str) == Some("last");
    !records.is_empty() && records.iter().all(last)
}
