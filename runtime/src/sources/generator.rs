//! Made-up events from a seed.

use graph_model::catalog::{Behaviour, Delivery, Family, FieldSpec, FieldType, KindSpec, PortSpec};
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
        id: "generator".into(),
        family: Family::Source,
        title: "Generator".into(),
        summary: "Makes up events, the same ones for the same seed.".into(),
        doc: "Each field is made by a small recipe. Keys may be skewed: with skew 1 the most frequent key is twice as frequent as the second.".into(),
        icon: "dice".into(),
        inputs: vec![],
        outputs: vec![PortSpec::data("out", "The events")],
        config: vec![FieldSpec::new("rate", "Rate", FieldType::Number { min: 0.0, max: 1e7 }, "Events a second; 0 is as fast as the flow takes them").default_to(10), FieldSpec::new("count", "Count", FieldType::Integer { min: 0, max: 1_000_000_000 }, "Events in all; 0 never ends").default_to(0), FieldSpec::new("seed", "Seed", FieldType::Integer { min: 0, max: i64::MAX }, "Same seed, same events").default_to(42), FieldSpec::new("event_type", "Event type", FieldType::EventType, "Type of the events, declared in the document"), FieldSpec::new("fields", "Fields", FieldType::Records { fields: recipe() }, "How the payload is made")],
        behaviour: Behaviour::Source { ty: "event_type".into(), delivery: Delivery::Once, keyed_by_id: true },
        since: "0.1.0".into(),
    }
}

fn recipe() -> Vec<FieldSpec> {
    let number = FieldType::Number {
        min: -1e12,
        max: 1e12,
    };
    vec![
        FieldSpec::new("name", "Name", FieldType::Text, "Name of the field").required(),
        FieldSpec::new(
            "makes",
            "Makes",
            FieldType::choice(&[
                "counter", "integer", "number", "key", "choice", "text", "time", "flag",
            ]),
            "Recipe",
        )
        .default_to("counter"),
        FieldSpec::new("min", "From", number.clone(), "Least number").default_to(0),
        FieldSpec::new("max", "To", number, "Greatest number, or how many keys").default_to(100),
        FieldSpec::new(
            "decimals",
            "Decimals",
            FieldType::Integer { min: 0, max: 9 },
            "Decimals of a number",
        )
        .default_to(2),
        FieldSpec::new(
            "options",
            "Options",
            FieldType::Texts,
            "Values to choose from",
        ),
        FieldSpec::new(
            "prefix",
            "Prefix",
            FieldType::Text,
            "What keys and texts start with",
        ),
        FieldSpec::new(
            "skew",
            "Skew",
            FieldType::Number { min: 0.0, max: 5.0 },
            "How uneven keys and choices are",
        )
        .default_to(0),
    ]
}
