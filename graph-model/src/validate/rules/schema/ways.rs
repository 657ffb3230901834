//! Ways of events from where they are made to a router, and what becomes of an event on such a way.

use crate::catalog::Behaviour;
use crate::expr::{Env, Expr, Operand, Variable};
use crate::id::Id;
use crate::pointer::Pointer;
use crate::validate::design::{EdgeIx, NodeIx};
use crate::validate::facts::numbers::{Function, columns as folded};
use crate::validate::facts::{Facts, Port, pointers};
use crate::value;
use crate::value::{Object, Value};

/// Nodes between where events are made and the router, at most.
const STEPS_MAX: usize = 32;

/// Ways from where events are made that are looked at.
const WAYS_MAX: usize = 16;

/// Wires that are followed back from a router, at most.
const WIRES_MAX: usize = 2_000;

/// What stands for a field that somebody hides.
const HIDDEN: &str = "***";

/// The sides of a pair.
pub(super) const SIDES: [&str; 2] = ["left", "right"];

/// A way from where events of a type are made to the router.
pub(super) struct Way {
    pub(super) source: NodeIx,
    pub(super) ty: Id,
    /// From the source on.
    pub(super) wires: Vec<EdgeIx>,
}

/// The ways of events to a router.
pub(super) fn ways(facts: &Facts, router: NodeIx) -> Vec<Way> {
    let mut search = Search {
        ways: Vec::new(),
        left: WIRES_MAX,
    };
    search.collect(facts, router, &mut Vec::new());
    search.ways
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
            let twice = passed.count() > 1;
            // Nothing goes on because a row comes.
            let kept = design.edges[edge].input > 0
                && matches!(design.behaviour(node), Some(Behaviour::Enrich { .. }));
            if twice || kept || self.ways.len() >= WAYS_MAX || design.is_failure(edge) {
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
                    } else if !matches!(design.behaviour(from), Some(Behaviour::Opaque { .. })) {
                        // What is read is what others wrote.
                        self.collect(facts, from, wires);
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
                    | Behaviour::Bucket { .. }
                    | Behaviour::Join { .. }
                    | Behaviour::Enrich { .. }
                    | Behaviour::Aggregate { .. }
                    | Behaviour::Fold { .. }
                    | Behaviour::Decide { .. },
                ) => self.collect(facts, from, wires),
                _ => {}
            }
            wires.truncate(known);
        }
    }
}

impl Way {
    /// What comes to the router of an event that its source sends; nothing when it takes another way, or
    /// when that is not known.
    pub(super) fn follow(&self, facts: &Facts, mut event: Value) -> Option<Value> {
        for wires in self.wires.windows(2) {
            event = passes(facts, wires[0], wires[1], event)?;
        }
        Some(event)
    }
}

/// An expression that looks at nothing but the payload.
fn pure(expr: &Expr) -> Option<&Expr> {
    expr.variables().is_empty().then_some(expr)
}

