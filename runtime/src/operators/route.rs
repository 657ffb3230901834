//! Route: one of several ways.

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
    let mut ways = Vec::new();
    for (port, (name, code)) in build.table("routes").into_iter().enumerate() {
        if TAKEN.contains(&&*name) {
            let message = format!("a way cannot be named `{name}`; choose another name");
            return Err(build.problem(message));
        }
        let field = format!("routes.{name}");
        ways.push((port as u16, Expression::new(build, &field, &code)?));
    }
    let otherwise = ways.len() as u16;
    Ok(Box::new(Route { ways, otherwise }))
}

/// Ports that are there without a way.
const TAKEN: [&str; 2] = ["otherwise", "failed"];

struct Route {
    ways: Vec<(u16, Expression)>,
    otherwise: u16,
}

impl Operator for Route {
    fn on_event(&mut self, event: Event, _input: usize, ctx: &Context<'_>, out: &mut Output) {
        for (port, when) in &self.ways {
            match when.holds(&event, ctx) {
                Ok(true) => return out.emit(*port, event),
                Ok(false) => {}
                Err(failure) => return out.fail(event, failure),
            }
        }
        out.emit(self.otherwise, event);
    }
}

fn spec() -> KindSpec {
    KindSpec {
        id: "route".into(),
        family: Family::Operator,
        title: "Route".into(),
        summary: "Sends each event down the first way whose condition it meets.".into(),
        doc: "Ways are tried in the order of their names. Events that meet none go to `otherwise`."
            .into(),
        icon: "route".into(),
        inputs: vec![PortSpec::data("in", "Events to handle")],
        outputs: vec![
            PortSpec::each("routes", "Events that meet this condition first"),
            PortSpec::data("otherwise", "Events that meet none"),
            PortSpec::failed("Events on which a condition failed"),
        ],
        config: vec![
            FieldSpec::new(
                "routes",
                "Ways",
                FieldType::JqTable {
                    role: JqRole::Predicate,
                },
                "Port name and condition",
            )
            .required(),
        ],
        behaviour: Behaviour::Route {
            routes: "routes".into(),
            otherwise: "otherwise".into(),
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
    fn the_first_way_by_name_that_fits_is_taken() {
        let routes = value!({"b": ".n > 1", "a": ".n > 2", "c": ".n.deep"});
        let mut bench = Bench::new("route", value!({"routes": routes}));
        for (data, line) in [
            (value!({"n": 3}), r#"a {"n":3}"#),
            (value!({"n": 2}), r#"b {"n":2}"#),
            (value!({"n": null}), r#"otherwise {"n":null}"#),
            (
                value!({"n": 1}),
                "failed Invalid: `routes.c`: cannot index 1 with \"deep\"",
            ),
        ] {
            assert_eq!(bench.feed(data), [line]);
        }
    }

    #[test]
    fn ways_do_not_hide_ports() {
        assert_eq!(
            Bench::refusal("route", value!({"routes": {"failed": "true"}})),
            "a way cannot be named `failed`; choose another name"
        );
    }
}
