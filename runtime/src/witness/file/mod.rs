//! Witnesses as files: `NAME.witness.json`, described in `docs/specs/witness.md`.

mod read;
#[cfg(test)]
mod tests;

use graph_model::document::Document;
use graph_model::format;
use graph_model::pointer::Pointer;
use graph_model::validate::Subject;
use graph_model::value::{Object, ParseError, Value};
use sha2::{Digest, Sha256};

use super::Witness;
use crate::simulate::{Fact, Fault, FaultKind, Limits, Place, Point};

/// The version of the format that this Weir writes.
pub const VERSION: i64 = 1;
/// What tells such a file from others.
const MARK: &str = "witness";
/// Address of the published JSON Schema.
const SCHEMA_URI: &str = "https://weir.dev/schema/witness.v1.schema.json";

/// Why bytes are no witness, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WitnessError {
    #[error("{0}")]
    NotJson(#[from] ParseError),
    #[error("no witness: it has no `\"weir\": \"witness\"`; write one with `weir witness`")]
    NotAWitness,
    #[error(
        "written by a newer Weir (format {version}, this one reads up to {VERSION}); update Weir to replay it"
    )]
    Newer { version: i64 },
    #[error("`{at}`: {message}")]
    Field { at: Pointer, message: String },
}

impl Witness {
    /// The text of its file: the same witness is always the same bytes.
    pub fn to_text(&self) -> String {
        let fields: Vec<String> = self.fields().into_iter().map(line).collect();
        let flow = format::write(&self.document);
        // The flow is laid out as in its own file.
        let flow = flow.trim_end().replace('\n', "\n  ");
        format!("{{\n{},\n  \"flow\": {flow}\n}}\n", fields.join(",\n"))
    }

    /// Reads a file.
    pub fn parse(bytes: &[u8]) -> Result<Witness, WitnessError> {
        read::witness(bytes)
    }

    /// Everything but the flow, in the order in which people read it.
    fn fields(&self) -> Vec<(&'static str, Value)> {
        let scenario = &self.scenario;
        let mut of = Object::new();
        of.insert("name", self.flow.clone());
        of.insert("digest", self.digest.clone());
        let partitions = scenario.partitions.map(u64::from);
        let fact = self.finding.fact.map(u64::from);
        vec![
            ("$schema", SCHEMA_URI.into()),
            ("weir", MARK.into()),
            ("version", VERSION.into()),
            ("code", self.code.clone().into()),
            ("subject", subject(&self.subject).into()),
            ("of", of.into()),
            ("explanation", texts(&self.explanation)),
            ("facts", scenario.facts.iter().map(told).collect()),
            ("faults", scenario.faults.iter().map(fault).collect()),
            ("partitions", partitions.map_or(Value::Null, whole)),
            ("seed", whole(scenario.seed)),
            ("limits", limits(&scenario.limits).into()),
            ("principals", texts(&self.principals)),
            ("oracle", self.finding.oracle.id().into()),
            ("at", self.finding.at.clone().into()),
            ("observed", self.finding.observed.clone()),
            ("expected", self.finding.expected.clone()),
            ("fact", fact.map_or(Value::Null, whole)),
            ("trace", self.hash.to_string().into()),
            ("tried", whole(self.tried.into())),
        ]
    }
}

/// A field on a line of its own, and each item of a list too.
fn line((name, value): (&'static str, Value)) -> String {
    let items = value.as_array().filter(|items| !items.is_empty());
    let Some(items) = items else {
        return format!("  \"{name}\": {}", value.to_json());
    };
    let items: Vec<String> = items
        .iter()
        .map(|item| format!("    {}", item.to_json()))
        .collect();
    format!("  \"{name}\": [\n{}\n  ]", items.join(",\n"))
}

/// Identifies what a flow says, however its file is written.
pub fn digest(document: &Document) -> String {
    let hash = Sha256::digest(format::write(document));
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn subject(subject: &Subject) -> Object {
    let mut object = Object::new();
    object.insert("kind", subject.word());
    object.insert("id", subject.text());
    object
}

fn limits(limits: &Limits) -> Object {
    let mut object = Object::new();
    object.insert("steps", whole(limits.steps_max));
    object.insert("duration_us", whole(limits.duration_us));
    object.insert("in_flight", whole(limits.in_flight_max));
    object.insert("bytes", whole(limits.bytes_max));
    object
}

fn told(fact: &Fact) -> Value {
    let mut object = Object::new();
    object.insert("source", fact.source.as_str());
    object.insert("at_us", whole(fact.at_us));
    object.insert("event", fact.event.to_cloudevent());
    object.into()
}

fn fault(fault: &Fault) -> Value {
    let mut object = Object::new();
    object.insert("what", fault.kind.sort().name());
    match &fault.place {
        Place::Node(node) => object.insert("node", node.as_str()),
        Place::Edge(edge) => object.insert("edge", edge.as_str()),
    };
    object.insert("nth", whole(fault.nth));
    match fault.kind {
        FaultKind::Duplicate { after_us } => {
            object.insert("after_us", whole(after_us));
        }
        FaultKind::Replay { back } => {
            object.insert("back", whole(back.into()));
        }
        FaultKind::Delay { by_us } | FaultKind::Late { by_us } => {
            object.insert("by_us", whole(by_us));
        }
        FaultKind::Crash(point) => {
            object.insert("point", point_name(point));
        }
        FaultKind::Clock { ms } => {
            object.insert("ms", ms);
        }
        FaultKind::Slow { times } => {
            object.insert("times", whole(times.into()));
        }
        FaultKind::Lose | FaultKind::Recycle | FaultKind::Refuse => {}
    }
    object.into()
}

/// When something breaks down, as files spell it.
const POINTS: [(&str, Point); 3] = [
    ("before_effect", Point::BeforeEffect),
    ("before_ack", Point::BeforeAck),
    ("after_ack", Point::AfterAck),
];

fn point_name(point: Point) -> &'static str {
    let named = POINTS.iter().find(|(_, one)| *one == point);
    named.map_or("before_effect", |(name, _)| name)
}

fn texts<T: AsRef<str>>(texts: &[T]) -> Value {
    texts
        .iter()
        .map(|text| Value::from(text.as_ref()))
        .collect()
}

fn whole(number: u64) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}
