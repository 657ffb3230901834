//! Route: one of several ways.

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
        id: "route".into(),
        family: Family::Operator,
        title: "Route".into(),
        summary: "Sends each event down the first way whose condition it meets.".into(),
        doc: "Ways are tried in the order of their names. Events that meet none go to `otherwise`."
            .into(),
        icon: "route".into(),
        inputs: vec![PortSpec::data("in", "Events to handle")],
        outputs: vec![
            PortSpec::each("routes", "Events that meet this condition first"),
            PortSpec::data("otherwise", "Events that meet none"),
            PortSpec::failed("Events on which a condition failed"),
        ],
        config: vec![
            FieldSpec::new(
                "routes",
                "Ways",
                FieldType::JqTable {
                    role: JqRole::Predicate,
                },
                "Port name and condition",
            )
            .required(),
        ],
        behaviour: Behaviour::Route {
            routes: "routes".into(),
            otherwise: "otherwise".into(),
        },
        since: "0.1.0".into(),
    }
}
