//! Metric: a number that people decide by.

use std::future::ready;
use std::sync::Arc;

use graph_model::catalog::{
    Behaviour, Family, FieldSpec, FieldType, JqRole, KindSpec, Observation, PortSpec,
};
use graph_model::event::Event;
use graph_model::expr::Expr;
use graph_model::value::{Object, Value};
use runtime_protocol::Problem;
use smol_str::SmolStr;

use crate::kind::{Build, Kind, Make};
use crate::operator::Failure;
use crate::rim::{Sink, Work};
use crate::world::World;

use super::{Outcomes, Rows, eval, eval_key};

pub(crate) fn kind() -> Kind {
    Kind {
        spec: spec(),
        make: Make::Sink(make),
    }
}

/// Puts the newest number of each key where people look at it.
struct Metric {
    rows: Arc<Rows>,
    number: Number,
    world: Arc<dyn World>,
}

/// How an event becomes a number.
pub(crate) struct Number {
    name: SmolStr,
    value: Expr,
    key: Option<Expr>,
    unit: Option<SmolStr>,
}

fn make(build: &Build) -> Result<Box<dyn Sink>, Problem> {
    let keep = usize::try_from(build.whole("keep")?.max(1)).unwrap_or(usize::MAX);
    Ok(Box::new(Metric {
        number: Number::new(build)?,
        rows: build.shared.rows(build.id, keep, build.document),
        world: Arc::clone(&build.world),
    }))
}

impl Sink for Metric {
    fn write<'a>(&'a mut self, events: &'a [Event]) -> Work<'a, Outcomes> {
        let now_ms = self.world.now_ms();
        let mut shown = Vec::with_capacity(events.len());
        let outcomes = events
            .iter()
            .map(|event| {
                let (key, data) = self.number.of(event, now_ms)?;
                let context = Arc::clone(&event.context);
                shown.push((Some(key), Event { context, data }));
                Ok(None)
            })
            .collect();
        self.rows.add(shown);
        Box::pin(ready(outcomes))
    }
}

impl Number {
    pub(crate) fn new(build: &Build) -> Result<Number, Problem> {
        Ok(Number {
            name: build.text("name")?,
            value: build.expr("value")?,
            key: build.optional_expr("key")?,
            unit: build.optional_text("unit"),
        })
    }

    /// What the number is of, and what people see. Without a key there is one number, of `null`.
    pub(crate) fn of(&self, event: &Event, now_ms: i64) -> Result<(Value, Value), Failure> {
        let key = match &self.key {
            Some(key) => eval_key("key", key, event, now_ms)?,
            None => Value::Null,
        };
        let value = eval("value", &self.value, event, now_ms)?;
        if !value.as_f64().is_some_and(f64::is_finite) {
            return Err(Failure::invalid(format!(
                "`value`: `{}` is no number for this event; let it make one",
                self.value
            )));
        }
        let mut data = Object::with_capacity(4);
        if self.key.is_some() {
            data.insert("key", key.clone());
        }
        data.insert("name", self.name.clone());
        if let Some(unit) = &self.unit {
            data.insert("unit", unit.clone());
        }
        data.insert("value", value);
        Ok((key, Value::from(data)))
    }
}

fn spec() -> KindSpec {
    KindSpec {
        id: "metric".into(),
        family: Family::Sink,
        title: "Metric".into(),
        summary: "Shows a number that people decide by.".into(),
        doc: "Keeps the newest number, or the newest number of each key. Nothing is computed here: to count or to add up, put an aggregate in front. An event whose value is no number is given up.".into(),
        icon: "gauge".into(),
        inputs: vec![PortSpec::data("in", "Events with the number")],
        outputs: vec![],
        config: vec![FieldSpec::new("name", "Name", FieldType::Text, "What the number is called").required(), FieldSpec::new("value", "Value", FieldType::Jq { role: JqRole::Value }, "The number").required(), FieldSpec::new("key", "Key", FieldType::Jq { role: JqRole::Key }, "One number for each key; the newest wins"), FieldSpec::new("unit", "Unit", FieldType::Text, "What it is measured in, such as `EUR`"), FieldSpec::new("keep", "Keep", FieldType::Integer { min: 1, max: 100_000 }, "Keys that are kept; the oldest go first").default_to(1_000).advanced()],
        behaviour: Behaviour::Observe { observation: Observation::Metric },
        resource: None,
        since: "0.1.0".into(),
    }
}

#[cfg(test)]
mod tests {
    use graph_model::value;

    use super::super::testing::{Project, event, json, told};

    fn shown(project: &Project) -> Vec<String> {
        let rows = project.shared.view(&"m".into()).expect("has run").rows(10);
        rows.iter().map(|event| event.data.to_json()).collect()
    }

    #[tokio::test]
    async fn the_newest_number_of_each_key_is_kept() {
        let mut project = Project::new();
        let config =
            value!({"name": "Open orders", "value": ".n", "key": ".k", "unit": "EUR", "keep": 2});
        let mut metric = project.sink("m", "metric", &config).expect("builds");
        let texts = [
            r#"{"k":"a","n":1}"#,
            r#"{"k":"b","n":2}"#,
            r#"{"k":"c","n":0.5}"#,
            r#"{"k":"b","n":3}"#,
            r#"{"k":"c","n":"7"}"#,
            r#"{"n":4}"#,
        ];
        let events = texts.map(|text| event(text, json(text)));
        assert_eq!(
            told(&metric.write(&events).await)[4..],
            [
                "Invalid: `value`: `.n` is no number for this event; let it make one",
                "Invalid: `key`: `.k` is null for this event; use a field that every event has",
            ]
        );
        assert_eq!(
            shown(&project),
            [
                r#"{"key":"c","name":"Open orders","unit":"EUR","value":0.5}"#,
                r#"{"key":"b","name":"Open orders","unit":"EUR","value":3}"#,
            ]
        );
    }

    #[tokio::test]
    async fn without_a_key_there_is_one_number() {
        let mut project = Project::new();
        let config = value!({"name": "Total", "value": "."});
        let mut metric = project.sink("m", "metric", &config).expect("builds");
        let events = [event("1", value!(1)), event("2", value!(2))];
        assert_eq!(told(&metric.write(&events).await), ["ok", "ok"]);
        assert_eq!(shown(&project), [r#"{"name":"Total","value":2}"#]);
    }
}
