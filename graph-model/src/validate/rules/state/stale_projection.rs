//! STATE-005: a decision rests on a picture of the past.

use super::{looks_into, nearest};
use crate::catalog::Behaviour;
use crate::validate::design::{Design, NodeIx};
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::rules::declare_rule;
use crate::validate::{Step, fixes};

declare_rule! {
    /// Finds deciders that look into a table or view which their own decisions reach only later.
    /// ## Why is this bad
    /// The balance that was checked is from a moment ago, and two withdrawals can both pass. Each of
    /// them is right about what it saw. The faster the requests come, the more of them meet before the
    /// picture has caught up.
    /// ## When is this fine
    /// When a decision too many does no harm, as with a suggestion: then accept the hazard.
    /// ## Perturbation
    /// Two commands within the delay of the projection: both are accepted.
    /// ## Example
    /// in: manual -> decide: function(component=pay.wasm) ^reads_from=balances -> done: queue -> balances: table(table=balances, mode=append)
    /// ## Use instead
    /// in: manual -> decide: function(component=pay.wasm) ^state=keyed ^state_ttl=30d -> done: queue -> balances: table(table=balances, mode=append)
    /// ## Near miss
    /// in: manual -> decide: function(component=pay.wasm) ^reads_from=limits -> done: queue -> balances: table(table=balances, mode=append)
    /// other: manual -> limits: table(table=limits, mode=append)
    /// ## Source
    /// B. Meyer and G. Young, as gathered in Microsoft: Azure Architecture Center, CQRS pattern (a read
    /// model may be stale when it is used for a command)
    code = "STATE-005", name = "decides-on-stale-projection", severity = Warning, since = "0.1.0",
    check = Whole(check),
}

fn check(facts: &Facts, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    for (node, view, _) in design.active() {
        if design.nodes[node].node.notes.declared.is_empty() {
            continue;
        }
        let Some(read) = looks_into(design, node) else {
            continue;
        };
        if compares_versions(design, read) {
            continue;
        }
        let Some((_, way)) = nearest(design, node, |at| at == read) else {
            continue;
        };
        let slow = way.iter().find_map(|edge| {
            let view = &design.edges[*edge];
            (view.resource || design.is_channel(view.from)).then_some(view.from)
        });
        let Some(slow) = slow else { continue };
        let (title, store) = (design.title(node), design.title(read));
        let cause = format!("decides by what it finds in {store}");
        let effect = "changes only then, when the next decision may have been made".to_owned();
        let mut path = design.steps((node, cause), &way, (read, effect));
        path.push(Step::node(&view.id, "has decided again meanwhile"));
        let message = format!(
            "{title} decides on {store}, which its own decisions reach only behind {}, so two of them \
             can rest on the same state; decide on state of its own, or compare versions when writing",
            design.title(slow)
        );
        findings.add(
            Found::node(&view.id, message)
                .path(path)
                .fixes(fixes::decide_on_own_state(design, node)),
        );
    }
}

/// A store that takes a write only when it knows what was there.
fn compares_versions(design: &Design, node: NodeIx) -> bool {
    match design.behaviour(node) {
        Some(Behaviour::Table { mode, .. }) => design.text(node, mode) == Some("compare_and_set"),
        _ => false,
    }
}
