//! Whether a config value is one that its field can hold.

use crate::catalog::{FieldSpec, FieldType, JqRole};
use crate::expr::{Expr, ExprError};
use crate::pointer::Pointer;
use crate::units;
use crate::value::{Object, Value};

/// What is wrong with the value of a config field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldProblem {
    /// A required field is empty.
    Missing,
    /// The value is none that the field can hold.
    Invalid(String),
    /// The value holds an expression that cannot be read. `place` names it where there are several.
    Expression { place: String, error: ExprError },
}

impl std::fmt::Display for FieldProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            FieldProblem::Missing => f.write_str("needs a value"),
            FieldProblem::Invalid(message) => f.write_str(message),
            FieldProblem::Expression { place, error } if place.is_empty() => error.fmt(f),
            FieldProblem::Expression { place, error } => write!(f, "{place}: {error}"),
        }
    }
}

/// Checks the value that a field has, by itself or by its default.
pub fn check_field(field: &FieldSpec, value: Option<&Value>) -> Result<(), FieldProblem> {
    check_field_with(field, value, &mut |code, role| {
        Expr::compile_with(code, role.variables()).map(|_| ())
    })
}

/// Like [`check_field`], with expressions compiled by `compile`, which may know them already.
pub fn check_field_with(
    field: &FieldSpec,
    value: Option<&Value>,
    compile: &mut dyn FnMut(&str, JqRole) -> Result<(), ExprError>,
) -> Result<(), FieldProblem> {
    let Some(value) = value.filter(|value| !matches!(value, Value::Null)) else {
        return if field.required {
            Err(FieldProblem::Missing)
        } else {
            Ok(())
        };
    };
    let wrong = |what: &str| {
        let found = value.type_name();
        Err(FieldProblem::Invalid(format!(
            "expected {what}, found {found}"
        )))
    };
    let invalid = |message: String| Err(FieldProblem::Invalid(message));
    let text = || value.as_str().map(str::trim);
    if text() == Some("") && !matches!(field.ty, FieldType::Json) {
        return if field.required {
            Err(FieldProblem::Missing)
        } else {
            Ok(())
        };
    }
    match &field.ty {
        FieldType::Json => Ok(()),
        FieldType::Text
        | FieldType::LongText
        | FieldType::Code { .. }
        | FieldType::Path { .. }
        | FieldType::Secret
        | FieldType::EventType
        | FieldType::Schedule => text().map_or_else(|| wrong("text"), |_| Ok(())),
        FieldType::Bool => value
            .as_bool()
            .map_or_else(|| wrong("true or false"), |_| Ok(())),
        FieldType::Integer { min, max } => match value.as_i64() {
            Some(number) if (*min..=*max).contains(&number) => Ok(()),
            Some(number) => invalid(format!("{number} is not between {min} and {max}")),
            None => wrong("a whole number"),
        },
        FieldType::Number { min, max } => match value.as_f64() {
            Some(number) if (*min..=*max).contains(&number) => Ok(()),
            Some(number) => invalid(format!("{number} is not between {min} and {max}")),
            None => wrong("a number"),
        },
        FieldType::Choice { options } => match text() {
            Some(word) if options.iter().any(|option| option == word) => Ok(()),
            Some(word) => invalid(format!("`{word}` is none of: {}", options.join(", "))),
            None => wrong("text"),
        },
        FieldType::Duration => match text() {
            Some(text) if units::parse_duration(text).is_some() => Ok(()),
            Some(text) => invalid(format!(
                "`{text}` is no duration; write `250ms`, `30s`, `5m`"
            )),
            None => wrong("a duration such as `30s`"),
        },
        FieldType::Bytes => match text() {
            Some(text) if units::parse_bytes(text).is_some() => Ok(()),
            Some(text) => invalid(format!(
                "`{text}` is no size; write `512`, `64 KiB`, `1 MiB`"
            )),
            None => wrong("a size such as `64 KiB`"),
        },
        FieldType::Jq { role } => match value.as_str() {
            Some(code) => compile(code, *role).map_err(|error| FieldProblem::Expression {
                place: String::new(),
                error,
            }),
            None => wrong("an expression"),
        },
        FieldType::JqTable { role } => match value.as_object() {
            Some(table) => {
                for (name, code) in table.iter() {
                    let Some(code) = code.as_str() else {
                        let found = code.type_name();
                        return invalid(format!("{name}: expected an expression, found {found}"));
                    };
                    compile(code, *role).map_err(|error| FieldProblem::Expression {
                        place: name.to_string(),
                        error,
                    })?;
                }
                Ok(())
            }
            None => wrong("a table of expressions"),
        },
        FieldType::Pointer => match text() {
            Some(text) => match Pointer::parse(text) {
                Ok(_) => Ok(()),
                Err(error) => invalid(error.to_string()),
            },
            None => wrong("a pointer such as `/customer/email`"),
        },
        FieldType::Pointers => match value.as_array() {
            Some(items) => {
                for item in items {
                    let Some(text) = item.as_str() else {
                        let found = item.type_name();
                        return invalid(format!("expected pointers, found {found}"));
                    };
                    if let Err(error) = Pointer::parse(text) {
                        return invalid(error.to_string());
                    }
                }
                Ok(())
            }
            None => wrong("a list of pointers"),
        },
        FieldType::Texts => value.as_array().map_or_else(|| wrong("a list"), |_| Ok(())),
        FieldType::Table | FieldType::EventTypes => value
            .as_object()
            .map_or_else(|| wrong("a table"), |_| Ok(())),
        FieldType::Records { fields } => match value.as_array() {
            Some(records) => check_records(fields, records, compile),
            None => wrong("a list of records"),
        },
        FieldType::Url => match text() {
            Some(text) if text.starts_with("http://") || text.starts_with("https://") => Ok(()),
            Some(text) => invalid(format!("`{text}` is no address; start with `https://`")),
            None => wrong("an address"),
        },
    }
}

