//! Aggregate: one result for each group.

use graph_model::catalog::{Behaviour, Family, FieldSpec, FieldType, JqRole, KindSpec, PortSpec};
use runtime_protocol::Problem;

use crate::kind::{Build, Kind, Make};
use crate::operator::Operator;

pub(crate) fn kind() -> Kind {
    Kind {
        spec: spec(),
        make: Make::Operator(make),
    }
}

fn make(build: &Build) -> Result<Box<dyn Operator>, Problem> {
    Err(build.problem("this kind cannot run yet"))
}

fn spec() -> KindSpec {
    KindSpec {
        id: "aggregate".into(),
        family: Family::Operator,
        title: "Aggregate".into(),
        summary: "Folds the events of a group into one result.".into(),
        doc: "Without a window it folds for ever and sends the new result after every event (an update of the old one). With a window, a result is sent when the window closes: after a span of event time, or after a number of events. Open windows close when the input ends. Each partition has groups of its own.".into(),
        icon: "sigma".into(),
        inputs: vec![PortSpec::data("in", "Events to handle")],
        outputs: vec![PortSpec::data("out", "Results by group"), PortSpec::data("late", "Events whose window had closed"), PortSpec::failed("Events that could not be folded")],
        config: vec![FieldSpec::new("group", "Group by", FieldType::Jq { role: JqRole::Key }, "Events with the same key are folded together; empty folds all").required(), FieldSpec::new("aggregates", "Results", FieldType::Records { fields: fold() }, "What is computed for each group").required(), FieldSpec::new("window", "Window", FieldType::choice(&["none", "time", "count"]), "When a result is complete").default_to("none"), FieldSpec::new("size", "Span", FieldType::Duration, "Length of a time window").default_to("1m"), FieldSpec::new("count", "Events", FieldType::Integer { min: 1, max: 1_000_000_000 }, "Events in a count window").default_to(100), FieldSpec::new("lateness", "Lateness", FieldType::Duration, "How long a time window waits for events that come late").default_to("0s").advanced()],
        behaviour: Behaviour::Aggregate { group: "group".into(), aggregates: "aggregates".into(), window: "window".into() },
        since: "0.1.0".into(),
    }
}

fn fold() -> Vec<FieldSpec> {
    vec![
        FieldSpec::new("name", "Name", FieldType::Text, "Field of the result").required(),
        FieldSpec::new(
            "function",
            "Function",
            FieldType::choice(&[
                "count",
                "sum",
                "min",
                "max",
                "average",
                "first",
                "last",
                "count_distinct",
                "list",
            ]),
            "How values are folded",
        )
        .default_to("count"),
        FieldSpec::new(
            "of",
            "Of",
            FieldType::Jq {
                role: JqRole::Value,
            },
            "What is folded; `count` needs none",
        ),
    ]
}
