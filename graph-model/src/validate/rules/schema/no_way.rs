//! SCHEMA-006: a router has no way for events that may come.

use super::looked_at::looked_at;
use super::ways::{Way, conditions_of, ways};
use crate::catalog::Behaviour;
use crate::expr::{Env, Expr};
use crate::pointer::Pointer;
use crate::schema::{Declared, Promise, Schema, Types};
use crate::validate::design::NodeIx;
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::fixes;
use crate::validate::rules::declare_rule;
use crate::validate::rules::delivery::way_from;
use crate::value::Value;

declare_rule! {
    /// Finds routers that do not cover the listed values of what may come, and lead the rest nowhere.
    /// ## Why is this bad
    /// An order of a new sort is no error: it meets none of the conditions and is gone. Nothing fails,
    /// nothing is in the dead letters, and no counter moves. It is missed when somebody asks for it.
    /// ## When is this fine
    /// When the rest is of no interest: then say so by a filter, or wire it to where it is counted.
    /// ## Perturbation
    /// Another event of the declared type: one that meets none of the conditions leaves no trace.
    /// ## Example
    /// type order(id=/order): order string, kind sale|refund|gift
    /// in: manual(event_type=order) -> by_kind: route(routes={"sales": ".kind == \"sale\"", "refunds": ".kind == \"refund\""})
    /// by_kind.sales -> a: view
    /// by_kind.refunds -> b: view
    /// ## Use instead
    /// type order(id=/order): order string, kind sale|refund|gift
    /// in: manual(event_type=order) -> by_kind: route(routes={"sales": ".kind == \"sale\"", "refunds": ".kind == \"refund\""})
    /// by_kind.sales -> a: view
    /// by_kind.refunds -> b: view
    /// by_kind.otherwise -> rest: dead_letter
    /// ## Near miss
    /// type order(id=/order): order string, kind sale|refund|gift, total number
    /// in: manual(event_type=order) -> paid: filter(when=.kind != "gift") -> m: map(expr={sort: (if .kind == "sale" then "s" else "r" end), total}) -> by_kind: route(routes={"dear": ".sort == \"s\" and .total >= 100", "cheap": ".sort == \"s\" and .total < 100", "refunds": ".sort == \"r\""})
    /// by_kind.dear -> a: view
    /// by_kind.cheap -> b: view
    /// by_kind.refunds -> c: view
    /// ## Source
    /// L. Maranget: Warnings for pattern matching, 2007; G. Hohpe, B. Woolf: Enterprise integration
    /// patterns, Content-Based Router and Invalid Message Channel, 2003
    code = "SCHEMA-006", name = "router-not-exhaustive", severity = Warning, since = "0.1.0",
    check = Whole(check),
}

/// Events that are tried on one way.
const TRIES_MAX: usize = 256;

/// What decides here is in the texts of expressions far ahead, so an edit there asks again.
fn check(facts: &Facts, findings: &mut RuleFindings<'_, '_>) {
    for (node, _, behaviour) in facts.design.active() {
        if matches!(behaviour, Behaviour::Route { .. }) {
            check_router(facts, node, findings);
        }
    }
}

fn check_router(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let Some((view, Behaviour::Route { otherwise, .. })) = design.acting(node) else {
        return;
    };
    let mut outs = view.outs.iter();
    if outs.any(|edge| design.edges[*edge].edge.from.port == *otherwise) {
        return;
    }
    let Some(conditions) = conditions_of(facts, node) else {
        return;
    };
    for way in ways(facts, node) {
        let Some(fields) = uncovered(facts, &conditions, &way) else {
            continue;
        };
        let title = design.title(node);
        let words: Vec<String> = fields
            .iter()
            .map(|(field, value)| match value {
                Some(value) => format!("`{field}` {}", value.to_json()),
                None => format!("no `{field}`"),
            })
            .collect();
        let (ty, with) = (&way.ty, words.join(" and "));
        let message = format!(
            "{title} has no way for events of type {ty} with {with}, and they vanish; wire `{otherwise}` to where somebody looks"
        );
        let cause = format!("may send {ty} with {with}");
        let effect = "has no way for it".to_owned();
        findings.add(
            Found::node(&view.id, message)
                .path(way_from(facts, way.source, cause, node, effect))
                .fixes(fixes::set_aside(design, node, otherwise)),
        );
        return;
    }
}

