//! DELIV-001: what cannot be taken back may happen twice.

use super::{repeats, way_of_copies};
use crate::catalog::Behaviour;
use crate::validate::design::NodeIx;
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::rules::declare_rule;
use crate::validate::{Subject, fixes};

declare_rule! {
    /// Finds effects without a usable idempotency key behind something that repeats events.
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
    /// in: manual -> lane: queue -> once: dedupe -> charge: effect(action=charge card)
    code = "DELIV-001", name = "duplicate-effect", severity = Error, since = "0.1.0",
    check = Node(check),
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let Some((view, behaviour)) = design.acting(node) else {
        return;
    };
    let (Behaviour::Effect { key }, Some(port)) = (behaviour, facts.input(node)) else {
        return;
    };
    let Some(by) = port.copies.by() else { return };
    let expr = design.expr(node, key);
    if facts.assumed(node, "idempotent") || expr.is_some_and(|key| facts.stable(key, port)) {
        return;
    }
    let title = design.title(node);
    let why = repeats(design, by);
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
    findings.add(Found::at(Subject::Node(view.id.clone()), format!(
                "{title} {missing}, but {} {why}, so it may happen twice; give it the id of the event as its key",
                design.title(by)
            )).path(way_of_copies(facts, by, node, effect)).fixes(fixes::identify_effect(facts, node, key)));
}
