//! View: what an audience sees.

use graph_model::catalog::{
    Behaviour, Family, FieldSpec, FieldType, JqRole, KindSpec, Observation, PortSpec,
};
use runtime_protocol::Problem;

use crate::kind::{Build, Kind, Make};
use crate::rim::Sink;

pub(crate) fn kind() -> Kind {
    Kind {
        spec: spec(),
        make: Make::Sink(make),
    }
}

fn make(build: &Build) -> Result<Box<dyn Sink>, Problem> {
    Err(build.problem("this kind cannot run yet"))
}

fn spec() -> KindSpec {
    KindSpec {
        id: "view".into(),
        family: Family::Sink,
        title: "View".into(),
        summary: "Shows events to an audience.".into(),
        doc: "Keeps the newest row of each key, or the newest events when there is no key. Who looks sees only what the audience and the guards before it allow.".into(),
        icon: "eye".into(),
        inputs: vec![PortSpec::data("in", "Events to show")],
        outputs: vec![],
        config: vec![FieldSpec::new("key", "Key", FieldType::Jq { role: JqRole::Key }, "The newest event of each key is shown"), FieldSpec::new("keep", "Keep", FieldType::Integer { min: 1, max: 1_000_000 }, "Rows that are kept; the oldest go first").default_to(1_000)],
        behaviour: Behaviour::Observe { observation: Observation::View },
        since: "0.1.0".into(),
    }
}
