//! Makes a witness as small as it can be: fewer facts, then fewer faults, then less of the flow.

use std::collections::BTreeSet;
use std::sync::Arc;

use graph_model::document::Document;
use graph_model::id::{Id, NodeId};
use graph_model::validate::validate;
use smol_str::SmolStr;

use super::bench::Bench;
use super::graph::{self, Graph};
use super::{Case, Witness, digest, explain, templates};
use crate::oracle::{Finding, Oracle};
use crate::simulate::{Fact, Fault, Scenario, TraceHash};

/// Runs that making it smaller may take.
const RUNS_MAX: u32 = 300;
/// Facts that are too many to try without each of them.
const MANY: usize = 64;
/// Earlier events that are tried for a fault when facts in front of it were left out.
const EARLIER_MAX: u64 = 6;

/// A run that shows a hazard.
#[derive(Clone)]
pub(super) struct Shown {
    pub scenario: Scenario,
    pub finding: Finding,
    pub hash: TraceHash,
}

/// The witness of a run, made as small as it can be.
pub(super) fn witness(case: &Case<'_>, shown: Shown, tried: u32, bench: Bench<'_>) -> Witness {
    let mut shrink = Shrink {
        bench,
        left: RUNS_MAX,
    };
    let shown = shrink.scenario(shown);
    let (document, shown) = shrink.flow(case, shown);
    let explanation = shrink.explain(case, &document, &shown);
    let principals = principals(&document, &shown.finding, &shrink.bench);
    Witness {
        document,
        flow: case.flow.into(),
        digest: digest(case.document),
        code: case.found.code.into(),
        subject: case.found.subject.clone(),
        scenario: shown.scenario,
        principals,
        finding: shown.finding,
        hash: shown.hash,
        explanation,
        tried,
    }
}

struct Shrink<'b> {
    bench: Bench<'b>,
    left: u32,
}

