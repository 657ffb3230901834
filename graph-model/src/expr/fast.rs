//! The quick evaluator: the part of jq that most expressions keep to, over our values as they are.
//!
//! It answers exactly what jaq answers, in the same order, only without iterators and copies. What
//! it does not know it refuses when compiled, and jaq takes over.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use smol_str::{SmolStr, SmolStrBuilder};

use super::bounds::fits;
use super::ops::{self, Cmp, Math, Outcome, Stop, error};
use super::tree::{Node, Pattern, Piece, Slot, Step, StepPart};
use super::{Env, Variable};
use crate::value::{Object, Value};

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

enum Flow {
    More,
    Done,
}

/// A value that need not be copied to be looked at.
enum Seen<'v> {
    There(&'v Value),
    Made(Value),
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

impl<'f> Frame<'f> {
    fn with(&'f self, slot: Slot, value: &'f Value) -> Frame<'f> {
        Frame {
            bound: Some((slot, value, self)),
            env: self.env,
        }
    }

    fn get(&self, wanted: Slot) -> &'f Value {
        let mut at = self.bound;
        while let Some((slot, value, outer)) = at {
            if slot == wanted {
                return value;
            }
            at = outer.bound;
        }
        &NULL
    }
}

impl Seen<'_> {
    fn get(&self) -> &Value {
        match self {
            Seen::There(value) => value,
            Seen::Made(value) => value,
        }
    }

    fn own(self) -> Value {
        match self {
            Seen::There(value) => value.clone(),
            Seen::Made(value) => value,
        }
    }
}

/// Both results; what has no output overrules an error, whichever comes first.
fn both<A, B>(left: Outcome<A>, right: impl FnOnce() -> Outcome<B>) -> Outcome<(A, B)> {
    match left {
        Ok(left) => Ok((left, right()?)),
        Err(Stop::Error(thrown)) => match right() {
            Err(stop @ (Stop::Empty | Stop::Limit(_))) => Err(stop),
            _ => Err(Stop::Error(thrown)),
        },
        Err(stop) => Err(stop),
    }
}

