//! Tests what people assume of a node: the same facts swapped, repeated or parted must come to what
//! was claimed. A claim that falls does so by a case that shows it.

mod payload;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use graph_model::catalog::{Behaviour, Catalog, Family, KindSpec};
use graph_model::document::{Document, Edge, Node};
use graph_model::id::{Id, NodeId, PortRef};
use graph_model::value::Value;
use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use smol_str::SmolStr;

use self::payload::Payloads;
use crate::oracle::{Context, Finding, Oracle};
use crate::simulate::{Content, EPOCH_MS, Fact, Outcome, Record, Scenario, Simulation};

/// Claims that swapped, repeated or parted facts can refute, in the words of documents.
pub const CLAIMS: [&str; 4] = ["commutative", "idempotent", "ordered", "partial"];

/// Facts of one case at most.
const FACTS_MAX: usize = 5;

/// What became of a claim.
#[derive(Clone, Debug)]
pub enum Verdict {
    Refuted(Box<Case>),
    /// It held in so many cases.
    Stands {
        cases: usize,
    },
    /// Why it cannot be tested.
    Untested(String),
}

/// Facts that come to one thing as they happened, and to another one as they came.
#[derive(Clone, Debug)]
pub struct Case {
    pub claim: SmolStr,
    pub node: NodeId,
    pub happened: Vec<Fact>,
    pub came: Vec<Fact>,
    pub observed: Value,
    pub expected: Value,
    /// Cases that were tried, this one included.
    pub cases: usize,
}

/// Everything that is claimed in a document and can be tested.
pub fn claims(document: &Document) -> impl Iterator<Item = (&NodeId, &SmolStr)> {
    document.nodes.iter().flat_map(|(id, node)| {
        let claimed = node.notes.assumptions.keys();
        let known = claimed.filter(|claim| CLAIMS.contains(&claim.as_str()));
        known.map(move |claim| (id, claim))
    })
}

/// Looks for a case that refutes what is claimed of a node, in so many cases at most. The node is
/// taken out of its flow: what is claimed has to hold for whatever may come.
pub fn refute(
    document: &Document,
    (node, claim): (&NodeId, &str),
    catalog: &Catalog,
    project: &Path,
    cases_max: usize,
) -> Verdict {
    let untested = |why: &str| Verdict::Untested(why.to_owned());
    let Some(held) = document.nodes.get(node) else {
        return untested("the node is not there");
    };
    let Some(kind) = catalog.get(&held.kind) else {
        return untested("nobody knows what the node does");
    };
    if matches!(kind.behaviour, Behaviour::Effect { .. }) {
        return untested("what an action does twice is known outside only");
    }
    let payloads = Payloads::of(held, kind);
    let alone = Arc::new(alone(document, node, held, kind));
    let scenario = Scenario {
        own_events: false,
        record: Record::Off,
        ..Scenario::default()
    };
    let made = Simulation::new(&alone, catalog, project, &scenario);
    let mut trial = match made {
        Ok(simulation) => Trial {
            simulation,
            context: Context::new(&alone, catalog),
            scenario,
        },
        Err(problems) => {
            return Verdict::Untested(problems.first().map_or(String::new(), ToString::to_string));
        }
    };
    let mut chance = Pcg64Mcg::seed_from_u64(0x00a5_500e);
    let mut telling = 0;
    for number in 1..=cases_max {
        let happened = payloads.facts(&mut chance, FACTS_MAX);
        let (came, found) = match claim {
            "idempotent" => {
                let came = repeated(&happened, &mut chance);
                (came.clone(), trial.differ(&happened, &came))
            }
            "commutative" | "ordered" => {
                let came = shuffled(&happened, &mut chance);
                (came.clone(), trial.differ(&happened, &came))
            }
            "partial" => {
                let (one, other): (Vec<Fact>, Vec<Fact>) = happened
                    .iter()
                    .cloned()
                    .partition(|_| below(&mut chance, 2) == 0);
                let found = trial.parts_differ(held, &happened, &one, &other);
                ([one, other].concat(), found)
            }
            _ => return untested("no run can refute this claim"),
        };
        match found {
            Difference::Nothing => {}
            Difference::Same => telling += 1,
            Difference::Is(observed, expected) => {
                return Verdict::Refuted(Box::new(Case {
                    claim: claim.into(),
                    node: node.clone(),
                    happened,
                    came,
                    observed,
                    expected,
                    cases: number,
                }));
            }
        }
    }
    if telling == 0 {
        return untested("the node made nothing of any event that was tried");
    }
    Verdict::Stands { cases: telling }
}

/// How two plays compare.
enum Difference {
    /// Nothing came out.
    Nothing,
    Same,
    Is(Value, Value),
}

struct Trial {
    simulation: Simulation,
    context: Context,
    scenario: Scenario,
}

impl Trial {
    fn play(&mut self, facts: &[Fact]) -> Option<Outcome> {
        let scenario = Scenario {
            facts: facts.into(),
            ..self.scenario.clone()
        };
        self.simulation.reset(&scenario).ok()?;
        Some(self.simulation.run())
    }

    fn differ(&mut self, happened: &[Fact], came: &[Fact]) -> Difference {
        let (Some(wanted), Some(found)) = (self.play(happened), self.play(came)) else {
            return Difference::Nothing;
        };
        if wanted.stores.values().all(Content::is_empty) {
            return Difference::Nothing;
        }
        let mut findings = Oracle::D1.judge(&found, &wanted, &self.context);
        if findings.is_empty() {
            return Difference::Same;
        }
        let Finding {
            observed, expected, ..
        } = findings.swap_remove(0);
        Difference::Is(observed, expected)
    }

