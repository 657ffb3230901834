//! SCHEMA-002: events that are still kept, or readers that are still there, do not go with a new type.

use std::collections::BTreeSet;

use crate::catalog::{Behaviour, Delivery};
use crate::expr::Env;
use crate::id::Id;
use crate::pointer::Pointer;
use crate::schema::{Counterexample, Feeds, Schema, fits};
use crate::validate::design::{EdgeIx, NodeIx, NodeView};
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::rules::auth::is_channel;
use crate::validate::rules::declare_rule;
use crate::validate::{Step, Subject, fixes};
use crate::value::{Object, Value};

declare_rule! {
    /// Finds event types that do not go with the older ones that they replaced, where those are still
    /// kept or still read.
    /// ## Why is this bad
    /// A log remembers shapes that no program writes any more. The first replay, new consumer or rebuilt
    /// table meets them, long after the change was tested and shipped. What it cannot read it refuses, or
    /// reads as something else.
    /// ## When is this fine
    /// When the old events have expired: then take the old type out of the history.
    /// ## Perturbation
    /// Replay: an event of the older type is read as the new one.
    /// ## Example
    /// type order_v1(id=/order): order string
    /// type order(id=/order, history=["order_v1"]): order string, total number
    /// in: manual(event_type=order) -> lane: log(key=.order, partitions=4) -> out: view
    /// ## Use instead
    /// type order_v1(id=/order): order string
    /// type order(id=/order, history=["order_v1"]): order string, total number?
    /// in: manual(event_type=order) -> lane: log(key=.order, partitions=4) -> out: view
    /// ## Near miss
    /// type order_v1(id=/order): order string, note string, total string?
    /// type order(id=/order, history=["order_v1"]): order string, total number
    /// in: manual(event_type=order) -> lane: log(key=.order, partitions=4) -> up: mediate(expr=.total |= ((. // "0") | tonumber), target=order) -> out: view
    /// in -> now: queue -> shown: view
    /// ## Source
    /// Confluent Schema Registry, schema evolution and compatibility (backward, forward, full)
    code = "SCHEMA-002", name = "breaks-kept-events", severity = Error, since = "0.1.0",
    check = Whole(check),
}

/// Older types that are looked at.
const OLDER_MAX: usize = 32;

/// Whether old events are brought up is seen behind, as far as they pass as they are.
fn check(facts: &Facts, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let types = &design.document.types;
    let mut replacing = types.values().map(|ty| &ty.declared);
    if !replacing.any(|declared| declared.get("history").is_some()) {
        return;
    }
    for (node, view, _) in design.active() {
        for ty in types_at(facts, node) {
            let declared = types.get(&ty).map(|ty| &ty.declared);
            if let Some(declared) = declared.filter(|held| held.get("history").is_some()) {
                check_place(facts, (node, view), (&ty, declared), findings);
            }
        }
    }
}

/// The type of the events at a node; where several streams meet at a place, those of each.
fn types_at(facts: &Facts, node: NodeIx) -> BTreeSet<Id> {
    let own = facts.output(node).and_then(|port| port.payload.ty.clone());
    if own.is_some() || !facts.design.is_kept(node) {
        return own.into_iter().collect();
    }
    let ins = facts.design.nodes[node].ins.iter();
    ins.filter_map(|edge| facts.edge(*edge)?.payload.ty.clone())
        .collect()
}

fn check_place(
    facts: &Facts,
    (node, view): (NodeIx, &NodeView),
    (ty, declared): (&Id, &Object),
    findings: &mut RuleFindings<'_, '_>,
) {
    let mode = declared.get("compatibility").and_then(Value::as_str);
    let (backward, forward) = match mode.unwrap_or("backward") {
        "backward" => (true, false),
        "forward" => (false, true),
        "full" => (true, true),
        _ => (false, false),
    };
    let reads = backward && first_place(facts, node, ty, is_kept);
    let sends = forward && first_place(facts, node, ty, is_heard);
    if !reads && !sends {
        return;
    }
    let Some(new) = facts.schema(ty.as_str()) else {
        return;
    };
    for older in older(facts, ty) {
        let Some(old) = facts.schema(older.as_str()) else {
            let reason = format!("`{older}` came before `{ty}` and is not described; add it");
            findings.unchecked(Subject::Node(view.id.clone()), reason);
            continue;
        };
        let change = Change {
            node,
            older: &older,
            ty,
            old: &old,
            new: &new,
        };
        if reads {
            check_kept(facts, &change, findings);
        }
        if sends {
            check_readers(facts, &change, findings);
        }
    }
}

