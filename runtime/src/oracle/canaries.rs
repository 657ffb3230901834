//! A1: nobody sees a value whose readers they are not.
//!
//! Values that occur nowhere else give themselves away wherever they turn up, also within longer texts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use graph_model::document::{Document, EventType};
use graph_model::id::Id;
use graph_model::label::{Clause, Label};
use graph_model::pointer::Pointer;
use graph_model::value::{Object, Value};
use rustc_hash::FxHashMap;
use smol_str::{SmolStr, format_smolstr};

use super::open::Unlisted;
use super::viewers::{Owners, Viewer, anchors, type_of};
use super::{Context, Finding, Oracle, answers};
use crate::simulate::{Fact, Outcome};

/// Shortest text that gives itself away.
const TEXT_MIN: usize = 4;

/// The same facts, with values that occur nowhere else in every labelled field that nothing depends
/// on: no key, no owner, no word that the flow asks for.
pub fn plant(document: &Document, facts: &[Fact]) -> Arc<[Fact]> {
    let texts = texts(document);
    let mut planted = 0_usize;
    let facts = facts.iter().map(|fact| {
        let mut fact = fact.clone();
        let Some(ty) = type_of(document, &fact).map(|ty| &document.types[ty]) else {
            return fact;
        };
        for field in ty.labels.keys().filter(|field| is_free(ty, field)) {
            let Some(value) = field.get(&fact.event.data) else {
                continue;
            };
            planted += 1;
            let canary = match value {
                Value::Str(text) if !texts.contains(text.as_str()) => {
                    let name = field.last().map_or("value", SmolStr::as_str);
                    Value::from(format!("{name}-canary-{planted}"))
                }
                // Sums and thresholds are hardly moved by a fraction.
                Value::Float(number) => Value::Float(number.trunc() + fraction(planted)),
                Value::Int(number) if allows_fractions(ty, field) => {
                    Value::Float(*number as f64 + fraction(planted))
                }
                Value::Int(number) => {
                    let more = (scattered(planted) % 89_041) as i64;
                    Value::Int(number.saturating_mul(100_000) + 7_919 + more)
                }
                _ => continue,
            };
            field.set(&mut fact.event.data, canary);
        }
        fact
    });
    facts.collect()
}

/// One that no sum or average of others hits by chance.
fn fraction(planted: usize) -> f64 {
    (scattered(planted) % 4_000) as f64 / 8_192.0 + 1.0 / 16_384.0
}

/// A number for each that is planted, in no row.
fn scattered(planted: usize) -> u64 {
    (planted as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32
}

/// Whether another value in a field changes nothing but what is shown.
fn is_free(ty: &EventType, field: &Pointer) -> bool {
    let named = [&ty.id, &ty.time, &ty.version];
    let named = named.into_iter().flatten().chain(anchors(ty));
    let depends = ty
        .depends
        .iter()
        .flat_map(|rule| rule.from.iter().chain(&rule.to));
    let mut bound = named.chain(depends);
    !bound.any(|bound| bound.covers(field) || field.covers(bound))
        && schema_at(ty, field).is_none_or(|schema| schema.get("enum").is_none())
}

fn allows_fractions(ty: &EventType, field: &Pointer) -> bool {
    let declared = schema_at(ty, field).and_then(|schema| schema.get("type"));
    declared.and_then(Value::as_str) == Some("number")
}

fn schema_at<'t>(ty: &'t EventType, field: &Pointer) -> Option<&'t Value> {
    let mut schema = &ty.schema;
    for token in field.tokens() {
        schema = schema.get("properties")?.get(token)?;
    }
    Some(schema)
}

/// Everything that a flow's configuration says.
pub(super) fn texts(document: &Document) -> String {
    let nodes = document.nodes.values();
    let configs = nodes.map(|node| Value::from(node.config.clone()).to_json());
    configs.collect::<Vec<_>>().join("\n")
}

/// Where a value came from.
#[derive(Clone, Copy)]
pub(super) struct Root<'r> {
    pub(super) fact: u32,
    pub(super) ty: &'r Id,
    pub(super) field: &'r Pointer,
    pub(super) label: &'r Label,
}