impl Shrink<'_> {
    fn scenario(&mut self, mut shown: Shown) -> Shown {
        loop {
            let size = (shown.scenario.facts.len(), shown.scenario.faults.len());
            shown = self.facts(shown);
            shown = self.faults(shown);
            shown = self.partitions(shown);
            if size == (shown.scenario.facts.len(), shown.scenario.faults.len()) {
                return shown;
            }
        }
    }

    /// Leaves out halves, quarters and single facts as long as it still shows. Of very many, as few of the
    /// first as show it.
    fn facts(&mut self, mut shown: Shown) -> Shown {
        if shown.scenario.facts.len() > MANY {
            let (mut few, mut enough) = (0, shown.scenario.facts.len());
            while few + 1 < enough {
                let count = usize::midpoint(few, enough);
                match self.without(&shown, shown.scenario.facts[..count].to_vec()) {
                    Some(smaller) => (shown, enough) = (smaller, count),
                    None => few = count,
                }
            }
            if enough > MANY {
                return shown;
            }
        }
        let mut chunk = shown.scenario.facts.len().div_ceil(2);
        while chunk > 0 {
            // From the end: what happened first is easier to follow.
            let mut end = shown.scenario.facts.len();
            while end > 0 && shown.scenario.facts.len() > 1 {
                let facts = &shown.scenario.facts;
                let from = end.saturating_sub(chunk);
                let fewer: Vec<Fact> = [&facts[..from], &facts[end..]].concat();
                if let Some(smaller) = self.without(&shown, fewer) {
                    shown = smaller;
                }
                end = from;
            }
            chunk /= 2;
        }
        shown
    }

    /// The same with other facts; faults may have to take place at an earlier event then.
    fn without(&mut self, shown: &Shown, facts: Vec<Fact>) -> Option<Shown> {
        if facts.is_empty() {
            return None;
        }
        let facts: Arc<[Fact]> = facts.into();
        let scenario = Scenario {
            facts: Arc::clone(&facts),
            ..shown.scenario.clone()
        };
        if let Some(smaller) = self.fires(scenario.clone(), shown.finding.oracle) {
            return Some(smaller);
        }
        for (at, fault) in shown.scenario.faults.iter().enumerate() {
            for nth in (0..fault.nth).rev().take(EARLIER_MAX as usize) {
                let mut faults = shown.scenario.faults.to_vec();
                faults[at].nth = nth;
                let scenario = Scenario {
                    faults: faults.into(),
                    ..scenario.clone()
                };
                if let Some(smaller) = self.fires(scenario, shown.finding.oracle) {
                    return Some(smaller);
                }
            }
        }
        None
    }

    fn faults(&mut self, mut shown: Shown) -> Shown {
        let mut at = 0;
        while at < shown.scenario.faults.len() {
            let mut faults: Vec<Fault> = shown.scenario.faults.to_vec();
            faults.remove(at);
            let scenario = Scenario {
                faults: faults.into(),
                ..shown.scenario.clone()
            };
            match self.fires(scenario, shown.finding.oracle) {
                Some(smaller) => shown = smaller,
                None => at += 1,
            }
        }
        shown
    }

    /// As many partitions as the flow says, where another number does not matter.
    fn partitions(&mut self, shown: Shown) -> Shown {
        let plain = Scenario {
            partitions: None,
            seed: 0,
            ..shown.scenario.clone()
        };
        if shown.scenario.partitions.is_none() && shown.scenario.seed == 0 {
            return shown;
        }
        self.fires(plain, shown.finding.oracle).unwrap_or(shown)
    }

    fn fires(&mut self, scenario: Scenario, oracle: Oracle) -> Option<Shown> {
        if self.left == 0 || self.bench.time_is_over() {
            return None;
        }
        self.left -= 1;
        let (run, finding) = self.bench.judge(&scenario)?;
        (finding.oracle == oracle).then_some(Shown {
            scenario,
            finding,
            hash: run.hash,
        })
    }

    /// Keeps the part of the flow that leads to the finding, while the validator says the same of it.
    fn flow(&mut self, case: &Case<'_>, shown: Shown) -> (Arc<Document>, Shown) {
        let whole = case.document;
        let graph = Graph::of(whole, case.catalog, &self.bench.stores);
        let blamed = graph::nodes_of(&case.found.subject, whole);
        let mut wanted = blamed.clone();
        wanted.extend(nodes_at(&shown.finding.at, whole, &self.bench));
        let least = graph.upstream(&wanted);
        wanted.extend(graph::evidence(case.found, whole));
        wanted.extend(case.found.affected.iter().cloned());
        let more = graph.upstream(&wanted);
        for keep in [least, more] {
            if keep.len() >= whole.nodes.len() {
                continue;
            }
            let part = Arc::new(graph::slice(whole, &keep));
            if let Some(shown) = self.shows_too(case, &part, &shown) {
                return (part, shown);
            }
        }
        (Arc::clone(whole), shown)
    }

    fn shows_too(&mut self, case: &Case<'_>, part: &Arc<Document>, shown: &Shown) -> Option<Shown> {
        let report = validate(part, case.catalog);
        let same = |found: &graph_model::validate::Diagnostic| {
            found.code == case.found.code && found.subject == case.found.subject
        };
        if !report.diagnostics.iter().any(same) {
            return None;
        }
        let mut bench = self.bench.of(part, case.catalog, case.project).ok()?;
        std::mem::swap(&mut self.bench, &mut bench);
        let kept: Vec<Fact> = shown
            .scenario
            .facts
            .iter()
            .filter(|fact| part.nodes.contains_key(&fact.source))
            .cloned()
            .collect();
        let scenario = Scenario {
            facts: kept.into(),
            ..shown.scenario.clone()
        };
        let smaller = self.fires(scenario, shown.finding.oracle);
        if smaller.is_none() {
            std::mem::swap(&mut self.bench, &mut bench);
        }
        smaller
    }

    fn explain(&mut self, case: &Case<'_>, document: &Document, shown: &Shown) -> [String; 3] {
        let run = self.bench.play(&shown.scenario);
        let trace = run.map(|run| run.trace).unwrap_or_default();
        let mut sentences = explain::sentences(
            case.found,
            document,
            &shown.scenario,
            &shown.finding,
            &trace,
        );
        let act = templates::act(case.found.code);
        explain::say_unwritten(&mut sentences[1], document, case.project, act);
        sentences
    }
}

/// The nodes that a finding is at: the node, or those who write the store.
fn nodes_at(at: &SmolStr, document: &Document, bench: &Bench<'_>) -> BTreeSet<NodeId> {
    if let Some(store) = bench.stores.get(at) {
        return store.writers.iter().cloned().collect();
    }
    // A copy that a node keeps is named behind it.
    let node = NodeId::from(at.split('/').next().unwrap_or_default());
    let there = document.nodes.contains_key(&node);
    there.then_some(node).into_iter().collect()
}

/// People who see what is shown at a finding.
fn principals(document: &Document, finding: &Finding, bench: &Bench<'_>) -> Vec<SmolStr> {
    let nodes = nodes_at(&finding.at, document, bench);
    let nodes = nodes.iter().filter_map(|id| document.nodes.get(id));
    let audiences = nodes.filter_map(|node| node.notes.audience.as_ref());
    let roles: BTreeSet<&str> = audiences
        .flat_map(|audience| audience.roles.iter().map(Id::as_str))
        .collect();
    let all = document.principals.iter();
    all.filter(|(_, one)| one.roles.iter().any(|role| roles.contains(role.as_str())))
        .map(|(id, _)| id.as_str().into())
        .collect()
}
