//! `weir inject`: events sent into a flow that runs.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use graph_model::catalog::{Catalog, Family};
use graph_model::document::Document;
use graph_model::id::{EdgeId, NodeId};
use graph_model::value::Value;
use runtime_protocol::{Answer, Command, Target};
use serde::Deserialize;
use smol_str::SmolStr;

use super::out::Out;
use super::{Stop, Verdict};
use desk::control::Line;
use desk::flow_file;

/// Send events into a flow that runs
#[derive(Args)]
pub(super) struct Inject {
    /// The flow that runs, or its folder
    #[arg(value_name = "FILE|FOLDER")]
    project: PathBuf,
    /// The source that sends the events out, the node that they go into, or the wire that they take
    node: String,
    /// The payload as JSON; `@file` reads a file and `-` standard input, where each JSON value is an
    /// event
    data: String,
    /// Event type; without it the one of the source
    #[arg(long = "type", value_name = "TYPE")]
    ty: Option<SmolStr>,
    /// Id of the event, when there is only one
    #[arg(long)]
    id: Option<SmolStr>,
    /// Answer in JSON, one line an event: {"id": ...}
    #[arg(long)]
    json: bool,
}

impl Inject {
    pub(super) fn run(self, out: &Out) -> Result<Verdict, Stop> {
        let payloads = payloads(&self.data)?;
        if self.id.is_some() && payloads.len() != 1 {
            return Err(Stop::because(format!(
                "`--id` is for one event, and there are {}; leave it out",
                payloads.len()
            )));
        }
        let project = super::project_of(&self.project)?;
        let mut line = Line::open(&project)?;
        // The running flow may have moved on from its file: then the engine decides.
        let target = match flow_file::read(&self.project) {
            Ok(flow) => target(&flow.document, &self.node)?,
            Err(_) => Target::Source(self.node.as_str().into()),
        };
        for data in payloads {
            let answer = line.call(&Command::Inject {
                target: target.clone(),
                data,
                ty: self.ty.clone(),
                id: self.id.clone(),
            })?;
            let Answer::Injected { id } = answer else {
                continue;
            };
            if self.json {
                out.json(&serde_json::json!({ "id": id }))?;
            } else {
                out.line(id)?;
            }
        }
        Ok(Verdict::Well)
    }
}

/// The events that the argument stands for.
fn payloads(data: &str) -> Result<Vec<Value>, Stop> {
    let (place, bytes) = if data == "-" {
        let mut bytes = Vec::new();
        let read = std::io::stdin().lock().read_to_end(&mut bytes);
        ("standard input".to_owned(), read.map(|_| bytes))
    } else if let Some(path) = data.strip_prefix('@') {
        (path.to_owned(), fs::read(Path::new(path)))
    } else {
        ("the payload".to_owned(), Ok(data.as_bytes().to_vec()))
    };
    let bytes = bytes.map_err(|error| Stop::because(format!("{place}: {error}")))?;
    let mut values = Vec::new();
    let mut stream = serde_json::Deserializer::from_slice(&bytes);
    while stream.end().is_err() {
        let value = Value::deserialize(&mut stream).map_err(|error| {
            Stop::because(format!(
                "{place} is not JSON: {error}; quote a text like '\"this\"'"
            ))
        })?;
        values.push(value);
    }
    if values.is_empty() {
        return Err(Stop::because(format!("{place} is empty; send JSON")));
    }
    Ok(values)
}

/// A source sends out itself; into another node an event takes the wire that leads there.
fn target(document: &Document, name: &str) -> Result<Target, Stop> {
    let id = NodeId::from(name);
    let Some(node) = document.nodes.get(&id) else {
        let edge = EdgeId::from(name);
        return if document.edges.contains_key(&edge) {
            Ok(Target::Edge(edge))
        } else {
            Ok(Target::Source(id))
        };
    };
    let family = Catalog::bundled().get(&node.kind).map(|kind| kind.family);
    if family == Some(Family::Source) {
        return Ok(Target::Source(id));
    }
    let into: Vec<&EdgeId> = document
        .edges
        .iter()
        .filter(|(_, edge)| edge.to.node == id)
        .map(|(edge, _)| edge)
        .collect();
    match into[..] {
        [edge] => Ok(Target::Edge(edge.clone())),
        [] => Err(Stop::because(format!(
            "{name}: no wire leads into it; draw one first"
        ))),
        _ => Err(Stop::because(format!(
            "{name}: several wires lead into it; name one: {}",
            into.iter()
                .map(|edge| edge.as_str())
                .collect::<Vec<_>>()
                .join(", ")
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_json_value_is_an_event() {
        let texts = |data: &str| match payloads(data) {
            Ok(values) => values
                .iter()
                .map(Value::to_json)
                .collect::<Vec<_>>()
                .join("|"),
            Err(Stop::Unusable(reason)) => reason,
            Err(Stop::ReaderGone) => unreachable!("nothing is written"),
        };
        assert_eq!(texts(r#"{"a": 1}"#), r#"{"a":1}"#);
        assert_eq!(texts("1\n[2]\n\"three\"\n"), r#"1|[2]|"three""#);
        assert!(texts("hello").starts_with("the payload is not JSON"));
        assert!(texts(r#"{"a": 1} x"#).contains("not JSON"));
        assert!(texts("").contains("empty"));
        assert!(texts("@no/such/file").starts_with("no/such/file: "));
    }

    #[test]
    fn a_name_becomes_the_place_that_events_enter() {
        let text = r#"{"version": 1,
            "nodes": {"in": {"kind": "manual"}, "out": {"kind": "view"}, "two": {"kind": "merge"}, "lone": {"kind": "view"}},
            "edges": {"a": {"from": "in.out", "to": "out.in"}, "b": {"from": "in.out", "to": "two.in"},
                "c": {"from": "out.out", "to": "two.in"}}}"#;
        let document = graph_model::format::open(text.as_bytes())
            .expect("a flow")
            .document;
        for (name, wanted) in [
            ("in", "Source(in)"),
            ("out", "Edge(a)"),
            ("b", "Edge(b)"),
            ("drawn_since", "Source(drawn_since)"),
            ("two", "name one: b, c"),
            ("lone", "no wire leads into it"),
        ] {
            let found = match target(&document, name) {
                Ok(Target::Source(id)) => format!("Source({id})"),
                Ok(Target::Edge(id)) => format!("Edge({id})"),
                Err(stop) => format!("{stop:?}"),
            };
            assert!(found.contains(wanted), "{name}: {found}");
        }
    }
}
