//! Map: one event in, one out.

use graph_model::catalog::{Behaviour, Family, FieldSpec, FieldType, JqRole, KindSpec, PortSpec};
use runtime_protocol::Problem;

use crate::kind::{Build, Kind, Make};
use crate::operator::Operator;

pub(crate) fn kind() -> Kind {
    Kind {
        spec: spec(),
        make: Make::Operator(make),
    }
}

fn make(build: &Build) -> Result<Box<dyn Operator>, Problem> {
    Err(build.problem("this kind cannot run yet"))
}

fn spec() -> KindSpec {
    KindSpec {
        id: "map".into(),
        family: Family::Operator,
        title: "Map".into(),
        summary: "Makes a new payload from the event.".into(),
        doc: "A jq expression that yields one value. It sees the payload as `.` and the context as `$event`. An event that it cannot handle fails.".into(),
        icon: "map".into(),
        inputs: vec![PortSpec::data("in", "Events to handle")],
        outputs: vec![PortSpec::data("out", "Events with the new payload"), PortSpec::failed("Events that were given up, with their cause")],
        config: vec![FieldSpec::new("expr", "Expression", FieldType::Jq { role: JqRole::Mapping }, "Such as `.total = .price * .count`").default_to(".").required()],
        behaviour: Behaviour::Map { expr: "expr".into() },
        since: "0.1.0".into(),
    }
}
