//! Events at fixed times.

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
        id: "schedule".into(),
        family: Family::Source,
        title: "Schedule".into(),
        summary: "Makes an event at every tick.".into(),
        doc: "An interval such as `10s`, or a cron expression with five fields (minute hour day month weekday, UTC). Ticks that were missed while the flow was stopped are not made up for.".into(),
        icon: "clock".into(),
        inputs: vec![],
        outputs: vec![PortSpec::data("out", "One event a tick")],
        config: vec![FieldSpec::new("every", "Every", FieldType::Schedule, "Interval such as `10s`, or a cron expression").default_to("10s").required(), FieldSpec::new("data", "Payload", FieldType::Json, "Payload of each event; `tick` and `time` are added to an object"), FieldSpec::new("event_type", "Event type", FieldType::EventType, "Type of the events, declared in the document")],
        behaviour: Behaviour::Source { ty: "event_type".into(), delivery: Delivery::Once, keyed_by_id: true },
        since: "0.1.0".into(),
    }
}
