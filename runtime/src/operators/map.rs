//! Map: one event in, one out.

use graph_model::catalog::{Behaviour, Family, FieldSpec, FieldType, JqRole, KindSpec, PortSpec};
use graph_model::event::Event;
use runtime_protocol::Problem;

use crate::kind::{Build, Kind, Make};
use crate::operator::{Context, Operator, Output};
use crate::operators::expression::Expression;

pub(crate) fn kind() -> Kind {
    Kind {
        spec: spec(),
        make: Make::Operator(make),
    }
}

fn make(build: &Build) -> Result<Box<dyn Operator>, Problem> {
    let expr = Expression::of_field(build, "expr")?;
    Ok(Box::new(Map { expr }))
}

struct Map {
    expr: Expression,
}

impl Operator for Map {
    fn hands_on(&self) -> bool {
        self.expr.code().trim() == "."
    }

    fn on_event(&mut self, mut event: Event, _input: usize, ctx: &Context<'_>, out: &mut Output) {
        match self.expr.value(&event, ctx) {
            Ok(data) => {
                event.data = data;
                out.emit(0, event);
            }
            Err(failure) => out.fail(event, failure),
        }
    }
}

fn spec() -> KindSpec {
    KindSpec {
        id: "map".into(),
        family: Family::Operator,
        title: "Map".into(),
        summary: "Makes a new payload from the event.".into(),
        doc: "A jq expression that yields one value. It sees the payload as `.` and the context as `$event`. Of several values the first counts; an event for which there is none, or that the expression cannot handle, fails as it came.".into(),
        icon: "map".into(),
        inputs: vec![PortSpec::data("in", "Events to handle")],
        outputs: vec![PortSpec::data("out", "Events with the new payload"), PortSpec::failed("Events that were given up, with their cause")],
        config: vec![FieldSpec::new("expr", "Expression", FieldType::Jq { role: JqRole::Mapping }, "Such as `.total = .price * .count`").default_to(".").required()],
        behaviour: Behaviour::Map { expr: "expr".into() },
        resource: None,
        since: "0.1.0".into(),
    }
}

#[cfg(test)]
mod tests {
    use graph_model::value;

    use crate::delivery::Share;
    use crate::operators::testing::{Bench, event};

    #[test]
    fn the_payload_is_new_and_the_context_the_same() {
        let mut bench = Bench::new("map", value!({"expr": ".id = $event.id | .n += 1"}));
        let output = bench.handle(event("e7", 5, value!({"n": 1})), &Share::none());
        assert_eq!(bench.show(&output), [r#"out {"id":"e7","n":2}"#]);
        assert_eq!(output.emitted[0].1.context.time_ms, 5);
        assert_eq!(&*output.emitted[0].1.context.id, "e7");
    }

    #[test]
    fn an_event_that_fails_is_given_up_as_it_came() {
        let mut bench = Bench::new("map", value!({"expr": ".done = true | .n = .n * .m"}));
        let came = event("e1", 0, value!({"n": [1], "m": 2}));
        let output = bench.handle(came.clone(), &Share::none());
        assert_eq!(output.failed[0].0, came);
        assert!(output.emitted.is_empty());
        let mut bench = Bench::new("map", value!({"expr": "empty"}));
        assert_eq!(
            bench.feed(value!(1)),
            ["failed Invalid: `expr`: the expression has no output for this event"]
        );
    }

    #[test]
    fn an_expression_that_is_none_is_refused_with_its_place() {
        let message = Bench::refusal("map", value!({"expr": ".a | lenght"}));
        assert!(
            message.starts_with("`expr`: 1:6: the filter `lenght`"),
            "{message}"
        );
        assert_eq!(
            Bench::refusal("map", value!({"expr": " "})),
            "`expr` is empty; fill it in"
        );
    }
}
