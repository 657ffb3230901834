//! SCHEMA-001: a reader needs what the writer does not promise.

use super::{trial, unpaired};
use crate::catalog::Behaviour;
use crate::expr::{Analysis, Env, Expr, OutputFlow, related};
use crate::pointer::Pointer;
use crate::schema::Types;
use crate::validate::design::NodeIx;
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::{Facts, Promised};
use crate::validate::fixes;
use crate::validate::rules::declare_rule;
use crate::validate::rules::delivery::way_from;
use crate::value::{Object, Value};
use smol_str::{SmolStr, format_smolstr};

declare_rule! {
    /// Finds fields that a node computes with, although senders may leave them out or send another
    /// type.
    /// ## Why is this bad
    /// The shape of an event is a contract about the fields that somebody reads. This reader breaks,
    /// or makes nonsense, on a message that the writer is entitled to send. It will happen with the
    /// first sender that does.
    /// ## When is this fine
    /// When every sender is known to fill the field: then say so in the event type.
    /// ## Perturbation
    /// Another event of the declared type: one that leaves the field out, or fills it as the type also
    /// allows, gives nonsense or fails.
    /// ## Example
    /// type greeting: name string?, mood string?
    /// in: manual(event_type=greeting) -> greet: map(expr={text: "Hello, \(.name)!"}) -> out: view
    /// ## Use instead
    /// type greeting: name string, mood string?
    /// in: manual(event_type=greeting) -> greet: map(expr={text: "Hello, \(.name)!"}) -> out: view
    /// ## Near miss
    /// type greeting: name string?, mood string?
    /// in: manual(event_type=greeting) -> named: filter(when=.name != null) -> greet: map(expr={mood, text: "Hello, \(.name)!", in: (.mood // "any mood")}) -> out: view
    /// ## Source
    /// A. Habib, A. Shinnar, M. Hirzel, M. Pradel: Finding data compatibility bugs with JSON
    /// subschema checks, 2021
    code = "SCHEMA-001", name = "unmet-need", severity = Error, since = "0.1.0",
    check = Node(check),
}

/// What a reader does with a field that it needs.
pub(super) const COMPUTES: &str = "computes with";

/// A field that a node needs, of these types, for this.
pub(super) struct Need {
    pub(super) field: Pointer,
    pub(super) types: Types,
    /// It can do without: the types say so for nothing as well.
    pub(super) spares: bool,
    pub(super) purpose: SmolStr,
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let Some((view, behaviour)) = design.acting(node) else {
        return;
    };
    let Some(port) = facts.input(node) else {
        return;
    };
    let mut needs = needs(facts, node, behaviour);
    let tried = trial::needs(facts, node, port);
    let new = |need: &Need| {
        let known = needs.iter().any(|known: &Need| {
            known.field == need.field
                && facts
                    .promise(&known.field, port)
                    .is_some_and(|promised| problem(known, &promised).is_some())
        });
        !known
    };
    let tried: Vec<Need> = tried.into_iter().filter(new).collect();
    needs.retain(|need| !tried.iter().any(|tried| tried.field == need.field));
    needs.extend(tried);
    needs.sort_by(|a, b| a.field.cmp(&b.field));
    needs.dedup_by(|a, b| a.field == b.field);
    for need in needs {
        let Some(promised) = facts.promise(&need.field, port) else {
            continue;
        };
        let Some(problem) = problem(&need, &promised) else {
            continue;
        };
        let Some((source, ty, place)) = promised.by.first() else {
            continue;
        };
        if let Some(join) = promised.unpaired.filter(|_| !need.spares) {
            findings.add(unpaired(facts, join, (node, &need.purpose), &need.field));
            continue;
        }
        let (title, purpose, field) = (design.title(node), &need.purpose, &need.field);
        let message = format!(
            "{title} {purpose} `{field}`, which {problem} in events of type {ty}; promise it in the type or adapt the events in front"
        );
        let cause = format!("sends {ty}, where `{place}` {problem}");
        let effect = format!("{purpose} `{field}`");
        findings.add(
            Found::node(&view.id, message)
                .detail(field.to_string())
                .path(way_from(facts, *source, cause, node, effect))
                .fixes(fixes::promise_field(
                    facts, node, field, need.types, &promised,
                )),
        );
    }
}

