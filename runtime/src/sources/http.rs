//! HTTP endpoint: webhooks with a signature check, and request with response.

use graph_model::catalog::{
    Behaviour, Delivery, Family, FieldSpec, FieldType, KindSpec, PortRole, PortSpec,
};
use runtime_protocol::Problem;

use crate::kind::{Build, Kind, Make};
use crate::rim::Source;

pub(crate) fn kind() -> Kind {
    Kind {
        spec: spec(),
        make: Make::Source(make),
    }
}

fn make(build: &Build) -> Result<Box<dyn Source>, Problem> {
    Err(build.problem("this kind cannot run yet"))
}

fn spec() -> KindSpec {
    KindSpec {
        id: "http".into(),
        family: Family::Source,
        title: "HTTP endpoint".into(),
        summary: "Receives events as HTTP requests.".into(),
        doc: "Answers 2xx only when the event is safe: everything up to the next channel or sink has taken it. With `respond` set to `reply`, the request waits for an event at the `reply` port. Listens on this machine unless told otherwise.".into(),
        icon: "globe".into(),
        inputs: vec![PortSpec { name: "reply".into(), doc: "Answers to waiting requests".into(), role: PortRole::Reply, each: None }],
        outputs: vec![PortSpec::data("out", "One event for each accepted request")],
        config: vec![FieldSpec::new("path", "Path", FieldType::Text, "Path of the address, such as `/orders`").default_to("/").required(), FieldSpec::new("method", "Method", FieldType::choice(&["POST", "PUT", "GET", "ANY"]), "Requests that are accepted").default_to("POST"), FieldSpec::new("listen", "Listen on", FieldType::Text, "Address and port; nodes with the same one share it").default_to("127.0.0.1:8787"), FieldSpec::new("event_type", "Event type", FieldType::EventType, "Type of the events, declared in the document"), FieldSpec::new("respond", "Respond", FieldType::choice(&["accepted", "reply"]), "`accepted`: 202 once the event is safe; `reply`: the event that arrives at the reply port").default_to("accepted"), FieldSpec::new("check", "Check", FieldType::choice(&["none", "signature", "token"]), "What a request must show to be let in").default_to("none"), FieldSpec::new("secret", "Secret", FieldType::Secret, "Environment variable with the signing key or the token"), FieldSpec::new("signature_header", "Signature header", FieldType::Text, "Header with the HMAC-SHA256 of the body").default_to("X-Hub-Signature-256").advanced(), FieldSpec::new("signature_form", "Signature form", FieldType::choice(&["sha256=hex", "hex", "base64", "stripe"]), "How the header spells the signature").default_to("sha256=hex").advanced(), FieldSpec::new("id_header", "Id header", FieldType::Text, "Header with the id of the delivery; copies of one delivery carry the same").advanced(), FieldSpec::new("type_header", "Type header", FieldType::Text, "Header with the type of the event").advanced(), FieldSpec::new("max_body", "Largest body", FieldType::Bytes, "Larger requests are refused with 413").default_to("1 MiB").advanced(), FieldSpec::new("reply_timeout", "Reply timeout", FieldType::Duration, "A request without a reply is answered 504 after this time").default_to("10s").advanced()],
        behaviour: Behaviour::Source { ty: "event_type".into(), delivery: Delivery::CallerRetries, keyed_by_id: true },
        since: "0.1.0".into(),
    }
}
