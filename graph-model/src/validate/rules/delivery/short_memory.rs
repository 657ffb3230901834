//! DELIV-005: a dedupe forgets before the last copy comes, or looks in the wrong place.

use super::{repeats, way_of_copies};
use crate::catalog::Behaviour;
use crate::validate::design::NodeIx;
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::delivery::{Copies, Part};
use crate::validate::facts::origins::Renewal;
use crate::validate::facts::{Facts, Port};
use crate::validate::rules::declare_rule;
use crate::validate::rules::delivery::{in_words, way_from};
use crate::validate::rules::order::several_ways;
use crate::validate::{Subject, fixes};

declare_rule! {
    /// Finds dedupes that forget a key before its last copy comes, or that look for it in another
    /// instance.
    /// ## Why is this bad
    /// A dedupe that forgets after an hour does not stop a replay tomorrow. One with several instances
    /// does not stop a copy that comes to another of them. It holds in every test, because tests are
    /// short and small.
    /// ## When is this fine
    /// When late copies do no harm behind it: then accept the hazard.
    /// ## Perturbation
    /// Delay: a copy comes after the key was forgotten, or to another instance, and passes.
    /// ## Example
    /// in: manual -> all: log ^retention=7d -> once: dedupe(ttl=1h) -> charge: effect(action=charge card)
    /// ## Use instead
    /// in: manual -> all: log ^retention=7d -> once: dedupe(ttl=8d) -> charge: effect(action=charge card)
    /// ## Near miss
    /// in: manual -> lane: queue(visibility=1h, group=.customer, concurrency=4) -> once: dedupe(ttl=1d) -> charge: effect(action=charge card)
    /// ## Source
    /// Powertools for AWS Lambda, Idempotency: records expire after an hour by default
    code = "DELIV-005", name = "short-memory", severity = Warning, since = "0.1.0",
    check = Node(check),
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let Some((view, Behaviour::Dedupe { key, ttl })) = design.acting(node) else {
        return;
    };
    let Some(port) = facts.input(node).filter(|port| port.copies != Copies::No) else {
        return;
    };
    let (at, title) = (Subject::Node(view.id.clone()), design.title(node));
    if let (Some((last, by)), Some(remembers)) = (port.redelivery.horizon, design.ms(node, ttl))
        && last > remembers
    {
        let (last_text, text) = (in_words(last), in_words(remembers));
        let message = format!(
            "{title} forgets a key after {text}, but a copy may come from {} up to {last_text} later; let it remember longer",
            design.title(by)
        );
        let cause = format!("may send a copy up to {last_text} later");
        let effect = format!("has forgotten the key after {text}");
        findings.add(
            Found::at(at.clone(), message)
                .detail("time")
                .path(way_from(facts, by, cause, node, effect))
                .fixes([fixes::remember_longer(design, node, ttl, last)]),
        );
    }
    let Some((by, assumed)) = scattered(facts, node, port) else {
        return;
    };
    let repeater = port.copies.by().unwrap_or(by);
    let message = format!(
        "{title} remembers the keys of each instance for itself, but a copy that {} sends may come to another one, since {} does not place it by its key; keep copies together",
        design.title(repeater),
        design.title(by)
    );
    let effect = "does not know the key in this instance".to_owned();
    let mut path = way_of_copies(facts, repeater, node, effect);
    if let Some(first) = path.first_mut() {
        first.note = format!("{}, to any instance", repeats(design, repeater));
    }
    let mut found = Found::at(at, message)
        .detail("place")
        .path(path)
        .fixes(fixes::keep_copies_together(facts, node, key, by));
    if let Some(code) = assumed {
        let title = design.title(code);
        found = found.assuming(format!(
            "the code of {title} was not asked whether it hands on what events are placed by"
        ));
    }
    findings.add(found);
}

/// The node that sends copies of one event to several places, and the code that may be the reason.
fn scattered(facts: &Facts, node: NodeIx, port: &Port) -> Option<(NodeIx, Option<NodeIx>)> {
    match &port.part {
        // The same key comes to one instance by one way, and to another by the other.
        Part::Mixed { at }
            if several_ways::meet_at(&facts.design, node) || !is_own(facts, node, port) =>
        {
            Some((*at, None))
        }
        Part::Mixed { at } => Some((anywhere(facts, *at)?, None)),
        Part::Any { count, by } if *count > 1 => Some((*by, None)),
        Part::Hash { key, count, by, .. } if *count > 1 => match facts.renewed(key, port)? {
            Renewal::Code(code) => Some((*by, Some(code))),
            Renewal::By(_) => Some((*by, None)),
        },
        _ => None,
    }
}

/// What hands events with copies to any instance along one of the wires to a node.
fn anywhere(facts: &Facts, node: NodeIx) -> Option<NodeIx> {
    let ins = facts.design.nodes[node].ins.iter();
    let mut ports = ins.filter_map(|edge| facts.edge(*edge));
    ports.find_map(|port| match port.part {
        Part::Any { count, by } if count > 1 && port.copies != Copies::No => Some(by),
        _ => None,
    })
}

/// Whether no two events have one key at a dedupe.
fn is_own(facts: &Facts, node: NodeIx, port: &Port) -> bool {
    let Some(Behaviour::Dedupe { key, .. }) = facts.design.behaviour(node) else {
        return true;
    };
    let key = facts.design.expr(node, key);
    key.is_some_and(|key| facts.identifies(&facts.key(key, port), port))
}
