//! Sinks: kinds that take events out, and what people look at.

mod bucket;
mod console;
mod dead_letter;
mod effect;
mod export;
mod http_out;
mod lines;
mod metric;
mod rows;
mod table;
mod view;

#[cfg(test)]
mod testing;

use graph_model::event::Event;
use graph_model::expr::{Env, Expr};
use graph_model::value::Value;

pub(crate) use bucket::{file_name, is_unfinished};
pub use console::Printer;
pub(crate) use effect::Journal;
pub(crate) use lines::LineFile;
pub(crate) use metric::Number;
pub use rows::Rows;
pub(crate) use table::Shape as TableShape;

use crate::bindings::EventBindings;
use crate::kind::Kind;
use crate::operator::Failure;
use crate::rim::Sent;

/// The kinds of this room; a new one is a file and a line here.
pub(crate) fn kinds() -> Vec<Kind> {
    vec![
        bucket::kind(),
        console::kind(),
        dead_letter::kind(),
        effect::kind(),
        export::kind(),
        http_out::kind(),
        metric::kind(),
        table::kind(),
        view::kind(),
    ]
}

/// What a sink answers: one outcome for each event.
type Outcomes = Vec<Result<Option<Sent>, Failure>>;

/// Runs work on files where waiting holds nobody up, and answers its outcomes.
async fn blocking(count: usize, work: impl FnOnce() -> Outcomes + Send + 'static) -> Outcomes {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcomes) => outcomes,
        Err(error) => fail_all(count, &broken_off(&error)),
    }
}

fn broken_off(error: &tokio::task::JoinError) -> Failure {
    Failure::fatal(format!("writing broke off ({error}); please report it"))
}

fn fail_all(count: usize, failure: &Failure) -> Outcomes {
    vec![Err(failure.clone()); count]
}

/// The expression in `field` for an event.
pub(crate) fn eval(field: &str, expr: &Expr, event: &Event, now_ms: i64) -> Result<Value, Failure> {
    let bindings = EventBindings { event, now_ms };
    expr.eval(&event.data, &Env::new(&bindings))
        .map_err(|error| Failure::invalid(format!("`{field}`: {error}")))
}

/// The key in `field` for an event. `null` identifies nothing.
pub(crate) fn eval_key(
    field: &str,
    expr: &Expr,
    event: &Event,
    now_ms: i64,
) -> Result<Value, Failure> {
    match eval(field, expr, event, now_ms)? {
        Value::Null => Err(Failure::invalid(format!(
            "`{field}`: `{expr}` is null for this event; use a field that every event has"
        ))),
        key => Ok(key),
    }
}
