//! Topic: every subscription gets every event.

use graph_model::catalog::{Behaviour, Family, FieldSpec, FieldType, KindSpec, PortSpec};

use crate::kind::{Kind, Make};

pub(crate) fn kind() -> Kind {
    Kind {
        spec: spec(),
        make: Make::Channel(super::ChannelKind::Topic),
    }
}

fn spec() -> KindSpec {
    KindSpec {
        id: "topic".into(),
        family: Family::Channel,
        title: "Topic".into(),
        summary: "Gives every subscriber its own copy of each event.".into(),
        doc: "Each outgoing wire is a subscription with its own queue, retries and position; a slow one holds up no other until its own capacity is full. Keeps no order. Holds its events in memory.".into(),
        icon: "topic".into(),
        inputs: vec![PortSpec::data("in", "Events to publish")],
        outputs: vec![PortSpec::data("out", "A subscription for each wire"), PortSpec::failed("Events that failed as often as allowed, with their cause")],
        config: vec![FieldSpec::new("capacity", "Capacity", FieldType::Integer { min: 1, max: 10_000_000 }, "Events that wait at most; senders wait when it is full").default_to(10_000), FieldSpec::new("max_attempts", "Attempts", FieldType::Integer { min: 1, max: 1000 }, "Deliveries before an event is given up").default_to(5), FieldSpec::new("backoff", "Back-off", FieldType::Duration, "Pause before the second delivery; doubled each time, at most 60 s").default_to("500ms").advanced(), FieldSpec::new("visibility", "Visibility timeout", FieldType::Duration, "A delivery that is not acknowledged after this time comes again").default_to("30s")],
        behaviour: Behaviour::Topic,
        resource: None,
        since: "0.1.0".into(),
    }
}
