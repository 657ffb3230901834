//! The variables of expressions that are evaluated for an event.

use graph_model::event::Event;
use graph_model::expr::{Bindings, Variable};
use graph_model::value::Value;

/// Gives expressions `$event` and `$now`.
#[derive(Clone, Copy)]
pub struct EventBindings<'e> {
    pub event: &'e Event,
    /// Processing time in milliseconds since 1970-01-01 UTC.
    pub now_ms: i64,
}

impl Bindings for EventBindings<'_> {
    fn whole(&self, variable: Variable) -> Option<Value> {
        match variable {
            Variable::Event => Some(self.event.context.to_object().into()),
            Variable::Now => Some(Value::from(self.now_ms as f64 / 1000.0)),
            Variable::Viewer | Variable::State => None,
        }
    }

    fn field(&self, variable: Variable, name: &str) -> Option<Value> {
        if variable != Variable::Event {
            return self.whole(variable)?.get(name).cloned();
        }
        let context = &self.event.context;
        match name {
            "id" => Some(Value::str(context.id.clone())),
            "source" => Some(Value::str(context.source.clone())),
            "type" => Some(Value::str(context.ty.clone())),
            "subject" => context.subject.clone().map(Value::str),
            "time" => context.to_object().get("time").cloned(),
            other => context.extensions.get(other).cloned().map(Value::str),
        }
    }
}

/// Gives expressions `$state`, beside what an event gives.
#[derive(Clone, Copy)]
pub struct StateBindings<'e> {
    pub event: EventBindings<'e>,
    /// What is remembered of the key of the event.
    pub state: &'e Value,
}

impl Bindings for StateBindings<'_> {
    fn whole(&self, variable: Variable) -> Option<Value> {
        match variable {
            Variable::State => Some(self.state.clone()),
            other => self.event.whole(other),
        }
    }

    fn field(&self, variable: Variable, name: &str) -> Option<Value> {
        match variable {
            Variable::State => self.state.get(name).cloned(),
            other => self.event.field(other, name),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use graph_model::event::EventContext;
    use graph_model::expr::{Env, Expr};
    use graph_model::value;

    use super::*;

    #[test]
    fn one_field_and_the_whole_agree() {
        let context = EventContext {
            id: "e-1".into(),
            source: "/orders".into(),
            ty: "order".into(),
            time_ms: 1_000,
            subject: None,
            extensions: [("tenant".into(), "acme".into())].into(),
        };
        let event = Event {
            context: Arc::new(context),
            data: value!({"n": 1}),
        };
        let bindings = EventBindings {
            event: &event,
            now_ms: 2_500,
        };
        for name in [
            "id", "source", "type", "time", "subject", "tenant", "missing",
        ] {
            let direct = Expr::compile(&format!("$event.{name}")).expect("compiles");
            let whole = Expr::compile(&format!("$event | .{name}")).expect("compiles");
            let env = Env::new(&bindings);
            assert_eq!(
                direct.eval(&event.data, &env),
                whole.eval(&event.data, &env),
                "{name}"
            );
        }
        let now = Expr::compile_with("$now", &[Variable::Now]).expect("compiles");
        assert_eq!(now.eval(&event.data, &Env::new(&bindings)), Ok(value!(2.5)));
    }
}
