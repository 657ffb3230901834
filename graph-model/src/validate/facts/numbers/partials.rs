//! Which values are results of aggregates, alone or divided by each other.

use std::collections::BTreeSet;

use smol_str::SmolStr;

use super::{Function, columns, single};
use crate::expr::{Expr, Form, Operand};
use crate::pointer::Pointer;
use crate::validate::design::NodeIx;
use crate::validate::facts::origins::{Base, Origin, OriginId};
use crate::validate::facts::{Facts, Port};

/// Where a value is the result of an aggregate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Partial {
    pub aggregate: NodeIx,
    /// The column; that of the dividend for a ratio.
    pub name: SmolStr,
    pub function: Function,
}

impl Facts {
    /// The results of aggregates that an expression takes, alone or with something done to it.
    pub(crate) fn partials_in(&self, expr: &Expr, port: &Port) -> BTreeSet<Partial> {
        let mut found = BTreeSet::new();
        if let Some(field) = single(expr, &Pointer::root()) {
            let origin = self.field(&field, port);
            self.find_partials(origin, &mut BTreeSet::new(), &mut found);
        } else if let Some(ratio) = expr.ratio(&Pointer::root()) {
            found.extend(self.ratio(&ratio, port, &BTreeSet::new()));
        }
        found
    }

    /// Whether an expression takes nothing but results of aggregates, wherever its events come from.
    pub(crate) fn only_partials(&self, expr: &Expr, port: &Port) -> bool {
        let field = single(expr, &Pointer::root());
        field.is_some_and(|field| {
            let origin = self.field(&field, port);
            self.is_partial(origin, &mut BTreeSet::new())
        })
    }

    fn is_partial(&self, origin: OriginId, seen: &mut BTreeSet<OriginId>) -> bool {
        if !seen.insert(origin) {
            // What comes round a loop is what came in.
            return true;
        }
        match self.origin(origin) {
            Origin::Field(Base::Made(node), place) => {
                let mut columns = columns(&self.design, node).into_iter();
                if columns.any(|column| place == Pointer::root().child(column.name)) {
                    return true;
                }
                let (Some(expr), Some(port)) = (self.mapping(node), self.input(node)) else {
                    return false;
                };
                let field = single(expr, &place);
                field.is_some_and(|field| self.is_partial(self.field(&field, port), seen))
            }
            Origin::Field(Base::Met(node), place) => {
                let mut sides = self.sides(node);
                sides.all(|port| self.is_partial(self.field(&place, port), seen))
            }
            Origin::Field(Base::Sent(..), _) | Origin::Context(..) | Origin::Computed(..) => false,
        }
    }

    /// The results of aggregates that a value is: several when streams met, none when it is none.
    fn find_partials(
        &self,
        origin: OriginId,
        seen: &mut BTreeSet<OriginId>,
        found: &mut BTreeSet<Partial>,
    ) {
        if !seen.insert(origin) {
            return;
        }
        let origin = self.origin(origin);
        match origin {
            Origin::Field(Base::Made(node), place) => {
                let columns = columns(&self.design, node).into_iter();
                let own = columns
                    .filter(|column| place == Pointer::root().child(column.name.clone()))
                    .map(|column| Partial {
                        aggregate: node,
                        name: column.name,
                        function: column.function,
                    });
                found.extend(own);
                let (Some(expr), Some(port)) = (self.mapping(node), self.input(node)) else {
                    return;
                };
                if let Some(field) = single(expr, &place) {
                    self.find_partials(self.field(&field, port), seen, found);
                } else if let Some(ratio) = expr.ratio(&place) {
                    found.extend(self.ratio(&ratio, port, seen));
                }
            }
            Origin::Field(Base::Met(node), place) => {
                for port in self.sides(node) {
                    self.find_partials(self.field(&place, port), seen, found);
                }
            }
            Origin::Field(Base::Sent(..), _) | Origin::Context(..) | Origin::Computed(..) => {}
        }
    }

    /// The nodes that make a value in this field, when nothing but meetings lies between.
    pub(crate) fn makers(&self, origin: OriginId, place: &Pointer) -> Option<BTreeSet<NodeIx>> {
        let mut makers = BTreeSet::new();
        let (mut open, mut seen) = (vec![origin], BTreeSet::new());
        while let Some(origin) = open.pop() {
            if !seen.insert(origin) {
                continue;
            }
            let origin = self.origin(origin);
            match origin {
                Origin::Field(Base::Made(node) | Base::Sent(node, _), at) if at == *place => {
                    makers.insert(node);
                }
                Origin::Field(Base::Met(node), at) => {
                    open.extend(self.sides(node).map(|port| self.field(&at, port)));
                }
                _ => return None,
            }
        }
        Some(makers)
    }

    /// Two results of one aggregate, divided. What was `seen` comes round a loop.
    fn ratio(
        &self,
        (over, under): &(Form, Form),
        port: &Port,
        seen: &BTreeSet<OriginId>,
    ) -> Option<Partial> {
        let result = |form: &Form| match &form.parts[..] {
            [Operand::Field(field)] => {
                let mut found = BTreeSet::new();
                self.find_partials(self.field(field, port), &mut seen.clone(), &mut found);
                found.pop_first()
            }
            _ => None,
        };
        let (over, under) = (result(over)?, result(under)?);
        let adds = |partial: &Partial| matches!(partial.function, Function::Sum | Function::Count);
        let one = over.aggregate == under.aggregate && adds(&over) && adds(&under);
        one.then_some(Partial {
            function: Function::Ratio,
            ..over
        })
    }
}
