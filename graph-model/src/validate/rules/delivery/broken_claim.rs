//! DELIV-009: what is claimed to happen once is done outside of what guarantees it.

use super::{repeats, way_of_copies};
use crate::catalog::{Behaviour, Observation};
use crate::validate::design::NodeIx;
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::fixes;
use crate::validate::rules::declare_rule;
use crate::validate::rules::delivery::duplicate_count::rows_of_copies;
use crate::validate::rules::delivery::duplicate_effect::is_repeated;

declare_rule! {
    /// Finds sinks that are claimed to get each event once, and do not.
    /// ## Why is this bad
    /// Exactly once covers what an engine keeps itself, not the file or the service behind it. A crash
    /// between the write there and the commit here makes the engine do it again, as it has to. Only a
    /// sink that recognises what it has already done turns that into once.
    /// ## When is this fine
    /// When doubles out there do no harm: then do not claim more.
    /// ## Perturbation
    /// Crash: the process stops between the write and the acknowledgement, and the line is there twice.
    /// ## Example
    /// in: manual -> all: log(transactional=true) ^exactly_once=true -> lines: export(file=lines.jsonl)
    /// ## Use instead
    /// in: manual -> all: log(transactional=true) ^exactly_once=true -> rows: table(table=rows, mode=append)
    /// ## Near miss
    /// in: manual -> all: log(transactional=true) ^exactly_once=true -> once: dedupe -> lines: export(file=lines.jsonl)
    /// all -> charge: effect(action=charge card, key=$event.id)
    /// ## Source
    /// Apache Flink, Fault tolerance guarantees of data sources and sinks
    code = "DELIV-009", name = "broken-claim", severity = Warning, since = "0.1.0",
    check = Node(check),
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let (Some((view, behaviour)), Some(port)) = (design.acting(node), facts.input(node)) else {
        return;
    };
    let Some(by) = port.copies.by() else { return };
    let own = design.declared_flag(node, "exactly_once");
    let claimed = if own {
        Some(node)
    } else {
        port.redelivery.claimed
    };
    let Some(claimed) = claimed.filter(|_| !facts.assumed(node, "idempotent")) else {
        return;
    };
    let effect = match behaviour {
        Behaviour::Observe {
            observation: Observation::Export,
        } => "writes a line for it again",
        Behaviour::Effect { key } if is_repeated(facts, node, key, port) => "does it again",
        Behaviour::Opaque { .. } if design.calls_out(node) => "sends its requests again",
        Behaviour::Table { .. } | Behaviour::Bucket { .. } => {
            match rows_of_copies(facts, node, behaviour, port) {
                Some(effect) => effect,
                None => return,
            }
        }
        _ => return,
    };
    let title = design.title(node);
    let claim = if own {
        format!("{title} is declared to happen once")
    } else {
        let claimed = design.title(claimed);
        format!("everything behind {claimed} is declared to happen once")
    };
    let message = format!(
        "{claim}, but {} {}, and {title} {effect}; put a dedupe in front, or take the claim back",
        design.title(by),
        repeats(design, by)
    );
    let found = Found::node(&view.id, message)
        .path(way_of_copies(facts, by, node, effect.to_owned()))
        .fixes(fixes::dedupe(facts, node));
    findings.add(found);
}
