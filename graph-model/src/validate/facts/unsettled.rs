//! What is not settled yet where events come: the time by which they were chosen, results that may still
//! change.

use crate::catalog::{Behaviour, PortRole};
use crate::expr::{Comparison, Condition, Expr, Op, Operand, Sources};
use crate::pointer::Pointer;
use crate::validate::design::{Design, EdgeIx, NodeIx};
use crate::validate::facts::origins::{Base, Origin};
use crate::validate::facts::{Facts, Port};
use crate::value::{Object, Value};

/// What later events, or the same ones at another time, may make undone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Doubts {
    /// The node at which the time of processing decided something.
    pub clock: Option<NodeIx>,
    /// The source that gives events the time at which it reads them.
    pub read_time: Option<NodeIx>,
    /// The node that sends results before all events are there.
    pub running: Option<NodeIx>,
    /// The node that took such a result for the last one.
    pub hasty: Option<NodeIx>,
}

impl Doubts {
    /// What holds where several streams meet.
    pub(crate) fn or(self, other: Doubts) -> Doubts {
        Doubts {
            clock: self.clock.or(other.clock),
            read_time: self.read_time.or(other.read_time),
            running: self.running.or(other.running),
            hasty: self.hasty.or(other.hasty),
        }
    }
}

impl Design {
    /// Whether a node compares the times of events with each other.
    pub(crate) fn compares_times(&self, node: NodeIx) -> bool {
        match self.behaviour(node) {
            Some(Behaviour::Aggregate { window, .. }) => self.text(node, window) == Some("time"),
            Some(Behaviour::Decide { wait, .. }) => self.text(node, wait) == Some("window"),
            Some(Behaviour::Enrich { as_of, .. }) => {
                self.value(node, as_of) == Some(&Value::Bool(true))
            }
            Some(Behaviour::Join { .. }) => true,
            _ => false,
        }
    }
}

/// How a result moves while more events come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Moves {
    Up,
    Down,
    Anywhere,
}

impl Facts {
    /// Whether what goes along a wire was chosen as if a result could no longer change: by a comparison
    /// that holds now and may not hold when more events have come.
    pub(super) fn is_hasty(&self, edge: EdgeIx) -> bool {
        let view = &self.design.edges[edge];
        let node = view.from;
        let Some(port) = self.input(node) else {
            return false;
        };
        let aside = !view.main && view.role == PortRole::Data;
        let (expr, negated) = match self.design.behaviour(node) {
            Some(Behaviour::Filter { predicate }) => (self.design.expr(node, predicate), aside),
            Some(Behaviour::Route { routes, .. }) => {
                let table = self.design.value(node, routes);
                let code = table.and_then(|table| table.get(&view.edge.from.port)?.as_str());
                (code.and_then(|code| self.design.compiled(code)), false)
            }
            _ => return false,
        };
        expr.is_some_and(|expr| self.doubtful(expr, negated, port).is_some())
    }

    /// The result that a predicate, or what it does not let pass, takes for the last one: its field and
    /// the node that makes it.
    pub(crate) fn doubtful(
        &self,
        predicate: &Expr,
        negated: bool,
        port: &Port,
    ) -> Option<(Pointer, NodeIx)> {
        let condition = &predicate.analysis().condition;
        let conjuncts = &condition.conjuncts[..];
        if negated && (conjuncts.len() != 1 || !condition.complete) {
            return None;
        }
        conjuncts.iter().find_map(|conjunct| {
            let op = if negated {
                conjunct.op.negated()
            } else {
                conjunct.op
            };
            let Comparison { left, right, .. } = conjunct;
            let sides = [(left, op), (right, op.flipped())];
            sides.into_iter().find_map(|(operand, op)| {
                let Operand::Field(field) = operand else {
                    return None;
                };
                let (node, moves) = self.running(field, port)?;
                let settled = match (moves, op) {
                    (_, Op::Ne | Op::Truthy | Op::Falsy)
                    | (Moves::Up, Op::Gt | Op::Ge)
                    | (Moves::Down, Op::Lt | Op::Le) => true,
                    (Moves::Up | Moves::Down | Moves::Anywhere, _) => false,
                };
                (!settled).then(|| (field.clone(), node))
            })
        })
    }

