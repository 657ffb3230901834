//! SCHEMA-004: a field that may be missing, or that is written in several ways, is used as a key.

use smol_str::SmolStr;

use super::unpaired;
use crate::catalog::{Behaviour, FieldType, JqRole};
use crate::expr::{Expr, Operand};
use crate::pointer::Pointer;
use crate::schema::Types;
use crate::validate::design::{Design, NodeIx};
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::{Facts, Port, Promised, pointers};
use crate::validate::rules::declare_rule;
use crate::validate::rules::delivery::way_from;
use crate::validate::{Severity, fixes};

declare_rule! {
    /// Finds keys that some events do not have, or that are the same for people and differ for machines.
    /// ## Why is this bad
    /// Machines compare keys byte by byte: the text 7 and the number 7 are two keys, and so are two
    /// spellings of one address. Events without a key are refused, or all of them become one. What
    /// belongs together is counted apart, or what has nothing in common is counted as one.
    /// ## When is this fine
    /// When those who send agreed on one form: then say so in the event type.
    /// ## Perturbation
    /// Other events of the declared type: the key left out, sent as null, or written in the other way
    /// that the type allows.
    /// ## Example
    /// type order(id=/order): order string, customer string|integer
    /// in: manual(event_type=order) -> sum: aggregate(group=.customer, aggregates=[{"name": "n"}]) -> out: view
    /// ## Use instead
    /// type order(id=/order): order string, customer string|integer
    /// in: manual(event_type=order) -> sum: aggregate(group=(.customer | tostring), aggregates=[{"name": "n"}]) -> out: view
    /// ## Near miss
    /// type order(id=/order, caseless=["/mail"]): order string, customer string?, mail string|null, price number|integer
    /// in: manual(event_type=order) -> known: filter(when=(.customer != null and .mail != null)) -> sum: aggregate(group=[.customer, (.mail | ascii_downcase)], aggregates=[{"name": "n"}]) -> out: view
    /// in -> prices: aggregate(group=.price, aggregates=[{"name": "n"}]) -> dear: view
    /// ## Source
    /// Apache Kafka, default partitioner (records without a key go to any partition); RFC 8259, 6
    /// (numbers and strings are different values)
    code = "SCHEMA-004", name = "unstable-key", severity = Error, since = "0.1.0",
    check = Node(check),
}

/// An expression by which a node tells events apart.
pub(in crate::validate) struct Use {
    /// The config field that holds it.
    pub config: SmolStr,
    /// It is about the second input.
    second: bool,
    /// What the node does by it.
    purpose: &'static str,
    /// Without a value, events share one group.
    groups: bool,
    /// Without a value, events are given up.
    fails: bool,
}

/// What is wrong with a field as a key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::validate) enum Flaw {
    Missing,
    Types(Types),
    Case,
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let Some((view, behaviour)) = design.acting(node) else {
        return;
    };
    for used in uses(design, node, behaviour) {
        let (Some(expr), Some(port)) =
            (design.expr(node, &used.config), read_by(facts, node, &used))
        else {
            continue;
        };
        for (field, promised, flaw) in flaws(facts, expr, port, used.fails) {
            let Some((source, ty, place)) = promised.by.first() else {
                continue;
            };
            let (title, purpose) = (design.title(node), used.purpose);
            if let Some(join) = promised.unpaired.filter(|_| flaw == Flaw::Missing) {
                let found = unpaired(facts, join, (node, purpose), &field);
                let severity = if used.groups {
                    Severity::Warning
                } else {
                    Severity::Error
                };
                findings.add(found.severity(severity));
                continue;
            }
            let (problem, then) = match flaw {
                Flaw::Missing => (
                    "may be missing".to_owned(),
                    "require it in the type, or set events without it aside",
                ),
                Flaw::Types(types) => (
                    format!("may be {types}"),
                    "settle on one type, or compare the values as text",
                ),
                Flaw::Case => (
                    "means the same in capital and small letters".to_owned(),
                    "compare it in small letters",
                ),
            };
            let message = format!(
                "{title} {purpose} `{field}`, which {problem} in events of type {ty}; {then}"
            );
            let cause = format!("sends {ty}, where `{place}` {problem}");
            let severity = match flaw {
                Flaw::Missing if used.groups => Severity::Warning,
                _ => Severity::Error,
            };
            let fixes = fixes::settle_key(facts, (node, &used.config), &field, &promised, flaw);
            findings.add(
                Found::node(&design.nodes[*source].id, message)
                    .detail(place.to_string())
                    .path(way_from(
                        facts,
                        *source,
                        cause,
                        node,
                        format!("{purpose} `{field}`"),
                    ))
                    .severity(severity)
                    .affecting([view.id.clone()])
                    .fixes(fixes),
            );
        }
    }
}

