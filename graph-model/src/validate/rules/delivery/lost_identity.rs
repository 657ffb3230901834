//! DELIV-004: what should tell copies apart differs between copies.

use std::collections::BTreeSet;

use smol_str::{SmolStr, format_smolstr};

use super::way_of_copies;
use crate::catalog::Behaviour;
use crate::expr::Expr;
use crate::pointer::Pointer;
use crate::validate::design::NodeIx;
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::delivery::Copies;
use crate::validate::facts::origins::{Base, Origin, Renewal};
use crate::validate::facts::{Facts, Port};
use crate::validate::rules::declare_rule;
use crate::validate::rules::delivery::way_from;
use crate::validate::{Severity, Step, fixes};

declare_rule! {
    /// Finds keys against copies that are made anew for each copy.
    /// ## Why is this bad
    /// A new id for each delivery makes every copy look like news. The dedupe remembers faithfully,
    /// and never meets an id that it knows. An id has to come with the event, or be made from it.
    /// ## When is this fine
    /// When the code hands the id on as it came: then give its events a type that names the id.
    /// ## Perturbation
    /// Duplication: one event delivered twice passes the dedupe twice.
    /// ## Example
    /// hook: http(path=/pay) -> price: function(component=price.wasm) -> once: dedupe(key=.payment) -> charge: effect(action=charge card)
    /// ## Use instead
    /// hook: http(path=/pay) -> once: dedupe(key=.payment) -> price: function(component=price.wasm) -> charge: effect(action=charge card)
    /// ## Near miss
    /// in: manual -> price: function(component=price.wasm) -> lane: queue -> once: dedupe(key=.payment) -> charge: effect(action=charge card)
    /// ## Source
    /// CloudEvents 1.0.2, `id`: events with the same source and id may be taken for duplicates
    code = "DELIV-004", name = "identity-lost", severity = Error, since = "0.1.0",
    check = Node(check),
}

/// A key that differs between copies, and why.
struct Lost {
    key: String,
    /// The node that makes it anew.
    by: NodeIx,
    /// Its code was not asked.
    assumed: bool,
    /// Callers may send an id or not, and were not asked.
    called: bool,
}

/// The field in which a source that is called keeps where the id of a call stands. Without it a call
/// has the id that its event brings (`CloudEvents`), or else a new one.
pub(in crate::validate) const ID_HEADER: &str = "id_header";

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let (Some(lost), Some(port)) = (lost(facts, node), facts.input(node)) else {
        return;
    };
    let Some((view, behaviour)) = design.acting(node) else {
        return;
    };
    let (title, key, by) = (design.title(node), &lost.key, lost.by);
    let makes = match design.behaviour(by) {
        _ if lost.called => {
            "gives each call an id of its own unless the caller sends one".to_owned()
        }
        Some(Behaviour::Opaque { .. }) => format!("may make another `{key}` for each copy"),
        Some(Behaviour::Aggregate { .. } | Behaviour::Fold { .. }) => {
            "sends a result of its own for each copy".to_owned()
        }
        _ => format!("makes another `{key}` for each copy"),
    };
    let (field, effect) = match behaviour {
        Behaviour::Effect { key } => (Some(key), "does it again"),
        Behaviour::Dedupe { key, .. } => (Some(key), "lets the copy pass"),
        Behaviour::Table { key, .. } => (Some(key), "adds a row for the copy"),
        Behaviour::Bucket { name } => (Some(name), "adds an object for the copy"),
        _ => (None, "takes the copy for news"),
    };
    let message = format!(
        "{} {makes}, so {title} cannot tell copies apart; use a key that comes with the event",
        design.title(by)
    );
    let identify = if lost.called {
        fixes::give_field
    } else {
        fixes::give_identity
    };
    let effect_repeats = matches!(behaviour, Behaviour::Effect { .. });
    let grave = !lost.called && (!lost.assumed || effect_repeats);
    let mut found = Found::node(&design.nodes[by].id, message)
        .detail(detail(facts, node))
        .path(way(facts, port, (by, makes), (node, effect)))
        .fixes(field.and_then(|field| identify(facts, node, field)))
        .fixes(lost.called.then(|| fixes::name_calls(design, by)))
        .fixes(fixes::dedupe(facts, by).filter(|_| by != node))
        .affecting([view.id.clone()]);
    if lost.called {
        found = found.assuming("that who calls again sends no id, or another one each time");
    } else if lost.assumed {
        let title = design.title(by);
        found = found.assuming(format!(
            "the code of {title} was not asked whether it hands `{key}` on as it came"
        ));
    }
    findings.add(found.severity(if grave {
        Severity::Error
    } else {
        Severity::Warning
    }));
}

/// Id of the diagnostic about the key of a node; nothing when copies have the same one.
pub(in crate::validate) fn diagnostic_of(facts: &Facts, node: NodeIx) -> Option<SmolStr> {
    let lost = lost(facts, node)?;
    let (by, detail) = (&facts.design.nodes[lost.by].id, detail(facts, node));
    Some(format_smolstr!("{}:node:{by}:{detail}", RULE.code))
}

