//! Reads expressions as conjunctions of comparisons and as keys.

use super::analysis::{Comparison, Condition, ContextRead, Key, Op, Operand};
use super::tree::{Node, Piece, Step, StepPart};
use crate::pointer::Pointer;
use crate::value::Value;

/// The expression as a predicate; what it depends on is left to the flow analysis.
pub(super) fn condition(node: &Node) -> Condition {
    let mut condition = Condition {
        complete: true,
        ..Condition::default()
    };
    conjuncts(node, true, &mut condition);
    condition
}

/// What `select` asks of the event before anything else happens, and what happens then.
pub(super) fn guard(node: &Node) -> (Condition, Vec<&Node>) {
    let mut guard = Condition {
        complete: true,
        ..Condition::default()
    };
    let mut stages = Vec::new();
    let mut at = node;
    loop {
        let (stage, next) = match at {
            Node::Pipe(stage, next) => (&**stage, Some(&**next)),
            stage => (stage, None),
        };
        match stage {
            Node::Call("select", args) if stages.is_empty() => {
                for test in args {
                    conjuncts(test, true, &mut guard);
                }
            }
            Node::Id => {}
            stage => stages.push(stage),
        }
        match next {
            Some(next) => at = next,
            None => return (guard, stages),
        }
    }
}

/// The parts of a key, when the expression is made of fields.
pub(super) fn key(node: &Node) -> Option<Key> {
    if let Some(operand) = operand(node) {
        return Some(Key {
            parts: vec![operand],
            injective: true,
        });
    }
    match node {
        Node::Array(Some(items)) => {
            let mut parts = Vec::new();
            let mut injective = true;
            let mut open = vec![&**items];
            while let Some(item) = open.pop() {
                if let Node::Comma(left, right) = item {
                    open.extend([&**right, &**left]);
                    continue;
                }
                let key = key(item)?;
                parts.extend(key.parts);
                injective &= key.injective;
            }
            Some(Key { parts, injective })
        }
        Node::Object(entries) => {
            let mut all = Key {
                parts: Vec::new(),
                injective: true,
            };
            for (name, value) in entries {
                let (Node::Const(_), Some(key)) = (name, key(value)) else {
                    return None;
                };
                all.parts.extend(key.parts);
                all.injective &= key.injective;
            }
            Some(all)
        }
        Node::Text(format, pieces) => {
            let keys = pieces.iter().filter_map(|piece| match piece {
                Piece::Node(node) => Some(key(node)),
                Piece::Plain(_) => None,
            });
            let keys = keys.collect::<Option<Vec<_>>>()?;
            let injective = keys.len() == 1 && keys[0].injective && format.is_none_or(keeps_apart);
            Some(Key {
                parts: keys.into_iter().flat_map(|key| key.parts).collect(),
                injective,
            })
        }
        Node::Pipe(of, then) => match &**then {
            Node::Call(name, args) if args.is_empty() => {
                let key = key(of)?;
                match *name {
                    name if keeps_apart(name) => Some(key),
                    "ascii_downcase" | "ascii_upcase" | "floor" | "round" | "ceil" | "trim"
                    | "tonumber" => Some(Key {
                        injective: false,
                        ..key
                    }),
                    _ => None,
                }
            }
            _ => None,
        },
        _ => None,
    }
}

/// Whether the filter answers different values for different values of one type.
pub(super) fn keeps_apart(name: &str) -> bool {
    matches!(
        name,
        "tostring" | "tojson" | "@text" | "@json" | "@base64" | "@uri" | "@html" | "explode"
    )
}

fn conjuncts(node: &Node, wanted: bool, into: &mut Condition) {
    match (node, wanted) {
        (Node::And(left, right), true) | (Node::Or(left, right), false) => {
            conjuncts(left, wanted, into);
            conjuncts(right, wanted, into);
        }
        (Node::Cmp(op, left, right), _) => match (operand(left), operand(right)) {
            (Some(left), Some(right)) => {
                let op = Op::from(*op);
                let op = if wanted { op } else { op.negated() };
                let known = |operand: &Operand| match operand {
                    Operand::Field(_) => 0,
                    Operand::Context(_) => 1,
                    Operand::Constant(_) => 2,
                };
                into.conjuncts.push(if known(&left) > known(&right) {
                    Comparison {
                        left: right,
                        op: op.flipped(),
                        right: left,
                    }
                } else {
                    Comparison { left, op, right }
                });
            }
            _ => into.complete = false,
        },
        (Node::Pipe(of, not), _) if matches!(&**not, Node::Call("not", _)) => {
            conjuncts(of, !wanted, into);
        }
        (Node::Alt(of, otherwise), _)
            if matches!(&**otherwise, Node::Const(value) if !value.truthy())
                && operand(of).is_some() =>
        {
            conjuncts(of, wanted, into);
        }
        (Node::Const(value), _) if value.truthy() == wanted => {}
        _ => match operand(node) {
            Some(left) => {
                let op = if wanted { Op::Truthy } else { Op::Falsy };
                into.conjuncts.push(Comparison {
                    left,
                    op,
                    right: Operand::Constant(Value::Bool(true)),
                });
            }
            None => into.complete = false,
        },
    }
}

fn operand(node: &Node) -> Option<Operand> {
    match node {
        Node::Id => Some(Operand::Field(Pointer::root())),
        Node::Const(value) => Some(Operand::Constant(value.clone())),
        Node::Global(variable) => Some(Operand::Context(ContextRead {
            variable: *variable,
            pointer: Pointer::root(),
        })),
        Node::Path(head, steps) => {
            let below = steps
                .iter()
                .map(|step: &Step| match &step.part {
                    // Optional steps have no value to compare where they fail; the token that stands
                    // for every element names no field.
                    StepPart::Key(key) if key != "*" && !step.optional => Some(key.clone()),
                    _ => None,
                })
                .collect::<Option<Pointer>>()?;
            match operand(head)? {
                Operand::Field(pointer) => Some(Operand::Field(pointer.join(&below))),
                Operand::Context(read) => Some(Operand::Context(ContextRead {
                    pointer: read.pointer.join(&below),
                    ..read
                })),
                Operand::Constant(_) => None,
            }
        }
        _ => None,
    }
}