/// The expressions by which a node tells events apart.
pub(in crate::validate) fn uses(design: &Design, node: NodeIx, behaviour: &Behaviour) -> Vec<Use> {
    let by = |config: &SmolStr, purpose| Use {
        config: config.clone(),
        second: false,
        purpose,
        groups: false,
        fails: false,
    };
    // Without a key they give the event up.
    let failing = |config: &SmolStr, purpose| Use {
        fails: true,
        ..by(config, purpose)
    };
    let of_group = |config: &SmolStr| Use {
        groups: true,
        ..by(config, "groups events by")
    };
    let of_second = |config: &SmolStr, purpose| Use {
        second: true,
        ..by(config, purpose)
    };
    match behaviour {
        Behaviour::Queue {
            fifo: Some(key), ..
        } => vec![by(key, "keeps events in order by")],
        Behaviour::Log { key, .. } | Behaviour::Repartition { key, .. } => {
            vec![by(key, "places events by")]
        }
        Behaviour::Dedupe { key, .. } => vec![failing(key, "tells copies by")],
        Behaviour::Aggregate { group, .. } | Behaviour::Fold { group, .. } => {
            vec![of_group(group)]
        }
        Behaviour::Decide {
            group, seal_key, ..
        } => vec![of_group(group), of_second(seal_key, "closes groups by")],
        Behaviour::Resequence { key, .. } | Behaviour::VersionGuard { key, .. } => {
            vec![by(key, "keeps versions by")]
        }
        Behaviour::Join { left, right, .. } => vec![
            by(left, "matches events by"),
            of_second(right, "matches events by"),
        ],
        Behaviour::Enrich { key, row_key, .. } => vec![
            by(key, "looks rows up by"),
            of_second(row_key, "keeps rows by"),
        ],
        Behaviour::Table { key, .. } if design.overwrites(node) => {
            vec![failing(key, "writes rows by")]
        }
        Behaviour::Effect { key } => vec![failing(key, "acts once for each")],
        Behaviour::Observe { .. } | Behaviour::Bucket { .. } => {
            let kind = design.nodes[node].kind.as_ref();
            let fields = kind.into_iter().flat_map(|kind| &kind.config);
            let keys =
                fields.filter(|field| matches!(field.ty, FieldType::Jq { role: JqRole::Key }));
            let shown = |config: &SmolStr| Use {
                fails: true,
                groups: true,
                ..by(config, "shows events by")
            };
            keys.map(|field| shown(&field.name)).collect()
        }
        _ => Vec::new(),
    }
}

fn read_by<'f>(facts: &'f Facts, node: NodeIx, used: &Use) -> Option<&'f Port> {
    if used.second {
        facts.second(node)
    } else {
        facts.input(node)
    }
}

/// The fields of a key that are no good as one.
fn flaws(facts: &Facts, expr: &Expr, port: &Port, fails: bool) -> Vec<(Pointer, Promised, Flaw)> {
    let Some(key) = &expr.analysis().key else {
        return Vec::new();
    };
    let shape = || expr.form().map_or("", |form| &form.shape);
    let as_text = || shape().contains(['"', '@']) || shape().contains("|to");
    let as_letters = || shape().contains("|ascii_");
    let mut flaws = Vec::new();
    for part in &key.parts {
        let Operand::Field(field) = part else {
            continue;
        };
        if field.is_root() {
            continue;
        }
        let Some(mut promised) = facts.promise(field, port) else {
            continue;
        };
        let origin = facts.field(field, port);
        let owned = port.guards.keys().any(|(owner, _)| *owner == origin);
        if owned || port.present.contains(&origin) {
            promised.optional = false;
            promised.unpaired = None;
            promised.types = promised.types.without(Types::NULL);
        }
        let caseless = promised.by.iter().any(|(_, ty, place)| {
            let ty = facts.design.document.types.get(ty);
            ty.is_some_and(|ty| pointers(ty.declared.get("caseless")).contains(place))
        });
        let flaw = if promised.types == Types::ANY && !(fails && promised.optional) {
            // What the type does not say anything about is not known.
            None
        } else if promised.optional || promised.types.has(Types::NULL) {
            Some(Flaw::Missing)
        } else if varies(promised.types) && !as_text() {
            Some(Flaw::Types(promised.types))
        } else if caseless && !as_letters() {
            Some(Flaw::Case)
        } else {
            None
        };
        if let Some(flaw) = flaw {
            flaws.push((field.clone(), promised, flaw));
        }
    }
    flaws
}

/// Whether values of several JSON types are among them; all numbers are of one.
fn varies(types: Types) -> bool {
    let all = [
        Types::BOOLEAN,
        Types::NUMBER,
        Types::STRING,
        Types::ARRAY,
        Types::OBJECT,
    ];
    all.iter().filter(|one| types.overlaps(**one)).count() > 1
}
