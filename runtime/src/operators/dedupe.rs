//! Dedupe: each key once.

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
        id: "dedupe".into(),
        family: Family::Operator,
        title: "Dedupe".into(),
        summary: "Lets the first event of each key pass.".into(),
        doc: "Remembers keys for a time. Repetitions go to `repeated`, or nowhere when nothing is wired there. The memory is kept for each partition.".into(),
        icon: "dedupe".into(),
        inputs: vec![PortSpec::data("in", "Events to handle")],
        outputs: vec![PortSpec::data("out", "First events"), PortSpec::data("repeated", "Repetitions"), PortSpec::failed("Events without a usable key")],
        config: vec![FieldSpec::new("key", "Key", FieldType::Jq { role: JqRole::Key }, "What makes two events the same").default_to("$event.source + \"/\" + $event.id"), FieldSpec::new("ttl", "Remember for", FieldType::Duration, "How long a key is remembered").default_to("24h"), FieldSpec::new("capacity", "Capacity", FieldType::Integer { min: 1, max: 100_000_000 }, "Keys that are remembered at most; the oldest is forgotten first").default_to(1_000_000).advanced()],
        behaviour: Behaviour::Dedupe { key: "key".into(), ttl: "ttl".into() },
        since: "0.1.0".into(),
    }
}