impl Op {
    fn run(&self, input: &Value, frame: &Frame<'_>) -> Outcome {
        match self {
            Op::Id | Op::Const(_) | Op::Fields(_) | Op::Var(_) => {
                Ok(self.look(input, frame)?.own())
            }
            Op::Global(variable) => Ok(frame.env.whole(*variable)),
            Op::GlobalField(variable, name) => Ok(frame.env.field(*variable, name)),
            Op::Path(head, steps) => {
                let head = head.look(input, frame)?;
                if steps.iter().all(|step| matches!(step.part, OpPart::Key(_))) {
                    return walk(head.get(), steps);
                }
                let keys = indices(steps, input, frame)?;
                let mut at = head.own();
                for (step, keys) in steps.iter().zip(keys) {
                    let found = match (&step.part, keys) {
                        (OpPart::Key(key), _) => field(&at, key).cloned(),
                        (OpPart::Index(_), (Some(key), _)) => {
                            ops::find(&at, &key).map(Option::unwrap_or_default)
                        }
                        (_, (from, to)) => ops::slice(&at, from.as_ref(), to.as_ref()),
                    };
                    at = match found {
                        Err(Stop::Error(_)) if step.optional => return Err(Stop::Empty),
                        found => found?,
                    };
                }
                Ok(at)
            }
            Op::Text(parts) => {
                let mut text = SmolStrBuilder::new();
                let mut len = 0;
                let mut failed = Ok(());
                for part in parts {
                    let mut add = |piece: &str| {
                        len += piece.len();
                        text.push_str(piece);
                        ops::bounded(len)
                    };
                    let added = match part {
                        TextPart::Plain(plain) => add(plain),
                        TextPart::Op(op) => match op.look(input, frame) {
                            Ok(value) => match value.get() {
                                Value::Str(text) => add(text),
                                other => ops::to_text(other).and_then(|text| add(&text)),
                            },
                            Err(stop) => Err(stop),
                        },
                    };
                    ((), failed) = ((), both(failed, || added).map(|((), ())| ()));
                    if matches!(failed, Err(Stop::Empty | Stop::Limit(_))) {
                        break;
                    }
                }
                failed?;
                Ok(Value::Str(text.finish()))
            }
            Op::Object(entries) => {
                let mut object = Object::with_capacity(entries.len());
                let mut failed = Ok(());
                for (key, value) in entries {
                    let entry = both(key.look(input, frame), || value.run(input, frame));
                    failed = both(failed, || {
                        let (key, value) = entry?;
                        match key.get() {
                            Value::Str(key) => {
                                object.insert(key.clone(), value);
                                Ok(())
                            }
                            other => error(format!(
                                "an object needs texts as keys, not {}",
                                ops::brief(other)
                            )),
                        }
                    })
                    .map(|((), ())| ());
                    if matches!(failed, Err(Stop::Empty | Stop::Limit(_))) {
                        break;
                    }
                }
                failed?;
                Ok(Value::from(object))
            }
            Op::Collect(stream) => {
                let mut items = Vec::new();
                stream.run(input, frame, &mut |item| {
                    items.push(item);
                    Ok(Flow::More)
                })?;
                Ok(Value::from(items))
            }
            Op::Neg(of) => ops::negate(of.look(input, frame)?.get()),
            Op::Not | Op::And(..) | Op::Or(..) | Op::Cmp(..) => {
                Ok(Value::Bool(self.test(input, frame)?))
            }
            Op::Pipe(left, right) => right.run(left.look(input, frame)?.get(), frame),
            Op::Bind(of, slot, body) => {
                let value = of.look(input, frame)?;
                body.run(input, &frame.with(*slot, value.get()))
            }
            Op::Alt(left, right) => match left.run(input, frame) {
                Ok(value) if value.truthy() => Ok(value),
                Ok(_) | Err(Stop::Empty) => right.run(input, frame),
                failed => failed,
            },
            Op::Math(op, left, right) => {
                let (left, right) = both(left.look(input, frame), || right.look(input, frame))?;
                match (op, left.get(), right.get()) {
                    (Math::Add, Value::Float(a), Value::Float(b)) => Ok(Value::Float(a + b)),
                    (Math::Mul, Value::Float(a), Value::Float(b)) => Ok(Value::Float(a * b)),
                    _ => op.apply(left.own(), right.own()),
                }
            }
            Op::If(branches, otherwise) => {
                branch(branches, otherwise, input, frame)?.run(input, frame)
            }
            Op::Try(body, catch) => match body.run(input, frame) {
                Err(Stop::Error(thrown)) => match catch {
                    Some(catch) => catch.run(&thrown, frame),
                    None => Err(Stop::Empty),
                },
                result => result,
            },
            Op::Select(test) => {
                if test.test(input, frame)? {
                    Ok(input.clone())
                } else {
                    Err(Stop::Empty)
                }
            }
            Op::Empty => Err(Stop::Empty),
            Op::Throw(of) => Err(Stop::Error(of.run(input, frame)?)),
            Op::Any(stream, test, wanted) => {
                let mut found = false;
                stream.run(input, frame, &mut |item| match test.test(&item, frame) {
                    Ok(holds) if holds == *wanted => {
                        found = true;
                        Ok(Flow::Done)
                    }
                    Ok(_) | Err(Stop::Empty) => Ok(Flow::More),
                    Err(stop) => Err(stop),
                })?;
                Ok(Value::Bool(found == *wanted))
            }
            Op::Add(stream) => {
                let mut sum = Value::Null;
                stream.run(input, frame, &mut |item| {
                    sum = Math::Add.apply(std::mem::take(&mut sum), item)?;
                    Ok(Flow::More)
                })?;
                Ok(sum)
            }
            Op::Unary(run) => run(input),
            Op::Binary(run, argument) => run(input, argument.look(input, frame)?.get()),
            Op::Assign(..)
            | Op::Update(..)
            | Op::UpdateMath(..)
            | Op::UpdateAlt(..)
            | Op::Delete(_) => self.run_owned(input.clone(), frame),
        }
    }

