//! Files that appear in a folder, as events.

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
        id: "file_watch".into(),
        family: Family::Source,
        title: "Folder".into(),
        summary: "Reads files that appear in a folder.".into(),
        doc: "Each file is read once, when it has stopped growing; what was read is remembered across restarts. When the folder vanishes the node says so and waits for it to come back.".into(),
        icon: "folder".into(),
        inputs: vec![],
        outputs: vec![PortSpec::data("out", "One event for each record"), PortSpec::failed("Records that could not be read, with their place")],
        config: vec![FieldSpec::new("folder", "Folder", FieldType::Path { folder: true }, "Folder inside the project").default_to("inbox").required(), FieldSpec::new("pattern", "Pattern", FieldType::Text, "Names that count; `*` stands for any characters").default_to("*"), FieldSpec::new("format", "Format", FieldType::choice(&["jsonl", "json", "csv", "text"]), "How a file becomes events: `jsonl` and `csv` one a line, `json` and `text` one a file").default_to("jsonl"), FieldSpec::new("event_type", "Event type", FieldType::EventType, "Type of the events, declared in the document"), FieldSpec::new("settle", "Settle time", FieldType::Duration, "A file counts as complete when it has not changed for this long").default_to("200ms").advanced()],
        behaviour: Behaviour::Source { ty: "event_type".into(), delivery: Delivery::Resumable, keyed_by_id: true },
        since: "0.1.0".into(),
    }
}
