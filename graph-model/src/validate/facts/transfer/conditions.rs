//! What is known of events for which a condition holds, and what their coming tells.

use std::rc::Rc;

use smol_str::SmolStr;

use crate::expr::{Condition, Expr, Op, Operand};
use crate::validate::facts::delivery::Mode;
use crate::validate::facts::origins::OriginId;
use crate::validate::facts::{Facts, Port};
use crate::value::{Object, Value};

impl Facts {
    /// What a condition says of the events for which it holds.
    pub(super) fn hold(&self, condition: &Condition, port: &mut Port) {
        self.assert_present(condition, port);
        self.equate_all(condition, port);
        let freed = self.freed(condition, port);
        if !freed.is_empty() {
            port.labels = Rc::new(port.labels.less(&freed));
            port.presence = &port.presence - &freed;
        }
    }

    /// Events that a predicate chose: that they come tells what it looked at, and they are not all.
    pub(super) fn select(&self, predicate: &Expr, port: &mut Port) {
        let reads = &predicate.analysis().reads;
        Facts::tell(predicate, port);
        let looked: Vec<OriginId> = reads
            .fields
            .iter()
            .map(|field| self.field(field, port))
            .collect();
        let mut text = predicate.code().to_owned();
        for field in &reads.fields {
            // Names do not matter, only what is compared.
            text = text.replace(&field.to_string().replacen('/', ".", 1), "_");
        }
        if self.is_creation(predicate, port) {
            port.mode = Mode::Append;
        }
        let by = format!("{text} {looked:?}");
        port.definition = Rc::new(port.definition.step("filter", &by, predicate.code()));
    }

    /// What leaves by each way of a route.
    pub(super) fn ways(
        &self,
        routes: &Object,
        otherwise: &SmolStr,
        port: &Port,
    ) -> Vec<(SmolStr, Rc<Port>)> {
        let mut asked = port.clone();
        let mut ways = Vec::new();
        // Whoever sees one way knows what was asked before it was taken.
        for (name, code) in routes.iter() {
            let mut way = asked.clone();
            if let Some(expr) = code.as_str().and_then(|code| self.design.compiled(code)) {
                self.hold(&expr.analysis().condition, &mut way);
                Facts::tell(expr, &mut way);
                Facts::tell(expr, &mut asked);
            }
            ways.push((name.clone(), Rc::new(way)));
        }
        ways.push((otherwise.clone(), Rc::new(asked)));
        ways
    }

    /// That an event takes one way and not another tells what the predicate looked at.
    pub(super) fn tell(predicate: &Expr, port: &mut Port) {
        let tags = port.told_by(&predicate.analysis().reads);
        port.presence.join(&tags);
    }

    /// What must be there for a condition to hold.
    fn assert_present(&self, condition: &Condition, port: &mut Port) {
        for conjunct in &condition.conjuncts {
            let (Operand::Field(field), Operand::Constant(value)) =
                (&conjunct.left, &conjunct.right)
            else {
                continue;
            };
            let present = match conjunct.op {
                Op::Truthy | Op::Gt => true,
                Op::Eq | Op::Ge => *value != Value::Null,
                Op::Ne => *value == Value::Null,
                Op::Lt | Op::Le | Op::Falsy => false,
            };
            if present {
                let origin = self.field(field, port);
                Rc::make_mut(&mut port.present).insert(origin);
            }
        }
    }
}
