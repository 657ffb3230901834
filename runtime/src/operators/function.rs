//! Functions of aggregates: how one field of a result is computed.

use std::mem::take;

use graph_model::schema::Types;
use graph_model::value::Value;
use rustc_hash::FxHashSet;
use smol_str::{SmolStr, format_smolstr};

/// A function that folds values. A value that is `null` is left out by all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Count,
    Sum,
    Min,
    Max,
    Average,
    Median,
    First,
    Last,
    CountDistinct,
    List,
}

/// The values of a group so far, folded.
#[derive(Clone, Debug)]
pub(super) enum Fold {
    Count(u64),
    /// Whole as long as all values are and the sum fits, and a float from then on.
    Sum(Value),
    Min(Value),
    Max(Value),
    Average {
        sum: f64,
        count: u64,
    },
    /// In the order of the values.
    Median(Vec<Value>),
    First(Value),
    Last(Value),
    CountDistinct(FxHashSet<Value>),
    List(Vec<Value>),
}

/// Why a value is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// The value is at fault.
    Value(SmolStr),
    /// The fold holds all it may.
    Full(usize),
}

impl Function {
    pub(super) const ALL: [(&'static str, Function); 10] = [
        ("count", Function::Count),
        ("sum", Function::Sum),
        ("min", Function::Min),
        ("max", Function::Max),
        ("average", Function::Average),
        ("median", Function::Median),
        ("first", Function::First),
        ("last", Function::Last),
        ("count_distinct", Function::CountDistinct),
        ("list", Function::List),
    ];

    pub(super) fn parse(name: &str) -> Option<Function> {
        let named = |(held, function)| (held == name).then_some(function);
        Function::ALL.into_iter().find_map(named)
    }

    /// The fold of no values.
    pub(super) fn begin(self) -> Fold {
        match self {
            Function::Count => Fold::Count(0),
            Function::Sum => Fold::Sum(Value::Int(0)),
            Function::Min => Fold::Min(Value::Null),
            Function::Max => Fold::Max(Value::Null),
            Function::Average => Fold::Average { sum: 0.0, count: 0 },
            Function::Median => Fold::Median(Vec::new()),
            Function::First => Fold::First(Value::Null),
            Function::Last => Fold::Last(Value::Null),
            Function::CountDistinct => Fold::CountDistinct(FxHashSet::default()),
            Function::List => Fold::List(Vec::new()),
        }
    }

    /// Whether `begin` would take the value; what a new group asks.
    pub(super) fn takes(self, value: &Value) -> Result<(), Refused> {
        let computes = matches!(self, Function::Sum | Function::Average | Function::Median);
        match value {
            Value::Null | Value::Int(_) | Value::Float(_) => Ok(()),
            other if computes => Err(Refused::Value(format_smolstr!(
                "expected a number, found {}",
                Types::of(other)
            ))),
            _ => Ok(()),
        }
    }
}

impl Fold {
    /// Whether there is room for the value; `limit` bounds the values that a fold holds.
    pub(super) fn has_room(&self, value: &Value, limit: usize) -> Result<(), Refused> {
        let full = match self {
            Fold::List(held) | Fold::Median(held) => held.len() >= limit,
            Fold::CountDistinct(held) => held.len() >= limit && !held.contains(value),
            _ => false,
        };
        if full && *value != Value::Null {
            return Err(Refused::Full(limit));
        }
        Ok(())
    }

    /// Folds a value that was taken.
    pub(super) fn add(&mut self, value: &Value) {
        if let Value::Null = value {
            return;
        }
        match self {
            Fold::Count(count) => *count += 1,
            Fold::Sum(sum) => *sum = plus(sum, value),
            Fold::Min(least) if *least == Value::Null || value < least => *least = value.clone(),
            Fold::Max(most) if *most == Value::Null || value > most => *most = value.clone(),
            Fold::First(first) if *first == Value::Null => *first = value.clone(),
            Fold::Min(_) | Fold::Max(_) | Fold::First(_) => {}
            Fold::Average { sum, count } => {
                *sum += value.as_f64().unwrap_or_default();
                *count += 1;
            }
            Fold::Median(held) => {
                let place = held.partition_point(|other| other <= value);
                held.insert(place, value.clone());
            }
            Fold::Last(last) => *last = value.clone(),
            Fold::CountDistinct(held) => {
                held.insert(value.clone());
            }
            Fold::List(held) => held.push(value.clone()),
        }
    }

