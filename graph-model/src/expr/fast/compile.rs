//! Compiles the part of jq that is known here; nothing for the rest.

use std::sync::atomic::AtomicUsize;

use smol_str::SmolStr;

use super::run::index;
use super::{Field, Op, OpPart, OpStep, Place, PlacePart, Stream, TextPart};
use crate::expr::Variable;
use crate::expr::ops::{self, Cmp, error};
use crate::expr::tree::{Node, Pattern, Piece, Step, StepPart};
use crate::value::Value;

pub(super) fn stream(node: &Node) -> Option<Stream> {
    if let Some(op) = op(node) {
        return Some(Stream::One(op));
    }
    match node {
        Node::Comma(left, right) => Some(Stream::Comma(
            Box::new(stream(left)?),
            Box::new(stream(right)?),
        )),
        Node::Pipe(left, right) => Some(Stream::Pipe(
            Box::new(stream(left)?),
            Box::new(stream(right)?),
        )),
        Node::Path(head, path) => {
            let at = path
                .iter()
                .position(|step| matches!(step.part, StepPart::Each))?;
            let (before, after) = (&path[..at], &path[at + 1..]);
            // Terms in later steps would see the elements instead of the input.
            if after
                .iter()
                .any(|step| matches!(step.part, StepPart::Index(_) | StepPart::Slice(..)))
            {
                return None;
            }
            let of = if before.is_empty() {
                op(head)?
            } else {
                Op::Path(Box::new(op(head)?), steps(before)?)
            };
            let then = if after.is_empty() {
                Stream::One(Op::Id)
            } else {
                stream(&Node::Path(Box::new(Node::Id), after.to_vec()))?
            };
            Some(Stream::Each {
                of,
                optional: path[at].optional,
                then: Box::new(then),
            })
        }
        _ => None,
    }
}

fn boxed(node: &Node) -> Option<Box<Op>> {
    op(node).map(Box::new)
}

fn op(node: &Node) -> Option<Op> {
    Some(match node {
        Node::Id => Op::Id,
        Node::Const(value) => Op::Const(value.clone()),
        Node::Text(None, pieces) => Op::Text(
            pieces
                .iter()
                .map(|piece| match piece {
                    Piece::Plain(text) => Some(TextPart::Plain(text.clone())),
                    Piece::Node(node) => op(node).map(TextPart::Op),
                })
                .collect::<Option<_>>()?,
        ),
        Node::Array(Some(of)) => Op::Collect(Box::new(stream(of)?)),
        Node::Object(entries) => Op::Object(
            entries
                .iter()
                .map(|(key, value)| Some((op(key)?, op(value)?)))
                .collect::<Option<_>>()?,
        ),
        Node::Neg(of) => Op::Neg(boxed(of)?),
        Node::Pipe(left, right) => Op::Pipe(boxed(left)?, boxed(right)?),
        Node::Bind(of, Pattern::Var(slot), body) => Op::Bind(boxed(of)?, *slot, boxed(body)?),
        Node::Alt(left, right) => Op::Alt(boxed(left)?, boxed(right)?),
        Node::Or(left, right) => Op::Or(boxed(left)?, boxed(right)?),
        Node::And(left, right) => Op::And(boxed(left)?, boxed(right)?),
        Node::Math(op, left, right) => Op::Math(*op, boxed(left)?, boxed(right)?),
        Node::Cmp(op, left, right) => Op::Cmp(*op, boxed(left)?, boxed(right)?),
        Node::Assign(path, of) => Op::Assign(places(path)?, boxed(of)?),
        Node::Update(path, of) => Op::Update(places(path)?, boxed(of)?),
        Node::UpdateMath(op, path, of) => Op::UpdateMath(*op, places(path)?, boxed(of)?),
        Node::UpdateAlt(path, of) => Op::UpdateAlt(places(path)?, boxed(of)?),
        Node::Try(body, None) => Op::Try(boxed(body)?, None),
        Node::Try(body, Some(catch)) => Op::Try(boxed(body)?, Some(boxed(catch)?)),
        Node::If(branches, otherwise) => Op::If(
            branches
                .iter()
                .map(|(test, then)| Some((op(test)?, op(then)?)))
                .collect::<Option<_>>()?,
            match otherwise {
                Some(otherwise) => boxed(otherwise)?,
                None => Box::new(Op::Id),
            },
        ),
        Node::Var(slot) => Op::Var(*slot),
        Node::Global(variable) => Op::Global(*variable),
        Node::Path(head, path) => return path_op(head, path),
        Node::Call(name, args) => return call(name, args),
        _ => return None,
    })
}

fn path_op(head: &Node, path: &[Step]) -> Option<Op> {
    let keys = path.iter().map(|step| match &step.part {
        StepPart::Key(key) if !step.optional => Some(Field {
            key: key.clone(),
            hint: AtomicUsize::new(0),
        }),
        _ => None,
    });
    if let Node::Id = head
        && let Some(keys) = keys.collect()
    {
        return Some(Op::Fields(keys));
    }
    // Other variables need not be objects.
    if let (Node::Global(variable @ (Variable::Event | Variable::Viewer)), [first, rest @ ..]) =
        (head, path)
        && let StepPart::Key(key) = &first.part
    {
        let field = Op::GlobalField(*variable, key.clone());
        return Some(if rest.is_empty() {
            field
        } else {
            Op::Path(Box::new(field), steps(rest)?)
        });
    }
    Some(Op::Path(boxed(head)?, steps(path)?))
}

