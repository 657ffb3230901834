//! Merge: several streams become one.

use graph_model::catalog::{Behaviour, Family, KindSpec, PortSpec};
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
        id: "merge".into(),
        family: Family::Operator,
        title: "Merge".into(),
        summary: "Joins several streams into one.".into(),
        doc: "Events pass in the order in which they arrive; between streams there is no order."
            .into(),
        icon: "merge".into(),
        inputs: vec![PortSpec::data("in", "Streams to join")],
        outputs: vec![PortSpec::data("out", "All events")],
        config: vec![],
        behaviour: Behaviour::Merge,
        since: "0.1.0".into(),
    }
}