/// What a sender may do that the need does not allow.
fn problem(need: &Need, promised: &Promised) -> Option<String> {
    let excess = promised.types.without(need.types);
    if promised.optional && !need.spares {
        Some("may be missing".to_owned())
    } else if excess != Types::NONE && need.types != Types::ANY {
        Some(format!("may be {excess}"))
    } else {
        None
    }
}

/// The fields that a node cannot do without.
fn needs(facts: &Facts, node: NodeIx, behaviour: &Behaviour) -> Vec<Need> {
    let design = &*facts.design;
    match behaviour {
        Behaviour::Map { expr } | Behaviour::Split { expr } => {
            let expr = design.expr(node, expr);
            expr.map(computed_with).unwrap_or_default()
        }
        Behaviour::Mediate { expr, target } => {
            let Some(expr) = design.expr(node, expr) else {
                return Vec::new();
            };
            let mut needs = computed_with(expr);
            if let Some(target) = design.text(node, target) {
                needs.extend(copied_into(facts, expr.analysis(), target));
            }
            needs
        }
        Behaviour::Aggregate { aggregates, .. } => {
            let records = design.value(node, aggregates).and_then(Value::as_array);
            let records = records.unwrap_or_default().iter();
            records.flat_map(|record| folded(facts, record)).collect()
        }
        // What other kinds read, they read with care: a missing field is null to them.
        _ => Vec::new(),
    }
}

/// Fields that take part in computing something and are not asked for first.
fn computed_with(expr: &Expr) -> Vec<Need> {
    let analysis = expr.analysis();
    let mut needs = Vec::new();
    // `.a // .b` gives what it finds, as a copy does: nothing for nothing.
    let nothing = expr.eval(&Value::from(Object::new()), &Env::empty()).ok();
    let gives_nothing = |row: &OutputFlow| {
        let made = nothing.as_ref().map(|made| row.pointer.get(made));
        !row.ctl.fields.is_empty() && matches!(made, Some(None | Some(Value::Null)))
    };
    let rows = analysis.outputs.iter();
    for row in rows.filter(|row| row.copy.is_none() && !gives_nothing(row)) {
        for field in &row.deps.fields {
            let element = field.tokens().iter().any(|token| token == "*");
            let asked = row.ctl.fields.iter().any(|asked| related(asked, field))
                || analysis.stood_in.contains(field);
            if !field.is_root() && !element && !asked {
                needs.push(Need {
                    field: field.clone(),
                    types: Types::ANY,
                    spares: false,
                    purpose: COMPUTES.into(),
                });
            }
        }
    }
    needs
}

/// Fields that become required fields of the target.
fn copied_into(facts: &Facts, analysis: &Analysis, target: &str) -> Vec<Need> {
    let Some(schema) = facts.schema(target) else {
        return Vec::new();
    };
    let required = schema.needs().into_iter().filter(|need| !need.optional);
    required
        .filter_map(|need| {
            let row = analysis
                .outputs
                .iter()
                .find(|row| row.pointer == need.pointer);
            let field = if let Some(row) = row {
                row.copy.clone()?
            } else {
                let rest = analysis.rest.as_ref()?;
                let changed = rest
                    .except
                    .iter()
                    .any(|except| related(except, &need.pointer));
                (!changed).then(|| need.pointer.clone())?
            };
            Some(Need {
                field,
                types: need.types,
                spares: false,
                purpose: format_smolstr!("makes `{}` of {target} from", need.pointer),
            })
        })
        .collect()
}

/// Numbers that a sum or an average needs.
fn folded(facts: &Facts, record: &Value) -> Vec<Need> {
    let function = record.get("function").and_then(Value::as_str);
    let of = record.get("of").and_then(Value::as_str);
    let Some(function @ ("sum" | "average" | "median")) = function else {
        return Vec::new();
    };
    let Some(expr) = of.and_then(|code| facts.design.compiled(code)) else {
        return Vec::new();
    };
    let analysis = expr.analysis();
    match &analysis.outputs[..] {
        [row] if row.pointer.is_root() && row.copy.is_some() && row.ctl.is_empty() => row
            .copy
            .iter()
            .map(|field| Need {
                field: field.clone(),
                types: Types::NUMBER,
                spares: false,
                purpose: format_smolstr!("takes the {function} of"),
            })
            .collect(),
        _ => computed_with(expr),
    }
}