fn steps(path: &[Step]) -> Option<Box<[OpStep]>> {
    path.iter()
        .map(|step| {
            let part = match &step.part {
                StepPart::Key(key) => OpPart::Key(key.clone()),
                StepPart::At(at) => OpPart::Index(Op::Const(Value::Int(*at))),
                StepPart::Index(index) => OpPart::Index(op(index)?),
                StepPart::Slice(from, to) => {
                    let end = |end: &Option<Node>| match end {
                        Some(end) => op(end).map(Some),
                        None => Some(None),
                    };
                    OpPart::Slice(end(from)?, end(to)?)
                }
                StepPart::Each => return None,
            };
            Some(OpStep {
                part,
                optional: step.optional,
            })
        })
        .collect()
}

fn places(path: &Node) -> Option<Box<[Place]>> {
    match path {
        Node::Id => Some(Box::default()),
        Node::Path(head, steps) if matches!(**head, Node::Id) => steps
            .iter()
            .map(|step| {
                let part = match &step.part {
                    StepPart::Key(key) => PlacePart::Key(key.clone()),
                    StepPart::At(at) => PlacePart::At(*at),
                    StepPart::Each => PlacePart::Each,
                    StepPart::Index(_) | StepPart::Slice(..) => return None,
                };
                Some(Place {
                    part,
                    optional: step.optional,
                })
            })
            .collect(),
        _ => None,
    }
}

fn call(name: &str, args: &[Node]) -> Option<Op> {
    let each = |of: &Node, then: Stream| {
        Some(Stream::Each {
            of: op(of)?,
            optional: false,
            then: Box::new(then),
        })
    };
    let id = || Stream::One(Op::Id);
    Some(match (name, args) {
        ("empty", []) => Op::Empty,
        ("error", []) => Op::Throw(Box::new(Op::Id)),
        ("error", [of]) => Op::Throw(boxed(of)?),
        ("not", []) => Op::Not,
        ("select", [test]) => Op::Select(boxed(test)?),
        ("values", []) => Op::Select(Box::new(Op::Cmp(
            Cmp::Ne,
            Box::new(Op::Id),
            Box::new(Op::Const(Value::Null)),
        ))),
        ("map", [of]) => Op::Collect(Box::new(each(&Node::Id, stream(of)?)?)),
        ("add", []) => Op::Add(Box::new(each(&Node::Id, id())?)),
        ("add", [of]) => Op::Add(Box::new(stream(of)?)),
        ("any" | "all", []) => Op::Any(
            Box::new(each(&Node::Id, id())?),
            Box::new(Op::Id),
            name == "any",
        ),
        ("any" | "all", [test]) => Op::Any(
            Box::new(each(&Node::Id, id())?),
            boxed(test)?,
            name == "any",
        ),
        ("any" | "all", [of, test]) => Op::Any(Box::new(stream(of)?), boxed(test)?, name == "any"),
        ("del", [path]) => {
            let mut paths = Vec::new();
            deleted(path, &mut paths)?;
            Op::Delete(paths.into())
        }
        ("first", []) => Op::Binary(index, Box::new(Op::Const(Value::Int(0)))),
        ("last", []) => Op::Binary(index, Box::new(Op::Const(Value::Int(-1)))),
        (_, []) => Op::Unary(match name {
            "length" => ops::length,
            "tostring" | "@text" => |value| ops::to_text(value).map(Value::Str),
            "tojson" | "@json" => |value| ops::to_json(value).map(Value::Str),
            "fromjson" => |value| match value {
                Value::Str(text) => ops::from_json(text),
                other => error(format!("cannot read {} as JSON", ops::brief(other))),
            },
            "tonumber" => ops::to_number,
            "toboolean" => ops::to_boolean,
            "ascii_downcase" => ops::lowercase,
            "ascii_upcase" => ops::uppercase,
            "trim" => ops::trimmed,
            "floor" => |value| ops::rounded(value, f64::floor),
            "round" => |value| ops::rounded(value, f64::round),
            "ceil" => |value| ops::rounded(value, f64::ceil),
            "type" => |value| Ok(Value::Str(SmolStr::new_static(value.type_name()))),
            "keys" => ops::keys,
            _ => return None,
        }),
        (_, [argument]) => Op::Binary(
            match name {
                "has" => |value, key| ops::has(value, key).map(Value::Bool),
                "contains" => |value, part| Ok(Value::Bool(ops::contains(value, part))),
                "startswith" => ops::starts_with,
                "endswith" => ops::ends_with,
                "ltrimstr" => ops::without_start,
                "rtrimstr" => ops::without_end,
                "split" => ops::split_text,
                "join" => ops::join,
                _ => return None,
            },
            boxed(argument)?,
        ),
        _ => return None,
    })
}

fn deleted(path: &Node, paths: &mut Vec<Box<[Place]>>) -> Option<()> {
    if let Node::Comma(left, right) = path {
        deleted(left, paths)?;
        return deleted(right, paths);
    }
    let places = places(path)?;
    // `del(.)` leaves nothing to answer.
    if places.is_empty() {
        return None;
    }
    paths.push(places);
    Some(())
}