/// A type of events at a place, and one that it replaced.
struct Change<'t> {
    node: NodeIx,
    older: &'t Id,
    ty: &'t Id,
    old: &'t Schema,
    new: &'t Schema,
}

/// What a writer may send that a reader does not take; where that cannot be told, it is said so.
fn misfit(
    node: &Id,
    (writer, reader): (&Schema, &Schema),
    claim: &str,
    findings: &mut RuleFindings<'_, '_>,
) -> Option<Counterexample> {
    match fits(writer, reader) {
        Feeds::Yes => None,
        Feeds::Unknown(at) => {
            findings.unchecked(Subject::Node(node.clone()), untold(&at, claim));
            None
        }
        Feeds::No(example) => Some(example),
    }
}

/// What was sent as the older type is read as the new one.
fn check_kept(facts: &Facts, change: &Change<'_>, findings: &mut RuleFindings<'_, '_>) {
    let Change {
        node,
        older,
        ty,
        old,
        new,
    } = *change;
    let (id, title) = (&facts.design.nodes[node].id, facts.design.title(node));
    let claim = format!("`{ty}` takes what was sent as `{older}`");
    let Some(example) = misfit(id, (old, new), &claim, findings) else {
        return;
    };
    let Some(reader) = unready(facts, node, old, new, &example) else {
        return;
    };
    let (at, problem) = (&example.pointer, problem(&example));
    let message = format!(
        "{title} may hold events of type {older}, where `{at}` {problem}, and they are read as {ty}; adapt them behind it, or let {ty} take them"
    );
    let path = path(
        (older, &example),
        (node, format!("sends it again as {ty}")),
        (reader, format!("reads it as {ty}")),
        facts,
    );
    findings.add(
        Found::node(id, message)
            .detail(format!("{older}:backward"))
            .path(path)
            .fixes(fixes::bring_up(facts, node, (older, ty), &example)),
    );
}

/// Readers that know the older type only get what is sent as the new one.
fn check_readers(facts: &Facts, change: &Change<'_>, findings: &mut RuleFindings<'_, '_>) {
    let Change {
        node,
        older,
        ty,
        old,
        new,
    } = *change;
    let (id, title) = (&facts.design.nodes[node].id, facts.design.title(node));
    let claim = format!("readers of `{older}` take `{ty}`");
    let Some(example) = misfit(id, (new, old), &claim, findings) else {
        return;
    };
    let (at, problem) = (&example.pointer, problem(&example));
    let message = format!(
        "readers of {older} may still listen to {title}, and in {ty} `{at}` {problem}; keep the field as it was, or send {ty} by another channel"
    );
    let path = path(
        (ty, &example),
        (node, format!("sends it to readers of {older}")),
        (node, format!("may lead to readers that know {older} only")),
        facts,
    );
    findings.add(
        Found::node(id, message)
            .detail(format!("{older}:forward"))
            .path(path)
            .fixes(fixes::keep_field(facts, (older, ty), at)),
    );
}

/// Why it is not known whether one type goes with the other.
fn untold(at: &Pointer, what: &str) -> String {
    let place = if at.is_root() {
        "the payload".to_owned()
    } else {
        at.to_string()
    };
    format!("whether {what} cannot be told at {place}; describe it in both types")
}

/// What an event of one type has that the other does not take.
fn problem(example: &Counterexample) -> String {
    match example.message.as_str() {
        "is not listed by the writer" => "is not there".to_owned(),
        message => message.to_owned(),
    }
}

fn path(
    (ty, example): (&Id, &Counterexample),
    (node, again): (NodeIx, String),
    (reader, effect): (NodeIx, String),
    facts: &Facts,
) -> Vec<Step> {
    let id = |node: NodeIx| &facts.design.nodes[node].id;
    let sent = Step {
        place: Subject::Type(ty.clone()),
        note: format!("may be {}", shortened(&example.instance)),
    };
    let mut steps = vec![sent, Step::node(id(node), again)];
    if reader != node {
        steps.push(Step::node(id(reader), effect));
    }
    steps
}

/// The event as JSON, cut where it gets long.
fn shortened(event: &Value) -> String {
    const CHARS_MAX: usize = 120;
    let text = event.to_json();
    if text.chars().count() <= CHARS_MAX {
        return text;
    }
    text.chars().take(CHARS_MAX).chain("…".chars()).collect()
}

