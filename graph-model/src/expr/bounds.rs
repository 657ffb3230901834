//! The bounds of an expression: how long and deep it may be, how much it may do and make.

use std::cell::Cell;

use crate::value::{DEPTH_MAX, Value};

/// Longest text of an expression in bytes.
pub const CODE_MAX: usize = 16 * 1024;

/// Most brackets that may be open at once in an expression.
pub const NESTING_MAX: usize = 40;

/// Most operators and keywords in an expression; each may nest what follows one deeper while it is
/// read.
pub const OPERATORS_MAX: usize = 400;

/// Deepest nesting of an expression once it is read; an operator nests what stands before it, a
/// pipe what stands after it.
pub const TERMS_MAX: usize = 80;

/// Largest result in bytes as [`Value::weight`] counts them, and longest text on the way to it.
pub const WEIGHT_MAX: usize = 16 * 1024 * 1024;

/// Most steps that one evaluation takes; a step visits, makes or compares about one value.
pub const STEPS_MAX: u64 = 4_000_000;

/// Most outputs that the written commas of an expression may multiply to.
pub(super) const BRANCHES_MAX: u64 = 10_000;

/// Deepest nesting of iterations over data.
pub(super) const LOOPS_MAX: u32 = 4;

/// Which bound an evaluation has met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Limit {
    #[error("takes more than {STEPS_MAX} steps")]
    Steps,
    #[error("makes a value of more than {WEIGHT_MAX} bytes")]
    Weight,
    #[error("makes a value nested more than {DEPTH_MAX} deep")]
    Depth,
}

thread_local! {
    static STEPS_LEFT: Cell<u64> = const { Cell::new(STEPS_MAX) };
    static MET: Cell<Option<Limit>> = const { Cell::new(None) };
}

/// Runs `work` with a fresh allowance of steps; an exceeded bound overrules its result.
pub(super) fn metered<T>(work: impl FnOnce() -> T) -> Result<T, Limit> {
    let outer = (STEPS_LEFT.replace(STEPS_MAX), MET.replace(None));
    let result = work();
    let met = MET.replace(outer.1);
    STEPS_LEFT.set(outer.0);
    met.map_or(Ok(result), Err)
}

/// Takes `steps` from the allowance; fails once it is used up, and ever after in this evaluation.
pub(super) fn spend(steps: usize) -> Result<(), Limit> {
    if let Some(limit) = MET.get() {
        return Err(limit);
    }
    let left = STEPS_LEFT.get();
    if (steps as u64) > left {
        return Err(meet(Limit::Steps));
    }
    STEPS_LEFT.set(left - steps as u64);
    Ok(())
}

/// Notes that a bound is exceeded, for places that cannot fail themselves.
pub(super) fn meet(limit: Limit) -> Limit {
    MET.set(Some(limit));
    limit
}

pub(super) fn met() -> bool {
    MET.get().is_some()
}

/// Whether `value` keeps within weight and depth; looks at no more of it than the bound allows.
pub(super) fn fits(value: &Value) -> Result<(), Limit> {
    fn take(value: &Value, depth: usize, left: &mut usize) -> Result<(), Limit> {
        let own = match value {
            Value::Str(text) => 32 + text.len(),
            Value::Arr(_) | Value::Obj(_) => 64,
            _ => 32,
        };
        *left = left.checked_sub(own).ok_or(Limit::Weight)?;
        match value {
            Value::Arr(_) | Value::Obj(_) if depth == 0 => Err(Limit::Depth),
            Value::Arr(items) => items
                .iter()
                .try_for_each(|item| take(item, depth - 1, left)),
            Value::Obj(object) => object.iter().try_for_each(|(key, item)| {
                *left = left.checked_sub(24 + key.len()).ok_or(Limit::Weight)?;
                take(item, depth - 1, left)
            }),
            _ => Ok(()),
        }
    }
    match value {
        Value::Arr(_) | Value::Obj(_) | Value::Str(_) => {
            take(value, DEPTH_MAX, &mut { WEIGHT_MAX })
        }
        _ => Ok(()),
    }
}
