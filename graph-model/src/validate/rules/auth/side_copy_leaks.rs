//! AUTH-009: copies beside the main way are seen by people who may not read them.

use super::{self as auth, Leak, Place, Seen, Why};
use crate::validate::design::NodeIx;
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::rules::declare_rule;
use crate::validate::{Fix, fixes};

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
    let Some(port) = auth::leaking(facts, node) else {
        return;
    };
    for place in auth::places(facts, node, port) {
        if !matches!(place.seen, Seen::GivenUp | Seen::Copy(_)) {
            continue;
        }
        let mut leaks = auth::leaks(facts, port, &place);
        leaks.retain(|leak| !matches!(leak.why, Why::TooFew(_)));
        let Some(first) = leaks.first() else { continue };
        let title = place.title(design, node);
        let readers = facts.readers(place.audience);
        let fields = auth::list(&leaks);
        let message = format!(
            "{title} keeps {fields} where {readers} may look, who may not read it; let others look or redact it"
        );
        findings.add(
            Found::node(&design.nodes[node].id, message)
                .detail(place.side.cloned().unwrap_or_default())
                .path(auth::evidence(
                    facts,
                    first,
                    node,
                    format!("kept for {readers}"),
                ))
                .assuming_any(auth::assumed(facts, first, node))
                .fixes(offers(facts, node, &leaks, &place)),
        );
    }
}

fn offers(facts: &Facts, node: NodeIx, leaks: &[Leak], place: &Place<'_>) -> Vec<Fix> {
    let mut offers: Vec<Fix> = fixes::narrow_audience(facts, node, place)
        .into_iter()
        .collect();
    match place.seen {
        Seen::GivenUp => offers.extend(fixes::redact_fields(facts, node, leaks)),
        _ => offers.extend(fixes::redact_dead_letters(facts, node, leaks, place)),
    }
    offers
}