/// The conditions of a router; nothing when one is not known, or looks at more than the payload.
pub(super) fn conditions_of(facts: &Facts, node: NodeIx) -> Option<Vec<&Expr>> {
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

/// What leaves by a wire of what `came` by another; nothing when it does not take that way, or when
/// that is not known.
fn passes(facts: &Facts, came: EdgeIx, edge: EdgeIx, event: Value) -> Option<Value> {
    let design = &*facts.design;
    let view = &design.edges[edge];
    let (node, port) = (view.from, &view.edge.from.port);
    let holds = |expr: &Expr, event: &Value| pure(expr)?.test(event, &Env::empty()).ok();
    let made = |expr: &Expr, event: &Value| pure(expr)?.eval(event, &Env::empty()).ok();
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
            let parts = made(design.expr(node, expr)?, &event)?;
            parts.as_array()?.first().cloned()
        }
        Behaviour::Mediate { expr, target } => {
            let made = made(design.expr(node, expr)?, &event)?;
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
        Behaviour::Join { left, right, .. } => {
            let side = design.edges[came].input.min(1);
            let mut pair = value!({"left": null, "right": null});
            if view.main {
                let keys = if side == 0 {
                    (left, right)
                } else {
                    (right, left)
                };
                let keys = (design.expr(node, keys.0)?, design.expr(node, keys.1)?);
                let other = partner(facts, other_side(facts, node, side)?, keys, &event)?;
                Pointer::root().child(SIDES[1 - side]).set(&mut pair, other);
            }
            Pointer::root().child(SIDES[side]).set(&mut pair, event);
            Some(pair)
        }
        Behaviour::Enrich {
            key, row_key, into, ..
        } if view.main => {
            let keys = (design.expr(node, key)?, design.expr(node, row_key)?);
            let row = partner(facts, facts.second(node)?, keys, &event)?;
            let mut event = event;
            let at = Pointer::root().child(design.text(node, into).unwrap_or("row"));
            at.set(&mut event, row);
            Some(event)
        }
        Behaviour::Aggregate { group, window, .. } if view.main => {
            let mut result = Object::new();
            let key = design.expr(node, group).map(|group| made(group, &event));
            result.insert("key", key.unwrap_or(Some(Value::Null))?);
            let one = Value::Int(1);
            for column in folded(design, node) {
                let value = match column.of {
                    Some(of) => made(of, &event)?,
                    None => one.clone(),
                };
                let told = match column.function {
                    Function::Count | Function::Distinct => one.clone(),
                    Function::List => Value::from(vec![value]),
                    Function::Ratio => return None,
                    _ => value,
                };
                result.insert(column.name.as_str(), told);
            }
            // A window of so many events may have one only where it takes no more.
            let alone = design.text(node, window) != Some("count");
            alone.then(|| result.into())
        }
        Behaviour::Fold {
            group,
            step,
            initial,
        } if view.main => {
            let step = design.expr(node, step)?;
            let initial = design.value(node, initial).cloned().unwrap_or_default();
            let first = |variable| (variable == Variable::State).then(|| initial.clone());
            let only_state = step.variables().iter().all(|read| *read == Variable::State);
            let state = step.eval(&event, &Env::new(&first)).ok();
            let mut result = Object::new();
            let key = design.expr(node, group).map(|group| made(group, &event));
            result.insert("key", key.unwrap_or(Some(Value::Null))?);
            result.insert("state", state.filter(|_| only_state)?);
            Some(result.into())
        }
        Behaviour::Decide { .. } if view.main => {
            let key = told_key(facts, came, node).map(|key| made(key, &event));
            let mut answer = Object::new();
            answer.insert("key", key.unwrap_or(Some(Value::Null))?);
            Some(answer.into())
        }
        Behaviour::Table { .. } if view.resource => {
            let columns = design.columns(node);
            let mut row = Object::new();
            if columns.is_empty() {
                row.insert("data", event.clone());
            }
            for (name, expr) in columns {
                row.insert(name.as_str(), made(expr?, &event)?);
            }
            Some(row.into())
        }
        Behaviour::Changes { .. } => {
            let mut change = value!({"op": "insert", "before": null});
            Pointer::root().child("after").set(&mut change, event);
            Some(change)
        }
        // What they lead aside is as it came.
        _ => Some(event),
    }
}

/// By what a decision tells the groups of what came by a wire.
pub(super) fn told_key(facts: &Facts, came: EdgeIx, node: NodeIx) -> Option<&Expr> {
    let design = &*facts.design;
    let Some(Behaviour::Decide {
        group, seal_key, ..
    }) = design.behaviour(node)
    else {
        return None;
    };
    let seals = design.edges[came].input > 0;
    let sealed = design.expr(node, seal_key).filter(|_| seals);
    sealed.or_else(|| design.expr(node, group))
}

/// What comes to the other side of a join.
pub(super) fn other_side(facts: &Facts, node: NodeIx, side: usize) -> Option<&Port> {
    if side == 0 {
        facts.second(node)
    } else {
        facts.input(node)
    }
}

/// An event that may meet another one: of its type, with the key of the other.
fn partner(facts: &Facts, port: &Port, keys: (&Expr, &Expr), event: &Value) -> Option<Value> {
    let Some(ty) = &port.payload.ty else {
        return Some(Object::new().into());
    };
    let schema = facts.schema(ty.as_str())?;
    let mut partner = schema.example();
    let parts = |key: &Expr| key.analysis().key.as_ref().map(|key| key.parts.clone());
    let (own, others) = (parts(keys.0)?, parts(keys.1)?);
    for (own, other) in own.iter().zip(&others) {
        if let (Operand::Field(own), Operand::Field(other)) = (own, other) {
            other.set(&mut partner, own.get(event).cloned().unwrap_or_default());
        }
    }
    schema.check(&partner).is_ok().then_some(partner)
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
