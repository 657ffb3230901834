//! Plays silent designs with things going wrong, and asks the judges.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use graph_model::catalog::Catalog;
use graph_model::document::Document;
use graph_model::id::NodeId;
use runtime::oracle::{Context, Finding, Oracle};
use runtime::simulate::{
    Admitted, Fact, Fault, FaultKind, Limits, Outcome, Place, Record, Scenario, Simulation, Sort,
};

use crate::excuse::{Evidence, Excuse};
use crate::exempt::{Reason, Upstream};
use crate::family::Family;
use crate::machine::Machine;
use crate::secrets;

/// Where runs are cut off: far more than any silent design takes for so few facts.
const LIMITS: Limits = Limits {
    steps_max: 40_000,
    duration_us: u64::MAX / 4,
    in_flight_max: 5_000,
    bytes_max: 64 << 20,
};

/// Of so many runs one is looked at event by event.
const DEEP: u64 = 8;

/// A run that was not as it should be.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    pub(crate) what: String,
    pub(crate) scenario: Scenario,
}

/// What came of the runs of a design.
#[derive(Default)]
pub(crate) struct Attacked {
    pub(crate) runs: u64,
    /// Runs that differ in what the schedule may decide.
    pub(crate) excused: BTreeMap<Excuse, u64>,
    /// Faults that took place.
    pub(crate) faults: BTreeMap<Sort, u64>,
    pub(crate) violation: Option<Violation>,
    /// Why it cannot be played.
    pub(crate) refused: Option<String>,
    /// The reference was cut off, and nobody promised otherwise.
    pub(crate) endless: Option<Reason>,
}

/// Plays a design so often, until something is wrong.
pub(crate) fn attack(
    document: &Arc<Document>,
    facts: &[Fact],
    machine: &Machine,
    family: &Family,
    runs: u64,
) -> Attacked {
    let admitted = admitted(document, family);
    let scenarios = (0..runs).map(|seed| {
        let mut scenario = Scenario {
            seed,
            facts: family.paced(facts, seed),
            ..plain(family)
        };
        // The first runs differ in nothing but their pace.
        if seed >= 2 {
            let events = facts.len() as u64;
            scenario.go_wrong(&admitted, 1 + (seed % 3) as usize, events);
            let faults = scenario.faults.iter().cloned();
            scenario.faults = faults.map(in_time).collect();
        }
        scenario
    });
    play(document, facts, machine, family, scenarios)
}

/// Plays scenarios until something is wrong.
pub(crate) fn play(
    document: &Arc<Document>,
    facts: &[Fact],
    machine: &Machine,
    family: &Family,
    scenarios: impl Iterator<Item = Scenario>,
) -> Attacked {
    let mut attacked = Attacked::default();
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let context = Context::new(document, Catalog::bundled());
    let reference = plain(family).reference(facts);
    let kinds = (machine.kinds)();
    let made = Simulation::with_kinds(kinds, document, Catalog::bundled(), project, &reference);
    let mut simulation = match made {
        Ok(simulation) => simulation,
        Err(problems) => {
            attacked.refused = problems.first().map(ToString::to_string);
            return attacked;
        }
    };
    let wanted = simulation.run();
    let mut whole = None;
    let upstream = Upstream::of(document);
    let tolerated = |run: &Outcome| {
        let echoes = upstream.may_echo().or_else(|| upstream.forgets(run));
        echoes
            .or_else(|| upstream.tries(run))
            .or_else(|| upstream.multiplies())
    };
    if !wanted.ended.is_complete() {
        attacked.endless = tolerated(&wanted);
        if attacked.endless.is_none() {
            attacked.violation = Some(never_ends(&wanted, reference));
        }
        // There is nothing to compare runs with.
        return attacked;
    }
    for scenario in scenarios {
        if let Err(problems) = simulation.reset(&scenario) {
            attacked.refused = problems.first().map(ToString::to_string);
            return attacked;
        }
        let outcome = simulation.run();
        attacked.runs += 1;
        for (sort, count) in &outcome.faults {
            *attacked.faults.entry(*sort).or_default() += count;
        }
        let oracles = family.judges.iter();
        let mut found: Vec<Finding> = oracles
            .flat_map(|oracle| (machine.judge)(*oracle, &outcome, &wanted, &context))
            .collect();
        let looks_deep = !family.deep.is_empty() && scenario.seed % DEEP == DEEP - 1;
        if looks_deep {
            let again = recorded(&mut simulation, &scenario);
            let reference = whole.get_or_insert_with(|| recorded(&mut simulation, &reference));
            let oracles = family.deep.iter();
            let deep =
                oracles.flat_map(|oracle| (machine.judge)(*oracle, &again, reference, &context));
            found.extend(deep);
        }
        if !found.is_empty() {
            // Only what happened on the way says whether that was the schedule's to decide.
            let again = recorded(&mut simulation, &scenario);
            let reference = whole.get_or_insert_with(|| recorded(&mut simulation, &reference));
            let evidence = Evidence::new(&again, reference, document);
            found.retain(|found| {
                let excuse = may_be_excused(found)
                    .then(|| evidence.excuse(found))
                    .flatten();
                if let Some(excuse) = excuse {
                    *attacked.excused.entry(excuse).or_default() += 1;
                }
                excuse.is_none()
            });
        }
        let pairs = || {
            // Which event a fault meets is no message.
            let plain = scenario.faults.is_empty() && scenario.partitions.is_none();
            let pairs = plain && family.judges.contains(&Oracle::A2);
            pairs.then(|| secrets::told(&mut simulation, &scenario, &outcome, &context))?
        };
        let cut = !outcome.ended.is_complete() && wanted.ended.is_complete();
        if cut && tolerated(&outcome).is_none() {
            attacked.violation = Some(never_ends(&outcome, scenario));
            return attacked;
        }
        let what = found.first().map(ToString::to_string).or_else(pairs);
        if let Some(what) = what {
            attacked.violation = Some(Violation { what, scenario });
            return attacked;
        }
    }
    attacked
}

