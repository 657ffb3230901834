//! Fields of a payload that a node takes away or replaces, named by pointers.

use std::sync::Arc;

use graph_model::pointer::Pointer;
use graph_model::schema::Types;
use graph_model::value::Value;
use runtime_protocol::Problem;
use smol_str::{SmolStr, format_smolstr};

use crate::kind::Build;
use crate::operator::Failure;

/// The fields that a config field lists.
pub(super) struct Fields(Vec<Pointer>);

/// What becomes of a field.
#[derive(Clone, Copy)]
pub(super) enum Become<'b> {
    Nothing,
    Another(&'b dyn Fn(&Value) -> Value),
}

impl Fields {
    pub(super) fn of_field(build: &Build, field: &str) -> Result<Fields, Problem> {
        let parse = |text: SmolStr| {
            Pointer::parse(&text).map_err(|error| build.problem(format!("`{field}`: {error}")))
        };
        let fields = build.texts(field).into_iter().map(parse);
        Ok(Fields(fields.collect::<Result<_, _>>()?))
    }

    /// Changes every field that is there. Where something else stands on the way to one, what is
    /// meant may be inside: then the event is at fault.
    pub(super) fn change(&self, data: &mut Value, to: Become<'_>) -> Result<(), Failure> {
        for field in &self.0 {
            change(data, field.tokens(), to).map_err(|NoWay(depth, found)| {
                let above: Pointer = field.tokens()[..depth].iter().cloned().collect();
                Failure::invalid(format_smolstr!(
                    "`{above}` is {found}, so `{field}` cannot be hidden; correct `fields`"
                ))
            })?;
        }
        Ok(())
    }
}

/// How deep the way led, and what stood there.
struct NoWay(usize, Types);

fn change(value: &mut Value, tokens: &[SmolStr], to: Become<'_>) -> Result<(), NoWay> {
    let Some((token, rest)) = tokens.split_first() else {
        *value = match to {
            Become::Nothing => Value::Null,
            Become::Another(of) => of(value),
        };
        return Ok(());
    };
    let removes = rest.is_empty() && matches!(to, Become::Nothing);
    let deeper = |NoWay(depth, found)| NoWay(depth + 1, found);
    match value {
        Value::Null => Ok(()),
        Value::Obj(object) => {
            if !object.contains_key(token) {
                return Ok(());
            }
            let object = Arc::make_mut(object);
            if removes {
                object.remove(token);
                return Ok(());
            }
            let field = object.get_mut(token);
            field
                .map_or(Ok(()), |field| change(field, rest, to))
                .map_err(deeper)
        }
        Value::Arr(items) if token == "*" => {
            let items = Arc::make_mut(items);
            if removes {
                items.clear();
                return Ok(());
            }
            let mut items = items.iter_mut();
            items
                .try_for_each(|item| change(item, rest, to))
                .map_err(deeper)
        }
        Value::Arr(items) if token.parse::<usize>().is_ok() => {
            let index = token.parse::<usize>().unwrap_or(usize::MAX);
            if index >= items.len() {
                return Ok(());
            }
            let items = Arc::make_mut(items);
            if removes {
                items.remove(index);
                return Ok(());
            }
            change(&mut items[index], rest, to).map_err(deeper)
        }
        other => Err(NoWay(0, Types::of(other))),
    }
}
