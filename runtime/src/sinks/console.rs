//! Console: prints events.

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
        id: "console".into(),
        family: Family::Sink,
        title: "Console".into(),
        summary: "Prints each event.".into(),
        doc: "In the designer it fills the log; on the command line it writes to standard output."
            .into(),
        icon: "console".into(),
        inputs: vec![PortSpec::data("in", "Events to print")],
        outputs: vec![],
        config: vec![
            FieldSpec::new(
                "format",
                "Format",
                FieldType::Jq {
                    role: JqRole::Mapping,
                },
                "What is printed",
            )
            .default_to("."),
        ],
        behaviour: Behaviour::Observe {
            observation: Observation::Console,
        },
        since: "0.1.0".into(),
    }
}
