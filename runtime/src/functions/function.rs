//! WebAssembly functions as nodes.

use graph_model::catalog::{Behaviour, Family, FieldSpec, FieldType, KindSpec, PortSpec};
use runtime_protocol::Problem;

use crate::catalog::with_reliability;
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
        id: "function".into(),
        family: Family::Function,
        title: "Function".into(),
        summary: "Runs your code on each event, in a sandbox.".into(),
        doc: "A WebAssembly component with the contract `flow:function`. What it sends is released when it returns; when it fails, nothing of it is kept. It has no access to anything but what its imports name.".into(),
        icon: "function".into(),
        inputs: vec![PortSpec::data("in", "Events to handle")],
        outputs: vec![PortSpec::each("ports", "Events that the function sends here"), PortSpec::failed("Events that were given up, with their cause")],
        config: with_reliability(vec![FieldSpec::new("component", "Component", FieldType::Path { folder: false }, "WebAssembly component inside the project").required(), FieldSpec::new("ports", "Ports", FieldType::Texts, "Names of its output ports").default_to(vec!["ok".into()]), FieldSpec::new("config", "Configuration", FieldType::Table, "What the function reads with `config.get`"), FieldSpec::new("output_type", "Output type", FieldType::EventType, "Type of what it sends"), FieldSpec::new("time_limit", "Time limit", FieldType::Duration, "Longest call").default_to("1s").advanced(), FieldSpec::new("memory_limit", "Memory limit", FieldType::Bytes, "Largest memory").default_to("64 MiB").advanced(), FieldSpec::new("fresh", "Fresh instance", FieldType::Bool, "A new instance for each event: slower, and nothing is carried over").default_to(false).advanced()]),
        behaviour: Behaviour::Opaque { ty: Some("output_type".into()) },
        since: "0.1.0".into(),
    }
}