    /// Like [`Op::run`], but changes the input in place where it can.
    fn run_owned(&self, mut input: Value, frame: &Frame<'_>) -> Outcome {
        match self {
            Op::Id => Ok(input),
            Op::Pipe(left, right) => {
                let between = left.run_owned(input, frame)?;
                right.run_owned(between, frame)
            }
            Op::Bind(of, slot, body) => {
                let value = of.run(&input, frame)?;
                body.run_owned(input, &frame.with(*slot, &value))
            }
            Op::If(branches, otherwise) => {
                branch(branches, otherwise, &input, frame)?.run_owned(input, frame)
            }
            Op::Select(test) => {
                if test.test(&input, frame)? {
                    Ok(input)
                } else {
                    Err(Stop::Empty)
                }
            }
            Op::Math(op, left, right) if matches!(**left, Op::Id) => {
                let right = right.run(&input, frame)?;
                op.apply(input, right)
            }
            Op::Assign(places, of) => {
                let new = of.run(&input, frame)?;
                if let (
                    [
                        Place {
                            part: PlacePart::Key(key),
                            ..
                        },
                    ],
                    Value::Obj(object),
                ) = (&**places, &mut input)
                {
                    Arc::make_mut(object).insert(key.clone(), new);
                    return Ok(input);
                }
                change(&mut input, places, &mut |_| Ok(new.clone()))?;
                Ok(input)
            }
            Op::Update(places, of) => {
                change(&mut input, places, &mut |held| of.run_owned(held, frame))?;
                Ok(input)
            }
            Op::UpdateMath(op, places, of) => {
                let by = of.run(&input, frame)?;
                change(&mut input, places, &mut |held| op.apply(held, by.clone()))?;
                Ok(input)
            }
            Op::UpdateAlt(places, of) => {
                let other = of.run(&input, frame)?;
                change(&mut input, places, &mut |held| {
                    Ok(if held.truthy() { held } else { other.clone() })
                })?;
                Ok(input)
            }
            Op::Delete(paths) => {
                for places in paths {
                    change(&mut input, places, &mut |_| Err(Stop::Empty))?;
                }
                Ok(input)
            }
            _ => self.run(&input, frame),
        }
    }

    /// The result to look at, which may still be where it is.
    fn look<'v>(&'v self, input: &'v Value, frame: &Frame<'v>) -> Outcome<Seen<'v>> {
        Ok(match self {
            Op::Id => Seen::There(input),
            Op::Const(value) => Seen::There(value),
            Op::Fields(keys) => Seen::There(seek(input, keys)?),
            Op::Var(slot) => Seen::There(frame.get(*slot)),
            _ => Seen::Made(self.run(input, frame)?),
        })
    }

    /// Whether the result is true, as `if` takes it.
    fn test(&self, input: &Value, frame: &Frame<'_>) -> Outcome<bool> {
        Ok(match self {
            Op::Cmp(op, left, right) => match (&**left, &**right) {
                (Op::Fields(keys), Op::Const(right)) => op.holds(seek(input, keys)?, right),
                (left, right) => {
                    let (left, right) = both(left.look(input, frame), || right.look(input, frame))?;
                    op.holds(left.get(), right.get())
                }
            },
            Op::Fields(keys) => seek(input, keys)?.truthy(),
            Op::And(left, right) => left.test(input, frame)? && right.test(input, frame)?,
            Op::Or(left, right) => left.test(input, frame)? || right.test(input, frame)?,
            Op::Not => !input.truthy(),
            Op::Pipe(left, right) if matches!(**right, Op::Not) => !left.test(input, frame)?,
            _ => self.look(input, frame)?.get().truthy(),
        })
    }

    /// An upper bound of how many times larger than its input the result is.
    fn factor(&self) -> u64 {
        let sum = |ops: &mut dyn Iterator<Item = &Op>| {
            ops.fold(0u64, |sum, op| sum.saturating_add(op.factor()))
        };
        match self {
            Op::Text(parts) => sum(&mut parts.iter().filter_map(|part| match part {
                TextPart::Op(op) => Some(op),
                TextPart::Plain(_) => None,
            }))
            .max(1),
            Op::Object(entries) => {
                sum(&mut entries.iter().flat_map(|(key, value)| [key, value])).max(1)
            }
            Op::Collect(stream) | Op::Add(stream) => stream.factor(),
            Op::Pipe(left, right) | Op::Bind(left, _, right) => {
                left.factor().saturating_mul(right.factor())
            }
            Op::Alt(left, right) | Op::Math(_, left, right) => {
                left.factor().saturating_add(right.factor())
            }
            Op::If(branches, otherwise) => {
                sum(&mut branches.iter().map(|(_, then)| then).chain([&**otherwise]))
            }
            Op::Try(body, catch) => body
                .factor()
                .saturating_add(catch.as_ref().map_or(0, |catch| catch.factor())),
            Op::Assign(_, of)
            | Op::Update(_, of)
            | Op::UpdateMath(_, _, of)
            | Op::UpdateAlt(_, of) => of.factor().saturating_add(1),
            Op::Binary(_, argument) => argument.factor().saturating_add(1),
            _ => 1,
        }
    }

    /// Whether the result may weigh more or be nested deeper than input and variables.
    fn grows(&self) -> bool {
        match self {
            Op::Text(_)
            | Op::Object(_)
            | Op::Collect(_)
            | Op::Add(_)
            | Op::Throw(_)
            | Op::Binary(..)
            | Op::Update(..)
            | Op::UpdateMath(..)
            | Op::UpdateAlt(..)
            | Op::Math(..) => true,
            Op::Pipe(left, right) | Op::Alt(left, right) => left.grows() || right.grows(),
            Op::Bind(_, _, body) => body.grows(),
            Op::If(branches, otherwise) => {
                otherwise.grows() || branches.iter().any(|(_, then)| then.grows())
            }
            Op::Try(body, catch) => {
                body.grows() || catch.as_ref().is_some_and(|catch| catch.grows())
            }
            // Products and sums of scalars are scalars; texts are bounded where they are made.
            Op::Assign(_, of) => !matches!(
                **of,
                Op::Math(..)
                    | Op::Cmp(..)
                    | Op::And(..)
                    | Op::Or(..)
                    | Op::Const(_)
                    | Op::Neg(_)
                    | Op::Any(..)
            ),
            _ => false,
        }
    }
}

