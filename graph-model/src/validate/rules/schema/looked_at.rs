//! What decides which way an event takes, in terms of what its source sends.

use std::collections::BTreeSet;

use super::ways::{SIDES, Way, conditions_of, other_side, told_key};
use crate::catalog::Behaviour;
use crate::expr::{Analysis, Expr, Operand, related};
use crate::pointer::Pointer;
use crate::validate::facts::numbers::columns as folded;
use crate::validate::facts::{Facts, Port};
use crate::value::Value;

/// What decides the way of an event, in terms of what the source sends.
#[derive(Default)]
pub(super) struct Tests {
    pub(super) fields: BTreeSet<Pointer>,
    pub(super) constants: Vec<Value>,
    /// Something else does as well, of which nobody says what it may be.
    pub(super) unknown: bool,
}

/// What the conditions look at, and those on the way.
pub(super) fn looked_at(facts: &Facts, conditions: &[&Expr], way: &Way) -> Tests {
    let design = &*facts.design;
    let mut tests = Tests::default();
    let mut fields = BTreeSet::new();
    for expr in conditions {
        tests.look(expr, &mut fields);
    }
    for wires in way.wires.windows(2).rev() {
        let edge = &design.edges[wires[1]];
        let from = edge.from;
        match design.behaviour(from) {
            Some(Behaviour::Filter { predicate }) => {
                if let Some(expr) = design.expr(from, predicate) {
                    tests.look(expr, &mut fields);
                }
            }
            Some(Behaviour::Route { .. }) => {
                for expr in conditions_of(facts, from).unwrap_or_default() {
                    tests.look(expr, &mut fields);
                }
            }
            Some(Behaviour::Split { expr }) => {
                if let Some(expr) = design.expr(from, expr) {
                    fields = reaching_parts(expr.analysis(), &fields);
                }
            }
            Some(Behaviour::Map { expr } | Behaviour::Mediate { expr, .. }) => {
                if let Some(expr) = design.expr(from, expr) {
                    fields = reaching(expr, fields.iter());
                }
            }
            Some(Behaviour::Join { .. }) => {
                let side = design.edges[wires[0]].input.min(1);
                let other = other_side(facts, from, side);
                let at = Pointer::root().child(SIDES[side]);
                let (own, others) = inside(&at, &fields);
                tests.unknown |= edge.main && !others.is_empty() && is_untyped(other);
                fields = own;
            }
            Some(Behaviour::Enrich { into, .. }) if edge.main => {
                let at = Pointer::root().child(design.text(from, into).unwrap_or("row"));
                let (rows, own) = inside(&at, &fields);
                tests.unknown |= !rows.is_empty() && is_untyped(facts.second(from));
                fields = own;
            }
            Some(Behaviour::Aggregate { group, .. }) if edge.main => {
                let (of_key, results) = inside(&Pointer::root().child("key"), &fields);
                let mut before = BTreeSet::new();
                if let Some(group) = design.expr(from, group) {
                    before.extend(reaching(group, of_key.iter()));
                }
                for column in folded(design, from) {
                    let at = Pointer::root().child(column.name);
                    let (of_column, _) = inside(&at, &results);
                    if let Some(of) = column.of {
                        before.extend(reaching(of, of_column.iter()));
                    }
                }
                fields = before;
            }
            Some(Behaviour::Fold { group, step, .. }) if edge.main => {
                let (of_key, results) = inside(&Pointer::root().child("key"), &fields);
                let (of_state, _) = inside(&Pointer::root().child("state"), &results);
                let mut before = BTreeSet::new();
                for (expr, fields) in [(group, of_key), (step, of_state)] {
                    if let Some(expr) = design.expr(from, expr) {
                        before.extend(reaching(expr, fields.iter()));
                    }
                }
                fields = before;
            }
            Some(Behaviour::Decide { .. }) if edge.main => {
                let (of_key, results) = inside(&Pointer::root().child("key"), &fields);
                // What was decided is known of no single event.
                tests.unknown |= !results.is_empty();
                let key = told_key(facts, wires[0], from);
                fields = key.map_or_else(BTreeSet::new, |key| reaching(key, of_key.iter()));
            }
            Some(Behaviour::Table { .. }) if edge.resource => {
                let columns = design.columns(from);
                let mut before = BTreeSet::new();
                if columns.is_empty() {
                    before = inside(&Pointer::root().child("data"), &fields).0;
                }
                for (name, expr) in columns {
                    let (of_column, _) = inside(&Pointer::root().child(name.clone()), &fields);
                    if let Some(expr) = expr {
                        before.extend(reaching(expr, of_column.iter()));
                    }
                }
                fields = before;
            }
            Some(Behaviour::Changes { .. }) => {
                fields = inside(&Pointer::root().child("after"), &fields).0;
            }
            _ => {}
        }
    }
    tests.fields = fields;
    tests
}

impl Tests {
    fn look(&mut self, expr: &Expr, fields: &mut BTreeSet<Pointer>) {
        let analysis = expr.analysis();
        fields.extend(analysis.reads.fields.iter().cloned());
        for conjunct in &analysis.condition.conjuncts {
            if let Operand::Constant(value) = &conjunct.right {
                self.constants.push(value.clone());
            }
        }
    }
}

fn is_untyped(port: Option<&Port>) -> bool {
    port.is_none_or(|port| port.payload.ty.is_none())
}

/// What is at a place, as it is called there; and the others.
fn inside(at: &Pointer, fields: &BTreeSet<Pointer>) -> (BTreeSet<Pointer>, BTreeSet<Pointer>) {
    let (within, others): (Vec<&Pointer>, Vec<&Pointer>) =
        fields.iter().partition(|field| at.covers(field));
    let within = within.into_iter().filter_map(|field| at.strip_from(field));
    (within.collect(), others.into_iter().cloned().collect())
}

/// What reaches fields that an expression makes.
fn reaching<'p>(expr: &Expr, fields: impl Iterator<Item = &'p Pointer>) -> BTreeSet<Pointer> {
    let made = fields.map(|field| expr.analysis().reaching(field));
    made.flat_map(|sources| sources.fields).collect()
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
