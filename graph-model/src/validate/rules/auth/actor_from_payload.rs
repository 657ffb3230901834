//! AUTH-007: a node acts for whomever the event names.

use super::taint;
use crate::pointer::Pointer;
use crate::validate::design::NodeIx;
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::facts::labels::{Sort, Tag};
use crate::validate::fixes;
use crate::validate::rules::declare_rule;

declare_rule! {
    /// Finds nodes that act on whose data the event says, though the caller chose what it says.
    /// ## Why is this bad
    /// A function behind a channel runs as itself and not as the person who called. If it believes
    /// the account in the body, everybody who can send an event can act on every account. This is the
    /// confused deputy, and its rights are larger than those of any caller.
    /// ## When is this fine
    /// When only callers who may act on all of them can send: then name them as publishers, and give
    /// the node's principal their role.
    /// ## Perturbation
    /// The same caller with the id of somebody else: the node acts on it.
    /// ## Example
    /// type pay(id=/id): id string, user string, account string, amount number
    /// in: http(path=/pay, event_type=pay) ^principal=/user -> lane: queue -> move: effect(action=transfer, key=.id) ^acts_on=/account
    /// ## Use instead
    /// type pay(id=/id): id string, user string, account string, amount number
    /// in: http(path=/pay, event_type=pay) ^principal=/user -> lane: queue -> own: filter(when=.account == .user) -> move: effect(action=transfer, key=.id) ^acts_on=/account
    /// ## Near miss
    /// type pay(id=/id): id string, user string, account string, amount number
    /// in: http(path=/pay, event_type=pay) ^principal=/user -> lane: queue -> short: map(expr={id, amount, from: .user}) -> move: effect(action=transfer, key=.id) ^acts_on=/from
    /// ## Source
    /// N. Hardy, The confused deputy, 1988
    code = "AUTH-007", name = "actor-from-payload", severity = Error, since = "0.1.0",
    check = Node(check),
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    if design.acting(node).is_none() {
        return;
    }
    let field = design.declared_text(node, "acts_on");
    let field = field.and_then(|text| Pointer::parse(text).ok());
    let (Some(field), Some(port)) = (field, facts.input(node)) else {
        return;
    };
    let chosen = taint::at(facts, port, &field, Sort::Chosen);
    let Some(first) = chosen
        .into_iter()
        .find(|tag| !rules_anyway(facts, node, &facts.tags[*tag as usize]))
    else {
        return;
    };
    let tag = &facts.tags[first as usize];
    let (title, source) = (design.title(node), design.title(tag.node));
    let anchor = tag.anchors.first().map(|(_, origin)| *origin);
    let caller = anchor.and_then(|origin| facts.place_of_owner(origin, port));
    let why = match (anchor, &caller) {
        (None, _) => format!("{source} does not say who called"),
        (Some(_), None) => "who called is lost on the way".to_owned(),
        (Some(_), Some(caller)) => format!("nothing compares it with who called (`{caller}`)"),
    };
    let offer = match (anchor, caller) {
        (None, _) => fixes::fill_from_login(facts, node, &field, tag.node),
        (Some(anchor), None) => fixes::compare_at_source(facts, node, &field, tag.node, anchor),
        (Some(_), Some(caller)) => fixes::compare_caller(facts, node, &field, &caller),
    };
    let message = format!(
        "{title} acts on whatever `{field}` says, which callers of {source} choose, and {why}; let events pass only when both agree"
    );
    findings.add(
        Found::node(&design.nodes[node].id, message)
            .path(taint::evidence(
                facts,
                first,
                "takes what callers send".to_owned(),
                node,
                format!("acts on `{field}`"),
            ))
            .fixes(offer),
    );
}

/// Whether whoever may call has the rights of the node anyway.
fn rules_anyway(facts: &Facts, node: NodeIx, tag: &Tag) -> bool {
    let design = &*facts.design;
    let runs_as = design.nodes[node].node.notes.runs_as.as_ref();
    let principal = runs_as.and_then(|id| design.document.principals.get(id));
    let (Some(callers), Some(principal)) = (design.publishers(tag.node), principal) else {
        return false;
    };
    let has = |role: &&str| principal.roles.iter().any(|held| held.as_str() == *role);
    !callers.is_empty() && callers.iter().all(has)
}
