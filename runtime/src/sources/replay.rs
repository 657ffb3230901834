//! Recorded events from a file.

use graph_model::catalog::{Behaviour, Delivery, Family, FieldSpec, FieldType, KindSpec, PortSpec};
use runtime_protocol::Problem;

use crate::kind::{Build, Kind, Make};
use crate::rim::Source;

pub(crate) fn kind() -> Kind {
    Kind {
        spec: spec(),
        make: Make::Source(make),
    }
}

fn make(build: &Build) -> Result<Box<dyn Source>, Problem> {
    Err(build.problem("this kind cannot run yet"))
}

fn spec() -> KindSpec {
    KindSpec {
        id: "replay".into(),
        family: Family::Source,
        title: "Replay".into(),
        summary: "Plays the events of a file.".into(),
        doc: "Reads JSON Lines or CSV from the start, once for each run. Unpaced, it goes as fast as the flow takes the events.".into(),
        icon: "rewind".into(),
        inputs: vec![],
        outputs: vec![PortSpec::data("out", "One event for each record"), PortSpec::failed("Records that could not be read, with their place")],
        config: vec![FieldSpec::new("file", "File", FieldType::Path { folder: false }, "File inside the project").required(), FieldSpec::new("format", "Format", FieldType::choice(&["jsonl", "csv"]), "How the file is written").default_to("jsonl"), FieldSpec::new("rate", "Rate", FieldType::Number { min: 0.0, max: 1e7 }, "Events a second; 0 is as fast as the flow takes them").default_to(0), FieldSpec::new("event_type", "Event type", FieldType::EventType, "Type of the events, declared in the document"), FieldSpec::new("id", "Id", FieldType::Pointer, "Field that identifies the event; file and line otherwise").advanced()],
        behaviour: Behaviour::Source { ty: "event_type".into(), delivery: Delivery::Resumable, keyed_by_id: true },
        since: "0.1.0".into(),
    }
}