fn never_ends(run: &Outcome, scenario: Scenario) -> Violation {
    let what = format!("it never ends: {:?}", run.ended);
    Violation { what, scenario }
}

/// Those that compare what places hold; others know the schedule.
fn may_be_excused(found: &Finding) -> bool {
    use Oracle::{D1, W1, X1, X2};
    matches!(found.oracle, D1 | W1 | X1 | X2)
}

/// The same run once more, with everything that happened.
fn recorded(simulation: &mut Simulation, scenario: &Scenario) -> Outcome {
    let scenario = Scenario {
        record: Record::Events,
        ..scenario.clone()
    };
    // It was played before.
    let known = simulation.reset(&scenario);
    debug_assert!(known.is_ok());
    simulation.run()
}

pub(crate) fn admitted(document: &Arc<Document>, family: &Family) -> Vec<Admitted> {
    let mut admitted = Fault::admitted(document, Catalog::bundled());
    admitted.extend(Fault::refusals(document));
    admitted.retain(|admitted| {
        let possible = match &admitted.place {
            Place::Node(node) => admitted.sort != Sort::Crash || !loses_memory(document, node),
            Place::Edge(_) => true,
        };
        possible && family.sorts.contains(&admitted.sort)
    });
    admitted
}

/// Whether a crash of a node takes more away than an event that comes again: what it and those remember
/// that go down with it, results that nobody delivers again, and what a source sends only once. No rule
/// speaks of the memory of folds; whoever starts a flow anew reads its sources anew.
fn loses_memory(document: &Document, node: &NodeId) -> bool {
    const CHANNELS: [&str; 3] = ["log", "queue", "topic"];
    const REMEMBERS: [&str; 9] = [
        "function",
        "aggregate",
        "dedupe",
        "fold",
        "decide",
        "join",
        "enrich",
        "resequence",
        "version_guard",
    ];
    const ONCE: [&str; 3] = ["manual", "generator", "schedule"];
    // They read again what they heard, which is not played.
    const HEARS: [&str; 2] = ["table_changes", "file_watch"];
    let is = |node: &NodeId, kinds: &[&str]| {
        let node = document.nodes.get(node);
        node.is_some_and(|node| kinds.contains(&node.kind.as_str()))
    };
    // What is refused in one place comes again to all that took it from the same delivery.
    let (mut open, mut seen) = (vec![node], BTreeSet::from([node]));
    while let Some(at) = open.pop() {
        if is(at, &REMEMBERS) || is(at, &ONCE) || is(at, &HEARS) {
            return true;
        }
        if is(at, &CHANNELS) {
            continue;
        }
        for edge in document.edges.values() {
            let (from, to) = (&edge.from.node, &edge.to.node);
            let wired = [(from, to), (to, from)].into_iter();
            let others = wired.filter(|(one, _)| *one == at).map(|(_, other)| other);
            open.extend(others.filter(|other| seen.insert(other)));
        }
    }
    false
}

/// A delivery that takes longer than its channel waits counts as lost and comes again: DELIV-008 speaks
/// of that, where somebody declares how long the work takes.
fn in_time(mut fault: Fault) -> Fault {
    /// So that all delays of a run together end before the default of channels.
    const LONGEST_US: u64 = 9_000_000;
    if let FaultKind::Delay { by_us } = &mut fault.kind {
        *by_us = (*by_us).min(LONGEST_US);
    }
    fault
}

fn plain(family: &Family) -> Scenario {
    Scenario {
        own_events: false,
        limits: LIMITS,
        record: family.record,
        ..Scenario::default()
    }
}
