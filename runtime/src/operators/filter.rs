//! Filter: lets events pass that meet a condition.

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
        id: "filter".into(),
        family: Family::Operator,
        title: "Filter".into(),
        summary: "Lets events pass that meet a condition.".into(),
        doc: "Other events go to `dropped`, or nowhere when nothing is wired there.".into(),
        icon: "filter".into(),
        inputs: vec![PortSpec::data("in", "Events to handle")],
        outputs: vec![
            PortSpec::data("out", "Events that meet it"),
            PortSpec::data("dropped", "Events that do not"),
            PortSpec::failed("Events on which the condition failed"),
        ],
        config: vec![
            FieldSpec::new(
                "when",
                "Condition",
                FieldType::Jq {
                    role: JqRole::Predicate,
                },
                "Such as `.value >= 50`",
            )
            .default_to("true")
            .required(),
        ],
        behaviour: Behaviour::Filter {
            predicate: "when".into(),
        },
        since: "0.1.0".into(),
    }
}
