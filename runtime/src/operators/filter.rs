//! Filter: lets events pass that meet a condition.

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
    let when = Expression::of_field(build, "when")?;
    Ok(Box::new(Filter { when }))
}

struct Filter {
    when: Expression,
}

impl Operator for Filter {
    fn on_event(&mut self, event: Event, _input: usize, ctx: &Context<'_>, out: &mut Output) {
        match self.when.holds(&event, ctx) {
            Ok(true) => out.emit(0, event),
            Ok(false) => out.emit(1, event),
            Err(failure) => out.fail(event, failure),
        }
    }
}

fn spec() -> KindSpec {
    KindSpec {
        id: "filter".into(),
        family: Family::Operator,
        title: "Filter".into(),
        summary: "Lets events pass that meet a condition.".into(),
        doc: "Other events go to `dropped`, or nowhere when nothing is wired there.".into(),
        icon: "filter".into(),
        inputs: vec![PortSpec::data("in", "Events to handle")],
        outputs: vec![
            PortSpec::data("out", "Events that meet it"),
            PortSpec::data("dropped", "Events that do not"),
            PortSpec::failed("Events on which the condition failed"),
        ],
        config: vec![
            FieldSpec::new(
                "when",
                "Condition",
                FieldType::Jq {
                    role: JqRole::Predicate,
                },
                "Such as `.value >= 50`",
            )
            .default_to("true")
            .required(),
        ],
        behaviour: Behaviour::Filter {
            predicate: "when".into(),
        },
        resource: None,
        since: "0.1.0".into(),
    }
}

#[cfg(test)]
mod tests {
    use graph_model::value;

    use crate::operators::testing::Bench;

    #[test]
    fn events_part_at_the_condition() {
        let mut bench = Bench::new("filter", value!({"when": ".n > 1 or $event.type == \"x\""}));
        assert_eq!(bench.feed(value!({"n": 2})), [r#"out {"n":2}"#]);
        assert_eq!(bench.feed(value!({"n": 1})), [r#"dropped {"n":1}"#]);
        assert_eq!(
            bench.feed(value!([1])),
            ["failed Invalid: `when`: cannot index an array with \"n\""]
        );
        let mut bench = Bench::new("filter", value!({"when": "select(.n == 1)"}));
        assert_eq!(bench.feed(value!({"n": 2})), [r#"dropped {"n":2}"#]);
    }
}