/// Finds viewers who see what they may not.
pub(super) fn judge(run: &Outcome, _reference: &Outcome, context: &Context) -> Vec<Finding> {
    let document = &*context.document;
    let unlabelled = document.types.values().all(|ty| ty.labels.is_empty());
    if context.places.is_empty() && context.caches.is_empty()
        || unlabelled && context.open.types.is_empty()
    {
        return Vec::new();
    }
    let unlisted = context.open.unlisted(document, run);
    let roots = roots(document, run, &context.texts, &unlisted);
    if roots.is_empty() {
        return Vec::new();
    }
    let owners = Owners::of(document, &run.facts);
    let mut findings = answers::judge(run, &context.caches, &roots);
    for place in &context.places {
        let items = place.items(run);
        let mut told = BTreeSet::new();
        for viewer in &place.viewers {
            for item in place.seen(&items, viewer, &owners) {
                let mut found = Vec::new();
                canaries(&item.value, &roots, &mut found);
                for (value, of) in found {
                    // A value that they may know from one place may be it.
                    let refused: Option<Vec<&Clause>> = of
                        .iter()
                        .map(|root| refused(root, viewer, run, &owners))
                        .collect();
                    let (Some(root), Some(clause)) = (
                        of.first(),
                        refused.and_then(|refused| refused.first().copied()),
                    ) else {
                        continue;
                    };
                    let clause = clause.to_string();
                    // One finding for each sort of reader and field is enough.
                    if !told.insert((root.ty, root.field, clause.clone(), viewer.role.clone())) {
                        continue;
                    }
                    let mut observed = Object::with_capacity(3);
                    observed.insert("field", format!("{}{}", root.ty, root.field));
                    observed.insert("seen_by", viewer.name());
                    observed.insert("value", value.clone());
                    findings.push(Finding {
                        fact: Some(root.fact),
                        ..Finding::new(
                            Oracle::A1,
                            place.title.clone(),
                            observed,
                            format_smolstr!("only {clause}"),
                        )
                    });
                }
            }
        }
    }
    findings
}

/// What of the label of a value a viewer does not satisfy.
fn refused<'r>(
    root: &Root<'r>,
    viewer: &Viewer,
    run: &Outcome,
    owners: &Owners,
) -> Option<&'r Clause> {
    let payload = &run.facts[root.fact as usize].event.data;
    let mut clauses = root.label.0.iter();
    clauses.find(|clause| !viewer.satisfies(clause, payload, owners))
}

/// Values that give themselves away, with the fields that hold them: all of them labelled, and none of
/// them numbers that sums may show.
pub(super) fn roots<'r>(
    document: &'r Document,
    run: &'r Outcome,
    texts: &str,
    unlisted: &'r BTreeMap<u32, Vec<Unlisted<'r>>>,
) -> FxHashMap<&'r Value, Vec<Root<'r>>> {
    let mut roots: FxHashMap<&Value, Vec<Root<'_>>> = FxHashMap::default();
    let mut common: BTreeSet<&Value> = BTreeSet::new();
    for (number, fact) in run.facts.iter().enumerate() {
        let ty = type_of(document, fact);
        let mut leaves = Vec::new();
        leaves_of(&fact.event.data, &mut leaves);
        let mut labelled: Vec<&Value> = Vec::new();
        if let Some(ty) = ty {
            let listed = document.types[ty].labels.iter();
            let unlisted = unlisted.get(&(number as u32)).into_iter().flatten();
            let unlisted = unlisted.map(|(field, label)| (field, *label));
            for (field, label) in listed.chain(unlisted) {
                let mut below = Vec::new();
                if let Some(value) = field.get(&fact.event.data) {
                    leaves_of(value, &mut below);
                }
                labelled.extend(&below);
                for value in below {
                    roots.entry(value).or_default().push(Root {
                        fact: number as u32,
                        ty,
                        field,
                        label,
                    });
                }
            }
        }
        let of = |value: &Value, all: &[&Value]| all.iter().filter(|held| **held == value).count();
        common.extend(
            leaves
                .iter()
                .filter(|value| of(value, &leaves) > of(value, &labelled)),
        );
    }
    roots.retain(|value, of| {
        let gives_itself_away = match value {
            Value::Str(text) => text.len() >= TEXT_MIN && !texts.contains(text.as_str()),
            Value::Int(number) => number.unsigned_abs() >= 1_000,
            Value::Float(number) => number.fract() != 0.0,
            _ => false,
        };
        gives_itself_away && !common.contains(value) && of.len() < 8
    });
    roots
}

fn leaves_of<'v>(value: &'v Value, leaves: &mut Vec<&'v Value>) {
    match value {
        Value::Arr(items) => items.iter().for_each(|item| leaves_of(item, leaves)),
        Value::Obj(object) => object.values().for_each(|item| leaves_of(item, leaves)),
        leaf => leaves.push(leaf),
    }
}

