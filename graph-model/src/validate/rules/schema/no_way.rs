//! SCHEMA-006: a router has no way for events that may come.

use std::collections::BTreeSet;

use crate::catalog::Behaviour;
use crate::expr::{Analysis, Env, Expr, Operand, related};
use crate::id::Id;
use crate::pointer::Pointer;
use crate::schema::{Declared, Promise, Schema, Types};
use crate::validate::design::{EdgeIx, NodeIx};
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::{Facts, pointers};
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

/// Nodes between where events are made and the router, at most.
const STEPS_MAX: usize = 32;

/// Ways from where events are made that are looked at.
const WAYS_MAX: usize = 16;

/// Wires that are followed back from a router, at most.
const WIRES_MAX: usize = 2_000;

/// What stands for a field that somebody hides.
const HIDDEN: &str = "***";

/// Events that are tried on one way.
const TRIES_MAX: usize = 256;

/// A way from where events of a type are made to the router.
struct Way {
    source: NodeIx,
    ty: Id,
    /// From the source on.
    wires: Vec<EdgeIx>,
}

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
    let mut search = Search {
        ways: Vec::new(),
        left: WIRES_MAX,
    };
    search.collect(facts, node, &mut Vec::new());
    for way in &search.ways {
        let Some(fields) = uncovered(facts, &conditions, way) else {
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

/// The conditions of a router; nothing when one is not known, or looks at more than the payload.
fn conditions_of(facts: &Facts, node: NodeIx) -> Option<Vec<&Expr>> {
    let design = &*facts.design;
    let Some(Behaviour::Route { routes, .. }) = design.behaviour(node) else {
        return None;
    };
    let table = design.value(node, routes)?.as_object()?;
    let exprs = table
        .iter()
        .map(|(_, code)| pure(design.compiled(code.as_str()?)?));
    exprs.collect()
}

/// An expression that looks at nothing but the payload.
fn pure(expr: &Expr) -> Option<&Expr> {
    expr.variables().is_empty().then_some(expr)
}

/// The ways to a router, and how many wires may still be looked at.
struct Search {
    ways: Vec<Way>,
    left: usize,
}

impl Search {
    /// Finds where the events of a node are made, as long as what happens to them on the way can be done
    /// again. What comes round passes a loop once more.
    fn collect(&mut self, facts: &Facts, node: NodeIx, wires: &mut Vec<EdgeIx>) {
        let design = &*facts.design;
        if wires.len() >= STEPS_MAX {
            return;
        }
        for &edge in &design.nodes[node].ins {
            let (from, known) = (design.edges[edge].from, wires.len());
            let passed = wires.iter().filter(|wire| design.edges[**wire].to == from);
            if passed.count() > 1 || self.ways.len() >= WAYS_MAX || design.is_failure(edge) {
                continue;
            }
            let Some(left) = self.left.checked_sub(1) else {
                return;
            };
            self.left = left;
            wires.push(edge);
            let ty = facts.output(from).and_then(|port| port.payload.ty.clone());
            match design.behaviour(from) {
                Some(
                    Behaviour::Source { .. } | Behaviour::Changes { .. } | Behaviour::Opaque { .. },
                ) => {
                    if let Some(ty) = ty {
                        let mut wires = wires.clone();
                        wires.reverse();
                        self.ways.push(Way {
                            source: from,
                            ty,
                            wires,
                        });
                    }
                }
                Some(
                    Behaviour::Merge
                    | Behaviour::Queue { .. }
                    | Behaviour::Topic
                    | Behaviour::Log { .. }
                    | Behaviour::Repartition { .. }
                    | Behaviour::Dedupe { .. }
                    | Behaviour::Resequence { .. }
                    | Behaviour::VersionGuard { .. }
                    | Behaviour::Guard { .. }
                    | Behaviour::Validate { .. }
                    | Behaviour::Filter { .. }
                    | Behaviour::Route { .. }
                    | Behaviour::Map { .. }
                    | Behaviour::Mediate { .. }
                    | Behaviour::Split { .. }
                    | Behaviour::Redact { .. }
                    | Behaviour::Tokenise { .. }
                    | Behaviour::Effect { .. }
                    | Behaviour::Table { .. }
                    | Behaviour::Bucket { .. },
                ) => self.collect(facts, from, wires),
                _ => {}
            }
            wires.truncate(known);
        }
    }
}

/// What leaves by a wire of what arrives at its start; nothing when it does not take that way, or when
/// that is not known.
fn passes(facts: &Facts, edge: EdgeIx, event: Value) -> Option<Value> {
    let design = &*facts.design;
    let view = &design.edges[edge];
    let (node, port) = (view.from, &view.edge.from.port);
    let holds = |expr: &Expr, event: &Value| pure(expr)?.test(event, &Env::empty()).ok();
    match design.behaviour(node)? {
        Behaviour::Filter { predicate } => {
            let held = holds(design.expr(node, predicate)?, &event)?;
            (held == view.main).then_some(event)
        }
        Behaviour::Route { routes, otherwise } => {
            let table = design.value(node, routes)?.as_object()?;
            for (name, code) in table.iter() {
                if holds(design.compiled(code.as_str()?)?, &event)? {
                    return (name == port).then_some(event);
                }
            }
            (port == otherwise).then_some(event)
        }
        Behaviour::Map { expr } => {
            let expr = pure(design.expr(node, expr)?)?;
            expr.eval_owned(event, &Env::empty()).ok()
        }
        Behaviour::Split { expr } => {
            let expr = pure(design.expr(node, expr)?)?;
            let parts = expr.eval_owned(event, &Env::empty()).ok()?;
            parts.as_array()?.first().cloned()
        }
        Behaviour::Mediate { expr, target } => {
            let expr = pure(design.expr(node, expr)?)?;
            let made = expr.eval_owned(event, &Env::empty()).ok()?;
            match design.text(node, target) {
                Some(target) => facts.schema(target)?.check(&made).is_ok(),
                None => true,
            }
            .then_some(made)
        }
        Behaviour::Redact { fields, how } => {
            let removes = design.text(node, how) == Some("remove");
            Some(hidden(
                event,
                &pointers(design.value(node, fields)),
                removes,
            ))
        }
        Behaviour::Tokenise { fields } => {
            Some(hidden(event, &pointers(design.value(node, fields)), false))
        }
        Behaviour::Validate { ty } => {
            let schema = facts.schema(design.text(node, ty)?)?;
            (schema.check(&event).is_ok() == view.main).then_some(event)
        }
        Behaviour::Guard { field, .. } => {
            let field = Pointer::parse(design.text(node, field)?).ok()?;
            let owned = field.get(&event).is_some_and(|value| *value != Value::Null);
            (owned == view.main).then_some(event)
        }
        // What they lead aside is as it came.
        _ => Some(event),
    }
}

/// The event without these fields, or with some text in each, which no condition asks for.
fn hidden(mut event: Value, fields: &[Pointer], removes: bool) -> Value {
    for field in fields {
        if removes {
            field.remove(&mut event);
        } else if field.get(&event).is_some() {
            field.set(&mut event, Value::str(HIDDEN));
        }
    }
    event
}

/// Fields with their values; without one where the field is missing.
type Chosen = Vec<(Pointer, Option<Value>)>;

/// What is in an event that its source may send and that comes by the way, but meets no condition.
fn uncovered(facts: &Facts, conditions: &[&Expr], way: &Way) -> Option<Chosen> {
    let schema = facts.schema(way.ty.as_str())?;
    let tests = looked_at(facts, conditions, way);
    // Whoever lists the values of a field means all of them; of other fields some may be of no interest.
    if !tests.fields.iter().any(|field| is_listed(&schema, field)) {
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
        for edge in &way.wires[1..] {
            event = passes(facts, *edge, event)?;
        }
        let meets = |expr: &&Expr| expr.test(&event, &Env::empty());
        // A condition that fails is no silence.
        let outcomes: Result<Vec<bool>, _> = conditions.iter().map(meets).collect();
        let lost = outcomes.is_ok_and(|met| !met.contains(&true));
        (lost && !chosen.is_empty()).then_some(chosen)
    })
}

/// What decides the way of an event, in terms of what the source sends.
#[derive(Default)]
struct Tests {
    fields: BTreeSet<Pointer>,
    constants: Vec<Value>,
}

fn looked_at(facts: &Facts, conditions: &[&Expr], way: &Way) -> Tests {
    let design = &*facts.design;
    let mut tests = Tests::default();
    let mut look = |expr: &Expr, fields: &mut BTreeSet<Pointer>| {
        let analysis = expr.analysis();
        fields.extend(analysis.reads.fields.iter().cloned());
        for conjunct in &analysis.condition.conjuncts {
            if let Operand::Constant(value) = &conjunct.right {
                tests.constants.push(value.clone());
            }
        }
    };
    let mut fields = BTreeSet::new();
    for expr in conditions {
        look(expr, &mut fields);
    }
    for edge in way.wires[1..].iter().rev() {
        let from = design.edges[*edge].from;
        match design.behaviour(from) {
            Some(Behaviour::Filter { predicate }) => {
                if let Some(expr) = design.expr(from, predicate) {
                    look(expr, &mut fields);
                }
            }
            Some(Behaviour::Route { .. }) => {
                for expr in conditions_of(facts, from).unwrap_or_default() {
                    look(expr, &mut fields);
                }
            }
            Some(Behaviour::Split { expr }) => {
                if let Some(expr) = design.expr(from, expr) {
                    fields = reaching_parts(expr.analysis(), &fields);
                }
            }
            Some(Behaviour::Map { expr } | Behaviour::Mediate { expr, .. }) => {
                if let Some(expr) = design.expr(from, expr) {
                    let analysis = expr.analysis();
                    let made = fields.iter().map(|field| analysis.reaching(field));
                    fields = made.flat_map(|sources| sources.fields).collect();
                }
            }
            _ => {}
        }
    }
    tests.fields = fields;
    tests
}

/// What reaches fields of the parts that a split makes.
fn reaching_parts(analysis: &Analysis, fields: &BTreeSet<Pointer>) -> BTreeSet<Pointer> {
    let each = Pointer::root().child("*");
    let mut reaching = BTreeSet::new();
    for field in fields {
        let kept = analysis.rest_of_each.as_ref();
        if kept.is_some_and(|kept| !kept.except.iter().any(|other| related(other, field))) {
            reaching.insert(field.clone());
        } else {
            reaching.extend(analysis.reaching(&each.join(field)).fields);
        }
    }
    reaching
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
