//! What chose the events that reach a node, and whether two choices exclude each other.

use smol_str::{SmolStr, format_smolstr};

use crate::catalog::Behaviour;
use crate::expr::{Comparison, Condition, Expr, Operand};
use crate::pointer::Pointer;
use crate::validate::design::{EdgeIx, NodeIx};
use crate::validate::facts::{Facts, Port};
use crate::value::{Object, Value};

/// One filter or route on the way, left by one of its ports.
pub(super) struct Choice {
    pub at: NodeIx,
    pub port: SmolStr,
    /// What holds of the events, over their fields as they are called there.
    by_name: Vec<Condition>,
    /// The same over origins, which renames do not change.
    by_origin: Vec<Condition>,
}

/// Nodes of one way back that are looked at.
const WAY_MAX: usize = 256;

/// What chose the events at a node, back to where streams meet.
pub(super) fn choices(facts: &Facts, node: NodeIx) -> Vec<Choice> {
    let design = &*facts.design;
    let mut choices = Vec::new();
    let mut at = node;
    for _ in 0..WAY_MAX {
        let ins = design.nodes[at].ins.iter();
        let mut ins = ins.filter(|edge| design.edges[**edge].input == 0);
        let (Some(&edge), None) = (ins.next(), ins.next()) else {
            break;
        };
        choices.extend(choice(facts, edge));
        at = design.edges[edge].from;
    }
    choices
}

/// Whether no event, as it is at one moment, is in both.
pub(super) fn exclude(one: &[Choice], other: &[Choice]) -> bool {
    let conditions = |of: fn(&Choice) -> &Vec<Condition>| {
        let all = |choices: &[Choice]| -> Condition {
            let conditions = choices.iter().flat_map(of);
            let conjuncts = conditions.flat_map(|condition| condition.conjuncts.clone());
            Condition {
                conjuncts: conjuncts.collect(),
                ..Condition::default()
            }
        };
        all(one).excludes(&all(other))
    };
    conditions(|choice| &choice.by_name)
        || conditions(|choice| &choice.by_origin)
        || one.iter().any(|one| {
            // The first way that fits takes the event.
            other
                .iter()
                .any(|other| one.at == other.at && one.port != other.port)
        })
}

/// What a wire says of the events that it carries.
pub(super) fn choice(facts: &Facts, edge: EdgeIx) -> Option<Choice> {
    let design = &*facts.design;
    let view = &design.edges[edge];
    let (at, port) = (view.from, view.edge.from.port.clone());
    let input = facts.input(at)?;
    let by_name = match design.behaviour(at)? {
        Behaviour::Filter { predicate } => {
            let predicate = design.expr(at, predicate)?;
            if view.main {
                vec![predicate.analysis().condition.clone()]
            } else {
                not(predicate).into_iter().collect()
            }
        }
        Behaviour::Route { routes, otherwise } => {
            let table = design.value(at, routes).and_then(Value::as_object)?;
            let taken = ways(facts, table).into_iter();
            let mut conditions = Vec::new();
            for (name, predicate) in taken {
                if *name == port {
                    conditions.push(predicate.analysis().condition.clone());
                    break;
                }
                conditions.extend(not(predicate));
            }
            let known = table.contains_key(&port) || *otherwise == port;
            known.then_some(conditions)?
        }
        _ => return None,
    };
    let by_origin = by_name
        .iter()
        .map(|condition| over_origins(facts, condition, input))
        .collect();
    Some(Choice {
        at,
        port,
        by_name,
        by_origin,
    })
}

fn ways<'f>(facts: &'f Facts, table: &'f Object) -> Vec<(&'f SmolStr, &'f Expr)> {
    let ways = table.iter().filter_map(|(name, code)| {
        let expr = facts.design.compiled(code.as_str()?)?;
        Some((name, expr))
    });
    ways.collect()
}

/// What holds where a predicate does not, when that is one comparison.
fn not(predicate: &Expr) -> Option<Condition> {
    let condition = &predicate.analysis().condition;
    let [comparison] = &condition.conjuncts[..] else {
        return None;
    };
    condition.complete.then(|| Condition {
        conjuncts: vec![Comparison {
            op: comparison.op.negated(),
            ..comparison.clone()
        }],
        ..condition.clone()
    })
}

fn over_origins(facts: &Facts, condition: &Condition, port: &Port) -> Condition {
    let named = |operand: &Operand| match operand {
        Operand::Field(field) => {
            let origin = facts.field(field, port);
            Operand::Field(Pointer::root().child(format_smolstr!("{origin}")))
        }
        other => other.clone(),
    };
    let conjuncts = condition.conjuncts.iter().map(|comparison| Comparison {
        left: named(&comparison.left),
        right: named(&comparison.right),
        op: comparison.op,
    });
    Condition {
        conjuncts: conjuncts.collect(),
        ..condition.clone()
    }
}
