//! ORDER-004: what comes late is dropped.

use crate::catalog::{Behaviour, PortRole};
use crate::validate::design::{Design, NodeIx};
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::fixes;
use crate::validate::rules::declare_rule;
use crate::validate::rules::delivery::{in_words, way_from};

declare_rule! {
    /// Finds windows and gaps that do not wait as long as events may be late, and drop them.
    /// ## Why is this bad
    /// The phone was in a tunnel, the window has closed, and the reading is gone without an error. A
    /// window waits for nobody unless it is told to. The number looks complete, and is too small.
    /// ## When is this fine
    /// When the number may miss late events: then assume `may_lose`.
    /// ## Perturbation
    /// Delay: one event comes as late as it may, and is missing in the result.
    /// ## Example
    /// type reading(time=/at): sensor string, at string
    /// phones: manual(event_type=reading) ^max_delay=1h -> each: aggregate(group=.sensor, window=time, size=5m, aggregates=[{"name": "readings", "function": "count"}]) -> out: view
    /// ## Use instead
    /// type reading(time=/at): sensor string, at string
    /// phones: manual(event_type=reading) ^max_delay=1h -> each: aggregate(group=.sensor, window=time, size=5m, lateness=1h, aggregates=[{"name": "readings", "function": "count"}]) -> out: view
    /// ## Near miss
    /// type reading(time=/at): sensor string, at string
    /// phones: manual(event_type=reading) ^max_delay=1h -> each: aggregate(group=.sensor, window=time, size=5m, aggregates=[{"name": "readings", "function": "count"}]) -> out: view
    /// each.late -> late: table(table=late, mode=append)
    /// ## Source
    /// Apache Flink, Windows: the allowed lateness is 0 by default, and late elements are dropped
    code = "ORDER-004", name = "late-facts-dropped", severity = Error, since = "0.1.0",
    check = Node(check),
}

/// The output for what comes too late.
const LATE: &str = "late";

/// The fields that say how long windows and gaps wait.
pub(super) const LATENESS: &str = "lateness";
const WAIT: &str = "wait";

/// The field that says after which silence open windows close.
pub(in crate::validate) const IDLE: &str = "idle";

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let Some((view, behaviour)) = design.acting(node) else {
        return;
    };
    // A late end mark may be the only one that makes its group known.
    let ports = [facts.input(node), facts.second(node)]
        .into_iter()
        .flatten();
    let delay = ports
        .filter_map(|port| port.delay)
        .max_by_key(|(delay, _)| *delay);
    let (Some((delay, by)), Some(field)) = (delay, patience(design, node, behaviour)) else {
        return;
    };
    let waits = design.ms(node, field).unwrap_or(0);
    // After a silence it waits no longer, however late events may be.
    let silence = design.ms(node, IDLE).filter(|silence| *silence > 0);
    let waits = waits.min(silence.unwrap_or(i64::MAX));
    let kept = view.outs.iter().any(|edge| {
        let edge = &design.edges[*edge];
        edge.role == PortRole::Data && edge.edge.from.port == LATE
    });
    if waits >= delay || kept || facts.assumed(node, "may_lose") {
        return;
    }
    let (title, from) = (design.title(node), design.title(by));
    let (waits, delay_text) = (in_words(waits), in_words(delay));
    let message = format!(
        "events of {from} may come {delay_text} late, and {title} waits for {waits} and drops what comes later; wait longer, or keep what is late"
    );
    let cause = format!("sends events up to {delay_text} late");
    let effect = format!("drops what is more than {waits} late");
    let found = Found::node(&view.id, message)
        .path(way_from(facts, by, cause, node, effect))
        .fixes([fixes::wait_for_late(design, node, field, delay)])
        .fixes(fixes::keep_late(design, node, LATE));
    findings.add(found);
}

/// The field that says how long a node waits for what is late, if it waits at all.
fn patience(design: &Design, node: NodeIx, behaviour: &Behaviour) -> Option<&'static str> {
    match behaviour {
        Behaviour::Resequence { .. } => Some(WAIT),
        Behaviour::Aggregate { .. } | Behaviour::Decide { .. } => {
            design.compares_times(node).then_some(LATENESS)
        }
        _ => None,
    }
}
