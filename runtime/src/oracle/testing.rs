//! Small flows on trial.

use std::path::Path;
use std::sync::Arc;

use graph_model::document::Document;
use graph_model::event::{Event, EventContext};
use graph_model::validate::notation;
use graph_model::value::Value;
use smol_str::format_smolstr;

use super::{Context, Finding, Oracle};
use crate::simulate::{
    EPOCH_MS, Fact, Fault, FaultKind, Outcome, Place, Record, Scenario, Simulation,
};

/// A flow with what comes in and what goes wrong.
pub(super) struct Trial {
    pub(super) document: Arc<Document>,
    pub(super) scenario: Scenario,
}

impl Trial {
    /// Facts are lines `source {payload}`, a millisecond apart.
    pub(super) fn new(flow: &str, facts: &str) -> Trial {
        let document = notation::read(flow).unwrap_or_else(|error| panic!("{error} in {flow}"));
        let lines = facts.lines().map(str::trim).filter(|line| !line.is_empty());
        let facts = lines.enumerate().map(|(number, line)| {
            let (source, payload) = line.split_once(' ').expect("a source and a payload");
            let ty = document.nodes[source].config_str("event_type");
            let context = EventContext {
                id: format_smolstr!("f{number}"),
                source: format_smolstr!("/{source}"),
                ty: ty.unwrap_or("fact").into(),
                time_ms: EPOCH_MS + number as i64,
                ..EventContext::default()
            };
            let data = Value::parse(payload.as_bytes(), 10_000).expect("JSON");
            Fact {
                source: source.into(),
                at_us: number as u64 * 1_000,
                event: Event {
                    context: Arc::new(context),
                    data,
                },
            }
        });
        let scenario = Scenario {
            facts: facts.collect(),
            own_events: false,
            record: Record::Events,
            ..Scenario::default()
        };
        Trial {
            document: Arc::new(document),
            scenario,
        }
    }

    /// Lets something go wrong at a node, or on the first wire out of it where the place ends in ` ->`.
    pub(super) fn fault(mut self, kind: FaultKind, place: &str, nth: u64) -> Trial {
        let place = match place.strip_suffix(" ->") {
            Some(from) => {
                let mut edges = self.document.edges.iter();
                let edge = edges.find(|(_, edge)| edge.from.node.as_str() == from);
                Place::Edge(edge.expect("a wire").0.clone())
            }
            None => Place::Node(place.into()),
        };
        let mut faults = self.scenario.faults.to_vec();
        faults.push(Fault { kind, place, nth });
        self.scenario.faults = faults.into();
        self
    }

    pub(super) fn partitions(mut self, count: u32) -> Trial {
        self.scenario.partitions = Some(count);
        self
    }

    pub(super) fn play(&self, scenario: &Scenario) -> Outcome {
        let catalog = crate::catalog::catalog();
        let project = Path::new(env!("CARGO_MANIFEST_DIR"));
        let made = Simulation::new(&self.document, &catalog, project, scenario);
        made.unwrap_or_else(|problems| panic!("{problems:?}")).run()
    }

    pub(super) fn outcomes(&self) -> (Outcome, Outcome) {
        let run = self.play(&self.scenario);
        let reference = self.play(&self.scenario.reference(&run.facts));
        (run, reference)
    }

    pub(super) fn context(&self) -> Context {
        Context::new(&self.document, &crate::catalog::catalog())
    }

    /// What one oracle finds, as people read it.
    pub(super) fn judge(&self, oracle: Oracle) -> String {
        let (run, reference) = self.outcomes();
        let findings = oracle.judge(&run, &reference, &self.context());
        shown(&findings)
    }
}

pub(super) fn shown(findings: &[Finding]) -> String {
    let lines: Vec<String> = findings.iter().map(Finding::to_string).collect();
    lines.join("\n")
}
