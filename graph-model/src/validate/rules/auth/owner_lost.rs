//! AUTH-003: nothing says any more whose the data is.

use super::{self as auth, Leak, Why};
use crate::catalog::Behaviour;
use crate::validate::design::NodeIx;
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::facts::origins::OriginId;
use crate::validate::rules::declare_rule;
use crate::validate::{Fix, Step, Subject, fixes};

declare_rule! {
    /// Finds steps that drop, overwrite or fold away the owner of what people may see only of
    /// themselves.
    /// ## Why is this bad
    /// Leaving out an id looks like making data anonymous, but the sensitive value is still there.
    /// What is gone is the only fact by which anybody could tell whose it is. From there on no guard
    /// and no filter can be written that shows each person their own.
    /// ## When is this fine
    /// When the value says nothing about one person any more: then write a release rule for it.
    /// ## Perturbation
    /// Another subject: with another value in a row of one person, another person of the same role sees
    /// something else, and no field that is left tells the two apart.
    /// ## Example
    /// role patients external
    /// principal ana(patients): patient_id=p-1
    /// type claim: patient_id string {org | subject:/patient_id}, amount number {subject:/patient_id}
    /// in: manual(event_type=claim) -> short: map(expr={amount}) -> portal: view @patients
    /// ## Use instead
    /// role patients external
    /// principal ana(patients): patient_id=p-1
    /// type claim: patient_id string {org | subject:/patient_id}, amount number {subject:/patient_id}
    /// in: manual(event_type=claim) -> short: map(expr={amount, who: .patient_id}) -> portal: view @patients[patient_id = /who]
    /// ## Near miss
    /// role patients external
    /// principal ana(patients): patient_id=p-1
    /// type claim: patient_id string {org | subject:/patient_id}, amount number {subject:/patient_id}
    /// in: manual(event_type=claim) -> sums: aggregate(group=.patient_id, aggregates=[{"name": "spent", "function": "sum", "of": ".amount"}]) -> short: map(expr={spent, owner: .key}) -> portal: view @patients[patient_id = /owner]
    /// ## Source
    /// L. Lourenço and L. Caires, Dependent information flow types, 2015
    code = "AUTH-003", name = "owner-lost", severity = Error, since = "0.1.0",
    check = Node(check),
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let Some((port, place)) = auth::leaking_place(facts, node) else {
        return;
    };
    // What one step does to one owner is one finding.
    let mut losses: Vec<(NodeIx, OriginId, Vec<Leak>)> = Vec::new();
    for leak in auth::leaks(facts, port, &place) {
        let Why::OwnerLost(owner) = leak.why else {
            continue;
        };
        let by = loser(facts, &leak, owner, node);
        match losses.iter_mut().find(|(held, ..)| *held == by) {
            Some((.., leaks)) => leaks.push(leak),
            None => losses.push((by, owner, vec![leak])),
        }
    }
    for (by, owner, leaks) in losses {
        let seen = design.title(node);
        let readers = facts.readers(place.audience);
        let fields = auth::list(&leaks);
        let anchors = &auth::root_of(facts, &leaks[0]).anchors;
        let name = anchors
            .iter()
            .find(|anchor| anchor.1 == owner)
            .map(|anchor| anchor.0.pointer().map(ToString::to_string))
            .unwrap_or_default()
            .unwrap_or_default();
        let does = loses(facts, by, node, &name);
        let message = format!(
            "{} {does}, so nothing says whose {fields} {seen} shows to {readers}; carry the owner along or redact the rest",
            design.title(by),
        );
        let mut offers: Vec<Fix> = fixes::carry_owner(facts, node, &leaks, owner, &place)
            .into_iter()
            .collect();
        offers.extend(fixes::redact_fields(facts, node, &leaks));
        offers.extend(fixes::narrow_audience(facts, node, &place));
        findings.add(
            Found::node(&design.nodes[by].id, message)
                .detail(design.nodes[node].id.as_str())
                .path(path(facts, &leaks[0], (by, does), node, &readers))
                .affecting([design.nodes[node].id.clone()])
                .fixes(offers),
        );
    }
}

/// The node behind which nothing holds the owner any more.
fn loser(facts: &Facts, leak: &Leak, owner: OriginId, to: NodeIx) -> NodeIx {
    let design = &*facts.design;
    let way = auth::way(facts, leak.tag, to);
    let root = facts.root(leak.tag);
    let last = way.iter().rposition(|edge| {
        let Some(port) = facts.edge(*edge) else {
            return false;
        };
        let mut tags = port.labels.tags();
        let speaks = tags.any(|tag| {
            let anchors = &facts.tags[tag as usize].anchors;
            facts.root(tag) == root && anchors.iter().any(|anchor| anchor.1 == owner)
        });
        speaks && facts.place_of_owner(owner, port).is_some()
    });
    let next = last.map_or(0, |at| at + 1);
    way.get(next).map_or(to, |edge| design.edges[*edge].from)
}

/// How a node loses the owner.
fn loses(facts: &Facts, by: NodeIx, to: NodeIx, owner: &str) -> String {
    match facts.design.behaviour(by) {
        _ if by == to => format!("gets `{owner}` in different places of its streams"),
        Some(Behaviour::Aggregate { .. } | Behaviour::Fold { .. } | Behaviour::Decide { .. }) => {
            format!("brings events of several owners (`{owner}`) together")
        }
        Some(Behaviour::Redact { .. } | Behaviour::Tokenise { .. }) => {
            format!("hides the owner (`{owner}`)")
        }
        Some(Behaviour::Opaque { .. }) => {
            format!("is code that need not keep the owner (`{owner}`)")
        }
        Some(Behaviour::Merge) => format!("gets `{owner}` in different places of its streams"),
        _ => format!("leaves out the owner (`{owner}`)"),
    }
}

/// The way of the leak, with the step that loses the owner.
fn path(
    facts: &Facts,
    leak: &Leak,
    (by, does): (NodeIx, String),
    to: NodeIx,
    readers: &str,
) -> Vec<Step> {
    let effect = format!("shows it to {readers}, and nothing says whose it is");
    let mut steps = auth::evidence(facts, leak, to, effect);
    let loser = &facts.design.nodes[by].id;
    let middle = steps.iter_mut().skip(1);
    for step in middle {
        if matches!(&step.place, Subject::Port(port) if port.node == *loser) {
            step.note.clone_from(&does);
        }
    }
    steps
}
