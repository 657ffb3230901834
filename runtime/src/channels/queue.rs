//! Queue: competing consumers, redelivery, dead letters.

use graph_model::catalog::{Behaviour, Family, FieldSpec, FieldType, JqRole, KindSpec, PortSpec};

use crate::kind::{Kind, Make};

pub(crate) fn kind() -> Kind {
    Kind {
        spec: spec(),
        make: Make::Channel(super::ChannelKind::Queue),
    }
}

fn spec() -> KindSpec {
    KindSpec {
        id: "queue".into(),
        family: Family::Channel,
        title: "Queue".into(),
        summary: "Holds events until a consumer has finished with them.".into(),
        doc: "Delivers at least once: an event that is not acknowledged within the visibility timeout, or whose handling failed, comes again after a pause. Keeps no order unless a group key is set. Holds its events in memory.".into(),
        icon: "queue".into(),
        inputs: vec![PortSpec::data("in", "Events to hold")],
        outputs: vec![PortSpec::data("out", "Deliveries"), PortSpec::failed("Events that failed as often as allowed, with their cause")],
        config: vec![FieldSpec::new("capacity", "Capacity", FieldType::Integer { min: 1, max: 10_000_000 }, "Events that wait at most; senders wait when it is full").default_to(10_000), FieldSpec::new("max_attempts", "Attempts", FieldType::Integer { min: 1, max: 1000 }, "Deliveries before an event is given up").default_to(5), FieldSpec::new("backoff", "Back-off", FieldType::Duration, "Pause before the second delivery; doubled each time, at most 60 s").default_to("500ms").advanced(), FieldSpec::new("visibility", "Visibility timeout", FieldType::Duration, "A delivery that is not acknowledged after this time comes again").default_to("30s"), FieldSpec::new("concurrency", "Concurrency", FieldType::Integer { min: 1, max: 256 }, "Deliveries at once").default_to(1), FieldSpec::new("group", "Group key", FieldType::Jq { role: JqRole::Key }, "Events with the same key stay in order").advanced()],
        behaviour: Behaviour::Queue { fifo: Some("group".into()), concurrency: "concurrency".into() },
        resource: None,
        since: "0.1.0".into(),
    }
}
