//! Merge: several streams become one.

use graph_model::catalog::{Behaviour, Family, KindSpec, PortSpec};

pub(crate) fn spec() -> KindSpec {
    KindSpec {
        id: "merge".into(),
        family: Family::Operator,
        title: "Merge".into(),
        summary: "Joins several streams into one.".into(),
        doc: "Events pass in the order in which they arrive; between streams there is no order."
            .into(),
        icon: "merge".into(),
        inputs: vec![PortSpec::data("in", "Streams to join")],
        outputs: vec![PortSpec::data("out", "All events")],
        config: vec![],
        behaviour: Behaviour::Merge,
        since: "0.1.0".into(),
    }
}
