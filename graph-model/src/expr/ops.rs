//! What jq's operators and simple filters do with one or two values.

use std::cmp::Ordering;
use std::fmt::{self, Write};
use std::sync::Arc;

use smol_str::{SmolStr, SmolStrBuilder};

use super::bounds::{Limit, WEIGHT_MAX};
use crate::value::{Object, Value};

/// Why there is no value: no output, a thrown error that `try` may catch, or a bound that nothing
/// may catch.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Stop {
    Empty,
    Error(Value),
    Limit(Limit),
}

pub(super) type Outcome<T = Value> = Result<T, Stop>;

pub(super) fn error<T>(message: impl Into<SmolStr>) -> Outcome<T> {
    Err(Stop::Error(Value::Str(message.into())))
}

/// A value as messages show it: scalars themselves, shortened, and containers by their type.
pub(super) fn brief(value: &Value) -> String {
    match value {
        Value::Arr(_) => "an array".into(),
        Value::Obj(_) => "an object".into(),
        Value::Str(text) if text.chars().count() > 24 => {
            format!(
                "\"{}…\"",
                text.chars().take(24).collect::<String>().escape_debug()
            )
        }
        Value::Float(number) if !number.is_finite() => number.to_string(),
        other => other.to_json(),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Math {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
}

impl Math {
    pub(super) fn apply(self, left: Value, right: Value) -> Outcome {
        match self {
            Math::Add => add(left, right),
            Math::Sub => sub(left, right),
            Math::Mul => mul(left, right),
            Math::Div => div(&left, &right),
            Math::Rem => rem(&left, &right),
        }
    }

    fn refuse(self, left: &Value, right: &Value) -> Outcome {
        error(format!(
            "cannot calculate {} {self} {}",
            brief(left),
            brief(right)
        ))
    }
}

fn add(left: Value, right: Value) -> Outcome {
    Ok(match (left, right) {
        (Value::Null, other) | (other, Value::Null) => other,
        (Value::Int(a), Value::Int(b)) => whole_or_float(a.checked_add(b), a as f64 + b as f64),
        (Value::Str(a), Value::Str(b)) => {
            bounded(a.len() + b.len())?;
            let mut text = SmolStrBuilder::new();
            text.push_str(&a);
            text.push_str(&b);
            Value::Str(text.finish())
        }
        (Value::Arr(mut a), Value::Arr(b)) => {
            bounded((a.len() + b.len()) * 32)?;
            Arc::make_mut(&mut a).extend(b.iter().cloned());
            Value::Arr(a)
        }
        (Value::Obj(mut a), Value::Obj(b)) => {
            let object = Arc::make_mut(&mut a);
            for (key, value) in b.iter() {
                object.insert(key.clone(), value.clone());
            }
            Value::Obj(a)
        }
        (left, right) => match floats(&left, &right) {
            Some((a, b)) => Value::Float(a + b),
            None => return Math::Add.refuse(&left, &right),
        },
    })
}

fn sub(left: Value, right: Value) -> Outcome {
    Ok(match (left, right) {
        (Value::Int(a), Value::Int(b)) => whole_or_float(a.checked_sub(b), a as f64 - b as f64),
        (Value::Arr(mut a), Value::Arr(b)) => {
            if a.len().saturating_mul(b.len()) > WEIGHT_MAX {
                return Err(Stop::Limit(Limit::Steps));
            }
            Arc::make_mut(&mut a).retain(|item| !b.iter().any(|other| equal(item, other)));
            Value::Arr(a)
        }
        (left, right) => match floats(&left, &right) {
            Some((a, b)) => Value::Float(a - b),
            None => return Math::Sub.refuse(&left, &right),
        },
    })
}

fn mul(left: Value, right: Value) -> Outcome {
    Ok(match (left, right) {
        (Value::Int(a), Value::Int(b)) => whole_or_float(a.checked_mul(b), a as f64 * b as f64),
        (Value::Str(text), Value::Int(times)) | (Value::Int(times), Value::Str(text)) => {
            let Ok(times @ 1..) = usize::try_from(times) else {
                return Ok(Value::Null);
            };
            bounded(text.len().saturating_mul(times))?;
            Value::Str(text.repeat(times).into())
        }
        (Value::Obj(mut a), Value::Obj(b)) => {
            merge(Arc::make_mut(&mut a), &b);
            Value::Obj(a)
        }
        (left, right) => match floats(&left, &right) {
            Some((a, b)) => Value::Float(a * b),
            None => return Math::Mul.refuse(&left, &right),
        },
    })
}

fn merge(into: &mut Object, from: &Object) {
    for (key, value) in from.iter() {
        match (into.get_mut(key), value) {
            (Some(Value::Obj(held)), Value::Obj(new)) => merge(Arc::make_mut(held), new),
            (Some(held), new) => *held = new.clone(),
            (None, new) => {
                into.insert(key.clone(), new.clone());
            }
        }
    }
}

fn div(left: &Value, right: &Value) -> Outcome {
    match (left, right) {
        (Value::Str(text), Value::Str(separator)) => Ok(split(text, separator)),
        _ => match floats(left, right) {
            Some((a, b)) => Ok(Value::Float(a / b)),
            None => Math::Div.refuse(left, right),
        },
    }
}

fn rem(left: &Value, right: &Value) -> Outcome {
    match (left, right) {
        (Value::Int(_), Value::Int(0)) => Math::Rem.refuse(left, right),
        (Value::Int(a), Value::Int(b)) => Ok(Value::Int(a.checked_rem(*b).unwrap_or(0))),
        _ => match floats(left, right) {
            Some((a, b)) => Ok(Value::Float(a % b)),
            None => Math::Rem.refuse(left, right),
        },
    }
}

pub(super) fn negate(value: &Value) -> Outcome {
    match value {
        Value::Int(number) => Ok(whole_or_float(number.checked_neg(), -(*number as f64))),
        Value::Float(number) => Ok(Value::Float(-number)),
        other => error(format!("cannot negate {}", brief(other))),
    }
}

pub(super) fn split(text: &str, separator: &str) -> Value {
    if text.is_empty() {
        return Value::from(Vec::new());
    }
    if separator.is_empty() {
        let mut buffer = [0; 4];
        return text
            .chars()
            .map(|c| Value::str(&*c.encode_utf8(&mut buffer)))
            .collect();
    }
    text.split(separator).map(Value::from).collect()
}

fn floats(left: &Value, right: &Value) -> Option<(f64, f64)> {
    Some((left.as_f64()?, right.as_f64()?))
}

fn whole_or_float(whole: Option<i64>, float: f64) -> Value {
    whole.map_or(Value::Float(float), Value::Int)
}

pub(super) fn bounded(size: usize) -> Outcome<()> {
    if size > WEIGHT_MAX {
        Err(Stop::Limit(Limit::Weight))
    } else {
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cmp {
    Lt,
    Le,
    Gt,
    Ge,
    Eq,
    Ne,
}

impl Cmp {
    pub(super) fn holds(self, left: &Value, right: &Value) -> bool {
        let order = order(left, right);
        match self {
            Cmp::Lt => order.is_lt(),
            Cmp::Le => order.is_le(),
            Cmp::Gt => order.is_gt(),
            Cmp::Ge => order.is_ge(),
            Cmp::Eq => order.is_eq(),
            Cmp::Ne => order.is_ne(),
        }
    }
}

pub(super) fn equal(left: &Value, right: &Value) -> bool {
    order(left, right).is_eq()
}

/// The order of jq, in which a number that is not a number is less than everything, itself too.
pub(super) fn order(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::Int(a), Value::Int(b)) => a.cmp(b),
        (Value::Int(_) | Value::Float(_), Value::Int(_) | Value::Float(_)) => {
            let (a, b) = (
                left.as_f64().unwrap_or_default(),
                right.as_f64().unwrap_or_default(),
            );
            a.partial_cmp(&b).unwrap_or(if a.is_nan() {
                Ordering::Less
            } else {
                Ordering::Greater
            })
        }
        (Value::Str(a), Value::Str(b)) => a.cmp(b),
        (Value::Arr(a), Value::Arr(b)) => {
            orders(a.iter().zip(b.iter())).then(a.len().cmp(&b.len()))
        }
        (Value::Obj(a), Value::Obj(b)) => a
            .keys()
            .cmp(b.keys())
            .then_with(|| orders(a.values().zip(b.values()))),
        _ => left.cmp(right),
    }
}

fn orders<'v>(mut pairs: impl Iterator<Item = (&'v Value, &'v Value)>) -> Ordering {
    pairs
        .find_map(|(a, b)| Some(order(a, b)).filter(|order| order.is_ne()))
        .unwrap_or(Ordering::Equal)
}

/// `.[key]` without a value where there is nothing.
pub(super) fn find(value: &Value, key: &Value) -> Outcome<Option<Value>> {
    Ok(match (value, key) {
        (Value::Null, _) => None,
        (Value::Obj(object), Value::Str(key)) => object.get(key).cloned(),
        (Value::Arr(items), Value::Int(_) | Value::Float(_)) => {
            position(key, items.len()).map(|at| items[at].clone())
        }
        (Value::Arr(_), Value::Arr(_)) => Some(indices(value, key)?),
        (Value::Arr(_) | Value::Str(_), Value::Obj(range)) => {
            Some(slice(value, range.get("start"), range.get("end"))?)
        }
        _ => return cannot_index(value, key),
    })
}

pub(super) fn cannot_index<T>(value: &Value, key: &Value) -> Outcome<T> {
    error(format!("cannot index {} with {}", brief(value), brief(key)))
}

pub(super) fn cannot_change<T>(value: &Value, key: &Value) -> Outcome<T> {
    error(format!("cannot change {} at {}", brief(value), brief(key)))
}

/// The place in an array of `len` items that a number means, when there is one.
pub(super) fn position(index: &Value, len: usize) -> Option<usize> {
    let index = match index {
        Value::Int(index) => *index,
        Value::Float(index) if index.abs() < 9.0e15 => index.floor() as i64,
        _ => return None,
    };
    let at = if index < 0 {
        index.checked_add(i64::try_from(len).ok()?)?
    } else {
        index
    };
    usize::try_from(at).ok().filter(|at| *at < len)
}

/// `.[start:end]`.
pub(super) fn slice(value: &Value, start: Option<&Value>, end: Option<&Value>) -> Outcome {
    match value {
        Value::Null => Ok(Value::Null),
        Value::Arr(items) => {
            let (from, to) = cut(start, end, items.len())?;
            Ok(Value::from(items[from..to].to_vec()))
        }
        Value::Str(text) => {
            let (from, to) = cut(start, end, text.chars().count())?;
            Ok(Value::Str(
                text.chars().skip(from).take(to - from).collect(),
            ))
        }
        other => error(format!("cannot take a slice of {}", brief(other))),
    }
}

/// Where a slice of something of `len` parts begins and ends.
pub(super) fn cut(
    start: Option<&Value>,
    end: Option<&Value>,
    len: usize,
) -> Outcome<(usize, usize)> {
    let bound = |index: Option<&Value>, none: usize, round: fn(f64) -> f64| match index {
        None | Some(Value::Null) => Ok(none),
        Some(Value::Int(_) | Value::Float(_)) => {
            let at = round(index.and_then(Value::as_f64).unwrap_or_default());
            let at = if at < 0.0 { at + len as f64 } else { at };
            // A cast saturates, which clips at zero.
            Ok((at as usize).min(len))
        }
        Some(other) => error(format!("cannot take a slice from {}", brief(other))),
    };
    let from = bound(start, 0, f64::floor)?;
    let to = bound(end, len, f64::ceil)?;
    Ok((from, to.max(from)))
}

pub(super) fn has(value: &Value, key: &Value) -> Outcome<bool> {
    match (value, key) {
        (Value::Obj(object), Value::Str(key)) => Ok(object.contains_key(key)),
        (Value::Arr(items), Value::Int(_) | Value::Float(_)) => {
            Ok(position(key, items.len()).is_some())
        }
        (Value::Null, _) => Ok(false),
        _ => error(format!(
            "cannot look for the key {} in {}",
            brief(key),
            brief(value)
        )),
    }
}

pub(super) fn length(value: &Value) -> Outcome {
    Ok(match value {
        Value::Null => Value::Int(0),
        Value::Int(number) => whole_or_float(number.checked_abs(), (*number as f64).abs()),
        Value::Float(number) => Value::Float(number.abs()),
        Value::Str(text) => Value::from(text.chars().count()),
        Value::Arr(items) => Value::from(items.len()),
        Value::Obj(object) => Value::from(object.len()),
        Value::Bool(_) => return error(format!("{value} has no length")),
    })
}

pub(super) fn keys(value: &Value) -> Outcome {
    match value {
        Value::Obj(object) => Ok(object.keys().cloned().collect()),
        Value::Arr(items) => Ok((0..items.len()).collect()),
        // In the words of the general way, where keys are the paths to all elements.
        other => error(format!("cannot iterate over {}", brief(other))),
    }
}

pub(super) fn contains(value: &Value, part: &Value) -> bool {
    match (value, part) {
        (Value::Str(text), Value::Str(part)) => text.contains(part.as_str()),
        (Value::Arr(items), Value::Arr(parts)) => parts
            .iter()
            .all(|part| items.iter().any(|item| contains(item, part))),
        (Value::Obj(object), Value::Obj(parts)) => parts
            .iter()
            .all(|(key, part)| object.get(key).is_some_and(|held| contains(held, part))),
        _ => equal(value, part),
    }
}

/// The places at which `part` occurs in a string or an array.
pub(super) fn indices(value: &Value, part: &Value) -> Outcome {
    Ok(match (value, part) {
        (Value::Null, _) => Value::Null,
        (Value::Str(_) | Value::Arr(_), _) if weightless(part) => Value::from(Vec::new()),
        (Value::Str(text), Value::Str(part)) => text
            .char_indices()
            .enumerate()
            .filter(|(_, (at, _))| text[*at..].starts_with(part.as_str()))
            .map(|(index, _)| index)
            .collect(),
        (Value::Arr(items), Value::Arr(parts)) => items
            .windows(parts.len())
            .enumerate()
            .filter(|(_, window)| window.iter().zip(parts.iter()).all(|(a, b)| equal(a, b)))
            .map(|(index, _)| index)
            .collect(),
        (Value::Arr(items), part) => items
            .iter()
            .enumerate()
            .filter(|(_, item)| equal(item, part))
            .map(|(index, _)| index)
            .collect(),
        _ => return cannot_index(value, part),
    })
}

fn weightless(part: &Value) -> bool {
    match part {
        Value::Str(text) => text.is_empty(),
        Value::Arr(items) => items.is_empty(),
        _ => false,
    }
}

/// `tojson`, of bounded length.
pub(super) fn to_json(value: &Value) -> Outcome<SmolStr> {
    struct Bounded(String);
    impl std::io::Write for Bounded {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            if self.0.len() + bytes.len() > WEIGHT_MAX {
                return Err(std::io::ErrorKind::FileTooLarge.into());
            }
            // Pieces that the writer hands over end at character boundaries.
            self.0.push_str(&String::from_utf8_lossy(bytes));
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut text = Bounded(String::new());
    match serde_json::to_writer(&mut text, value) {
        Ok(()) => Ok(text.0.into()),
        Err(_) => Err(Stop::Limit(Limit::Weight)),
    }
}

/// `tostring`: strings stay as they are, everything else becomes JSON.
pub(super) fn to_text(value: &Value) -> Outcome<SmolStr> {
    match value {
        Value::Str(text) => Ok(text.clone()),
        Value::Int(number) => {
            let mut text = SmolStrBuilder::new();
            // Writing into memory does not fail.
            write!(text, "{number}").ok();
            Ok(text.finish())
        }
        other => to_json(other),
    }
}

pub(super) fn from_json(text: &str) -> Outcome {
    match Value::parse(text.as_bytes(), WEIGHT_MAX) {
        Ok(value) => Ok(value),
        Err(problem) => error(problem.to_string()),
    }
}

pub(super) fn to_number(value: &Value) -> Outcome {
    match value {
        Value::Int(_) | Value::Float(_) => Ok(value.clone()),
        Value::Str(text) => match Value::parse(text.as_bytes(), 1024) {
            Ok(number @ (Value::Int(_) | Value::Float(_))) => Ok(number),
            _ => error(format!("cannot read {} as a number", brief(value))),
        },
        other => error(format!("cannot read {} as a number", brief(other))),
    }
}

pub(super) fn to_boolean(value: &Value) -> Outcome {
    match value {
        Value::Bool(_) => Ok(value.clone()),
        Value::Str(text) if text == "true" => Ok(Value::Bool(true)),
        Value::Str(text) if text == "false" => Ok(Value::Bool(false)),
        other => error(format!("cannot read {} as a boolean", brief(other))),
    }
}

/// Rounds by `round` to a whole number where there is one.
pub(super) fn rounded(value: &Value, round: fn(f64) -> f64) -> Outcome {
    match value {
        Value::Int(_) => Ok(value.clone()),
        Value::Float(number) => {
            let number = round(*number);
            Ok(if number.abs() < 9.2e18 {
                Value::Int(number as i64)
            } else {
                Value::Float(number)
            })
        }
        other => error(format!("cannot round {}", brief(other))),
    }
}

pub(super) fn transpose(rows: &Value) -> Outcome {
    let Value::Arr(rows) = rows else {
        return error(format!("cannot transpose {}", brief(rows)));
    };
    let Some(rows) = rows.iter().map(Value::as_array).collect::<Option<Vec<_>>>() else {
        return error("cannot transpose what is not an array of arrays");
    };
    let width = rows.iter().map(|row| row.len()).max().unwrap_or(0);
    bounded(width.saturating_mul(rows.len()).saturating_mul(32))?;
    let column = |at: usize| {
        rows.iter()
            .map(|row| row.get(at).cloned().unwrap_or_default())
            .collect::<Value>()
    };
    Ok((0..width).map(column).collect())
}

impl fmt::Display for Math {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Math::Add => "+",
            Math::Sub => "-",
            Math::Mul => "*",
            Math::Div => "/",
            Math::Rem => "%",
        })
    }
}

