//! AUTH-011: a node may do more than it does.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::words;
use crate::catalog::{Behaviour, Family};
use crate::document::Principal;
use crate::id::{Id, NodeId};
use crate::pointer::Pointer;
use crate::validate::design::{Design, NodeIx};
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::rules::declare_rule;
use crate::validate::{Step, fixes};

declare_rule! {
    /// Finds principals whose grants are more than the wires of the nodes that run as them use.
    /// ## Why is this bad
    /// What a hijacked function can do is set by its role, not by its code. A right that nothing uses
    /// helps nobody but an attacker. Nobody misses it when it is taken away today, and nobody dares to
    /// touch it in a year.
    /// ## When is this fine
    /// When something that is not drawn here uses the right: then let that run as a principal of its own.
    /// ## Perturbation
    /// The function as an attacker would have it, using all of its grants: it reaches more than before.
    /// ## Example
    /// role services
    /// type order(id=/id): id string
    /// principal svc(services)
    /// grant svc: send lane, write ledger
    /// in: manual(event_type=order) -> rate: function(component=f.wasm, output_type=order) &svc -> lane: queue -> ledger: table(table=ledger, key=.id)
    /// ## Use instead
    /// role services
    /// type order(id=/id): id string
    /// principal svc(services)
    /// grant svc: send lane
    /// in: manual(event_type=order) -> rate: function(component=f.wasm, output_type=order) &svc -> lane: queue -> ledger: table(table=ledger, key=.id)
    /// ## Near miss
    /// role services
    /// type order(id=/id): id string
    /// principal svc(services)
    /// grant svc: send lane, write *
    /// in: manual(event_type=order) -> rate: function(component=f.wasm, output_type=order) &svc -> lane: queue
    /// lane -> keep: function(component=g.wasm, output_type=order) &svc -> short: map(expr={id}) -> ledger: table(table=ledger, key=.id)
    /// ## Source
    /// J. Saltzer and M. Schroeder, The protection of information in computer systems, 1975
    code = "AUTH-011", name = "unused-right", severity = Info, since = "0.1.0",
    check = Whole(check),
}

/// A verb and the node that it is about.
type Right = (String, NodeId);

fn check(facts: &Facts, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let principals = &design.document.principals;
    if principals.values().all(|held| held.grants.is_empty()) {
        return;
    }
    let mut running: BTreeMap<&Id, Vec<NodeIx>> = BTreeMap::new();
    for (node, view, _) in design.active() {
        if let Some(principal) = &view.node.notes.runs_as {
            running.entry(principal).or_default().push(node);
        }
    }
    for (id, mut nodes) in running {
        let Some(principal) = principals.get(id).filter(|held| !held.grants.is_empty()) else {
            continue;
        };
        nodes.sort_by_key(|node| &design.nodes[*node].id);
        let used: BTreeSet<Right> = nodes.iter().flat_map(|node| uses(design, *node)).collect();
        let unused = unused(design, principal, &used);
        let (false, Some(first)) = (unused.is_empty(), nodes.first()) else {
            continue;
        };
        let rights: Vec<String> = unused
            .iter()
            .map(|(verb, node)| format!("{verb} {}", design.document.node_title(node)))
            .collect();
        let title = design.title(*first);
        let message = format!(
            "{title} runs as {id}, who may also {}, which nothing drawn here does; take the right away",
            rights.join(" and ")
        );
        findings.add(
            Found::node(&design.nodes[*first].id, message)
                .path(path(facts, *first, id, &unused))
                .affecting(
                    unused
                        .iter()
                        .map(|(_, node)| node.clone())
                        .filter(|node| design.find(node).is_some()),
                )
                .fixes([fixes::shrink_grants(facts, id, &used)]),
        );
    }
}

/// What a hijacked node could reach.
fn path(facts: &Facts, node: NodeIx, principal: &Id, unused: &BTreeSet<Right>) -> Vec<Step> {
    let design = &*facts.design;
    let mut steps = vec![Step::node(
        &design.nodes[node].id,
        format!("runs as {principal}"),
    )];
    for (verb, id) in unused {
        let Some(other) = design.find(id) else {
            continue;
        };
        let port = facts.input(other);
        let labelled: Vec<&Pointer> = port
            .iter()
            .flat_map(|port| port.labels.iter())
            .map(|(field, _)| field)
            .filter(|field| !field.is_root())
            .collect();
        let mut note = format!("is there to {verb}, though no wire does");
        if !labelled.is_empty() {
            note.push_str(&format!(", with {}", words(labelled.into_iter())));
        }
        steps.push(Step::node(id, note));
    }
    steps
}

/// Grants that are not used, with `*` as the nodes that it stands for.
fn unused(design: &Design, principal: &Principal, used: &BTreeSet<Right>) -> BTreeSet<Right> {
    let mut unused = BTreeSet::new();
    for grant in &principal.grants {
        let Some((verb, node)) = grant.split_once(' ') else {
            continue;
        };
        let node = node.trim();
        if node == "*" {
            let all = design.active().filter(|(_, _, does)| takes(does, verb));
            let rights = all.map(|(_, view, _)| (verb.to_owned(), view.id.clone()));
            unused.extend(rights.filter(|right| !used.contains(right)));
        } else {
            let right = (verb.to_owned(), NodeId::from(node));
            if !used.contains(&right) {
                unused.insert(right);
            }
        }
    }
    unused
}

/// Whether the verb is for nodes like this one.
fn takes(behaviour: &Behaviour, verb: &str) -> bool {
    match verb {
        "send" => super::is_channel(behaviour),
        "write" | "read" => matches!(
            behaviour,
            Behaviour::Table { .. } | Behaviour::Bucket { .. }
        ),
        "call" => matches!(behaviour, Behaviour::Effect { .. }),
        _ => false,
    }
}

/// What a node does by its wires, over the operators behind it.
fn uses(design: &Design, node: NodeIx) -> BTreeSet<Right> {
    let mut rights = BTreeSet::new();
    let mut does = |at: NodeIx| {
        let Some((view, behaviour)) = design.acting(at) else {
            return;
        };
        let shows = matches!(behaviour, Behaviour::Observe { .. } | Behaviour::DeadLetter);
        for verb in ["send", "write", "call"] {
            if takes(behaviour, verb) || verb == "write" && shows {
                rights.insert((verb.to_owned(), view.id.clone()));
            }
        }
    };
    does(node);
    let mut seen = BTreeSet::from([node]);
    let mut open = VecDeque::from([node]);
    while let Some(at) = open.pop_front() {
        for edge in &design.nodes[at].outs {
            let view = &design.edges[*edge];
            if view.resource || !seen.insert(view.to) {
                continue;
            }
            does(view.to);
            let kind = design.nodes[view.to].kind.as_ref();
            if kind.is_some_and(|kind| kind.family == Family::Operator) {
                open.push_back(view.to);
            }
        }
    }
    for edge in &design.nodes[node].ins {
        let view = &design.edges[*edge];
        if view.resource {
            rights.insert(("read".to_owned(), design.nodes[view.from].id.clone()));
        }
    }
    if let Some(store) = design.declared_text(node, "reads_from") {
        rights.insert(("read".to_owned(), NodeId::from(store)));
    }
    rights
}