    pub(super) fn result(&self) -> Value {
        match self {
            Fold::Count(count) => Value::from(*count),
            Fold::Average { count: 0, .. } => Value::Null,
            Fold::Average { sum, count } => Value::Float(sum / *count as f64),
            Fold::Median(held) => middle(held),
            Fold::CountDistinct(held) => Value::from(held.len()),
            Fold::List(held) => Value::from(held.clone()),
            Fold::Sum(held)
            | Fold::Min(held)
            | Fold::Max(held)
            | Fold::First(held)
            | Fold::Last(held) => held.clone(),
        }
    }

    /// The result, and begins anew.
    pub(super) fn finish(&mut self) -> Value {
        let result = if let Fold::List(held) = self {
            Value::from(take(held))
        } else {
            self.result()
        };
        *self = self.function().begin();
        result
    }

    fn function(&self) -> Function {
        match self {
            Fold::Count(_) => Function::Count,
            Fold::Sum(_) => Function::Sum,
            Fold::Min(_) => Function::Min,
            Fold::Max(_) => Function::Max,
            Fold::Average { .. } => Function::Average,
            Fold::Median(_) => Function::Median,
            Fold::First(_) => Function::First,
            Fold::Last(_) => Function::Last,
            Fold::CountDistinct(_) => Function::CountDistinct,
            Fold::List(_) => Function::List,
        }
    }
}

/// The value in the middle, or half way between the two there.
fn middle(ordered: &[Value]) -> Value {
    let half = ordered.len() / 2;
    match (ordered.get(half), half.checked_sub(1)) {
        (None, _) => Value::Null,
        (Some(upper), Some(before)) if ordered.len().is_multiple_of(2) => {
            let lower = ordered[before].as_f64().unwrap_or_default();
            Value::Float(f64::midpoint(lower, upper.as_f64().unwrap_or_default()))
        }
        (Some(middle), _) => middle.clone(),
    }
}

fn plus(sum: &Value, value: &Value) -> Value {
    if let (Value::Int(a), Value::Int(b)) = (sum, value)
        && let Some(whole) = a.checked_add(*b)
    {
        return Value::Int(whole);
    }
    Value::Float(sum.as_f64().unwrap_or_default() + value.as_f64().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use graph_model::value;

    use super::*;

    #[test]
    fn folds_have_their_results() {
        let none: [Value; 0] = [];
        let numbers = [value!(3), value!(null), value!(1), value!(3)];
        for (name, of_none, of_numbers) in [
            ("count", "0", "3"),
            ("sum", "0", "7"),
            ("min", "null", "1"),
            ("max", "null", "3"),
            ("average", "null", "2.3333333333333335"),
            ("median", "null", "3"),
            ("first", "null", "3"),
            ("last", "null", "3"),
            ("count_distinct", "0", "2"),
            ("list", "[]", "[3,1,3]"),
        ] {
            let function = Function::parse(name).expect("a function");
            for (values, result) in [(&none[..], of_none), (&numbers[..], of_numbers)] {
                let mut fold = function.begin();
                for value in values {
                    assert_eq!(function.takes(value), Ok(()));
                    assert_eq!(fold.has_room(value, 3), Ok(()));
                    fold.add(value);
                }
                assert_eq!(fold.result().to_json(), result, "{name}");
                assert_eq!(fold.finish().to_json(), result, "{name}");
                assert_eq!(fold.result().to_json(), of_none, "{name} begins anew");
            }
        }
    }

    #[test]
    fn sums_stay_whole_as_long_as_they_can() {
        for (a, b, sum) in [
            (value!(1), value!(2), value!(3)),
            (value!(1), value!(0.5), value!(1.5)),
            (
                Value::Int(i64::MAX),
                value!(1),
                Value::Float(i64::MAX as f64 + 1.0),
            ),
        ] {
            assert_eq!(plus(&a, &b), sum);
        }
    }

    #[test]
    fn a_median_is_half_way_between_two_in_the_middle() {
        for (values, median) in [
            (value!([5]), value!(5)),
            (value!([9, 2]), value!(5.5)),
            (value!([9, 0.5, 2]), value!(2)),
            (value!([1, 4, 1, 3]), value!(2)),
        ] {
            let mut fold = Function::Median.begin();
            for value in values.as_array().unwrap_or_default() {
                fold.add(value);
            }
            assert_eq!(fold.result(), median);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let refused = Refused::Value("expected a number, found a string".into());
        for function in [Function::Sum, Function::Average, Function::Median] {
            assert_eq!(function.takes(&value!("1")), Err(refused.clone()));
        }
        for (function, value) in [
            (Function::List, value!(1)),
            (Function::Median, value!(1)),
            (Function::CountDistinct, value!(2)),
        ] {
            let mut fold = function.begin();
            fold.add(&value!(1));
            assert_eq!(fold.has_room(&value, 1), Err(Refused::Full(1)));
            assert_eq!(fold.has_room(&value!(null), 1), Ok(()));
        }
    }
}
