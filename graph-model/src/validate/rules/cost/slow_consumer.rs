//! COST-006: more comes than can be done, day after day.

use super::{ask_for_rate, seconds};
use crate::validate::design::NodeIx;
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::rules::declare_rule;
use crate::validate::rules::loops::number;
use crate::validate::{Step, fixes};

declare_rule! {
    /// Finds nodes that get more events in the mean than their instances can do.
    /// ## Why is this bad
    /// A queue hides the gap, it does not close it. What waits grows day after day, until it is lost or
    /// too old to be of use. More workers than partitions change nothing, because the others stand idle.
    /// ## When is this fine
    /// Never for long; when the rate is a peak, declare it as one.
    /// ## Perturbation
    /// A steady run at the declared rate: what waits grows along a straight line.
    /// ## Example
    /// in: manual ^rate=100 -> lane: log(key=.id, partitions=2) -> score: function(component=score.wasm) ^duration=50ms -> out: view
    /// ## Use instead
    /// in: manual ^rate=100 -> lane: log(key=.id, partitions=5) -> score: function(component=score.wasm) ^duration=50ms -> out: view
    /// ## Near miss
    /// in: manual ^rate=100 ^peak=400 -> lane: log(key=.id, partitions=8) -> some: filter(when=.open) ^gain=0.3 -> score: function(component=score.wasm) ^duration=200ms -> out: view
    /// ## Source
    /// J. Little: A proof for the queuing formula L = λW, 1961. Apache Kafka: documentation of consumer groups
    /// (a partition is read by one member of a group)
    code = "COST-006", name = "slower-than-what-comes", severity = Error, since = "0.1.0",
    check = Node(check),
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let Some((view, _)) = design.acting(node) else {
        return;
    };
    let Some(takes) = design.takes(node) else {
        return;
    };
    let (Some(workers), Some(rates)) = (design.workers(node), facts.rates()) else {
        return;
    };
    let arriving = rates.average(node);
    let capacity = workers.count / takes;
    // What is just enough is enough; rates are not exact.
    if arriving.least <= capacity * (1.0 + 1e-9) {
        if arriving.most > capacity {
            ask_for_rate(facts, node, findings);
        }
        return;
    }
    let title = design.title(node);
    let gap = arriving.least - capacity;
    let source = |at: NodeIx| at != node && design.nodes[at].ins.is_empty();
    let way = design.trace(node, |edge| !design.is_failure(edge), source);
    let mut path = Vec::new();
    if let Some(first) = way.first() {
        let from = design.edges[*first].from;
        let rate = design
            .declared_number(from, "rate")
            .unwrap_or(arriving.least);
        let note = format!("sends {} events a second", number(rate));
        path.push(Step::node(&design.nodes[from].id, note));
    }
    if workers.by != node {
        let note = format!("hands out {} at once", number(workers.count));
        path.push(Step::node(&design.nodes[workers.by].id, note));
    }
    path.push(Step::node(
        &view.id,
        format!(
            "takes {} for each, so {} a second are done of {}",
            seconds(takes),
            number(capacity),
            number(arriving.least)
        ),
    ));
    let waiting = design.trace(
        node,
        |edge| !design.is_failure(edge),
        |at| at != node && design.is_channel(at),
    );
    let channel = waiting.first().map(|edge| design.edges[*edge].from);
    if let Some((channel, kept)) =
        channel.and_then(|channel| Some((channel, design.declared_ms(channel, "retention")?)))
    {
        let until = kept as f64 / 1_000.0 / (1.0 - capacity / arriving.least);
        let note = format!("begins to lose the oldest after {}", seconds(until));
        path.push(Step::node(&design.nodes[channel].id, note));
    }
    let message = format!(
        "{title} gets {} events a second and does {}, so {} more wait each hour; let more work side by \
         side, or make it quicker",
        number(arriving.least),
        number(capacity),
        number((gap * 3_600.0).round())
    );
    let needed = (arriving.least * takes).ceil();
    findings.add(
        Found::node(&view.id, message)
            .path(path)
            .fixes(fixes::work_side_by_side(design, node, workers, needed)),
    );
}
