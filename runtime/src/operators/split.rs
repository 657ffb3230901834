//! Split: one event becomes many.

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
        id: "split".into(),
        family: Family::Operator,
        title: "Split".into(),
        summary: "Makes one event of each element.".into(),
        doc: "A jq expression that yields an array; each element becomes an event of its own, with an id that says where it came from.".into(),
        icon: "split".into(),
        inputs: vec![PortSpec::data("in", "Events to handle")],
        outputs: vec![PortSpec::data("out", "One event for each element"), PortSpec::failed("Events that were given up, with their cause")],
        config: vec![FieldSpec::new("expr", "Elements", FieldType::Jq { role: JqRole::Mapping }, "Such as `.items`").default_to(".").required(), FieldSpec::new("limit", "At most", FieldType::Integer { min: 1, max: 1_000_000 }, "An event with more elements fails").default_to(10_000).advanced()],
        behaviour: Behaviour::Split { expr: "expr".into() },
        since: "0.1.0".into(),
    }
}
