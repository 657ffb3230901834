//! Dead letters: where given-up events are kept.

use graph_model::catalog::{Behaviour, Family, FieldSpec, FieldType, KindSpec, PortSpec};
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
        id: "dead_letter".into(),
        family: Family::Sink,
        title: "Dead letters".into(),
        summary: "Keeps events that were given up, with their cause.".into(),
        doc: "Writes each event with its context to a file, one line each; the cause stands in its extension attributes.".into(),
        icon: "inbox".into(),
        inputs: vec![PortSpec::data("in", "Events that were given up")],
        outputs: vec![],
        config: vec![FieldSpec::new("file", "File", FieldType::Path { folder: false }, "File inside the project").default_to("dead-letters.jsonl")],
        behaviour: Behaviour::DeadLetter,
        since: "0.1.0".into(),
    }
}
