//! AUTH-015: personal data stays where nothing erases it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::{Leak, Why, words};
use crate::catalog::{Behaviour, Observation};
use crate::id::Id;
use crate::label::Atom;
use crate::pointer::Pointer;
use crate::units;
use crate::validate::design::{Design, NodeIx};
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::tags::TagId;
use crate::validate::facts::{Facts, Port};
use crate::validate::rules::declare_rule;
use crate::validate::{Step, Subject, fixes};
use crate::value::Value;

declare_rule! {
    /// Finds logs, files and tables that keep personal data longer than it may take to erase it.
    /// ## Why is this bad
    /// Somebody asks to be forgotten, and the row in the main table is gone the same day. The log, the
    /// export and the dead letters behind it still have the data, because nothing can be taken out of
    /// them. A key for each person, destroyed on request, reaches all copies at once.
    /// ## When is this fine
    /// When the store does forget: then say how (`forgets`).
    /// ## Perturbation
    /// One person is erased everywhere that erasing reaches: their data can still be read here.
    /// ## Example
    /// role doctors
    /// type visit(id=/id, subject=/patient, erase_within=30d): id string {org}, patient string {org}, diagnosis string {role:doctors}
    /// in: manual(event_type=visit) -> history: log(key=.patient) ^retention=365d -> desk: view @doctors
    /// ## Use instead
    /// role doctors
    /// type visit(id=/id, subject=/patient, erase_within=30d): id string {org}, patient string {org}, diagnosis string {role:doctors}
    /// in: manual(event_type=visit) -> history: log(key=.patient) ^retention=365d ^forgets=key -> desk: view @doctors
    /// ## Near miss
    /// role doctors
    /// type visit(id=/id, subject=/patient, erase_within=30d): id string {org}, patient string {org}, diagnosis string {role:doctors}
    /// in: manual(event_type=visit) -> history: log(key=.patient) ^retention=7d -> desk: view @doctors
    /// history -> once: dedupe(key=.id, ttl=7d) -> count: aggregate(aggregates=[{"name": "visits", "function": "count"}]) -> file: export(file=counts.jsonl)
    /// ## Source
    /// Regulation (EU) 2016/679, article 17: right to erasure
    code = "AUTH-015", name = "erasure-gap", severity = Warning, since = "0.1.0",
    check = Node(check),
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let Some(keeps) = keeps(design, node) else {
        return;
    };
    let Some(port) = facts.input(node) else {
        return;
    };
    let Some(personal) = personal(facts, node, port) else {
        return;
    };
    let subject = Subject::Node(design.nodes[node].id.clone());
    let title = design.title(node);
    let forgets = design.declared_text(node, "forgets");
    if matches!(forgets, Some("deletion" | "key")) {
        return;
    }
    let retention = design.declared_ms(node, "retention");
    if retention.is_some_and(|ms| ms <= personal.within_ms) {
        return;
    }
    let known = retention.is_some() || forgets == Some("nothing");
    if !known && keeps == Keeps::Rows {
        findings.unchecked(
            subject,
            format!(
                "{title} keeps data of {}, which has to be erased within {}; say how it forgets",
                personal.ty, personal.within
            ),
        );
        return;
    }
    let long = design.declared_text(node, "retention").map_or_else(
        || "with no end".to_owned(),
        |retention| format!("for {retention}"),
    );
    let fields = words(personal.fields.iter());
    let (ty, within) = (&personal.ty, &personal.within);
    let message = format!(
        "{title} keeps {fields} of {ty} {long}, but the data of a person has to be gone within {within}; let it forget by a key for each person, keep it shorter or leave it out"
    );
    let mut found = Found::at(subject, message)
        .path(path(facts, &personal, node, format!("keeps it {long}")))
        .fixes([fixes::keep_shorter(facts, node, within)])
        .fixes(fixes::redact_fields(facts, node, &personal.leaks));
    if !known {
        found = found.assuming(format!("nobody says how long {title} keeps events"));
    }
    findings.add(found);
}

/// How a node keeps what comes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keeps {
    /// One behind the other; nothing can be taken out.
    All,
    /// Rows that may be taken out.
    Rows,
}