/// All types that came before this one.
fn older(facts: &Facts, ty: &Id) -> Vec<Id> {
    let types = &facts.design.document.types;
    let (mut found, mut open) = (Vec::new(), vec![ty.clone()]);
    let mut seen = BTreeSet::from([ty.clone()]);
    while let Some(at) = open.pop() {
        let declared = types.get(&at).and_then(|ty| ty.declared.get("history"));
        let names = declared.and_then(Value::as_array).unwrap_or_default();
        for name in names.iter().filter_map(Value::as_str) {
            let name = Id::from(name.trim());
            if found.len() < OLDER_MAX && seen.insert(name.clone()) {
                found.push(name.clone());
                open.push(name);
            }
        }
    }
    found
}

/// Whether events of long ago come from a node.
fn is_kept(facts: &Facts, node: NodeIx) -> bool {
    let Some((_, behaviour)) = facts.design.acting(node) else {
        return false;
    };
    let resumed = matches!(
        behaviour,
        Behaviour::Source {
            delivery: Delivery::Resumable,
            ..
        }
    );
    resumed || facts.design.is_kept(node)
}

/// Whether others may listen to a node whom nobody here knows.
fn is_heard(facts: &Facts, node: NodeIx) -> bool {
    facts
        .design
        .acting(node)
        .is_some_and(|(_, behaviour)| is_channel(behaviour))
}

/// Whether a node is such a place, and the first one on some way of events of the type.
fn first_place(facts: &Facts, node: NodeIx, ty: &Id, is_place: fn(&Facts, NodeIx) -> bool) -> bool {
    if !is_place(facts, node) {
        return false;
    }
    let design = &*facts.design;
    let of_type = |edge: &&EdgeIx| {
        let port = facts.edge(**edge);
        port.is_some_and(|port| port.payload.ty.as_ref() == Some(ty))
    };
    let (mut open, mut seen) = (vec![node], BTreeSet::from([node]));
    let mut others = false;
    while let Some(at) = open.pop() {
        let mut ins = design.nodes[at].ins.iter().filter(of_type).peekable();
        if ins.peek().is_none() {
            return true;
        }
        for edge in ins {
            let from = design.edges[*edge].from;
            if from != node && is_place(facts, from) {
                others = true;
            } else if seen.insert(from) {
                open.push(from);
            }
        }
    }
    !others
}

/// A node that reads from a place and does not adapt what is old.
fn unready(
    facts: &Facts,
    node: NodeIx,
    old: &Schema,
    new: &Schema,
    example: &Counterexample,
) -> Option<NodeIx> {
    let design = &*facts.design;
    let mut samples = fixes::samples(old);
    samples.push(example.instance.clone());
    let adapts = |reader: NodeIx| match design.behaviour(reader) {
        Some(Behaviour::Validate { .. }) => true,
        Some(Behaviour::Mediate { expr, target }) => {
            let (expr, target) = (design.expr(reader, expr), design.text(reader, target));
            let target = target.and_then(|target| facts.schema(target));
            let (Some(expr), Some(target)) = (expr, target) else {
                return true;
            };
            let made = |event: &Value| {
                let made = expr.eval(event, &Env::empty());
                made.is_ok_and(|made| target.check(&made).is_ok())
            };
            let taken = |event: &Value| {
                // What asks for more than the payload is not done again here.
                if !expr.variables().is_empty() || new.check(event).is_ok() || made(event) {
                    return true;
                }
                // Text may have to be that of a number.
                let mut counted = event.clone();
                if let Some(Value::Str(_)) = example.pointer.get(event) {
                    example.pointer.set(&mut counted, Value::str("1"));
                }
                old.check(&counted).is_ok() && made(&counted)
            };
            samples.iter().all(taken)
        }
        _ => false,
    };
    let (mut open, mut seen) = (vec![node], BTreeSet::new());
    while let Some(at) = open.pop() {
        let outs = design.nodes[at].outs.iter();
        for edge in outs.filter(|edge| !design.is_failure(**edge)) {
            let reader = design.edges[*edge].to;
            if passes_on(facts, reader) {
                if seen.insert(reader) {
                    open.push(reader);
                }
            } else if !adapts(reader) {
                return Some(reader);
            }
        }
    }
    None
}

/// Whether a node hands events on without a look at them.
fn passes_on(facts: &Facts, node: NodeIx) -> bool {
    let blind = matches!(
        facts.design.behaviour(node),
        Some(
            Behaviour::Map { .. }
                | Behaviour::Merge
                | Behaviour::Topic
                | Behaviour::Queue { fifo: None, .. }
        )
    );
    let ports = facts.input(node).zip(facts.output(node));
    blind && ports.is_some_and(|(input, output)| input.payload == output.payload)
}