    /// Whether the results of two parts are, put together, not that of the whole.
    fn parts_differ(
        &mut self,
        node: &Node,
        all: &[Fact],
        one: &[Fact],
        other: &[Fact],
    ) -> Difference {
        let plays = [all, one, other].map(|facts| self.play(facts));
        let [Some(whole), Some(one), Some(other)] = plays else {
            return Difference::Nothing;
        };
        let whole = results(&whole);
        if whole.is_empty() {
            return Difference::Nothing;
        }
        let (one, other) = (results(&one), results(&other));
        for (key, wanted) in &whole {
            let parts = [one.get(key), other.get(key)];
            let parts: Vec<&Value> = parts.into_iter().flatten().collect();
            let together = combined(node, &parts);
            if !together
                .as_ref()
                .is_some_and(|together| same(together, wanted, node))
            {
                return Difference::Is(together.unwrap_or_default(), wanted.clone());
            }
        }
        Difference::Same
    }
}

/// The node alone, with a source in front of it and, where it sends something, a view behind.
fn alone(document: &Document, id: &NodeId, node: &Node, kind: &KindSpec) -> Document {
    let mut alone = Document {
        types: document.types.clone(),
        ..Document::default()
    };
    let (source, seen) = (Id::new("facts"), Id::new("seen"));
    let mut connect = |from: PortRef, to: PortRef| {
        let name = Id::new(format!("wire{}", alone.edges.len()));
        alone.edges.insert(name, Edge::new(from, to).into());
    };
    if let Some(input) = kind.inputs.first() {
        let to = PortRef::new(id.clone(), input.name.clone());
        connect(PortRef::new(source.clone(), "out"), to);
    }
    alone.nodes.insert(source, Node::new("manual").into());
    alone.nodes.insert(id.clone(), node.clone().into());
    let output = kind.outputs.first().filter(|_| kind.family != Family::Sink);
    if let Some(output) = output {
        let from = PortRef::new(id.clone(), output.name.clone());
        let name = Id::new("shown");
        let edge = Edge::new(from, PortRef::new(seen.clone(), "in"));
        alone.edges.insert(name, edge.into());
        alone.nodes.insert(seen, Node::new("view").into());
    }
    alone
}

/// The last result of each key.
fn results(outcome: &Outcome) -> BTreeMap<Value, Value> {
    let mut last = BTreeMap::new();
    for content in outcome.stores.values() {
        if let Content::Shown(rows) = content {
            for (_, row) in rows {
                last.insert(row.get("key").cloned().unwrap_or_default(), row.clone());
            }
        }
    }
    last
}

/// Columns of an aggregate with their functions.
fn columns(node: &Node) -> Vec<(SmolStr, SmolStr)> {
    let records = node.config.get("aggregates").and_then(Value::as_array);
    let text = |record: &Value, field: &str, otherwise: &str| {
        let held = record.get(field).and_then(Value::as_str);
        SmolStr::from(held.unwrap_or(otherwise))
    };
    let records = records.unwrap_or_default().iter();
    records
        .map(|record| (text(record, "name", ""), text(record, "function", "count")))
        .collect()
}

/// What a later step makes of parts: it adds up counts and sums, and takes the least and the greatest;
/// of anything else, it can only take what one part says.
fn combined(node: &Node, parts: &[&Value]) -> Option<Value> {
    let (first, others) = parts.split_first()?;
    let mut together = (*first).clone();
    for part in others {
        for (name, function) in columns(node) {
            let field = graph_model::pointer::Pointer::root().child(name);
            let (one, other) = (field.get(&together)?.clone(), field.get(part)?.clone());
            let value = match function.as_str() {
                "count" | "sum" => match (&one, &other) {
                    (Value::Int(one), Value::Int(other)) => Value::Int(one + other),
                    _ => Value::Float(one.as_f64()? + other.as_f64()?),
                },
                "min" if other != Value::Null && (one == Value::Null || other < one) => other,
                "max" if other != Value::Null && (one == Value::Null || other > one) => other,
                _ => one,
            };
            field.set(&mut together, value);
        }
    }
    Some(together)
}

fn same(one: &Value, other: &Value, node: &Node) -> bool {
    columns(node)
        .iter()
        .all(|(name, _)| one.get(name) == other.get(name))
}

/// Some facts come again, later.
fn repeated(facts: &[Fact], chance: &mut Pcg64Mcg) -> Vec<Fact> {
    let mut came = facts.to_vec();
    for _ in 0..=below(chance, 2) {
        let fact = facts[below(chance, facts.len())].clone();
        let first = came.iter().position(|held| *held == fact).unwrap_or(0);
        let at = first + 1 + below(chance, came.len() - first);
        came.insert(at, fact);
    }
    paced(came)
}

fn shuffled(facts: &[Fact], chance: &mut Pcg64Mcg) -> Vec<Fact> {
    let mut came = facts.to_vec();
    for at in (1..came.len()).rev() {
        came.swap(at, below(chance, at + 1));
    }
    paced(came)
}

/// The facts one after the other.
fn paced(mut facts: Vec<Fact>) -> Vec<Fact> {
    for (number, fact) in facts.iter_mut().enumerate() {
        fact.at_us = number as u64 * 10_000;
    }
    facts
}

fn below(chance: &mut Pcg64Mcg, end: usize) -> usize {
    ((u128::from(chance.next_u64()) * (end.max(1) as u128)) >> 64) as usize
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} is not {}: {} instead of {}",
            self.node,
            self.claim,
            self.observed.to_json(),
            self.expected.to_json()
        )?;
        for (what, facts) in [("happened", &self.happened), ("came", &self.came)] {
            writeln!(f, "{what}:")?;
            for fact in facts {
                let after = fact.event.context.time_ms - EPOCH_MS;
                writeln!(f, "  {after} ms {}", fact.event.data.to_json())?;
            }
        }
        Ok(())
    }
}
