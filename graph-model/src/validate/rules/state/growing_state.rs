//! STATE-004: what is remembered is never forgotten.

use crate::catalog::{Behaviour, FieldType};
use crate::expr::{Expr, Operand};
use crate::validate::design::{CodeState, Design, NodeIx};
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::origins::Origin;
use crate::validate::facts::{Facts, Port};
use crate::validate::rules::declare_rule;
use crate::validate::rules::delivery::way_from;
use crate::validate::rules::loops::number;
use crate::validate::{Step, Subject, fixes};
use crate::value::Value;

declare_rule! {
    /// Finds state that gets a new key with every event and never loses one, or has more keys than
    /// room.
    /// ## Why is this bad
    /// It works for a month. Then memory is full, and either everything stops or the oldest keys go
    /// without a word. What kept it small was only that the flow was young.
    /// ## When is this fine
    /// When the number of keys has a bound that the design cannot see: then declare `keys` with it.
    /// ## Perturbation
    /// A long run with new keys all the time: the state grows along a straight line.
    /// ## Example
    /// type order(id=/id): id string, total number
    /// in: manual(event_type=order) ^rate=5 -> sums: aggregate(group=.id, aggregates=[{"name": "total", "function": "max", "of": ".total"}]) -> out: view
    /// ## Use instead
    /// type order(id=/id): id string, total number
    /// in: manual(event_type=order) ^rate=5 -> sums: aggregate(group=.id, window=time, size=1h, aggregates=[{"name": "total", "function": "max", "of": ".total"}]) -> out: view
    /// ## Near miss
    /// type order(id=/id): id string, shop string, total number
    /// in: manual(event_type=order) ^rate=5 -> sums: aggregate(group=.shop, aggregates=[{"name": "total", "function": "max", "of": ".total"}]) ^keys=5000 -> out: view
    /// ## Source
    /// Apache Flink: documentation of state, section on time to live (without it keyed state is kept for
    /// ever)
    code = "STATE-004", name = "state-grows-without-bound", severity = Warning, since = "0.1.0",
    check = Node(check),
}

/// Seconds for which there should be room.
const YEAR: f64 = 365.0 * 86_400.0;

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let Some((view, behaviour)) = design.acting(node) else {
        return;
    };
    if design.declared_ms(node, "state_ttl").is_some() {
        return;
    }
    let title = design.title(node);
    let subject = Subject::Node(view.id.clone());
    let keys = design.declared_number(node, "keys");
    if let Some(keys) = keys
        && let Some((field, room)) = room(design, node)
    {
        let forgets = match behaviour {
            Behaviour::Dedupe { .. } => true,
            Behaviour::Aggregate { window, .. } => {
                design.text(node, window).is_some_and(|kind| kind != "none")
            }
            _ => false,
        };
        if keys > room && !forgets {
            let message = format!(
                "{title} has {} keys and room for {}, so it loses state; give it room, or let it forget",
                number(keys),
                number(room)
            );
            let path = vec![
                Step::node(&view.id, format!("has {} different keys", number(keys))),
                Step::node(&view.id, format!("keeps {} of them", number(room))),
            ];
            let fixes = fixes::make_room(design, node, field, keys);
            findings.add(Found::at(subject, message).path(path).fixes(fixes));
        }
        return;
    }
    let Some(port) = facts.input(node) else {
        return;
    };
    let code = match behaviour {
        Behaviour::Aggregate { group, window, .. }
            if design.text(node, window).is_none_or(|kind| kind == "none") =>
        {
            design.text(node, group)
        }
        Behaviour::Fold { group, .. } => design.text(node, group),
        Behaviour::Opaque { .. } if design.code_state(node) == Some(CodeState::Keyed) => {
            design.declared_text(node, "cache_key")
        }
        _ => return,
    };
    let Some((code, key)) = code.and_then(|code| Some((code, design.compiled(code)?))) else {
        return;
    };
    let rates = facts.rates().map(|rates| rates.average(node));
    let (rate, most) = rates.map_or((0.0, 0.0), |span| (span.least, span.most));
    if let Some((_, room)) = room(design, node)
        && most * YEAR < room
    {
        return; // there is room for long
    }
    let identified = facts.identifies(&facts.key(key, port), port);
    if !identified && !names_a_fact(facts, key, port) {
        if let Some(by) = made_by_code(facts, key, port) {
            let reason = format!(
                "nobody says how many `{code}` {} sends; declare the keys of {title}, or the type of what it sends",
                design.title(by)
            );
            findings.unchecked(subject, reason);
        }
        return;
    }
    let sources = port.definition.sources.iter().copied();
    let source = sources.min_by(|a, b| design.nodes[*a].id.cmp(&design.nodes[*b].id));
    let pace = if rate > 0.0 {
        format!("{} more each day", number(rate * 86_400.0))
    } else {
        "one more with each event".to_owned()
    };
    let message = format!(
        "{title} keeps something for each `{code}`, which is another one for every event, and never \
         forgets it; let it forget after a time"
    );
    let effect = format!("keeps a state for each `{code}`: {pace}");
    let cause = "sends events that all have another key".to_owned();
    let path = match source {
        Some(source) => way_from(facts, source, cause, node, effect),
        None => vec![Step::node(&view.id, effect)],
    };
    let fixes = fixes::forget(design, node);
    findings.add(Found::at(subject, message).path(path).fixes(fixes));
}

/// Whether a key has what identifies the events from which these follow, such as the order of a line, so that it
/// is another one for each of those.
fn names_a_fact(facts: &Facts, key: &Expr, port: &Port) -> bool {
    let parts = key.analysis().key.iter().flat_map(|key| &key.parts);
    parts
        .filter_map(|part| match part {
            Operand::Field(field) => facts.promise(field, port),
            _ => None,
        })
        .any(|promised| {
            let mut by = promised.by.iter();
            by.any(|(_, ty, place)| {
                let ty = facts.design.document.types.get(ty);
                ty.is_some_and(|ty| {
                    ty.id.as_ref() == Some(place) && ty.stands_for() != Some("version")
                })
            })
        })
}

/// Code that makes a part of a key, of which it says nothing.
fn made_by_code(facts: &Facts, key: &Expr, port: &Port) -> Option<NodeIx> {
    let parts = key.analysis().key.iter().flat_map(|key| &key.parts);
    let mut fields = parts.filter_map(|part| match part {
        Operand::Field(field) if facts.promise(field, port).is_none() => Some(field),
        _ => None,
    });
    fields.find_map(|field| match facts.origin(facts.field(field, port)) {
        Origin::Field(base, _) => Some(base.node()).filter(|node| facts.is_opaque(*node)),
        Origin::Context(..) | Origin::Computed(..) => None,
    })
}

/// The config field that says how many keys an operator keeps, and what it says.
fn room(design: &Design, node: NodeIx) -> Option<(&str, f64)> {
    const NAMES: [&str; 3] = ["groups", "keys", "capacity"];
    let kind = design.nodes[node].kind.as_ref()?;
    let stateful = !design.is_channel(node);
    let field = NAMES
        .iter()
        .filter(|_| stateful)
        .find_map(|name| kind.field(name))?;
    if !matches!(field.ty, FieldType::Integer { .. }) {
        return None;
    }
    let room = design.value(node, &field.name).and_then(Value::as_f64)?;
    Some((&field.name, room))
}
