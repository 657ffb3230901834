//! Which values say how much a row has changed, and which predicates hold only for new rows.

use rustc_hash::FxHashMap;

use super::single;
use crate::catalog::Behaviour;
use crate::expr::{Expr, Form, Op, Operand};
use crate::pointer::Pointer;
use crate::validate::facts::origins::{Base, Origin, OriginId};
use crate::validate::facts::{Facts, Port};
use crate::value::Value;

/// What a change says of a row that came to be.
const CREATED: &str = "insert";

impl Facts {
    /// Whether an expression is how much something has changed: a value of a row after the change
    /// less the same value before.
    pub(crate) fn is_change(&self, expr: &Expr, place: &Pointer, port: &Port) -> bool {
        self.is_difference(expr, place, port, &mut FxHashMap::default())
    }

    fn is_difference(
        &self,
        expr: &Expr,
        place: &Pointer,
        port: &Port,
        known: &mut FxHashMap<OriginId, bool>,
    ) -> bool {
        if let Some(field) = single(expr, place) {
            return self.is_changed(self.field(&field, port), known);
        }
        let Some(sum) = expr.sum(place) else {
            return false;
        };
        let (plus, minus): (Vec<_>, Vec<_>) = sum.iter().partition(|term| term.plus);
        let before_of = |after: &Form, before: &Form| {
            after.shape == before.shape
                && after.parts.len() == before.parts.len()
                && after.parts.iter().zip(&before.parts).all(|parts| {
                    let (Operand::Field(after), Operand::Field(before)) = parts else {
                        return false;
                    };
                    self.is_before(self.field(before, port), self.field(after, port))
                })
        };
        !plus.is_empty()
            && plus.len() == minus.len()
            && plus
                .iter()
                .all(|plus| minus.iter().any(|minus| before_of(&plus.form, &minus.form)))
    }

    fn is_changed(&self, origin: OriginId, known: &mut FxHashMap<OriginId, bool>) -> bool {
        if let Some(known) = known.get(&origin) {
            return *known;
        }
        // What comes round a loop changes nothing.
        known.insert(origin, true);
        let held = self.origin(origin);
        let changed = match held {
            Origin::Field(Base::Made(node), place) => {
                let (expr, port) = (self.mapping(node), self.input(node));
                expr.zip(port)
                    .is_some_and(|(expr, port)| self.is_difference(expr, &place, port, known))
            }
            Origin::Field(Base::Met(node), place) => self
                .sides(node)
                .all(|port| self.is_changed(self.field(&place, port), known)),
            Origin::Field(Base::Sent(..), _) | Origin::Context(..) | Origin::Computed(..) => false,
        };
        known.insert(origin, changed);
        changed
    }

    /// Whether one value is that of a row before it became the other.
    fn is_before(&self, before: OriginId, after: OriginId) -> bool {
        let origin = self.origin(before);
        let Origin::Field(Base::Made(node), place) = origin else {
            return false;
        };
        if !matches!(self.design.behaviour(node), Some(Behaviour::Changes { .. })) {
            return false;
        }
        let (Some(port), Some((first, below))) = (self.output(node), place.tokens().split_first())
        else {
            return false;
        };
        let below: Pointer = below.iter().cloned().collect();
        first == "before" && self.field(&Pointer::root().child("after").join(&below), port) == after
    }

    /// Whether a predicate holds only for changes by which a row came to be.
    pub(in crate::validate::facts) fn is_creation(&self, predicate: &Expr, port: &Port) -> bool {
        let conjuncts = &predicate.analysis().condition.conjuncts;
        conjuncts.iter().any(|conjunct| {
            let (Operand::Field(field), Operand::Constant(value)) =
                (&conjunct.left, &conjunct.right)
            else {
                return false;
            };
            let origin = self.field(field, port);
            let Origin::Field(Base::Made(node), place) = self.origin(origin) else {
                return false;
            };
            let changes = matches!(self.design.behaviour(node), Some(Behaviour::Changes { .. }));
            let made = match (place.tokens(), conjunct.op) {
                ([name], Op::Eq) if name == "op" => value.as_str() == Some(CREATED),
                ([name], Op::Eq) if name == "before" => *value == Value::Null,
                ([name], Op::Falsy) => name == "before",
                _ => false,
            };
            changes && made
        })
    }
}
