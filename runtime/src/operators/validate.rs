//! Validate: lets events pass that have a declared shape.

use graph_model::catalog::{Behaviour, Family, FieldSpec, FieldType, KindSpec, PortSpec};
use graph_model::event::Event;
use graph_model::schema::Schema;
use runtime_protocol::Problem;

use crate::kind::{Build, Kind, Make};
use crate::operator::{Context, Operator, Output};

pub(crate) fn kind() -> Kind {
    Kind {
        spec: spec(),
        make: Make::Operator(make),
    }
}

fn make(build: &Build) -> Result<Box<dyn Operator>, Problem> {
    let (_, schema) = build.event_type("event_type")?.ok_or_else(|| {
        build.problem("`event_type` is empty; say which event type the events should have")
    })?;
    Ok(Box::new(Validate { schema }))
}

struct Validate {
    schema: Schema,
}

impl Operator for Validate {
    fn on_event(&mut self, event: Event, _input: usize, _ctx: &Context<'_>, out: &mut Output) {
        match self.schema.check(&event.data) {
            Ok(()) => out.emit(OUT, event),
            Err(violation) => {
                let violation = violation.to_string();
                out.emit(INVALID, event.with_extension(VIOLATION, violation));
            }
        }
    }
}

const OUT: u16 = 0;
const INVALID: u16 = 1;

/// Extension attribute with what is wrong with an invalid event.
const VIOLATION: &str = "weirviolation";

fn spec() -> KindSpec {
    KindSpec {
        id: "validate".into(),
        family: Family::Operator,
        title: "Validate".into(),
        summary: "Lets events pass that have the shape of an event type.".into(),
        doc: "Checks the payload against the schema of the event type; keywords of the schema that Weir does not check are not checked here. Events pass as they came. Others go to `invalid`, or nowhere when nothing is wired there: as they came, with what is wrong with the first field that does not fit in the attribute `weirviolation`. They are no failures, so they are not tried again and are no dead letters. Nothing is remembered.".into(),
        icon: "validate".into(),
        inputs: vec![PortSpec::data("in", "Events to handle")],
        outputs: vec![PortSpec::data("out", "Events that have the shape"), PortSpec::data("invalid", "Events that do not, with what is wrong")],
        config: vec![FieldSpec::new("event_type", "Event type", FieldType::EventType, "The shape that events should have").required()],
        behaviour: Behaviour::Validate { ty: "event_type".into() },
        resource: None,
        since: "0.1.0".into(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use graph_model::document::{Document, EventType};
    use graph_model::value;

    use super::*;
    use crate::delivery::Share;
    use crate::operators::testing::{Bench, event};

    fn orders() -> Document {
        let order = EventType {
            schema: value!({
                "type": "object", "required": ["id"],
                "properties": {"id": {"type": "string"}, "total": {"type": "number"}},
            }),
            ..EventType::default()
        };
        Document {
            types: [("order".into(), Arc::new(order))].into(),
            ..Document::default()
        }
    }

    #[test]
    fn events_without_the_shape_leave_as_they_came_and_say_why() {
        let mut bench = Bench::in_document("validate", value!({"event_type": "order"}), &orders());
        let came = event("e1", 5, value!({"id": "a", "total": 3}));
        let output = bench.handle(came.clone(), &Share::none());
        assert_eq!(output.emitted, [(OUT, came)]);
        for (data, violation) in [
            (
                value!({"id": "a", "total": "3"}),
                "`/total` should be a number, found a string",
            ),
            (value!({"total": 3}), "`/id` is missing"),
            (value!(null), "the payload should be an object, found null"),
        ] {
            let came = event("e1", 5, data);
            let output = bench.handle(came.clone(), &Share::none());
            let wanted = came.with_extension(VIOLATION, violation);
            assert_eq!(output.emitted, [(INVALID, wanted)]);
            assert_eq!(output.failed.len(), 0);
        }
    }

    #[test]
    fn the_type_is_declared() {
        for (config, message) in [
            (
                value!({}),
                "`event_type` is empty; say which event type the events should have",
            ),
            (
                value!({"event_type": "order"}),
                "`event_type`: the event type `order` is not declared; declare it",
            ),
        ] {
            assert_eq!(Bench::refusal("validate", config), message);
        }
    }
}
