//! COST: what it costs, and which limits it meets.

mod cold_path;
mod concurrency;
mod cost_per_event;
mod memory;
mod payload;
mod slow_consumer;
#[cfg(test)]
mod tests;

use crate::validate::Rule;
use crate::validate::Subject;
use crate::validate::design::NodeIx;
use crate::validate::diagnostic::RuleFindings;
use crate::validate::facts::Facts;

/// The rules of the family, by code.
pub(super) const RULES: &[Rule] = &[
    concurrency::RULE,
    cost_per_event::RULE,
    cold_path::RULE,
    payload::RULE,
    memory::RULE,
    slow_consumer::RULE,
];

/// Says what has to be declared so that it is known how many events arrive at a node.
pub(in crate::validate::rules) fn ask_for_rate(
    facts: &Facts,
    node: NodeIx,
    findings: &mut RuleFindings<'_, '_>,
) {
    let design = &*facts.design;
    let Some((by, what)) = facts.doubt_before(node) else {
        let title = design.title(node);
        let reason = format!(
            "nobody says how often an event comes round to {title}; declare the gain of what ends it"
        );
        findings.unchecked(Subject::Node(design.nodes[node].id.clone()), reason);
        return;
    };
    let title = design.title(by);
    let reason = match what {
        "rate" => format!("nobody says how many events {title} sends; declare its rate"),
        _ => format!("nobody says how many events {title} makes of one; declare its gain"),
    };
    findings.unchecked(Subject::Node(design.nodes[by].id.clone()), reason);
}

/// `5 ms`, `2.5 s`, `3 min`.
fn seconds(count: f64) -> String {
    use crate::validate::rules::loops::number;
    if count < 1.0 {
        format!("{} ms", number(count * 1_000.0))
    } else if count < 120.0 {
        format!("{} s", number(count))
    } else if count < 7_200.0 {
        format!("{} min", number(count / 60.0))
    } else if count < 172_800.0 {
        format!("{} h", number(count / 3_600.0))
    } else {
        format!("{} days", number(count / 86_400.0))
    }
}