fn detail(facts: &Facts, node: NodeIx) -> SmolStr {
    facts.design.nodes[node].id.as_str().into()
}

/// The node in front of which the events of a node still had ids that all their copies share.
pub(in crate::validate) fn of_ids(facts: &Facts, node: NodeIx) -> Option<NodeIx> {
    let renewal = facts.renews_ids(facts.input(node)?)?;
    Some(maker(facts, node, renewal).0)
}

/// Why the key of a node differs between the copies that arrive there.
fn lost(facts: &Facts, node: NodeIx) -> Option<Lost> {
    let design = &*facts.design;
    let (_, behaviour) = design.acting(node)?;
    let port = facts.input(node)?;
    if port.copies == Copies::No || facts.assumed(node, "idempotent") {
        return None;
    }
    let (fields, asks): (&[&SmolStr], bool) = match behaviour {
        Behaviour::Dedupe { key, .. } | Behaviour::Effect { key } => (&[key], true),
        Behaviour::VersionGuard { key, version } | Behaviour::Resequence { key, version } => {
            (&[key, version], true)
        }
        // Most code keeps the key of a row; only what certainly does not is a hazard.
        Behaviour::Table { key, .. } if design.overwrites(node) => (&[key], false),
        Behaviour::Bucket { name } => (&[name], false),
        _ => return None,
    };
    if let Behaviour::Effect { key } = behaviour
        && let Some(key) = design.expr(node, key)
        && let Some(by) = unnamed_call(facts, key, port)
    {
        return Some(Lost {
            key: key.code().to_owned(),
            by,
            assumed: false,
            called: true,
        });
    }
    fields.iter().find_map(|field| {
        let key = design.expr(node, field)?;
        let renewal = facts.renews(key, port)?;
        let (by, assumed) = maker(facts, node, renewal);
        (asks || !assumed).then(|| Lost {
            key: key.code().to_owned(),
            by,
            assumed,
            called: false,
        })
    })
}

/// The source whose calls have nothing but their id in this key, when it does not take that from a
/// header. Only effects are held to it: whoever stores or drops copies by the id takes each call for one
/// event, which is what the source says they are.
fn unnamed_call(facts: &Facts, key: &Expr, port: &Port) -> Option<NodeIx> {
    let design = &*facts.design;
    let source = port.redelivery.called_again?;
    if design.text(source, ID_HEADER).is_some() {
        return None;
    }
    let parts = facts.key(key, port);
    let id = Origin::Context(Base::Made(source), Pointer::root().child("id"));
    let is_id = |part: &u32| facts.origin(*part) == id;
    (!parts.is_empty() && parts.iter().all(is_id)).then_some(source)
}

/// The node that makes a value anew for each copy, and whether only its code may do so.
fn maker(facts: &Facts, node: NodeIx, renewal: Renewal) -> (NodeIx, bool) {
    let (mut by, mut assumed) = match renewal {
        Renewal::By(by) => (by.unwrap_or(node), false),
        Renewal::Code(by) => (by, true),
    };
    // Where streams meet, one of them brings what was made anew.
    let met = |at: NodeIx| {
        let ins = &facts.design.nodes[at].ins;
        let mut sides = ins.iter().filter_map(|edge| facts.edge(*edge));
        sides.find_map(|side| facts.renews_ids(side))
    };
    let mut seen = BTreeSet::from([by]);
    while let Some(Renewal::By(Some(next))) = met(by).filter(|_| !assumed)
        && seen.insert(next)
    {
        by = next;
    }
    // Ids that are made of other ids only pass on what was done to those.
    while let Some(Behaviour::Split { .. } | Behaviour::Opaque { .. } | Behaviour::Join { .. }) =
        facts.design.behaviour(by).filter(|_| !assumed)
    {
        let mut before = [facts.input(by), facts.second(by)].into_iter().flatten();
        match before.find_map(|port| facts.renews_ids(port)) {
            Some(Renewal::By(Some(next))) if next != by => by = next,
            Some(Renewal::Code(next)) => (by, assumed) = (next, true),
            _ => break,
        }
    }
    (by, assumed)
}

/// From where the copies come to where their key is lost, and on to where it is missed.
fn way(
    facts: &Facts,
    port: &Port,
    (by, makes): (NodeIx, String),
    (node, effect): (NodeIx, &str),
) -> Vec<Step> {
    let there = facts.input(by).filter(|_| by != node).unwrap_or(port);
    let Some(repeater) = there.copies.by() else {
        return way_from(facts, by, makes, node, effect.to_owned());
    };
    if by == node {
        return way_of_copies(facts, repeater, node, effect.to_owned());
    }
    let mut steps = way_of_copies(facts, repeater, by, makes.clone());
    steps.pop();
    steps.extend(way_from(facts, by, makes, node, effect.to_owned()));
    steps
}
