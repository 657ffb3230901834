//! DELIV-008: an event comes again while it is still being handled.

use smol_str::SmolStr;

use super::{in_words, way_from};
use crate::validate::design::NodeIx;
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::facts::redelivery::VISIBILITY;
use crate::validate::rules::declare_rule;
use crate::validate::{Severity, Step, Subject, fixes};
use crate::value::Value;

declare_rule! {
    /// Finds channels that deliver an event again before the work on it can be done, and batches that
    /// come again as a whole.
    /// ## Why is this bad
    /// The channel thinks that the worker died and gives the job to somebody else. Now two are doing
    /// it, and both are slower for it, so that even more jobs come again. Where one failure brings a
    /// whole batch back, the work on the others was for nothing, too.
    /// ## When is this fine
    /// When the worker tells the channel from time to time that it is alive: then accept the hazard.
    /// ## Perturbation
    /// Slowness: one call takes as long as it may, and the event is handled twice at the same time.
    /// ## Example
    /// in: manual -> lane: queue(visibility=30s) -> work: function(component=work.wasm) ^duration=20s ^batch=10 ^partial_ack=true -> out: view
    /// ## Use instead
    /// in: manual -> lane: queue(visibility=20m) -> work: function(component=work.wasm) ^duration=20s ^batch=10 ^partial_ack=true -> out: view
    /// ## Near miss
    /// in: manual -> lane: queue(visibility=30s) -> check: function(component=check.wasm) ^duration=20s -> later: queue(visibility=30s) -> work: function(component=work.wasm) ^duration=20s -> out: view
    /// ## Source
    /// AWS Lambda, SQS: a visibility timeout of six times the timeout of the function is recommended
    code = "DELIV-008", name = "redelivered-at-work", severity = Error, since = "0.1.0",
    check = Node(check),
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let (Some((view, _)), Some(port)) = (design.acting(node), facts.input(node)) else {
        return;
    };
    let Some(channel) = port.redelivery.delivered_by else {
        return;
    };
    let id = &design.nodes[channel].id;
    let (title, from) = (design.title(node), design.title(channel));
    let work = design.works_for(node);
    if let (Some(left), Some(work), Some(waits)) =
        (port.redelivery.patience, work, design.waits_for(channel))
        && left >= 0
        && work > left
    {
        let needs = waits - left + work;
        let (waits, needed) = (in_words(waits), in_words(needs));
        let message = format!(
            "{from} delivers an event again after {waits}, while {title} may be at work on it until {needed} have passed; let {from} wait longer"
        );
        let cause = format!("delivers again after {waits}");
        let effect = format!("may need until {needed} have passed");
        let found = Found::node(id, message)
            .path(way_from(facts, channel, cause, node, effect))
            .affecting([view.id.clone()])
            .fixes([fixes::wait_longer(design, channel, VISIBILITY, needs)]);
        findings.add(found);
    }
    let batch = design.declared(node, "batch").and_then(Value::as_i64);
    let Some(batch) = batch.filter(|batch| *batch > 1) else {
        return;
    };
    let answers = [node, channel].map(|place| {
        let declared = design
            .declared(place, "partial_ack")
            .and_then(Value::as_bool);
        declared.map(|partial| (place, partial))
    });
    match answers.into_iter().flatten().next() {
        Some((_, true)) => {}
        Some((place, false)) => {
            let message = format!(
                "one event that fails brings {batch} events of {from} back to {title}; acknowledge them one by one"
            );
            let path = vec![
                Step::node(id, format!("takes {batch} deliveries for one")),
                Step::node(&view.id, "does the good ones again, too"),
            ];
            let found = Found::node(&view.id, message)
                .detail(SmolStr::new_static("batch"))
                .severity(Severity::Warning)
                .path(path)
                .fixes([fixes::acknowledge_singly(design, place)]);
            findings.add(found);
        }
        None => findings.unchecked(
            Subject::Node(view.id.clone()),
            format!(
                "{title} takes {batch} events at once, and nobody says whether the good ones of a failed batch stay done; declare `partial_ack`"
            ),
        ),
    }
}
