//! DELIV-001: what cannot be taken back may happen twice.

use super::{cause_of_copies, repeats, way_of_copies};
use crate::catalog::Behaviour;
use crate::validate::design::NodeIx;
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::{Facts, Port};
use crate::validate::rules::declare_rule;
use crate::validate::{Severity, fixes};

declare_rule! {
    /// Finds effects without a usable idempotency key, and code that sends requests to hosts, behind
    /// something that repeats events.
    /// ## Why is this bad
    /// At least once means sometimes twice. The charge succeeded, the acknowledgement did not
    /// arrive, so the system politely tries again. Somebody pays twice, and only they notice.
    /// ## When is this fine
    /// When doing it twice is the same as doing it once: then assume `idempotent`, and every run
    /// tests that.
    /// ## Perturbation
    /// Duplication: one event delivered twice makes the effect happen twice.
    /// ## Example
    /// in: manual -> lane: queue -> charge: effect(action=charge card)
    /// ## Use instead
    /// in: manual -> lane: queue -> charge: effect(action=charge card, key=$event.id)
    /// ## Near miss
    /// in: manual -> price: function(component=price.wasm) -> lane: queue -> charge: effect(action=charge card, key=.payment)
    /// ## Source
    /// Amazon SQS, At-least-once delivery; RFC 9110, 9.2.2 Idempotent methods
    code = "DELIV-001", name = "duplicate-effect", severity = Error, since = "0.1.0",
    check = Node(check),
}

/// What may be asked for twice (RFC 9110, 9.2.2).
const REPEATABLE: [&str; 5] = ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"];

/// The field in which effects that call others by HTTP keep the method.
const METHOD: &str = "method";

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let Some((view, behaviour)) = design.acting(node) else {
        return;
    };
    let key = match behaviour {
        Behaviour::Effect { key } => key,
        Behaviour::Opaque { .. } if design.calls_out(node) => {
            return check_code(facts, node, findings);
        }
        _ => return,
    };
    let Some(port) = facts.input(node) else {
        return;
    };
    let Some(by) = port.copies.by() else { return };
    if !is_repeated(facts, node, key, port) || facts.assumed(node, "idempotent") {
        return;
    }
    let title = design.title(node);
    let (missing, effect) = match design.text(node, key) {
        None => (
            "has no idempotency key".to_owned(),
            "does it again, because no key says that it was done".to_owned(),
        ),
        Some(key) => (
            format!("has the key `{key}`, which differs between copies"),
            format!("does it again, because `{key}` is another one"),
        ),
    };
    let message = format!(
        "{title} {missing}, but {} {}, so it may happen twice; give it the id of the event as its key",
        design.title(by),
        repeats(design, by)
    );
    let found = Found::node(&view.id, message)
        .path(way_of_copies(facts, by, node, effect))
        .following(cause_of_copies(facts, node))
        .fixes(fixes::identify_effect(facts, node, key));
    findings.add(found);
}

/// Requests of code are sent again with the event. Nobody can see what they ask for.
fn check_code(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let copies = facts.input(node).and_then(|port| port.copies.by());
    let Some(by) = copies.filter(|_| !facts.assumed(node, "idempotent")) else {
        return;
    };
    let title = design.title(node);
    let message = format!(
        "{title} sends requests, and {} {}, so they may be sent twice; put a dedupe in front, or let it send the id of the event with them and assume `idempotent`",
        design.title(by),
        repeats(design, by)
    );
    let found = Found::node(&design.nodes[node].id, message)
        .path(way_of_copies(
            facts,
            by,
            node,
            "sends its requests again".to_owned(),
        ))
        .following(cause_of_copies(facts, node))
        .assuming("that its requests change something")
        .severity(Severity::Warning)
        .fixes(fixes::dedupe(facts, node));
    findings.add(found);
}

/// Whether an effect does again what it is asked for again.
pub(super) fn is_repeated(facts: &Facts, node: NodeIx, key: &str, port: &Port) -> bool {
    let design = &*facts.design;
    let method = design.text(node, METHOD);
    let repeatable = method.is_some_and(|method| REPEATABLE.contains(&method));
    let key = design.expr(node, key);
    !repeatable && !key.is_some_and(|key| facts.stable(key, port))
}
