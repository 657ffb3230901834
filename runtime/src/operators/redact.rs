//! Redact: takes fields away before others see them.

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
        id: "redact".into(),
        family: Family::Operator,
        title: "Redact".into(),
        summary: "Removes or hides fields.".into(),
        doc: "`remove` takes the field out, `mask` puts stars in its place, `hash` puts a keyed fingerprint in its place: equal values stay equal.".into(),
        icon: "redact".into(),
        inputs: vec![PortSpec::data("in", "Events to handle")],
        outputs: vec![PortSpec::data("out", "Events without the fields"), PortSpec::failed("Events that were given up, with their cause")],
        config: vec![FieldSpec::new("fields", "Fields", FieldType::Pointers, "Fields to hide, such as `/patient/name`").required(), FieldSpec::new("how", "How", FieldType::choice(&["remove", "mask", "hash"]), "What is left").default_to("remove"), FieldSpec::new("secret", "Key", FieldType::Secret, "Environment variable with the key of the fingerprint").advanced()],
        behaviour: Behaviour::Redact { fields: "fields".into() },
        since: "0.1.0".into(),
    }
}
