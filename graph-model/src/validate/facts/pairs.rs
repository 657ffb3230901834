//! Which events a join has multiplied: one with several partners is in several pairs.

use std::collections::BTreeSet;
use std::rc::Rc;

use crate::catalog::Behaviour;
use crate::expr::Expr;
use crate::validate::design::NodeIx;
use crate::validate::facts::origins::OriginId;
use crate::validate::facts::{Facts, Port};

/// A join, and the number of the input whose events may be in several pairs.
pub(crate) type Multiplied = (NodeIx, usize);

impl Facts {
    /// What a join multiplies, and what was multiplied in front of it.
    pub(super) fn multiplied_by(
        &self,
        node: NodeIx,
        sides: [&Port; 2],
    ) -> Rc<BTreeSet<Multiplied>> {
        let mut all = &*sides[0].multiplied | &*sides[1].multiplied;
        let Some(Behaviour::Join {
            left,
            right,
            unique,
            ..
        }) = self.design.behaviour(node)
        else {
            return Rc::new(all);
        };
        let promised = self.design.text(node, unique).unwrap_or("none");
        for (side, key, name) in [(0, left, "left"), (1, right, "right")] {
            let once = promised == name
                || promised == "both"
                || self.design.expr(node, key).is_some_and(|key| {
                    let key = self.key(key, sides[side]);
                    self.identifies(&key, sides[side])
                });
            if !once {
                // Several on this side are partners of one on the other.
                all.insert((node, 1 - side));
            }
        }
        Rc::new(all)
    }

    /// What is still multiplied where of each key only one event passes.
    pub(super) fn still_multiplied(&self, key: &Expr, port: &Port) -> Rc<BTreeSet<Multiplied>> {
        if port.multiplied.is_empty() {
            return Rc::clone(&port.multiplied);
        }
        let key = self.key(key, port);
        let mut left = (*port.multiplied).clone();
        left.retain(|multiplied| !self.belongs(*multiplied, &key));
        Rc::new(left)
    }

    /// Whether values are the same in all pairs of one event of a side.
    pub(crate) fn belongs(&self, (node, side): Multiplied, values: &[OriginId]) -> bool {
        let identities = self.identities_of(node, side);
        !values.is_empty()
            && identities
                .iter()
                .any(|identity| self.determines(&[*identity], values))
    }

    /// What tells the events of an input of a join apart.
    pub(crate) fn identities_of(&self, node: NodeIx, side: usize) -> Vec<OriginId> {
        let port = match side {
            0 => self.input(node),
            _ => self.second(node),
        };
        let Some(port) = port else {
            return Vec::new();
        };
        self.origins.borrow().identities(port.payload.context)
    }
}
