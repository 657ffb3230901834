//! AUTH-009: copies beside the main way are seen by people who may not read them.

use super as auth;
use crate::catalog::{Behaviour, PortRole};
use crate::validate::design::NodeIx;
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::rules::declare_rule;
use crate::validate::{Subject, fixes};

declare_rule! {
    /// Finds dead letters, traces, logs and replays that show payloads to people outside their
    /// readers.
    /// ## Why is this bad
    /// Failures send your most sensitive payloads to a place with other readers, often the whole
    /// on-call rota. The main way can be perfect and says nothing about that copy. Nobody looks at
    /// it until the day it matters.
    /// ## When is this fine
    /// When those readers are in the label: then name them there.
    /// ## Perturbation
    /// A different secret in an event that fails: whoever reads the copy sees something else.
    /// ## Example
    /// role doctors
    /// role support
    /// type visit: id string {org}, diagnosis string {role:doctors}
    /// in: replay(file=visits.jsonl, event_type=visit) -> desk: view @doctors
    /// in.failed -> dead: dead_letter @support
    /// ## Use instead
    /// role doctors
    /// role support
    /// type visit: id string {org}, diagnosis string {role:doctors}
    /// in: replay(file=visits.jsonl, event_type=visit) -> desk: view @doctors
    /// in.failed -> dead: dead_letter @doctors
    /// ## Near miss
    /// role doctors
    /// role support
    /// type visit: id string {org}, diagnosis string {role:doctors}
    /// in: replay(file=visits.jsonl, event_type=visit) -> lane: topic %dead_letter=support -> desk: view @doctors
    /// lane.failed -> hide: redact(fields=["/diagnosis"]) -> dead: dead_letter @support
    /// ## Source
    /// OWASP Serverless Top 10, S3: insecure deployment of dead letters
    code = "AUTH-009", name = "side-copy-leaks", severity = Error, since = "0.1.0",
    check = Node(check),
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let Some((view, behaviour)) = design.acting(node) else {
        return;
    };
    let Some(port) = facts.input(node) else {
        return;
    };
    let notes = &view.node.notes;
    let mut copies = Vec::new();
    if *behaviour == Behaviour::DeadLetter {
        copies.push((None, notes.audience.as_ref()));
    }
    // A wire takes the given-up events away: what it leads to is looked at instead.
    let wired = view
        .outs
        .iter()
        .any(|edge| design.edges[*edge].role == PortRole::Failed);
    for (copy, audience) in &notes.side_audiences {
        if !(wired && copy == "dead_letter") {
            copies.push((Some(copy), Some(audience)));
        }
    }
    for (copy, audience) in copies {
        let leaks = auth::leaks(facts, port, &port.labels, audience);
        let Some(first) = leaks.first() else { continue };
        let title = match copy {
            Some(copy) => format!("the {} of {}", copy.replace('_', " "), design.title(node)),
            None => design.title(node).to_owned(),
        };
        let readers = facts.readers(audience);
        let fields = auth::list(&leaks);
        let mut offers: Vec<_> = fixes::narrow_audience(facts, node, copy)
            .into_iter()
            .collect();
        if copy.is_none() {
            offers.extend(fixes::redact_fields(facts, node, &leaks));
        }
        findings.add(Found::at(Subject::Node(view.id.clone()), format!(
                    "{title} keeps {fields} where {readers} may look, who may not read it; let others look or redact it"
                )).detail(copy.cloned().unwrap_or_default()).path(auth::evidence(facts, first, node, format!("kept for {readers}"))).fixes(offers));
    }
}