impl fmt::Display for Cmp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Cmp::Lt => "<",
            Cmp::Le => "<=",
            Cmp::Gt => ">",
            Cmp::Ge => ">=",
            Cmp::Eq => "==",
            Cmp::Ne => "!=",
        })
    }
}

/// Where `wanted` stands in a sorted array; `-1 - place` where it would stand.
pub(super) fn bsearch(items: &Value, wanted: &Value) -> Outcome {
    let Value::Arr(items) = items else {
        return error(format!("cannot search {}", brief(items)));
    };
    Ok(match items.binary_search_by(|item| order(item, wanted)) {
        Ok(at) => Value::from(at),
        Err(at) => Value::Int(-1 - i64::try_from(at).unwrap_or(i64::MAX - 1)),
    })
}

/// A time as seconds since 1970 or in parts, if it lies in a range that calendars can work with.
pub(super) fn moment(value: &Value) -> Outcome {
    const SECONDS_MAX: f64 = 2.5e11;
    match value {
        Value::Int(_) | Value::Float(_)
            if value.as_f64().is_some_and(|at| at.abs() < SECONDS_MAX) =>
        {
            Ok(value.clone())
        }
        Value::Int(_) | Value::Float(_) => {
            error(format!("{value} is no time that a calendar reaches"))
        }
        other => moment_parts(other),
    }
}

