//! LOOP-004: what retries is itself retried.

use rustc_hash::FxHashSet;

use crate::catalog::{Behaviour, FieldType, PortRole};
use crate::validate::design::{Design, NodeIx};
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::fixes;
use crate::validate::rules::declare_rule;
use crate::validate::rules::delivery::way_from;
use crate::value::Value;

declare_rule! {
    /// Finds calls that a channel repeats as a whole while they repeat themselves, so that the tries
    /// multiply.
    /// ## Why is this bad
    /// Three layers with three retries make sixty-four calls out of one. They do so exactly when the
    /// other side is weakest, and hold it down when it tries to recover. One layer that retries, with
    /// pauses that grow, gives it the same chances without the load.
    /// ## When is this fine
    /// When the other side can take the load that a failure brings: then set the budget
    /// `retry_factor` to what it takes.
    /// ## Perturbation
    /// A short outage of what is called: the calls for one event are counted, and how long they go on
    /// once it is back.
    /// ## Example
    /// in: manual -> lane: queue(max_attempts=20) -> mail: effect(action=mail, key=$event.id, attempts=10)
    /// ## Use instead
    /// in: manual -> lane: queue(max_attempts=20) -> mail: effect(action=mail, key=$event.id, attempts=1)
    /// ## Near miss
    /// in: manual -> lane: queue(max_attempts=20) -> mail: effect(action=mail, key=$event.id, attempts=10)
    /// mail.failed -> dead: dead_letter
    /// ## Source
    /// N. Bronson, A. Aghayev, A. Charapko, T. Zhu: Metastable failures in distributed systems, HotOS
    /// 2021. Google: Site Reliability Engineering, chapter 22 (retries at several layers multiply)
    code = "LOOP-004", name = "retries-multiply", severity = Warning, since = "0.1.0",
    check = Node(check),
}

/// Tries of one call that are taken for too many where no budget says it.
const TRIES_MAX: f64 = 100.0;

/// Tries of one node that only bridge a blip, and are no layer of retries.
const TRIES_FEW: i64 = 3;

/// Nodes that are looked at to find the channels before one.
const SEARCH_MAX: usize = 256;

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let Some((view, behaviour)) = design.acting(node) else {
        return;
    };
    let channel = matches!(
        behaviour,
        Behaviour::Queue { .. } | Behaviour::Topic | Behaviour::Log { .. }
    );
    let Some((_, own)) = tries(design, node).filter(|_| !channel) else {
        return;
    };
    let handled = view
        .outs
        .iter()
        .any(|edge| design.edges[*edge].role == PortRole::Failed);
    if handled {
        // What it gives up goes another way, and is not delivered again.
        return;
    }
    let channels = channels_before(design, node);
    let most = channels
        .into_iter()
        .filter_map(|channel| Some((channel, tries(design, channel)?.1)))
        .max_by_key(|(_, tries)| *tries);
    let Some((by, outer)) = most else { return };
    let budget = design.budget_number("retry_factor");
    let limit = budget.unwrap_or(TRIES_MAX);
    let all = own.saturating_mul(outer);
    // A channel that tries too often by itself is another hazard.
    let few = own == 1 || budget.is_none() && own <= TRIES_FEW;
    if all as f64 <= limit || few || outer as f64 > limit {
        return;
    }
    let (title, channel) = (design.title(node), design.title(by));
    let message = format!(
        "{title} tries {own} times, and {channel} delivers {outer} times what it gives up: \
                 {all} calls for one event; retry in one place"
    );
    findings.add(
        Found::node(&view.id, message)
            .path(way_from(
                facts,
                by,
                format!("delivers again what failed, {outer} times in all"),
                node,
                format!("tries {own} times for each delivery"),
            ))
            .fixes(fixes::retry_less(facts, node, by, limit)),
    );
}

/// The config field that says how often a node tries, and what it says.
pub(in crate::validate) fn tries(design: &Design, node: NodeIx) -> Option<(&str, i64)> {
    const NAMES: [&str; 2] = ["max_attempts", "attempts"];
    let kind = design.nodes[node].kind.as_ref()?;
    let field = kind.config.iter().find(|field| {
        NAMES.contains(&field.name.as_str()) && matches!(field.ty, FieldType::Integer { .. })
    })?;
    let value = design.value(node, &field.name).and_then(Value::as_i64)?;
    Some((&field.name, value.max(1)))
}

/// The channels that deliver what arrives at a node.
fn channels_before(design: &Design, node: NodeIx) -> Vec<NodeIx> {
    let mut channels = Vec::new();
    let mut seen = FxHashSet::from_iter([node]);
    let mut open = vec![node];
    while let Some(at) = open.pop() {
        for edge in &design.nodes[at].ins {
            let from = design.edges[*edge].from;
            if seen.len() > SEARCH_MAX || !seen.insert(from) {
                continue;
            }
            match design.behaviour(from) {
                // What it gave up itself is not its delivery any more.
                Some(Behaviour::Queue { .. } | Behaviour::Topic | Behaviour::Log { .. })
                    if design.edges[*edge].role != PortRole::Data => {}
                Some(Behaviour::Queue { .. } | Behaviour::Topic | Behaviour::Log { .. }) => {
                    channels.push(from);
                }
                Some(_) if !design.edges[*edge].resource => open.push(from),
                _ => {}
            }
        }
    }
    channels.sort_unstable();
    channels
}