fn check_records(
    fields: &[FieldSpec],
    records: &[Value],
    compile: &mut dyn FnMut(&str, JqRole) -> Result<(), ExprError>,
) -> Result<(), FieldProblem> {
    let empty = Object::new();
    for (index, record) in records.iter().enumerate() {
        let record = record.as_object().unwrap_or(&empty);
        for field in fields {
            let value = record.get(&field.name).or(Some(&field.default));
            let place = format!("row {}, {}", index + 1, field.title);
            check_field_with(field, value, compile).map_err(|problem| match problem {
                FieldProblem::Expression { error, .. } => FieldProblem::Expression { place, error },
                other => FieldProblem::Invalid(format!("{place}: {other}")),
            })?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value;

    #[test]
    fn values_that_a_field_cannot_hold_are_named() {
        let field = |ty| FieldSpec::new("x", "X", ty, "");
        let jq = || FieldType::Jq { role: JqRole::Key };
        let records = FieldType::Records {
            fields: vec![field(jq()).required()],
        };
        let step = FieldType::Jq { role: JqRole::Step };
        let table: [(FieldSpec, Value, &str); 8] = [
            (
                field(FieldType::Text).required(),
                Value::Null,
                "needs a value",
            ),
            (
                field(FieldType::Integer { min: 1, max: 9 }),
                12.into(),
                "12 is not between 1 and 9",
            ),
            (
                field(FieldType::Duration),
                "soon".into(),
                "`soon` is no duration; write `250ms`, `30s`, `5m`",
            ),
            (field(jq()), ".a |".into(), "1:5: "),
            (field(jq()), "$state + 1".into(), "1:1: "),
            (
                field(records),
                value!([{"x": ".a"}, {}]),
                "row 2, X: needs a value",
            ),
            (
                field(FieldType::Pointers),
                value!(["/a", "b"]),
                "`b` is not a JSON pointer: it must be empty or start with `/`",
            ),
            (
                field(FieldType::Choice {
                    options: vec!["a".into()],
                }),
                "b".into(),
                "`b` is none of: a",
            ),
        ];
        for (field, value, expected) in table {
            let problem = check_field(&field, Some(&value)).expect_err(expected);
            let said = problem.to_string();
            assert!(said.starts_with(expected), "{said}");
        }
        assert_eq!(check_field(&field(jq()), Some(&"".into())), Ok(()));
        assert_eq!(
            check_field(&field(step), Some(&"$state + 1".into())),
            Ok(())
        );
    }
}
