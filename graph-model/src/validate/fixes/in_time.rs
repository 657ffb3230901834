//! Waits until all events are there, and goes by their time.

use std::time::Duration;

use super::{fix, kind_that};
use crate::catalog::{Behaviour, FieldSpec, FieldType};
use crate::document::Node;
use crate::edit::TransactionBuilder;
use crate::id::PortRef;
use crate::units;
use crate::validate::Fix;
use crate::validate::design::{Design, NodeIx};
use crate::validate::facts::Facts;
use crate::validate::rules::order::IDLE;
use crate::value::{Object, Value};

/// What `$now` says, of the time of the event.
const EVENT_TIME: &str = "($event.time | fromdate)";

/// A window or a gap waits as long as events may be late.
pub(in crate::validate) fn wait_for_late(
    design: &Design,
    node: NodeIx,
    field: &str,
    delay: i64,
) -> Fix {
    let wait = text(delay);
    let title = format!("Let {} wait {wait} for what comes late", design.title(node));
    let caution = format!("its results come {wait} later");
    let hasty = design
        .ms(node, IDLE)
        .is_some_and(|silence| 0 < silence && silence < delay);
    fix(design, title, &caution, |build| {
        build.set_config(&design.nodes[node].id, field, Some(wait.clone().into()));
        if hasty {
            build.set_config(&design.nodes[node].id, IDLE, Some(wait.clone().into()));
        }
    })
}

/// What comes too late is kept in a table.
pub(in crate::validate) fn keep_late(design: &Design, node: NodeIx, port: &str) -> Option<Fix> {
    let view = &design.nodes[node];
    let kind = kind_that(design, |does| matches!(does, Behaviour::Table { .. }))?;
    let Behaviour::Table { mode, .. } = &kind.behaviour else {
        return None;
    };
    let (input, name) = (
        kind.inputs.first()?,
        kind.resource.as_ref()?.named_by.last()?,
    );
    let table = Node::new(kind.id.clone())
        .with(mode, "append")
        .with(name, format!("late_for_{}", view.id));
    let title = format!("Keep what is late for {} in a table", design.title(node));
    let caution = "results stay as they are; correct them from it";
    Some(fix(design, title, caution, |build| {
        let id = build.add_node(&"late".into(), table, None);
        build.connect(
            PortRef::new(view.id.clone(), port),
            PortRef::new(id, input.name.clone()),
        );
    }))
}

/// A node answers when a window of event time has closed, late events included.
pub(in crate::validate) fn wait_for_window(
    facts: &Facts,
    node: NodeIx,
    (field, value): (&str, &str),
    lateness: &str,
) -> Fix {
    let design = &*facts.design;
    let id = &design.nodes[node].id;
    let title = format!("Let {} wait for the end of a window", design.title(node));
    let caution = "choose how long the window is";
    let delay = facts.input(node).and_then(|port| port.delay);
    let waits = design.ms(node, lateness).unwrap_or(0);
    fix(design, title, caution, |build| {
        build.set_config(id, field, Some(value.into()));
        if let Some((delay, _)) = delay.filter(|(delay, _)| *delay > waits) {
            build.set_config(id, lateness, Some(text(delay).into()));
        }
    })
}

/// A look-up takes the row that held when the event happened.
pub(in crate::validate) fn take_row_of_then(design: &Design, node: NodeIx, field: &str) -> Fix {
    let title = format!(
        "Let {} take the row that held when the event happened",
        design.title(node)
    );
    let caution = "events from before the first row get none";
    fix(design, title, caution, |build| {
        build.set_config(&design.nodes[node].id, field, Some(Value::Bool(true)));
    })
}

/// The expressions of a field ask for the time of the event instead of that of the clock.
pub(in crate::validate) fn use_event_time(
    design: &Design,
    node: NodeIx,
    field: &FieldSpec,
) -> Option<Fix> {
    let value = design.value(node, &field.name)?;
    let new: Value = match &field.ty {
        FieldType::Jq { .. } => with_event_time(value.as_str()?).into(),
        FieldType::JqTable { .. } => {
            let mut table = Object::new();
            for (name, code) in value.as_object()?.iter() {
                table.insert(name.clone(), with_event_time(code.as_str()?));
            }
            table.into()
        }
        _ => return None,
    };
    let title = format!("Go by the time of the event in {}", design.title(node));
    let caution = "name the field with the time in the event type, or it is that of arrival";
    Some(fix(
        design,
        title,
        caution,
        |build: &mut TransactionBuilder<'_>| {
            build.set_config(&design.nodes[node].id, &field.name, Some(new));
        },
    ))
}

fn with_event_time(code: &str) -> String {
    let mut out = String::with_capacity(code.len() + EVENT_TIME.len());
    let mut rest = code;
    while let Some(at) = rest.find("$now") {
        let (before, after) = rest.split_at(at);
        let after = &after["$now".len()..];
        out.push_str(before);
        let longer = after.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        out.push_str(if longer { "$now" } else { EVENT_TIME });
        rest = after;
    }
    out.push_str(rest);
    out
}

fn text(ms: i64) -> String {
    units::format_duration(Duration::from_millis(ms.max(0).unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::{Env, Expr, Variable};
    use crate::value;

    #[test]
    fn the_time_of_the_event_is_a_number_like_that_of_the_clock() {
        let code = with_event_time("$now - .at > $nowhere");
        assert_eq!(code, "($event.time | fromdate) - .at > $nowhere");
        let expr = Expr::compile(&with_event_time("$now")).expect("it compiles");
        let event = |variable| {
            let time = value!({"time": "2024-02-29T12:34:56.25Z"});
            (variable == Variable::Event).then_some(time)
        };
        let said = expr.eval(&Value::Null, &Env::new(&event)).expect("a time");
        assert_eq!(said.as_f64(), Some(1_709_210_096.25));
    }
}
