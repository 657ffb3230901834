//! Events that a person hands in.

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
        id: "manual".into(),
        family: Family::Source,
        title: "Manual".into(),
        summary: "Sends the events you give it.".into(),
        doc: "Inject an event with the play button on the node, from the events panel or with `weir inject`.".into(),
        icon: "hand".into(),
        inputs: vec![],
        outputs: vec![PortSpec::data("out", "The events")],
        config: vec![FieldSpec::new("data", "Payload", FieldType::Json, "What the button sends"), FieldSpec::new("event_type", "Event type", FieldType::EventType, "Type of the events, declared in the document")],
        behaviour: Behaviour::Source { ty: "event_type".into(), delivery: Delivery::Once, keyed_by_id: true },
        since: "0.1.0".into(),
    }
}