fn branch<'o>(
    branches: &'o [(Op, Op)],
    otherwise: &'o Op,
    input: &Value,
    frame: &Frame<'_>,
) -> Outcome<&'o Op> {
    for (test, then) in branches {
        if test.test(input, frame)? {
            return Ok(then);
        }
    }
    Ok(otherwise)
}

impl Stream {
    fn run(
        &self,
        input: &Value,
        frame: &Frame<'_>,
        sink: &mut dyn FnMut(Value) -> Outcome<Flow>,
    ) -> Outcome<Flow> {
        match self {
            Stream::One(op) => match op.run(input, frame) {
                Ok(output) => sink(output),
                Err(Stop::Empty) => Ok(Flow::More),
                Err(stop) => Err(stop),
            },
            Stream::Comma(left, right) => match left.run(input, frame, sink)? {
                Flow::More => right.run(input, frame, sink),
                Flow::Done => Ok(Flow::Done),
            },
            Stream::Each { of, optional, then } => {
                let of = match of.look(input, frame) {
                    Err(Stop::Empty) => return Ok(Flow::More),
                    of => of?,
                };
                let mut hand_on = |item: &Value| then.run(item, frame, sink);
                match of.get() {
                    Value::Arr(items) => {
                        for item in items.iter() {
                            if let Flow::Done = hand_on(item)? {
                                return Ok(Flow::Done);
                            }
                        }
                    }
                    Value::Obj(object) => {
                        for item in object.values() {
                            if let Flow::Done = hand_on(item)? {
                                return Ok(Flow::Done);
                            }
                        }
                    }
                    _ if *optional => {}
                    other => return error(format!("cannot iterate over {}", ops::brief(other))),
                }
                Ok(Flow::More)
            }
            Stream::Pipe(left, right) => left.run(input, frame, &mut |between| {
                right.run(&between, frame, sink)
            }),
        }
    }

    fn factor(&self) -> u64 {
        match self {
            Stream::One(op) => op.factor(),
            Stream::Comma(left, right) => left.factor().saturating_add(right.factor()),
            Stream::Each { of, then, .. } => of.factor().saturating_mul(then.factor()),
            Stream::Pipe(left, right) => left.factor().saturating_mul(right.factor()),
        }
    }

    fn grows(&self) -> bool {
        match self {
            Stream::One(op) => op.grows(),
            _ => true,
        }
    }
}

fn seek<'v>(input: &'v Value, keys: &[Field]) -> Outcome<&'v Value> {
    let mut at = input;
    for Field { key, hint } in keys {
        at = match at {
            Value::Obj(object) => {
                let place = hint.load(Ordering::Relaxed);
                match object.iter().nth(place) {
                    Some((held, value)) if held == key => value,
                    _ => match object.iter().position(|(held, _)| held == key) {
                        Some(place) => {
                            hint.store(place, Ordering::Relaxed);
                            object.iter().nth(place).map_or(&NULL, |(_, value)| value)
                        }
                        None => &NULL,
                    },
                }
            }
            other => field(other, key)?,
        };
    }
    Ok(at)
}

