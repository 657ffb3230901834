//! Expressions of config fields, evaluated for events.

use std::fmt::Display;

use graph_model::event::Event;
use graph_model::expr::{Bindings, Env, Expr};
use graph_model::schema::Types;
use graph_model::value::Value;
use runtime_protocol::Problem;
use smol_str::{SmolStr, format_smolstr};

use crate::bindings::{EventBindings, StateBindings};
use crate::kind::Build;
use crate::operator::{Context, Failure};

/// The expression that a config field holds. Its errors are the event's fault and name the field.
pub(super) struct Expression {
    field: SmolStr,
    expr: Expr,
}

impl Expression {
    /// The expression of a field that may be empty.
    pub(super) fn of_optional(build: &Build, field: &str) -> Result<Option<Expression>, Problem> {
        let code = build.optional_text(field);
        code.map(|code| Expression::new(build, field, &code))
            .transpose()
    }

    pub(super) fn of_field(build: &Build, field: &str) -> Result<Expression, Problem> {
        Expression::new(build, field, &build.text(field)?)
    }

    /// `field` is the name that messages use.
    pub(super) fn new(build: &Build, field: &str, code: &str) -> Result<Expression, Problem> {
        Ok(Expression {
            field: field.into(),
            expr: build.compile(field, code)?,
        })
    }

    pub(super) fn code(&self) -> &str {
        self.expr.code()
    }

    /// The first output for the event.
    pub(super) fn value(&self, event: &Event, ctx: &Context<'_>) -> Result<Value, Failure> {
        let now_ms = ctx.now_ms;
        self.first(event, &EventBindings { event, now_ms })
    }

    /// The first output for the event and what is remembered of its key.
    pub(super) fn next(
        &self,
        event: &Event,
        state: &Value,
        ctx: &Context<'_>,
    ) -> Result<Value, Failure> {
        let now_ms = ctx.now_ms;
        let event_bindings = EventBindings { event, now_ms };
        let bindings = StateBindings {
            event: event_bindings,
            state,
        };
        self.first(event, &bindings)
    }

    /// The key of the event, which must not be null.
    pub(super) fn key(&self, event: &Event, ctx: &Context<'_>) -> Result<Value, Failure> {
        match self.value(event, ctx)? {
            Value::Null => Err(self.refuse("the key is null; events without one pass elsewhere")),
            key => Ok(key),
        }
    }

    /// Whether the first output is true; no output is false.
    pub(super) fn holds(&self, event: &Event, ctx: &Context<'_>) -> Result<bool, Failure> {
        let now_ms = ctx.now_ms;
        let bindings = EventBindings { event, now_ms };
        self.expr
            .test(&event.data, &Env::new(&bindings))
            .map_err(|error| self.refuse(error))
    }

    pub(super) fn number(&self, event: &Event, ctx: &Context<'_>) -> Result<Value, Failure> {
        match self.value(event, ctx)? {
            number @ (Value::Int(_) | Value::Float(_)) => Ok(number),
            other => Err(self.refuse(format_smolstr!(
                "expected a number, found {}",
                Types::of(&other)
            ))),
        }
    }

    pub(super) fn whole(&self, event: &Event, ctx: &Context<'_>) -> Result<i64, Failure> {
        let number = self.number(event, ctx)?;
        number
            .as_i64()
            .ok_or_else(|| self.refuse(format_smolstr!("expected a whole number, found {number}")))
    }

    fn first(&self, event: &Event, bindings: &dyn Bindings) -> Result<Value, Failure> {
        self.expr
            .eval(&event.data, &Env::new(bindings))
            .map_err(|error| self.refuse(error))
    }

    /// A failure of the event that names the field.
    pub(super) fn refuse(&self, reason: impl Display) -> Failure {
        Failure::invalid(format_smolstr!("`{}`: {reason}", self.field))
    }

    #[cfg(test)]
    pub(super) fn for_test(code: &str) -> Expression {
        Expression {
            field: "expr".into(),
            expr: Expr::compile(code).expect("compiles"),
        }
    }
}
