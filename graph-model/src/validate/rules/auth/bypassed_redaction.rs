//! AUTH-013: what was to be hidden is not, because a step may not lower the label or is passed by.

use super::{self as auth, Leak, Lowered, Place, Why};
use crate::catalog::Behaviour;
use crate::validate::design::NodeIx;
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::rules::declare_rule;
use crate::validate::{Fix, fixes};

declare_rule! {
    /// Finds steps that hide a field from people who see it all the same: the raw field takes
    /// another way to them, or what the step makes of it is as restricted as the field.
    /// ## Why is this bad
    /// A redaction protects only what flows through it, so one fork before it is enough to show the
    /// field elsewhere. A hash or a token of a field still tells it apart, and who has a list of
    /// candidates finds the value again. Whoever reads the design sees the step and believes that the
    /// field is safe.
    /// ## When is this fine
    /// When the owner of the data agrees that a token may be seen: then write a release rule.
    /// ## Perturbation
    /// A different secret: with another value in the hidden field, the people it was hidden from see
    /// something else.
    /// ## Example
    /// role finance
    /// role adjusters
    /// type claim: amount number {org}, diagnosis string {role:adjusters}
    /// in: manual(event_type=claim) -> claims: topic
    /// claims -> hide: redact(fields=["/diagnosis"]) -> sums: view @finance
    /// claims -> recent: view @finance
    /// ## Use instead
    /// role finance
    /// role adjusters
    /// type claim: amount number {org}, diagnosis string {role:adjusters}
    /// in: manual(event_type=claim) -> hide: redact(fields=["/diagnosis"]) -> claims: topic
    /// claims -> sums: view @finance
    /// claims -> recent: view @finance
    /// ## Near miss
    /// role finance
    /// role adjusters
    /// type claim: amount number {org}, diagnosis string {role:adjusters}
    /// in: manual(event_type=claim) -> claims: topic
    /// claims -> hide: redact(fields=["/diagnosis"]) -> sums: view @finance
    /// claims -> desk: view @adjusters
    /// ## Source
    /// S. Zdancewic and A. Myers, Robust declassification, 2001
    code = "AUTH-013", name = "bypassed-redaction", severity = Error, since = "0.1.0",
    check = Node(check),
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let Some((port, place)) = auth::leaking_place(facts, node) else {
        return;
    };
    let mut leaks = auth::leaks(facts, port, &place);
    leaks.retain(|leak| leak.why == Why::Unreadable);
    // Leaks of one step are one finding.
    let mut failures: Vec<(Lowered, Vec<Leak>)> = Vec::new();
    for leak in leaks {
        let Some(lowered) = auth::lowered(facts, node, &leak, &place) else {
            continue;
        };
        match failures
            .iter_mut()
            .find(|(held, _)| held.step() == lowered.step())
        {
            Some((_, leaks)) => leaks.push(leak),
            None => failures.push((lowered, vec![leak])),
        }
    }
    for (lowered, leaks) in failures {
        let step = lowered.step();
        let (title, seen) = (design.title(step), design.title(node));
        let readers = facts.readers(place.audience);
        let fields = auth::list(&leaks);
        let (message, effect) = match lowered {
            Lowered::Without(_) => (
                format!(
                    "{title} replaces {fields} for {readers}, but who knows the values finds them again; remove it instead"
                ),
                format!("shows what is left of it to {readers}"),
            ),
            Lowered::Past { .. } => (
                format!(
                    "{title} hides {fields} from {readers}, but {seen} gets it past {title}; lead all of it through {title}"
                ),
                format!("shows it to {readers}, past {title}"),
            ),
        };
        findings.add(
            Found::node(&design.nodes[step].id, message)
                .detail(design.nodes[node].id.as_str())
                .path(auth::evidence(facts, &leaks[0], node, effect))
                .affecting([design.nodes[node].id.clone()])
                .fixes(offers(facts, node, &lowered, &leaks, &place)),
        );
    }
}

fn offers(
    facts: &Facts,
    node: NodeIx,
    lowered: &Lowered,
    leaks: &[Leak],
    place: &Place<'_>,
) -> Vec<Fix> {
    let first = match lowered {
        Lowered::Without(step) => match facts.design.behaviour(*step) {
            Some(Behaviour::Redact { .. }) => fixes::remove_instead(facts, *step),
            _ => None,
        },
        Lowered::Past { step, wires } => fixes::lead_through(facts, *step, wires),
    };
    let redact = fixes::redact_fields(facts, node, leaks);
    let narrow = fixes::narrow_audience(facts, node, place);
    first.into_iter().chain(redact).chain(narrow).collect()
}
