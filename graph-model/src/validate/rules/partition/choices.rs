//! What chose the events that reach a node, and whether two choices exclude each other.

use smol_str::{SmolStr, format_smolstr};

use crate::catalog::Behaviour;
use crate::expr::{Comparison, Condition, Expr, Operand};
use crate::pointer::Pointer;
use crate::validate::design::{EdgeIx, NodeIx};
use crate::validate::facts::origins::OriginId;
use crate::validate::facts::{Facts, Port};
use crate::value::{Object, Value};

/// One filter or route on the way, left by one of its ports.
pub(super) struct Choice {
    pub at: NodeIx,
    pub port: SmolStr,
    /// What was looked at to choose; nothing when that is more than the event.
    looked_at: Option<Vec<OriginId>>,
    /// Whether all that was looked at counts.
    whole: bool,
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
                && one.whole
        })
}

/// The same choices as far as they are by what `stays`: events of one thing take the same way then,
/// whatever has become of it.
pub(super) fn by_what_stays(choices: Vec<Choice>, stays: impl Fn(OriginId) -> bool) -> Vec<Choice> {
    let operand_stays = |operand: &Operand| match operand {
        Operand::Field(field) => {
            let origin = field.last().and_then(|origin| origin.parse().ok());
            origin.is_some_and(&stays)
        }
        Operand::Context(_) => false,
        Operand::Constant(_) => true,
    };
    let only = |mut choice: Choice| {
        let named = choice.by_name.iter_mut().zip(&mut choice.by_origin);
        for (by_name, by_origin) in named {
            let kept = by_origin.conjuncts.iter();
            let kept: Vec<bool> = kept
                .map(|comparison| {
                    operand_stays(&comparison.left) && operand_stays(&comparison.right)
                })
                .collect();
            for condition in [by_name, by_origin] {
                let mut kept = kept.iter();
                condition
                    .conjuncts
                    .retain(|_| kept.next().copied().unwrap_or(false));
            }
        }
        let all_stay = |origins: &Vec<OriginId>| origins.iter().all(|origin| stays(*origin));
        choice.whole = choice.looked_at.as_ref().is_some_and(all_stay);
        choice
    };
    choices.into_iter().map(only).collect()
}

/// What a wire says of the events that it carries.
pub(super) fn choice(facts: &Facts, edge: EdgeIx) -> Option<Choice> {
    let design = &*facts.design;
    let view = &design.edges[edge];
    let (at, port) = (view.from, view.edge.from.port.clone());
    let input = facts.input(at)?;
    let (by_name, predicates) = match design.behaviour(at)? {
        Behaviour::Filter { predicate } => {
            let predicate = design.expr(at, predicate)?;
            let holds = if view.main {
                vec![predicate.analysis().condition.clone()]
            } else {
                not(predicate).into_iter().collect()
            };
            (holds, vec![predicate])
        }
        Behaviour::Route { routes, otherwise } => {
            let table = design.value(at, routes).and_then(Value::as_object)?;
            let taken = ways(facts, table);
            let predicates = taken.iter().map(|(_, predicate)| *predicate).collect();
            let mut conditions = Vec::new();
            for (name, predicate) in taken {
                if *name == port {
                    conditions.push(predicate.analysis().condition.clone());
                    break;
                }
                conditions.extend(not(predicate));
            }
            let known = table.contains_key(&port) || *otherwise == port;
            (known.then_some(conditions)?, predicates)
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
        looked_at: looked_at(facts, &predicates, input),
        whole: true,
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

/// The fields that the predicates look at; nothing when they look at more than the event.
fn looked_at(facts: &Facts, predicates: &[&Expr], port: &Port) -> Option<Vec<OriginId>> {
    let mut origins = Vec::new();
    for predicate in predicates {
        let reads = &predicate.analysis().reads;
        if !reads.context.is_empty() {
            return None;
        }
        let fields = reads.fields.iter().chain(&reads.shapes);
        origins.extend(fields.map(|field| facts.field(field, port)));
    }
    Some(origins)
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