/// A time in parts: year, month from 0, day, hour, minute, second.
pub(super) fn moment_parts(value: &Value) -> Outcome {
    let whole = |part: &Value, range: std::ops::RangeInclusive<i64>| matches!(part, Value::Int(number) if range.contains(number));
    match value.as_array() {
        Some([year, month, day, hour, minute, second, ..])
            if whole(year, -9998..=9998)
                && whole(month, 0..=11)
                && whole(day, 1..=31)
                && whole(hour, 0..=23)
                && whole(minute, 0..=59)
                && second
                    .as_f64()
                    .is_some_and(|second| (0.0..60.0).contains(&second)) =>
        {
            Ok(value.clone())
        }
        _ => error(format!("cannot use {} as a time", brief(value))),
    }
}

pub(super) fn lowercase(value: &Value) -> Outcome {
    of_text(value, |text| text.to_ascii_lowercase().into())
}

pub(super) fn uppercase(value: &Value) -> Outcome {
    of_text(value, |text| text.to_ascii_uppercase().into())
}

pub(super) fn trimmed(value: &Value) -> Outcome {
    of_text(value, |text| text.trim().into())
}

pub(super) fn starts_with(value: &Value, start: &Value) -> Outcome {
    of_texts(value, start, |text, start| {
        Value::Bool(text.starts_with(start))
    })
}

