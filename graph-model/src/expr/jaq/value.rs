//! Our values as those of jaq: every operation metered, and none nested without bound.

use std::cmp::Ordering;
use std::fmt;
use std::ops::{Add, Div, Mul, Neg, Range, Rem, Sub};

use jaq_core::{Error, Exn};

use super::super::bounds::{Limit, meet, spend};
use super::super::ops::{self, Stop};
use crate::value::{DEPTH_MAX, Object, Value};

/// A value on its way through jaq, with a bound of how deep it is nested.
///
/// Depth is carried because looking for it costs, and because a value nested without bound could
/// not even be dropped.
#[derive(Clone, Debug)]
pub(super) struct Jv {
    pub(super) value: Value,
    pub(super) depth: u16,
}

/// Deepest nesting on the way: what comes in may be wrapped some times more.
const DEPTH_WITHIN: u16 = DEPTH_MAX as u16 + 64;

pub(super) type ValR = Result<Jv, Error<Jv>>;
pub(super) type ValX<'a> = Result<Jv, Exn<'a, Jv>>;

impl Jv {
    pub(super) fn given(value: Value) -> Jv {
        Jv {
            value,
            depth: DEPTH_MAX as u16,
        }
    }

    pub(super) fn flat(value: impl Into<Value>) -> Jv {
        Jv {
            value: value.into(),
            depth: 1,
        }
    }

    /// A part of this value.
    pub(super) fn part(&self, value: Value) -> Jv {
        Jv {
            value,
            depth: self.depth.saturating_sub(1),
        }
    }

    /// A value around parts nested `below` deep.
    pub(super) fn around(value: Value, below: u16) -> Jv {
        if below >= DEPTH_WITHIN {
            meet(Limit::Depth);
            return Jv::flat(Value::Null);
        }
        Jv {
            value,
            depth: below + 1,
        }
    }

    fn calculate(self, other: Jv, op: ops::Math) -> ValR {
        let depth = self.depth.max(other.depth);
        charge(1 + size(&other.value).min(size(&self.value)))?;
        let value = op.apply(self.value, other.value).map_err(thrown)?;
        charge(size(&value) / 64)?;
        Ok(Jv { value, depth })
    }
}

/// What a value costs to walk over once, without what lies below its parts.
pub(super) fn size(value: &Value) -> usize {
    match value {
        Value::Str(text) => text.len() / 16,
        Value::Arr(items) => items.len(),
        Value::Obj(object) => object.len(),
        _ => 0,
    }
}

pub(super) fn charge(steps: usize) -> Result<(), Error<Jv>> {
    spend(steps).map_err(|limit| Error::str(limit.to_string()))
}

pub(super) fn thrown(stop: Stop) -> Error<Jv> {
    match stop {
        Stop::Empty => Error::str("no output"),
        Stop::Error(value) => Error::new(Jv::given(value)),
        Stop::Limit(limit) => Error::str(meet(limit).to_string()),
    }
}

pub(super) fn refused<T>(message: String) -> Result<T, Error<Jv>> {
    Err(Error::str(message))
}

/// How values stand in messages, which tell nothing of what lies within arrays and objects.
impl fmt::Display for Jv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&ops::brief(&self.value))
    }
}

impl PartialEq for Jv {
    fn eq(&self, other: &Jv) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Jv {}

impl PartialOrd for Jv {
    fn partial_cmp(&self, other: &Jv) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Jv {
    fn cmp(&self, other: &Jv) -> Ordering {
        metered_order(&self.value, &other.value)
    }
}

/// The order of jq, metered: values that share parts many times over look larger than they are.
fn metered_order(left: &Value, right: &Value) -> Ordering {
    if spend(1).is_err() {
        return Ordering::Equal;
    }
    let first = |pairs: &mut dyn Iterator<Item = (&Value, &Value)>| {
        pairs
            .map(|(a, b)| metered_order(a, b))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    };
    match (left, right) {
        (Value::Arr(a), Value::Arr(b)) => {
            first(&mut a.iter().zip(b.iter())).then(a.len().cmp(&b.len()))
        }
        (Value::Obj(a), Value::Obj(b)) => a
            .keys()
            .cmp(b.keys())
            .then_with(|| first(&mut a.values().zip(b.values()))),
        _ => ops::order(left, right),
    }
}

impl From<bool> for Jv {
    fn from(flag: bool) -> Jv {
        Jv::flat(flag)
    }
}

impl From<isize> for Jv {
    fn from(number: isize) -> Jv {
        Jv::flat(number as i64)
    }
}

impl From<usize> for Jv {
    fn from(number: usize) -> Jv {
        Jv::flat(number)
    }
}

impl From<f64> for Jv {
    fn from(number: f64) -> Jv {
        Jv::flat(number)
    }
}

impl From<String> for Jv {
    fn from(text: String) -> Jv {
        // Running out of steps here is noticed by whatever comes next.
        spend(1 + text.len() / 16).ok();
        Jv::flat(text)
    }
}

impl From<Range<Option<Jv>>> for Jv {
    fn from(range: Range<Option<Jv>>) -> Jv {
        let bounds = [("start", range.start), ("end", range.end)];
        let object: Object = bounds
            .into_iter()
            .filter_map(|(key, bound)| Some((key, bound?.value)))
            .collect();
        Jv::flat(object)
    }
}

impl FromIterator<Jv> for Jv {
    fn from_iter<I: IntoIterator<Item = Jv>>(items: I) -> Jv {
        let mut below = 0;
        let mut values = Vec::new();
        for item in items {
            if spend(1).is_err() {
                break;
            }
            below = below.max(item.depth);
            values.push(item.value);
        }
        Jv::around(Value::from(values), below)
    }
}

impl Add for Jv {
    type Output = ValR;

    fn add(self, other: Jv) -> ValR {
        self.calculate(other, ops::Math::Add)
    }
}

impl Sub for Jv {
    type Output = ValR;

    fn sub(self, other: Jv) -> ValR {
        if let (Value::Arr(a), Value::Arr(b)) = (&self.value, &other.value) {
            charge(a.len().saturating_mul(b.len()))?;
        }
        self.calculate(other, ops::Math::Sub)
    }
}

impl Mul for Jv {
    type Output = ValR;

    fn mul(self, other: Jv) -> ValR {
        self.calculate(other, ops::Math::Mul)
    }
}

impl Div for Jv {
    type Output = ValR;

    fn div(self, other: Jv) -> ValR {
        self.calculate(other, ops::Math::Div)
    }
}

impl Rem for Jv {
    type Output = ValR;

    fn rem(self, other: Jv) -> ValR {
        self.calculate(other, ops::Math::Rem)
    }
}

impl Neg for Jv {
    type Output = ValR;

    fn neg(self) -> ValR {
        ops::negate(&self.value).map(Jv::flat).map_err(thrown)
    }
}
