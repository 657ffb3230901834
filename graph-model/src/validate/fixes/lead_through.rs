//! Leads what goes past a redaction through it.

use super::fix;
use crate::catalog::Behaviour;
use crate::id::PortRef;
use crate::validate::Fix;
use crate::validate::design::{EdgeIx, NodeIx};
use crate::validate::facts::Facts;
use crate::validate::rules::auth::{behind, places, refusal};
use crate::value::Value;

/// The wires start at the step from then on. `None` when somebody behind them may see what it hides.
pub(in crate::validate) fn lead_through(
    facts: &Facts,
    step: NodeIx,
    wires: &[EdgeIx],
) -> Option<Fix> {
    let design = &*facts.design;
    let view = &design.nodes[step];
    let output = view.kind.as_ref()?.outputs.first()?;
    let (input, after) = (facts.input(step)?, facts.output(step)?);
    let hidden = &input.labels.all() - &after.labels.all();
    for edge in wires {
        for node in behind(facts, design.edges[*edge].to) {
            let Some(port) = facts.input(node) else {
                continue;
            };
            for place in places(facts, node, port) {
                let seen = &place.shown.all() & &hidden;
                let mut seen = seen.iter();
                if seen.any(|tag| refusal(facts, port, tag, place.audience).is_none()) {
                    return None;
                }
            }
        }
    }
    let through = PortRef::new(view.id.clone(), output.name.clone());
    let title = format!("Lead all of it through {}", design.title(step));
    let caution = "what is redacted is gone behind it";
    Some(fix(design, title, caution, |build| {
        for edge in wires {
            let held = &design.edges[*edge];
            let mut outs = view.outs.iter();
            if outs.any(|out| design.edges[*out].edge.to == held.edge.to) {
                build.remove_edge(&held.id);
            } else {
                build.change_edge(&held.id, |edge| edge.from = through.clone());
            }
        }
    }))
}

/// Removes what a redaction replaces by a hash.
pub(in crate::validate) fn remove_instead(facts: &Facts, step: NodeIx) -> Option<Fix> {
    let design = &*facts.design;
    let Some(Behaviour::Redact { how, .. }) = design.behaviour(step) else {
        return None;
    };
    let title = format!("Remove the fields at {}", design.title(step));
    let caution = "nothing that compares the hashes works behind it";
    let value: Value = "remove".into();
    Some(fix(design, title, caution, |build| {
        build.set_config(&design.nodes[step].id, how, Some(value));
    }))
}
