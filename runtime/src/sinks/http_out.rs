//! HTTP request to somebody else.

use graph_model::catalog::{Behaviour, Family, FieldSpec, FieldType, JqRole, KindSpec, PortSpec};
use runtime_protocol::Problem;

use crate::catalog::with_reliability;
use crate::kind::{Build, Kind, Make};
use crate::rim::Sink;

pub(crate) fn kind() -> Kind {
    Kind {
        spec: spec(),
        make: Make::Sink(make),
    }
}

fn make(build: &Build) -> Result<Box<dyn Sink>, Problem> {
    Err(build.problem("this kind cannot run yet"))
}

fn spec() -> KindSpec {
    KindSpec {
        id: "http_out".into(),
        family: Family::Sink,
        title: "HTTP request".into(),
        summary: "Sends each event to an address.".into(),
        doc: "2xx counts as done; 408, 425, 429, 5xx and broken connections are tried again; everything else is given up.".into(),
        icon: "send".into(),
        inputs: vec![PortSpec::data("in", "Events to send")],
        outputs: vec![PortSpec::data("out", "The answers, as events"), PortSpec::failed("Events that were given up, with their cause")],
        config: with_reliability(vec![FieldSpec::new("url", "Address", FieldType::Url, "Where to send it").required(), FieldSpec::new("method", "Method", FieldType::choice(&["POST", "PUT", "PATCH", "GET", "DELETE"]), "Method").default_to("POST"), FieldSpec::new("body", "Body", FieldType::Jq { role: JqRole::Mapping }, "What is sent").default_to("."), FieldSpec::new("headers", "Headers", FieldType::Table, "Header names and values; `$NAME` stands for an environment variable"), FieldSpec::new("timeout", "Timeout", FieldType::Duration, "Longest wait for the answer").default_to("10s"), FieldSpec::new("key", "Idempotency key", FieldType::Jq { role: JqRole::Key }, "Sent as `Idempotency-Key`")]),
        behaviour: Behaviour::Effect { key: "key".into() },
        since: "0.1.0".into(),
    }
}
