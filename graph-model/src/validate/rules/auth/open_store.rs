//! AUTH-004: a store or channel is open to people who may not read what is in it.

use super::{self as auth, Seen, Why};
use crate::validate::design::NodeIx;
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::fixes;
use crate::validate::rules::declare_rule;

declare_rule! {
    /// Finds stores and channels whose direct readers may not see all that is written there.
    /// ## Why is this bad
    /// Every view of a store can be perfect while the store behind them is open. Whoever can query a
    /// table or subscribe to a channel skips the views, their row filters and their redactions. What
    /// such readers see is decided by what is written, not by what is shown.
    /// ## When is this fine
    /// When those readers are in the label: then name them there.
    /// ## Perturbation
    /// A different secret in an event: whoever reads the store itself sees something else.
    /// ## Example
    /// role doctors
    /// role support
    /// type visit: id string {org}, diagnosis string {role:doctors}
    /// in: manual(event_type=visit) -> visits: log(key=.id) %readers=doctors,support -> desk: view @doctors
    /// ## Use instead
    /// role doctors
    /// role support
    /// type visit: id string {org}, diagnosis string {role:doctors}
    /// in: manual(event_type=visit) -> visits: log(key=.id) %readers=doctors -> desk: view @doctors
    /// ## Near miss
    /// role doctors
    /// role support
    /// type visit: id string {org}, diagnosis string {role:doctors}
    /// in: manual(event_type=visit) -> desk: view @doctors
    /// in -> hide: redact(fields=["/diagnosis"]) -> visits: log(key=.id) %readers=doctors,support -> list: view @support
    /// ## Source
    /// CWE-668: exposure of resource to wrong sphere
    code = "AUTH-004", name = "open-store", severity = Error, since = "0.1.0",
    check = Node(check),
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let Some(port) = auth::leaking(facts, node) else {
        return;
    };
    for place in auth::places(facts, node, port) {
        if place.seen != Seen::Stored {
            continue;
        }
        let mut leaks = auth::leaks(facts, port, &place);
        leaks.retain(|leak| !matches!(leak.why, Why::TooFew(_)));
        let Some(first) = leaks.first() else { continue };
        let title = design.title(node);
        let readers = facts.readers(place.audience);
        let fields = auth::list(&leaks);
        let narrow = fixes::narrow_audience(facts, node, &place);
        let redact = fixes::redact_fields(facts, node, &leaks);
        let message = format!(
            "{title} can be read by {readers} past all views, and holds {fields}, which they may not read; let others read it or redact what goes in"
        );
        findings.add(
            Found::node(&design.nodes[node].id, message)
                .detail(place.side.cloned().unwrap_or_default())
                .path(auth::evidence(
                    facts,
                    first,
                    node,
                    format!("holds it open to {readers}"),
                ))
                .assuming_any(auth::assumed(facts, first, node))
                .fixes(narrow.into_iter().chain(redact)),
        );
    }
}
