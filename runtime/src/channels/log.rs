//! Log: partitions by key, order within a partition, positions.

use graph_model::catalog::{Behaviour, Family, FieldSpec, FieldType, JqRole, KindSpec, PortSpec};

use crate::kind::{Kind, Make};

pub(crate) fn kind() -> Kind {
    Kind {
        spec: spec(),
        make: Make::Channel(super::ChannelKind::Log),
    }
}

fn spec() -> KindSpec {
    KindSpec {
        id: "log".into(),
        family: Family::Channel,
        title: "Log".into(),
        summary: "Keeps events in order of arrival, split into partitions by key.".into(),
        doc: "Each outgoing wire is a consumer group with a position in every partition. Within a partition events are delivered one after the other; after a failure delivery goes on from the last acknowledged position. Holds its events in memory. A transactional log shows an event only once the delivery that brought it is settled well; when that was given up, it is as if the event had never come. So what is delivered again does not stand in it twice. Deliveries of a log whose events get into a transactional one go out one by one in each partition. Events that come with no delivery, such as those of a generator, can be read at once, and what operators remember (a window, a sum) is not taken back: count behind the log, not in front of it. A delivery that brings more than the log can hold is given up.".into(),
        icon: "log".into(),
        inputs: vec![PortSpec::data("in", "Events to append")],
        outputs: vec![PortSpec::data("out", "A consumer group for each wire"), PortSpec::failed("Events that failed as often as allowed, with their cause")],
        config: vec![FieldSpec::new("key", "Key", FieldType::Jq { role: JqRole::Key }, "Events with the same key are in the same partition"), FieldSpec::new("partitions", "Partitions", FieldType::Integer { min: 1, max: 1024 }, "Number of partitions; each is handled by an instance of its own").default_to(1), FieldSpec::new("transactional", "Transactional", FieldType::Bool, "What a delivery sends here can be read only once that delivery is settled well, and goes when it was given up").default_to(false), FieldSpec::new("capacity", "Capacity", FieldType::Integer { min: 1, max: 10_000_000 }, "Events that wait at most; senders wait when it is full").default_to(10_000), FieldSpec::new("max_attempts", "Attempts", FieldType::Integer { min: 1, max: 1000 }, "Deliveries before an event is given up").default_to(5), FieldSpec::new("backoff", "Back-off", FieldType::Duration, "Pause before the second delivery; doubled each time, at most 60 s").default_to("500ms").advanced()],
        behaviour: Behaviour::Log { key: "key".into(), partitions: "partitions".into(), transactional: "transactional".into() },
        resource: None,
        since: "0.1.0".into(),
    }
}
