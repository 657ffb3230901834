//! Effect: an action that cannot be taken back.

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

pub(super) fn spec() -> KindSpec {
    KindSpec {
        id: "effect".into(),
        family: Family::Sink,
        title: "Effect".into(),
        summary: "Does something that cannot be taken back: a charge, a mail.".into(),
        doc: "Locally each action is written to a journal, one line each, so that you see what would have happened. With an idempotency key an action is done once for each key, however often it is asked for.".into(),
        icon: "bolt".into(),
        inputs: vec![PortSpec::data("in", "Actions to do")],
        outputs: vec![PortSpec::data("out", "Actions that were done"), PortSpec::failed("Events that were given up, with their cause")],
        config: with_reliability(vec![FieldSpec::new("action", "Action", FieldType::Text, "What is done, such as `charge card`").required(), FieldSpec::new("key", "Idempotency key", FieldType::Jq { role: JqRole::Key }, "Two requests with the same key are one action"), FieldSpec::new("journal", "Journal", FieldType::Path { folder: false }, "File inside the project that lists the actions").default_to("effects.jsonl")]),
        behaviour: Behaviour::Effect { key: "key".into() },
        since: "0.1.0".into(),
    }
}