    /// Whether only some of the results that come to the start of a wire go along it, and not surely the
    /// last of them.
    pub(crate) fn picks(&self, edge: EdgeIx) -> bool {
        let design = &self.design;
        let view = &design.edges[edge];
        let node = view.from;
        let Some(port) = self.input(node) else {
            return false;
        };
        let wavers = |condition: &Condition, reads: &Sources, negated: bool| {
            self.wavers(condition, reads, negated, port)
        };
        let asked = |expr: &Expr, negated: bool| {
            let analysis = expr.analysis();
            wavers(&analysis.condition, &analysis.reads, negated)
        };
        match design.behaviour(node) {
            Some(Behaviour::Filter { predicate }) => {
                let aside = !view.main && view.role == PortRole::Data;
                let expr = design.expr(node, predicate);
                expr.is_some_and(|expr| asked(expr, aside))
            }
            // Each way but the first is for what no way before it took.
            Some(Behaviour::Route { routes, .. }) => {
                let table = design.value(node, routes).and_then(Value::as_object);
                let mut ways = table.into_iter().flat_map(Object::iter);
                ways.any(|(way, code)| {
                    let expr = code.as_str().and_then(|code| design.compiled(code));
                    expr.is_some_and(|expr| asked(expr, *way != view.edge.from.port))
                })
            }
            Some(
                Behaviour::Map { expr }
                | Behaviour::Mediate { expr, .. }
                | Behaviour::Split { expr },
            ) => {
                let analysis = design.expr(node, expr).map(Expr::analysis);
                analysis.is_some_and(|held| wavers(&held.guard, &held.emptiness, false))
            }
            _ => false,
        }
    }

    /// Whether a condition on results may hold now and no longer hold of the last of them.
    fn wavers(&self, condition: &Condition, reads: &Sources, negated: bool, port: &Port) -> bool {
        let mut fields = reads.fields.iter();
        if !fields.any(|field| self.running(field, port).is_some()) {
            return false;
        }
        let conjuncts = &condition.conjuncts[..];
        if !condition.complete || negated && conjuncts.len() != 1 {
            return true;
        }
        conjuncts.iter().any(|conjunct| {
            let op = if negated {
                conjunct.op.negated()
            } else {
                conjunct.op
            };
            let Comparison { left, right, .. } = conjunct;
            let nothing = |operand: &Operand| *operand == Operand::Constant(Value::Null);
            let sides = [(left, op, right), (right, op.flipped(), left)];
            sides.into_iter().any(|(operand, op, other)| {
                let Operand::Field(field) = operand else {
                    return false;
                };
                let Some((_, moves)) = self.running(field, port) else {
                    return false;
                };
                // A result is never nothing.
                let stays = match (moves, op) {
                    (_, Op::Truthy | Op::Falsy)
                    | (Moves::Up, Op::Gt | Op::Ge)
                    | (Moves::Down, Op::Lt | Op::Le) => true,
                    (_, Op::Ne) => nothing(other),
                    (Moves::Up | Moves::Down | Moves::Anywhere, _) => false,
                };
                !stays
            })
        })
    }

    /// How the result in a field moves; nothing when it is none, or no longer changes.
    fn running(&self, field: &Pointer, port: &Port) -> Option<(NodeIx, Moves)> {
        let origin = self.field(field, port);
        let (node, place) = match self.origins.borrow().get(origin) {
            Origin::Field(Base::Made(node), place) => (*node, place.clone()),
            _ => return None,
        };
        let Some(Behaviour::Aggregate {
            aggregates, window, ..
        }) = self.design.behaviour(node)
        else {
            return None;
        };
        if self.design.text(node, window) != Some("none") {
            return None;
        }
        let records = self.design.value(node, aggregates)?.as_array()?;
        let [name] = place.tokens() else { return None };
        let named = |record: &&Value| record.get("name").and_then(Value::as_str) == Some(name);
        let function = records.iter().find(named)?.get("function");
        match function.and_then(Value::as_str).unwrap_or("count") {
            // What is summed up is hardly ever less than nothing.
            "count" | "count_distinct" | "max" | "sum" => Some((node, Moves::Up)),
            "min" => Some((node, Moves::Down)),
            "average" => Some((node, Moves::Anywhere)),
            _ => None,
        }
    }
}
