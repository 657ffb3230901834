//! Runs what was compiled, and answers as jaq would.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use smol_str::{SmolStr, SmolStrBuilder};

use super::{Field, Frame, NULL, Op, OpPart, OpStep, Place, PlacePart, Stream, TextPart};
use crate::expr::ops::{self, Math, Outcome, Stop, error};
use crate::expr::tree::Slot;
use crate::value::{Object, Value};

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
    pub(super) fn run(&self, input: &Value, frame: &Frame<'_>) -> Outcome {
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
    pub(super) fn run_owned(&self, mut input: Value, frame: &Frame<'_>) -> Outcome {
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
    pub(super) fn test(&self, input: &Value, frame: &Frame<'_>) -> Outcome<bool> {
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
    pub(super) fn run(
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

pub(super) fn index(value: &Value, key: &Value) -> Outcome {
    ops::find(value, key).map(Option::unwrap_or_default)
}

/// A value that need not be copied to be looked at.
enum Seen<'v> {
    There(&'v Value),
    Made(Value),
}

pub(super) enum Flow {
    More,
    Done,
}