/// Canaries in a value.
pub(super) fn canaries<'v, 'r>(
    value: &'v Value,
    roots: &'v FxHashMap<&'r Value, Vec<Root<'r>>>,
    found: &mut Vec<(&'v Value, &'v [Root<'r>])>,
) {
    let mut leaves = Vec::new();
    leaves_of(value, &mut leaves);
    for leaf in leaves {
        if let Some(of) = roots.get(leaf) {
            found.push((leaf, of));
        } else if let Value::Str(text) = leaf {
            let mut within: Vec<(&Value, &[Root<'_>])> = roots
                .iter()
                .filter(|(canary, _)| canary.as_str().is_some_and(|held| tells(text, held)))
                .map(|(_, of)| (leaf, &of[..]))
                .collect();
            within.sort_by_key(|(_, of)| of.first().map(|root| (root.fact, root.field)));
            found.extend(within);
        }
    }
}

/// Whether a text holds another as a whole, and not the beginning of a longer number.
fn tells(text: &str, held: &str) -> bool {
    text.match_indices(held).any(|(at, _)| {
        let next = text[at + held.len()..].bytes().next();
        let digits = held.ends_with(|c: char| c.is_ascii_digit());
        !(digits && next.is_some_and(|next| next.is_ascii_digit()))
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::Trial;
    use super::*;

    const TYPES: &str = "role patients external
        role support
        role doctors
        type claim: patient_id string {org | subject:/patient_id}, amount number {subject:/patient_id}, why string {role:doctors}";
    const FACTS: &str = r#"in {"patient_id":"ana-1","amount":70,"why":"flu"}
        in {"patient_id":"bob-2","amount":30,"why":"cold"}"#;

    /// What A1 says of the first viewer that sees too much.
    fn check(flow: &str, wanted: &str) {
        let mut trial = Trial::new(&format!("{TYPES}\n{flow}"), FACTS);
        trial.scenario.facts = plant(&trial.document, &trial.scenario.facts);
        let found = trial.judge(Oracle::A1);
        assert_eq!(found.lines().next().unwrap_or_default(), wanted, "{flow}");
    }

    #[test]
    fn people_see_what_they_may() {
        let claims = "in: manual(event_type=claim)";
        check(
            &format!("{claims} -> desk: view @support"),
            r#"A1 at `desk`: {"field":"claim/why","seen_by":"support 1","value":"why-canary-2"} instead of "only role:doctors""#,
        );
        check(
            &format!(
                "{claims} -> few: map(expr={{note: \"why: \\(.why)\"}}) -> desk: view @support"
            ),
            r#"A1 at `desk`: {"field":"claim/why","seen_by":"support 1","value":"why: why-canary-2"} instead of "only role:doctors""#,
        );
        check(
            &format!("{claims} -> few: map(expr={{patient_id}}) -> desk: view @support"),
            "",
        );
        check(
            &format!("{claims} -> few: redact(fields=[\"/amount\"]) -> desk: view @doctors"),
            "",
        );
    }

    #[test]
    fn a_canary_is_not_the_beginning_of_another() {
        assert!(tells("x why-canary-1, y", "why-canary-1"));
        assert!(!tells("x why-canary-17", "why-canary-1"));
        assert!(tells("17 why-canary-17 why-canary-1", "why-canary-1"));
    }

    #[test]
    fn each_person_sees_their_own() {
        let mine = "in: manual(event_type=claim) -> few: map(expr={who: .patient_id, amount})";
        check(
            &format!("{mine} -> portal: view @patients"),
            r#"A1 at `portal`: {"field":"claim/amount","seen_by":"patients 1","value":30.00152587890625} instead of "only subject:/patient_id""#,
        );
        check(&format!("{mine} -> portal: view @patients[id = /who]"), "");
        let guarded = "in: manual(event_type=claim) -> own: guard(field=/patient_id, claim=id) -> few: map(expr={amount})";
        check(&format!("{guarded} -> portal: view @patients"), "");
        // What takes another way passes no guard.
        let beside = "in: manual(event_type=claim) -> own: guard(field=/patient_id, claim=id) -> few: map(expr={amount}) -> portal: view @patients
            in -> none: map(expr={n: 1}) -> portal";
        check(beside, "");
        let lost = "in: manual(event_type=claim) -> few: map(expr={amount})";
        check(
            &format!("{lost} -> portal: view @patients"),
            r#"A1 at `portal`: {"field":"claim/amount","seen_by":"patients 1","value":30.00152587890625} instead of "only subject:/patient_id""#,
        );
    }

    #[test]
    fn keys_are_seen_by_whoever_runs_the_channel() {
        let flow = |key: &str, more: &str| {
            format!(
                "in: manual(event_type=claim) -> lane: log(key={key}) {more} -> desk: table(table=t, key=.patient_id, columns={{\"id\": \".patient_id\"}})"
            )
        };
        check(
            &flow(".why", ""),
            r#"A1 at `lane/operators`: {"field":"claim/why","seen_by":"anybody inside","value":"why-canary-2"} instead of "only role:doctors""#,
        );
        check(&flow(".why", "%operators=doctors"), "");
        check(&flow(".patient_id", ""), "");
    }

    #[test]
    fn copies_beside_the_way_are_looked_at_too() {
        let flow = |copy: &str| {
            format!(
                "in: manual(event_type=claim) -> lane: queue {copy} -> out: table(table=t, key=.patient_id, columns={{\"n\": \".amount | tonumber | error\"}}) @doctors"
            )
        };
        let mut trial = Trial::new(&format!("{TYPES}\n{}", flow("%dead_letter=support")), FACTS);
        trial.scenario.facts = plant(&trial.document, &trial.scenario.facts);
        let found = trial.judge(Oracle::A1);
        assert!(found.starts_with("A1 at `lane/dead_letter`"), "{found}");
        check(
            &flow("%trace=doctors"),
            r#"A1 at `lane/trace`: {"field":"claim/amount","seen_by":"doctors 1","value":30.00152587890625} instead of "only subject:/patient_id""#,
        );
        check(
            "in: manual(event_type=claim) -> few: map(expr={patient_id, why}) -> lane: queue %trace=doctors -> out: table(table=t, key=.patient_id) @doctors",
            "",
        );
    }
}
