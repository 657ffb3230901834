//! PART-004: the number of partitions changes, and what is kept for a key stays behind.

use std::collections::{BTreeSet, VecDeque};

use super::{keeper, pairing};
use crate::catalog::Behaviour;
use crate::validate::design::{CodeState, NodeIx};
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::facts::delivery::Mode;
use crate::validate::fixes;
use crate::validate::rules::declare_rule;
use crate::validate::rules::delivery::way_from;
use crate::value::Value;

declare_rule! {
    /// Finds logs whose number of partitions may grow while something behind them keeps state for each
    /// key, or needs the events of a key in order.
    /// ## Why is this bad
    /// The partition of a key depends on how many there are. After the change, the next event of a
    /// customer arrives where nothing is known of that customer. Totals begin anew, joins miss their
    /// partners, and an old event may still be under way in the old place.
    /// ## When is this fine
    /// When the log is drained and all state is built anew at the change: then accept the hazard and
    /// say how.
    /// ## Perturbation
    /// Other partitioning in mid-run: with the number changed after half of the events, results differ.
    /// ## Example
    /// in: manual -> lane: log(key=.customer, partitions=4) ^partitions_max=16 -> top: aggregate(group=.customer, aggregates=[{"name": "largest", "function": "max", "of": ".total"}]) -> out: view
    /// ## Use instead
    /// in: manual -> lane: log(key=.customer, partitions=16) ^partitions_max=16 -> top: aggregate(group=.customer, aggregates=[{"name": "largest", "function": "max", "of": ".total"}]) -> out: view
    /// ## Near miss
    /// in: manual -> lane: log(key=.customer, partitions=4) ^partitions_max=16 -> fixed: repartition(key=.customer, partitions=16) -> top: aggregate(group=.customer, aggregates=[{"name": "largest", "function": "max", "of": ".total"}]) -> out: view
    /// ## Source
    /// Apache Kafka, KAFKA-20030: adding partitions and stateful applications
    code = "PART-004", name = "stranded-state", severity = Error, since = "0.1.0",
    check = Whole(check),
}

fn check(facts: &Facts, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    for (log, view, behaviour) in design.active() {
        let Behaviour::Log {
            key, partitions, ..
        } = behaviour
        else {
            continue;
        };
        let Some(most) = design.declared_number(log, "partitions_max") else {
            continue;
        };
        let count = design
            .value(log, partitions)
            .and_then(Value::as_i64)
            .unwrap_or(1);
        if most <= count as f64 || design.expr(log, key).is_none() {
            continue;
        }
        let kept = kept(facts, log);
        let Some((first, what)) = kept.first() else {
            continue;
        };
        let (title, keeper) = (design.title(log), design.title(*first));
        let cause = format!("may grow from {count} to {most} partitions, which moves keys");
        let effect = format!("{what}, and looks for it where the key is now");
        let affected = kept.iter().map(|(node, _)| design.nodes[*node].id.clone());
        let message = format!(
            "{title} may grow from {count} to {most} partitions, but {keeper} {what}, which does not move with the keys; begin with as many as there will ever be"
        );
        findings.add(
            Found::node(&view.id, message)
                .path(way_from(facts, log, cause, *first, effect))
                .affecting(affected)
                .fixes(fixes::fix_partitions(facts, log, &kept)),
        );
    }
}

/// Nodes behind a log that depend on where its keys are, the nearest first, with what they do.
fn kept(facts: &Facts, log: NodeIx) -> Vec<(NodeIx, &'static str)> {
    let design = &*facts.design;
    let mut found = Vec::new();
    let (mut open, mut seen) = (VecDeque::from([log]), BTreeSet::from([log]));
    while let Some(at) = open.pop_front() {
        for edge in &design.nodes[at].outs {
            let to = design.edges[*edge].to;
            if design.edges[*edge].resource || !seen.insert(to) {
                continue;
            }
            match design.behaviour(to) {
                // Placed anew, whatever happens in front.
                Some(
                    Behaviour::Log { .. }
                    | Behaviour::Queue { .. }
                    | Behaviour::Topic
                    | Behaviour::Repartition { .. },
                )
                | None => {}
                Some(behaviour) => {
                    found.extend(depends(facts, to, behaviour).map(|what| (to, what)));
                    open.push_back(to);
                }
            }
        }
    }
    found
}

/// What a node keeps for each key, or needs of it.
fn depends(facts: &Facts, node: NodeIx, behaviour: &Behaviour) -> Option<&'static str> {
    let design = &*facts.design;
    let port = facts.input(node)?;
    match behaviour {
        _ if keeper(behaviour).is_some() || pairing(behaviour).is_some() => {
            Some("keeps something for each key")
        }
        Behaviour::Dedupe { .. } => Some("remembers the keys that it has seen"),
        Behaviour::Opaque { .. } => {
            let state = design.code_state(node);
            (state == Some(CodeState::Keyed)).then_some("keeps something for each key")
        }
        Behaviour::Table { key, mode, .. } if design.text(node, mode) == Some("upsert") => {
            let key = facts.key(design.expr(node, key)?, port);
            let waits = !facts.identifies(&key, port) && facts.in_order(&port.order, &key);
            (waits || port.mode == Mode::Snapshot).then_some("lets the last event of a key win")
        }
        _ => None,
    }
}
