//! Makes a violation small: fewer nodes, facts and faults, as long as the design is silent and wrong.

use std::collections::BTreeSet;
use std::sync::Arc;

use graph_model::document::Document;
use graph_model::edit::TransactionBuilder;
use graph_model::id::NodeId;
use runtime::simulate::{Fact, Fault, Scenario};

use crate::attack::{Violation, admitted, play};
use crate::facts::may_come;
use crate::family::Family;
use crate::machine::Machine;
use crate::repair::is_silent;

/// A design, facts and a run that break a promise.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) document: Document,
    pub(crate) facts: Vec<Fact>,
    pub(crate) violation: Violation,
}

pub(crate) fn shrink(mut case: Case, machine: &Machine, family: &Family) -> Case {
    loop {
        let before = size(&case);
        let nodes: Vec<NodeId> = case.document.nodes.keys().cloned().collect();
        for node in nodes {
            for bypass in [false, true] {
                let document = without(&case.document, &node, bypass);
                if is_silent(&document, family, machine)
                    && let Some(smaller) = wrong(&document, &case.facts, &case, machine, family)
                {
                    case = smaller;
                    break;
                }
            }
        }
        let mut at = 0;
        while at < case.facts.len() {
            let mut facts = case.facts.clone();
            facts.remove(at);
            match wrong(&case.document, &facts, &case, machine, family) {
                Some(smaller) => case = smaller,
                None => at += 1,
            }
        }
        let mut at = 0;
        while at < case.violation.scenario.faults.len() {
            let mut fewer = case.clone();
            let mut faults = fewer.violation.scenario.faults.to_vec();
            faults.remove(at);
            fewer.violation.scenario.faults = faults.into();
            match wrong(&case.document, &case.facts, &fewer, machine, family) {
                Some(smaller) => case = smaller,
                None => at += 1,
            }
        }
        if case.violation.scenario.partitions.is_some() {
            let mut plain = case.clone();
            plain.violation.scenario.partitions = None;
            case = wrong(&case.document, &case.facts, &plain, machine, family).unwrap_or(case);
        }
        if size(&case) == before {
            return case;
        }
    }
}

/// The case with these instead, when it is still wrong.
fn wrong(
    document: &Document,
    facts: &[Fact],
    case: &Case,
    machine: &Machine,
    family: &Family,
) -> Option<Case> {
    let known =
        |fact: &&Fact| document.nodes.contains_key(&fact.source) && may_come(document, fact);
    let facts: Vec<Fact> = facts.iter().filter(known).cloned().collect();
    let document = Arc::new(document.clone());
    let old = &case.violation.scenario;
    let admitted = admitted(&document, family);
    let may_happen = |fault: &&Fault| {
        admitted
            .iter()
            .any(|one| one.place == fault.place && one.sort == fault.kind.sort())
    };
    let kept = old.facts.iter().filter(|held| {
        let id = &held.event.context.id;
        facts.iter().any(|fact| fact.event.context.id == *id)
    });
    let base = Scenario {
        facts: kept.cloned().collect(),
        faults: old.faults.iter().filter(may_happen).cloned().collect(),
        ..old.clone()
    };
    // The nth event of a place is another one when there are fewer.
    let scenarios = (0..24).map(|nth| {
        let mut faults = base.faults.to_vec();
        if nth > 0 {
            for fault in &mut faults {
                fault.nth = (fault.nth + nth - 1) % 12;
            }
        }
        Scenario {
            faults: faults.into(),
            ..base.clone()
        }
    });
    let violation = play(&document, &facts, machine, family, scenarios).violation?;
    Some(Case {
        document: Arc::unwrap_or_clone(document),
        facts,
        violation,
    })
}

fn size(case: &Case) -> usize {
    case.document.nodes.len() + case.facts.len() + case.violation.scenario.faults.len()
}

/// The design without a node; what fed it feeds what it fed, if wanted.
fn without(document: &Document, node: &NodeId, bypass: bool) -> Document {
    let mut smaller = document.clone();
    let mut build = TransactionBuilder::new(document, "Remove");
    if bypass {
        build.remove_and_reconnect(node);
    } else {
        build.remove_nodes(&BTreeSet::from([node.clone()]));
    }
    build.finish().apply(&mut smaller);
    smaller
}
