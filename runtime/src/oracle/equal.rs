//! When two values count as the same, and when one holds another.

use graph_model::value::Value;

/// Whether they are the same but for what the order of adding up fractions does.
pub(super) fn alike(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Arr(one), Value::Arr(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .zip(&**other)
                    .all(|(one, other)| alike(one, other))
        }
        (Value::Obj(one), Value::Obj(other)) => {
            let mut fields = one.iter().zip(other.iter());
            one.len() == other.len()
                && fields.all(|((name, one), (same, other))| name == same && alike(one, other))
        }
        (Value::Float(_), Value::Float(_) | Value::Int(_)) | (Value::Int(_), Value::Float(_)) => {
            let (one, other) = (one.as_f64().unwrap_or(0.0), other.as_f64().unwrap_or(0.0));
            // Tighter than a millisecond in a time of day.
            (one - other).abs() <= 1e-13 * one.abs().max(other.abs())
        }
        _ => one == other,
    }
}

/// Whether a value, or something in it, is this scalar.
pub(super) fn holds(value: &Value, wanted: &Value) -> bool {
    match value {
        Value::Arr(items) => items.iter().any(|item| holds(item, wanted)),
        Value::Obj(object) => object.values().any(|item| holds(item, wanted)),
        leaf => leaf == wanted,
    }
}