fn field<'v>(value: &'v Value, key: &SmolStr) -> Outcome<&'v Value> {
    match value {
        Value::Obj(object) => Ok(object.get(key).unwrap_or(&NULL)),
        Value::Null => Ok(&NULL),
        other => ops::cannot_index(other, &Value::Str(key.clone())),
    }
}

/// Takes steps that are all keys.
fn walk(head: &Value, steps: &[OpStep]) -> Outcome {
    let mut at = head;
    for step in steps {
        let OpPart::Key(key) = &step.part else {
            continue;
        };
        at = match field(at, key) {
            Err(_) if step.optional => return Err(Stop::Empty),
            found => found?,
        };
    }
    Ok(at.clone())
}

/// What the steps index with, all of it before any step is taken: the ends of a slice, or a key in
/// place of the first.
fn indices(
    steps: &[OpStep],
    input: &Value,
    frame: &Frame<'_>,
) -> Outcome<Vec<(Option<Value>, Option<Value>)>> {
    let mut keys = Ok(Vec::with_capacity(steps.len()));
    for step in steps {
        let run = |op: &Op| op.run(input, frame);
        let key = match &step.part {
            OpPart::Key(_) => Ok((None, None)),
            OpPart::Index(op) => run(op).map(|key| (Some(key), None)),
            OpPart::Slice(from, to) => both(from.as_ref().map(run).transpose(), || {
                to.as_ref().map(run).transpose()
            }),
        };
        keys = both(keys, || key).map(|(mut keys, key)| {
            keys.push(key);
            keys
        });
    }
    keys
}

/// Replaces what the places lead to; where the new value is empty, what was there is removed.
fn change(
    value: &mut Value,
    places: &[Place],
    new: &mut dyn FnMut(Value) -> Outcome,
) -> Outcome<()> {
    let Some((place, below)) = places.split_first() else {
        *value = new(std::mem::take(value))?;
        return Ok(());
    };
    // Whether to keep the changed part.
    let mut part = |held: &mut Value| -> Outcome<bool> {
        if !below.is_empty() {
            change(held, below, new)?;
            return Ok(true);
        }
        match new(std::mem::take(held)) {
            Ok(changed) => {
                *held = changed;
                Ok(true)
            }
            Err(Stop::Empty) => Ok(false),
            Err(stop) => Err(stop),
        }
    };
    match (&place.part, &mut *value) {
        (PlacePart::Key(key), Value::Obj(object)) => {
            let fields = Arc::make_mut(object);
            if let Some(held) = fields.get_mut(key) {
                if !part(held)? {
                    fields.remove(key);
                }
            } else {
                let mut added = Value::Null;
                if part(&mut added)? {
                    fields.insert(key.clone(), added);
                }
            }
        }
        (PlacePart::Key(key), Value::Null) => {
            let mut added = Value::Null;
            let mut fields = Object::new();
            if part(&mut added)? {
                fields.insert(key.clone(), added);
            }
            *value = Value::from(fields);
        }
        (PlacePart::At(at), Value::Arr(items)) => {
            let Some(at) = ops::position(&Value::Int(*at), items.len()) else {
                if place.optional {
                    return Ok(());
                }
                return error(format!("there is no element {at} to change"));
            };
            let items = Arc::make_mut(items);
            if !part(&mut items[at])? {
                items.remove(at);
            }
        }
        (PlacePart::Each, Value::Arr(items)) => {
            let mut failed = Ok(());
            Arc::make_mut(items).retain_mut(|item| {
                if failed.is_err() {
                    return true;
                }
                part(item).unwrap_or_else(|stop| {
                    failed = Err(stop);
                    true
                })
            });
            failed?;
        }
        (PlacePart::Each, Value::Obj(object)) => {
            let fields = Arc::make_mut(object);
            let mut removed = Vec::new();
            for (key, item) in fields.iter_mut() {
                if !part(item)? {
                    removed.push(key.clone());
                }
            }
            for key in removed {
                fields.remove(&key);
            }
        }
        _ if place.optional => {}
        (PlacePart::Key(key), other) => return ops::cannot_change(other, &Value::Str(key.clone())),
        (PlacePart::At(at), other) => return ops::cannot_change(other, &Value::Int(*at)),
        (PlacePart::Each, other) => {
            return error(format!("cannot iterate over {}", ops::brief(other)));
        }
    }
    Ok(())
}

fn stream(node: &Node) -> Option<Stream> {
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

fn index(value: &Value, key: &Value) -> Outcome {
    ops::find(value, key).map(Option::unwrap_or_default)
}
