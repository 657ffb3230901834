//! Mediate: adapts one event type to another.

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
        id: "mediate".into(),
        family: Family::Operator,
        title: "Mediate".into(),
        summary: "Adapts an event to the shape that the next node reads.".into(),
        doc: "A jq expression that makes the target type; what comes out is checked against its schema.".into(),
        icon: "mediate".into(),
        inputs: vec![PortSpec::data("in", "Events to handle")],
        outputs: vec![PortSpec::data("out", "Events of the target type"), PortSpec::failed("Events that were given up, with their cause")],
        config: vec![FieldSpec::new("expr", "Expression", FieldType::Jq { role: JqRole::Mapping }, "Such as `{id: .orderId, amount: (.total // 0)}`").default_to(".").required(), FieldSpec::new("target", "Target type", FieldType::EventType, "Type of the events that come out")],
        behaviour: Behaviour::Mediate { expr: "expr".into(), target: "target".into() },
        since: "0.1.0".into(),
    }
}
