//! Export: a file of JSON lines.

use graph_model::catalog::{
    Behaviour, Family, FieldSpec, FieldType, KindSpec, Observation, PortSpec,
};
use runtime_protocol::Problem;

use crate::catalog::with_reliability;
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
        id: "export".into(),
        family: Family::Sink,
        title: "Export".into(),
        summary: "Appends each event to a file.".into(),
        doc: "One JSON document a line: the payload, or the whole CloudEvent. Written in batches and acknowledged after the write.".into(),
        icon: "file".into(),
        inputs: vec![PortSpec::data("in", "Events to write")],
        outputs: vec![PortSpec::failed("Events that could not be written")],
        config: with_reliability(vec![FieldSpec::new("file", "File", FieldType::Path { folder: false }, "File inside the project").required(), FieldSpec::new("content", "Content", FieldType::choice(&["payload", "event"]), "What a line holds").default_to("payload"), FieldSpec::new("truncate", "Start empty", FieldType::Bool, "Empty the file when the flow starts").default_to(false)]),
        behaviour: Behaviour::Observe { observation: Observation::Export },
        since: "0.1.0".into(),
    }
}