fn keeps(design: &Design, node: NodeIx) -> Option<Keeps> {
    let (_, behaviour) = design.acting(node)?;
    match behaviour {
        Behaviour::Table { .. } if design.overwrites(node) => Some(Keeps::Rows),
        Behaviour::Table { .. }
        | Behaviour::Bucket { .. }
        | Behaviour::DeadLetter
        | Behaviour::Observe {
            observation: Observation::Export,
        } => Some(Keeps::All),
        _ if super::is_channel(behaviour) && design.is_kept(node) => {
            if design.declared_flag(node, "compacted") {
                Some(Keeps::Rows)
            } else {
                Some(Keeps::All)
            }
        }
        _ => None,
    }
}

/// What a store has of people who may ask to be forgotten.
struct Personal {
    ty: Id,
    within: String,
    within_ms: i64,
    fields: BTreeSet<Pointer>,
    leaks: Vec<Leak>,
    /// The node whose events they are.
    source: NodeIx,
}

fn personal(facts: &Facts, node: NodeIx, port: &Port) -> Option<Personal> {
    let design = &*facts.design;
    let types = &design.document.types;
    let deadlines: BTreeMap<&Id, (&str, i64)> = types
        .iter()
        .filter_map(|(id, ty)| {
            let text = ty.declared.get("erase_within").and_then(Value::as_str)?;
            let within = units::parse_duration(text)?;
            Some((id, (text, i64::try_from(within.as_millis()).ok()?)))
        })
        .collect();
    if deadlines.is_empty() {
        return None;
    }
    let shown = super::main_place(facts, node, port).map(|place| place.shown);
    let labels = shown.unwrap_or(Cow::Borrowed(&*port.labels));
    let mut by_type: BTreeMap<Id, (BTreeSet<Pointer>, Vec<Leak>)> = BTreeMap::new();
    for (field, tags) in labels.iter() {
        for number in tags {
            let tag = &facts.tags[number as usize];
            let person = tag
                .clause
                .0
                .iter()
                .any(|atom| matches!(atom, Atom::Subject(_)));
            let ty = design.document.types.get(&tag.ty);
            let person = person || ty.is_some_and(|ty| ty.subject.is_some());
            // A number over several people is about none of them.
            let blurred = tag.fold.as_ref().is_some_and(|fold| fold.blurs);
            if !person || blurred && tag.anchors.is_empty() || !deadlines.contains_key(&tag.ty) {
                continue;
            }
            let (fields, leaks) = by_type.entry(tag.ty.clone()).or_default();
            fields.insert(field.clone());
            leaks.push(Leak {
                field: field.clone(),
                tag: number,
                why: Why::Unreadable,
            });
        }
    }
    // A type without labels says whom its events are about all the same.
    if let Some(ty) = &port.payload.ty
        && deadlines.contains_key(ty)
        && !by_type.contains_key(ty)
        && let Some(subject) = &design.document.types[ty].subject
    {
        let entry = (BTreeSet::from([subject.clone()]), Vec::new());
        by_type.insert(ty.clone(), entry);
    }
    let types = by_type.into_iter();
    let found = types.filter_map(|(ty, held)| {
        let (within, ms) = deadlines.get(&ty)?;
        Some((*ms, ty, (*within).to_owned(), held))
    });
    let (within_ms, ty, within, (fields, mut leaks)) = found.min_by_key(|found| found.0)?;
    let node_of = |tag: TagId| &design.nodes[facts.tags[tag as usize].node].id;
    leaks.sort_by_cached_key(|leak| (leak.field.clone(), node_of(leak.tag).clone()));
    let source = leaks.first().map(|leak| facts.tags[leak.tag as usize].node);
    Some(Personal {
        ty,
        within,
        within_ms,
        fields,
        leaks,
        source: source.unwrap_or(node),
    })
}

fn path(facts: &Facts, personal: &Personal, to: NodeIx, effect: String) -> Vec<Step> {
    let cause = format!(
        "sends {}, of which the data of a person has to be erased within {}",
        personal.ty, personal.within
    );
    let way = match personal.leaks.first() {
        Some(leak) => super::way(facts, leak.tag, to),
        None => Vec::new(),
    };
    facts
        .design
        .steps((personal.source, cause), &way, (to, effect))
}
