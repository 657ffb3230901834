//! Mediate: adapts one event type to another.

use std::sync::Arc;

use graph_model::catalog::{Behaviour, Family, FieldSpec, FieldType, JqRole, KindSpec, PortSpec};
use graph_model::event::Event;
use graph_model::schema::Schema;
use graph_model::value::Value;
use runtime_protocol::Problem;
use smol_str::{SmolStr, format_smolstr};

use crate::kind::{Build, Kind, Make};
use crate::operator::{Context, Failure, Operator, Output};
use crate::operators::expression::Expression;

pub(crate) fn kind() -> Kind {
    Kind {
        spec: spec(),
        make: Make::Operator(make),
    }
}

fn make(build: &Build) -> Result<Box<dyn Operator>, Problem> {
    Ok(Box::new(Mediate {
        expr: Expression::of_field(build, "expr")?,
        target: build.event_type("target")?,
    }))
}

struct Mediate {
    expr: Expression,
    target: Option<(SmolStr, Schema)>,
}

impl Mediate {
    fn adapt(&self, event: &Event, ctx: &Context<'_>) -> Result<Value, Failure> {
        let data = self.expr.value(event, ctx)?;
        if let Some((id, schema)) = &self.target {
            schema.check(&data).map_err(|violation| {
                self.expr
                    .refuse(format_smolstr!("made no `{id}`: {violation}"))
            })?;
        }
        Ok(data)
    }
}

impl Operator for Mediate {
    fn on_event(&mut self, mut event: Event, _input: usize, ctx: &Context<'_>, out: &mut Output) {
        match self.adapt(&event, ctx) {
            Ok(data) => {
                event.data = data;
                if let Some((id, _)) = &self.target
                    && event.context.ty != *id
                {
                    Arc::make_mut(&mut event.context).ty = id.clone();
                }
                out.emit(0, event);
            }
            Err(failure) => out.fail(event, failure),
        }
    }
}

fn spec() -> KindSpec {
    KindSpec {
        id: "mediate".into(),
        family: Family::Operator,
        title: "Mediate".into(),
        summary: "Adapts an event to the shape that the next node reads.".into(),
        doc: "A jq expression that makes the target type; what comes out is checked against its schema. Id and context stay, the type becomes the target. An event that does not fit fails as it came.".into(),
        icon: "mediate".into(),
        inputs: vec![PortSpec::data("in", "Events to handle")],
        outputs: vec![PortSpec::data("out", "Events of the target type"), PortSpec::failed("Events that were given up, with their cause")],
        config: vec![FieldSpec::new("expr", "Expression", FieldType::Jq { role: JqRole::Mapping }, "Such as `{id: .orderId, amount: (.total // 0)}`").default_to(".").required(), FieldSpec::new("target", "Target type", FieldType::EventType, "Type of the events that come out")],
        behaviour: Behaviour::Mediate { expr: "expr".into(), target: "target".into() },
        resource: None,
        since: "0.1.0".into(),
    }
}

#[cfg(test)]
mod tests {
    use graph_model::document::{Document, EventType};
    use graph_model::value;

    use super::*;
    use crate::delivery::Share;
    use crate::operators::testing::{Bench, event};

    fn readings() -> Document {
        let schema = value!({
            "type": "object", "required": ["celsius"],
            "properties": {"celsius": {"type": "number"}},
        });
        let reading = EventType {
            schema,
            ..EventType::default()
        };
        Document {
            types: [("reading".into(), Arc::new(reading))].into(),
            ..Document::default()
        }
    }

    #[test]
    fn what_comes_out_has_the_type_and_its_shape() {
        let config = value!({"expr": "{celsius: .c}", "target": "reading"});
        let mut bench = Bench::in_document("mediate", config, &readings());
        let output = bench.handle(event("e1", 0, value!({"c": 20.5})), &Share::none());
        assert_eq!(bench.show(&output), [r#"out {"celsius":20.5}"#]);
        let context = &output.emitted[0].1.context;
        assert_eq!((&*context.id, &*context.ty), ("e1", "reading"));
        assert_eq!(
            bench.feed(value!({"c": "20"})),
            [
                "failed Invalid: `expr`: made no `reading`: `/celsius` should be a number, found a string"
            ]
        );
    }

    #[test]
    fn a_target_is_declared_or_absent() {
        let config = value!({"expr": ".", "target": "none"});
        assert_eq!(
            Bench::refusal("mediate", config),
            "`target`: the event type `none` is not declared; declare it"
        );
        let mut bench = Bench::new("mediate", value!({"expr": ".a"}));
        let output = bench.handle(event("e1", 0, value!({"a": 1})), &Share::none());
        assert_eq!(&*output.emitted[0].1.context.ty, "test");
    }
}
