//! Guard: each viewer sees their own rows.

use graph_model::catalog::{Behaviour, Family, FieldSpec, FieldType, KindSpec, PortSpec};
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
        id: "guard".into(),
        family: Family::Operator,
        title: "Guard".into(),
        summary: "Ties each event to the viewers who own it.".into(),
        doc: "Behind it an event is shown only to viewers whose claim equals the field. Events without the field are stopped.".into(),
        icon: "guard".into(),
        inputs: vec![PortSpec::data("in", "Events to handle")],
        outputs: vec![PortSpec::data("out", "Events with an owner"), PortSpec::data("stopped", "Events without one")],
        config: vec![FieldSpec::new("field", "Owner field", FieldType::Pointer, "Field that names the owner, such as `/patient_id`").required(), FieldSpec::new("claim", "Claim", FieldType::Text, "What the viewer must have equal to it, such as `patient_id`").required()],
        behaviour: Behaviour::Guard { field: "field".into(), claim: "claim".into() },
        since: "0.1.0".into(),
    }
}
