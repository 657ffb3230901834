//! AUTH-014: an owner was compared in front of a store, and readers come later.

use std::rc::Rc;

use super::{self as auth, Leak, Why};
use crate::catalog::Behaviour;
use crate::validate::design::NodeIx;
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::tags::TagId;
use crate::validate::facts::{Facts, Port};
use crate::validate::rules::declare_rule;
use crate::validate::{Step, Subject, fixes};

declare_rule! {
    /// Finds logs behind the last comparison of owner and viewer: whoever reads the history later is
    /// not compared any more.
    /// ## Why is this bad
    /// Who is allowed changes, and a log does not. The comparison in front of it was made when the
    /// event was written, for the people of that day. Somebody who lost the right since, or a reader
    /// who is new, gets the whole history from the beginning.
    /// ## When is this fine
    /// When nothing is read again: then say that the log keeps nothing (`retention` of `0s`).
    /// ## Perturbation
    /// A viewer loses the right and reads the log again: the old events are still shown.
    /// ## Example
    /// role patients external
    /// principal ana(patients): patient_id=p-1
    /// type claim(id=/id): id string {org | subject:/patient_id}, patient_id string {org | subject:/patient_id}, amount number {subject:/patient_id}
    /// in: manual(event_type=claim) -> own: guard(field=/patient_id, claim=patient_id) -> history: log(key=.patient_id) -> portal: view @patients
    /// ## Use instead
    /// role patients external
    /// principal ana(patients): patient_id=p-1
    /// type claim(id=/id): id string {org | subject:/patient_id}, patient_id string {org | subject:/patient_id}, amount number {subject:/patient_id}
    /// in: manual(event_type=claim) -> history: log(key=.patient_id) -> own: guard(field=/patient_id, claim=patient_id) -> portal: view @patients
    /// ## Near miss
    /// role patients external
    /// principal ana(patients): patient_id=p-1
    /// type claim(id=/id): id string {org | subject:/patient_id}, patient_id string {org | subject:/patient_id}, amount number {subject:/patient_id}
    /// in: manual(event_type=claim) -> own: guard(field=/patient_id, claim=patient_id) -> history: log(key=.patient_id) -> portal: view @patients[patient_id = /patient_id]
    /// own -> lane: topic -> today: view @patients
    /// ## Source
    /// CWE-613: insufficient session expiration
    code = "AUTH-014", name = "stale-guard", severity = Warning, since = "0.1.0",
    check = Node(check),
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let Some(port) = facts.input(node) else {
        return;
    };
    if port.guards.values().all(Option::is_none) {
        return;
    }
    let Some(place) = auth::shown_place(facts, node, port) else {
        return;
    };
    // Without the comparisons that are older than the store, what would be seen?
    let mut fresh = port.clone();
    let guards = port.guards.iter().filter(|(_, since)| since.is_none());
    fresh.guards = Rc::new(guards.map(|(guard, _)| (guard.clone(), None)).collect());
    let kept = auth::leaks(facts, port, &place);
    let mut stale = auth::leaks(facts, &fresh, &place);
    stale.retain(|leak| !kept.iter().any(|held| held.tag == leak.tag));
    let Some((first, store)) = stale
        .iter()
        .find_map(|leak| Some((leak, store(facts, port, leak)?)))
    else {
        return;
    };
    let (log, title) = (design.title(store), design.title(node));
    let readers = facts.readers(place.audience);
    let fields = auth::list(&stale);
    let offers = match first.why {
        Why::SomebodyElses(owner) => facts
            .place_of_owner(owner, port)
            .map(|field| fixes::compare_owner(facts, node, &field, &place))
            .unwrap_or_default(),
        _ => Vec::new(),
    };
    let message = format!(
        "{log} keeps {fields} for whoever reads it later, and the owner was compared in front of it, so {readers} see at {title} what they may have lost the right to; compare again behind {log}"
    );
    findings.add(
        Found::node(&design.nodes[store].id, message)
            .detail(design.nodes[node].id.as_str())
            .path(path(facts, first, store, node, &readers))
            .affecting([design.nodes[node].id.clone()])
            .fixes(offers),
    );
}

/// The store that lies behind the comparison.
fn store(facts: &Facts, port: &Port, leak: &Leak) -> Option<NodeIx> {
    let anchors = &facts.tags[leak.tag as usize].anchors;
    anchors
        .iter()
        .find_map(|(_, owner)| port.guards_of(*owner).flatten().next())
}

/// The comparison, the store, the reader.
fn path(facts: &Facts, leak: &Leak, store: NodeIx, to: NodeIx, readers: &str) -> Vec<Step> {
    let design = &*facts.design;
    let carries = |edge, tag: TagId| {
        let port = facts.edge(edge);
        port.is_some_and(|port| port.labels.sets().any(|tags| tags.contains(tag)))
    };
    let guards = |node| matches!(design.behaviour(node), Some(Behaviour::Guard { .. }));
    let mut way = design.trace(store, |edge| carries(edge, leak.tag), guards);
    let compares = way.first().map_or(store, |edge| design.edges[*edge].from);
    way.extend(design.trace(to, |edge| carries(edge, leak.tag), |node| node == store));
    let cause = "compares the owner with the viewer".to_owned();
    let effect = format!("shows it to {readers} without comparing again");
    let mut steps = design.steps((compares, cause), &way, (to, effect));
    let kept = &design.nodes[store].id;
    for step in steps.iter_mut().skip(1) {
        if matches!(&step.place, Subject::Port(port) if port.node == *kept) {
            "keeps it to be read again".clone_into(&mut step.note);
        }
    }
    steps
}