pub(super) fn ends_with(value: &Value, end: &Value) -> Outcome {
    of_texts(value, end, |text, end| Value::Bool(text.ends_with(end)))
}

pub(super) fn without_start(value: &Value, start: &Value) -> Outcome {
    of_texts(value, start, |text, start| {
        Value::str(text.strip_prefix(start).unwrap_or(text))
    })
}

pub(super) fn without_end(value: &Value, end: &Value) -> Outcome {
    of_texts(value, end, |text, end| {
        Value::str(text.strip_suffix(end).unwrap_or(text))
    })
}

pub(super) fn split_text(value: &Value, separator: &Value) -> Outcome {
    of_texts(value, separator, split)
}

fn of_text(value: &Value, run: fn(&str) -> SmolStr) -> Outcome {
    match value {
        Value::Str(text) => Ok(Value::Str(run(text))),
        other => error(format!("{} is not a text", brief(other))),
    }
}

fn of_texts(value: &Value, other: &Value, run: fn(&str, &str) -> Value) -> Outcome {
    match (value, other) {
        (Value::Str(text), Value::Str(other)) => Ok(run(text, other)),
        (Value::Str(_), wrong) | (wrong, _) => error(format!("{} is not a text", brief(wrong))),
    }
}

pub(super) fn join(value: &Value, separator: &Value) -> Outcome {
    let Value::Arr(items) = value else {
        return error(format!("cannot join {}", brief(value)));
    };
    let mut text = SmolStrBuilder::new();
    let mut len = 0;
    for (at, item) in items.iter().enumerate() {
        match separator {
            _ if at == 0 => {}
            Value::Null => {}
            Value::Str(separator) => {
                len += separator.len();
                text.push_str(separator);
            }
            other => return error(format!("cannot join with {}", brief(other))),
        }
        let item = to_text(item)?;
        len += item.len();
        bounded(len)?;
        text.push_str(&item);
    }
    Ok(Value::Str(text.finish()))
}
