//! Repartition: moves events to the partition of their key.

use graph_model::catalog::{Behaviour, Family, FieldSpec, FieldType, JqRole, KindSpec, PortSpec};

use crate::kind::{Kind, Make};

pub(crate) fn kind() -> Kind {
    Kind {
        spec: spec(),
        make: Make::Repartition,
    }
}

fn spec() -> KindSpec {
    KindSpec {
        id: "repartition".into(),
        family: Family::Operator,
        title: "Repartition".into(),
        summary: "Moves each event to the partition of its key.".into(),
        doc: "Everything behind it works in as many instances as there are partitions, each with the events of its own keys.".into(),
        icon: "shuffle".into(),
        inputs: vec![PortSpec::data("in", "Events to handle")],
        outputs: vec![PortSpec::data("out", "Events by partition"), PortSpec::failed("Events that were given up, with their cause")],
        config: vec![FieldSpec::new("key", "Key", FieldType::Jq { role: JqRole::Key }, "Events with the same key meet in the same partition").required(), FieldSpec::new("partitions", "Partitions", FieldType::Integer { min: 1, max: 1024 }, "Number of partitions").default_to(4)],
        behaviour: Behaviour::Repartition { key: "key".into(), partitions: "partitions".into() },
        resource: None,
        since: "0.1.0".into(),
    }
}
