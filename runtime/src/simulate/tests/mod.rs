//! Simulations of small flows.

mod express;
mod faults;
mod flows;
mod limits;
mod live;
mod reference;
mod samples;
mod stores;
mod time;

use std::path::Path;
use std::sync::Arc;

use graph_model::document::Document;
use graph_model::event::{Event, EventContext};
use graph_model::value;
use graph_model::value::{Object, Value};
use smol_str::format_smolstr;

use super::*;

/// A flow of `id: kind {config}` lines, with what is declared behind a `^`, and `from.port -> to.port`
/// lines.
pub(super) fn flow(lines: &str) -> Arc<Document> {
    let mut nodes = Object::new();
    let mut edges = Object::new();
    let lines = lines.lines().map(str::trim).filter(|line| !line.is_empty());
    for (number, line) in lines.enumerate() {
        if let Some((from, to)) = line.split_once(" -> ") {
            let (to, config) = to.split_once(' ').unwrap_or((to, "{}"));
            let mut edge = object(config);
            edge.insert("from", from);
            edge.insert("to", to);
            edges.insert(format!("e{number}"), edge);
        } else {
            let (id, rest) = line.split_once(": ").expect("id: kind {config}");
            let (rest, declared) = rest.split_once(" ^").unwrap_or((rest, "{}"));
            let (kind, config) = rest.split_once(' ').unwrap_or((rest, "{}"));
            let mut node = object("{}");
            node.insert("kind", kind);
            node.insert("config", object(config));
            if declared != "{}" {
                node.insert("declared", object(declared));
            }
            nodes.insert(id, node);
        }
    }
    let text = value!({"version": 1, "nodes": (nodes), "edges": (edges)}).to_json();
    let opened = graph_model::format::open(text.as_bytes()).expect("a flow");
    assert!(opened.notes.is_empty(), "{:?}", opened.notes);
    Arc::new(opened.document)
}

fn object(json: &str) -> Object {
    let value = Value::parse(json.as_bytes(), 10_000).expect("JSON");
    value.as_object().expect("an object").clone()
}

/// Facts of the source `in`, a millisecond apart, each made at its own time.
pub(super) fn facts(payloads: &[&str]) -> Arc<[Fact]> {
    let fact = |(number, payload): (usize, &&str)| Fact {
        source: "in".into(),
        at_us: number as u64 * 1_000,
        event: event(number, payload),
    };
    payloads.iter().enumerate().map(fact).collect()
}

pub(super) fn event(number: usize, payload: &str) -> Event {
    Event {
        context: Arc::new(EventContext {
            id: format_smolstr!("f{number}"),
            source: "/in".into(),
            ty: "fact".into(),
            time_ms: EPOCH_MS + number as i64,
            ..EventContext::default()
        }),
        data: Value::parse(payload.as_bytes(), 10_000).expect("JSON"),
    }
}

pub(super) fn simulation(document: &Arc<Document>, scenario: &Scenario) -> Simulation {
    let catalog = crate::catalog::catalog();
    let project = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../samples"));
    let made = Simulation::new(document, &catalog, project, scenario);
    made.unwrap_or_else(|problems| panic!("{problems:?}"))
}

pub(super) fn play(lines: &str, scenario: &Scenario) -> Outcome {
    simulation(&flow(lines), scenario).run()
}

pub(super) fn given(payloads: &[&str]) -> Scenario {
    Scenario {
        facts: facts(payloads),
        record: Record::Steps,
        ..Scenario::default()
    }
}

pub(super) fn shown(outcome: &Outcome, store: &str) -> String {
    let content = outcome.stores.get(store);
    content.map_or_else(
        || {
            format!(
                "no {store} in {:?}",
                outcome.stores.keys().collect::<Vec<_>>()
            )
        },
        |content| content.to_value().to_json(),
    )
}