/// Fields with their values; without one where the field is missing.
type Chosen = Vec<(Pointer, Option<Value>)>;

/// What is in an event that its source may send and that comes by the way, but meets no condition.
fn uncovered(facts: &Facts, conditions: &[&Expr], way: &Way) -> Option<Chosen> {
    let schema = facts.schema(way.ty.as_str())?;
    let tests = looked_at(facts, conditions, way);
    // Whoever lists the values of a field means all of them; of other fields some may be of no interest.
    if tests.unknown || !tests.fields.iter().any(|field| is_listed(&schema, field)) {
        return None;
    }
    let mut tried: Vec<Chosen> = vec![Vec::new()];
    for field in &tests.fields {
        let values = values(&schema, field, &tests.constants);
        if values.is_empty() || tried.len() * values.len() > TRIES_MAX {
            continue;
        }
        let with = |chosen: &Chosen| {
            let more = |value: &Option<Value>| {
                let mut chosen = chosen.clone();
                chosen.push((field.clone(), value.clone()));
                chosen
            };
            values.iter().map(more).collect::<Vec<_>>()
        };
        tried = tried.iter().flat_map(with).collect();
    }
    let example = schema.example();
    tried.into_iter().find_map(|chosen| {
        let mut event = example.clone();
        for (field, value) in &chosen {
            match value {
                Some(value) => field.set(&mut event, value.clone()),
                None => {
                    field.remove(&mut event);
                }
            }
        }
        schema.check(&event).ok()?;
        event = way.follow(facts, event)?;
        let meets = |expr: &&Expr| expr.test(&event, &Env::empty());
        // A condition that fails is no silence.
        let outcomes: Result<Vec<bool>, _> = conditions.iter().map(meets).collect();
        let lost = outcomes.is_ok_and(|met| !met.contains(&true));
        (lost && !chosen.is_empty()).then_some(chosen)
    })
}

/// Whether the type says which values a field has.
fn is_listed(schema: &Schema, field: &Pointer) -> bool {
    let of_two = match schema.declared(field) {
        Declared::Promised(promise) => promise.types.without(Types::NULL) == Types::BOOLEAN,
        Declared::NotListed | Declared::Unknown => false,
    };
    of_two || schema.values(field).is_some_and(|values| values.len() > 1)
}

/// Values that a field may have: all of them where they are listed, or else some that tell apart what
/// is compared with them. `None` where it may be missing.
fn values(schema: &Schema, field: &Pointer, constants: &[Value]) -> Vec<Option<Value>> {
    let Declared::Promised(Promise { types, optional }) = schema.declared(field) else {
        return Vec::new();
    };
    let mut values: Vec<Value> = Vec::new();
    if let Some(listed) = schema.values(field) {
        values.extend(listed.iter().cloned());
    } else {
        if types.overlaps(Types::BOOLEAN) {
            values.extend([Value::Bool(true), Value::Bool(false)]);
        }
        let mut near = Vec::new();
        for constant in constants {
            match constant {
                Value::Str(_) if types.overlaps(Types::STRING) => near.push(constant.clone()),
                Value::Int(number) if types.overlaps(Types::NUMBER) => {
                    let around = [-1, 0, 1].map(|step| number.saturating_add(step));
                    near.extend(around.map(Value::Int));
                }
                Value::Float(number) if types.overlaps(Types::NUMBER) => {
                    let around = [-1.0, 0.0, 1.0].map(|step| number + step);
                    near.extend(around.map(Value::Float));
                }
                _ => {}
            }
        }
        if types.overlaps(Types::STRING) {
            values.push(Value::str("another"));
        }
        if types.overlaps(Types::NUMBER) {
            near.extend([0, 1, -1].map(Value::Int));
        }
        values.extend(near);
        if types.has(Types::NULL) && types != Types::ANY {
            values.push(Value::Null);
        }
    }
    let mut found: Vec<Option<Value>> = Vec::new();
    for value in values {
        if !found.iter().flatten().any(|held| *held == value) {
            found.push(Some(value));
        }
    }
    if optional {
        found.push(None);
    }
    found
}
