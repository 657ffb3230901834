//! The quick evaluator: the part of jq that most expressions keep to, over our values as they are.
//!
//! It answers exactly what jaq answers, in the same order, only without iterators and copies. What
//! it does not know it refuses when compiled, and jaq takes over.

mod compile;
mod growth;
mod run;

use std::sync::atomic::AtomicUsize;

use smol_str::SmolStr;

use self::compile::stream;
use self::run::Flow;
use super::bounds::fits;
use super::ops::{Cmp, Math, Outcome, Stop};
use super::tree::{Node, Slot};
use super::{Env, Variable};
use crate::value::Value;

#[derive(Debug)]
pub(super) struct Fast {
    stream: Stream,
    /// Whether a result may be larger or deeper than what came in, so that it must be looked at.
    grows: bool,
}

/// What has at most one output.
#[derive(Debug)]
enum Op {
    Id,
    Const(Value),
    /// Fields below the input.
    Fields(Box<[Field]>),
    Var(Slot),
    Global(Variable),
    GlobalField(Variable, SmolStr),
    Path(Box<Op>, Box<[OpStep]>),
    Text(Box<[TextPart]>),
    Object(Box<[(Op, Op)]>),
    Collect(Box<Stream>),
    Neg(Box<Op>),
    Not,
    Pipe(Box<Op>, Box<Op>),
    Bind(Box<Op>, Slot, Box<Op>),
    Alt(Box<Op>, Box<Op>),
    And(Box<Op>, Box<Op>),
    Or(Box<Op>, Box<Op>),
    Math(Math, Box<Op>, Box<Op>),
    Cmp(Cmp, Box<Op>, Box<Op>),
    If(Box<[(Op, Op)]>, Box<Op>),
    Try(Box<Op>, Option<Box<Op>>),
    Select(Box<Op>),
    Empty,
    Throw(Box<Op>),
    Any(Box<Stream>, Box<Op>, bool),
    Add(Box<Stream>),
    Unary(fn(&Value) -> Outcome),
    Binary(fn(&Value, &Value) -> Outcome, Box<Op>),
    Assign(Box<[Place]>, Box<Op>),
    Update(Box<[Place]>, Box<Op>),
    UpdateMath(Math, Box<[Place]>, Box<Op>),
    UpdateAlt(Box<[Place]>, Box<Op>),
    Delete(Box<[Box<[Place]>]>),
}

/// What may have several outputs.
#[derive(Debug)]
enum Stream {
    One(Op),
    Comma(Box<Stream>, Box<Stream>),
    /// The elements of what the operation answers, each handed on.
    Each {
        of: Op,
        optional: bool,
        then: Box<Stream>,
    },
    Pipe(Box<Stream>, Box<Stream>),
}

#[derive(Debug)]
enum TextPart {
    Plain(SmolStr),
    Op(Op),
}

#[derive(Debug)]
struct OpStep {
    part: OpPart,
    optional: bool,
}

#[derive(Debug)]
enum OpPart {
    Key(SmolStr),
    Index(Op),
    Slice(Option<Op>, Option<Op>),
}

#[derive(Debug)]
struct Field {
    key: SmolStr,
    /// Where it stood the last time: events on one edge mostly have the same fields.
    hint: AtomicUsize,
}

/// A step to what an update changes.
#[derive(Debug)]
struct Place {
    part: PlacePart,
    optional: bool,
}

#[derive(Debug)]
enum PlacePart {
    Key(SmolStr),
    At(i64),
    Each,
}

/// Variables in scope, the nearest first.
#[derive(Clone, Copy)]
struct Frame<'f> {
    bound: Option<(Slot, &'f Value, &'f Frame<'f>)>,
    env: &'f Env<'f>,
}

static NULL: Value = Value::Null;

/// How much larger than what comes in a result may be before jaq, which is metered, must make it.
const FACTOR_MAX: u64 = 256;

pub(super) fn compile(node: &Node) -> Option<Fast> {
    let stream = stream(node)?;
    if stream.factor() > FACTOR_MAX {
        return None;
    }
    Some(Fast {
        grows: stream.grows(),
        stream,
    })
}

impl Fast {
    pub(super) fn first(&self, input: &Value, env: &Env<'_>) -> Outcome {
        let frame = Frame { bound: None, env };
        let output = match &self.stream {
            Stream::One(op) => op.run(input, &frame)?,
            stream => {
                let mut first = None;
                stream.run(input, &frame, &mut |output| {
                    first = Some(output);
                    Ok(Flow::Done)
                })?;
                first.ok_or(Stop::Empty)?
            }
        };
        self.check(output)
    }

    pub(super) fn first_owned(&self, input: Value, env: &Env<'_>) -> Outcome {
        match &self.stream {
            Stream::One(op) => self.check(op.run_owned(input, &Frame { bound: None, env })?),
            _ => self.first(&input, env),
        }
    }

    /// Up to `limit` outputs, and whether there are more.
    pub(super) fn all(
        &self,
        input: &Value,
        env: &Env<'_>,
        limit: usize,
    ) -> Outcome<(Vec<Value>, bool)> {
        let mut outputs = Vec::new();
        let mut more = false;
        self.stream
            .run(input, &Frame { bound: None, env }, &mut |output| {
                if outputs.len() == limit {
                    more = true;
                    return Ok(Flow::Done);
                }
                outputs.push(self.check(output)?);
                Ok(Flow::More)
            })?;
        Ok((outputs, more))
    }

    pub(super) fn test(&self, input: &Value, env: &Env<'_>) -> Outcome<bool> {
        match &self.stream {
            Stream::One(op) => op.test(input, &Frame { bound: None, env }),
            _ => Ok(self.first(input, env)?.truthy()),
        }
    }

    fn check(&self, output: Value) -> Outcome {
        if self.grows {
            fits(&output).map_err(Stop::Limit)?;
        }
        Ok(output)
    }
}
