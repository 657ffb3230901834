//! Split: one event becomes many.

use std::sync::Arc;

use graph_model::catalog::{Behaviour, Family, FieldSpec, FieldType, JqRole, KindSpec, PortSpec};
use graph_model::event::Event;
use graph_model::schema::Types;
use graph_model::value::Value;
use runtime_protocol::Problem;
use smol_str::format_smolstr;

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
    Ok(Box::new(Split {
        expr: Expression::of_field(build, "expr")?,
        limit: build.whole("limit")? as usize,
    }))
}

struct Split {
    expr: Expression,
    limit: usize,
}

impl Split {
    fn elements(&self, event: &Event, ctx: &Context<'_>) -> Result<Arc<Vec<Value>>, Failure> {
        let elements = match self.expr.value(event, ctx)? {
            Value::Arr(elements) => elements,
            other => {
                let found = Types::of(&other);
                let reason = format!("expected an array, found {found}; make one, as with `[.]`");
                return Err(self.expr.refuse(reason));
            }
        };
        if elements.len() > self.limit {
            let (found, limit) = (elements.len(), self.limit);
            let reason = format!("{found} elements are more than {limit}; raise `limit`");
            return Err(self.expr.refuse(reason));
        }
        Ok(elements)
    }
}

impl Operator for Split {
    fn on_event(&mut self, event: Event, _input: usize, ctx: &Context<'_>, out: &mut Output) {
        match self.elements(&event, ctx) {
            Ok(elements) => {
                let id = &event.context.id;
                for (index, element) in elements.iter().enumerate() {
                    out.emit(
                        0,
                        event.derive(format_smolstr!("{id}/{index}"), element.clone()),
                    );
                }
            }
            Err(failure) => out.fail(event, failure),
        }
    }
}

fn spec() -> KindSpec {
    KindSpec {
        id: "split".into(),
        family: Family::Operator,
        title: "Split".into(),
        summary: "Makes one event of each element.".into(),
        doc: "A jq expression that yields an array; each element becomes an event of its own, with the id of the event, a slash and its place. An event without an array fails whole.".into(),
        icon: "split".into(),
        inputs: vec![PortSpec::data("in", "Events to handle")],
        outputs: vec![PortSpec::data("out", "One event for each element"), PortSpec::failed("Events that were given up, with their cause")],
        config: vec![FieldSpec::new("expr", "Elements", FieldType::Jq { role: JqRole::Mapping }, "Such as `.items`").default_to(".").required(), FieldSpec::new("limit", "At most", FieldType::Integer { min: 1, max: 1_000_000 }, "An event with more elements fails").default_to(10_000).advanced()],
        behaviour: Behaviour::Split { expr: "expr".into() },
        resource: None,
        since: "0.1.0".into(),
    }
}

#[cfg(test)]
mod tests {
    use graph_model::event::extension;
    use graph_model::value;

    use crate::delivery::Share;
    use crate::operators::testing::{Bench, event};

    #[test]
    fn elements_become_events_that_name_their_cause() {
        let mut bench = Bench::new("split", value!({"expr": ".items"}));
        let came = event("e1", 7, value!({"items": ["a", {"n": 1}]}));
        let output = bench.handle(came, &Share::none());
        assert_eq!(bench.show(&output), ["out \"a\"", r#"out {"n":1}"#]);
        let ids: Vec<_> = output
            .emitted
            .iter()
            .map(|(_, event)| event.context.id.as_str())
            .collect();
        assert_eq!(ids, ["e1/0", "e1/1"]);
        let context = &output.emitted[1].1.context;
        assert_eq!(context.extensions[extension::CAUSATION], "e1");
        assert_eq!(context.time_ms, 7);
    }

    #[test]
    fn what_cannot_be_split_fails_whole() {
        let mut bench = Bench::new("split", value!({"expr": ".items", "limit": 2}));
        assert_eq!(bench.feed(value!({"items": []})), [""; 0]);
        for (data, line) in [
            (
                value!({"items": [1, 2, 3]}),
                "failed Invalid: `expr`: 3 elements are more than 2; raise `limit`",
            ),
            (
                value!({"items": "abc"}),
                "failed Invalid: `expr`: expected an array, found a string; make one, as with `[.]`",
            ),
        ] {
            assert_eq!(bench.feed(data), [line]);
        }
    }
}
