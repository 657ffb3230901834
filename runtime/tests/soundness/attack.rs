//! Plays silent designs with things going wrong, and asks the judges.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use graph_model::catalog::Catalog;
use graph_model::document::Document;
use runtime::oracle::{Context, Oracle};
use runtime::simulate::{Admitted, Fact, Fault, FaultKind, Limits, Scenario, Simulation, Sort};

use crate::facts::paced;
use crate::family::Family;
use crate::machine::Machine;
use crate::secrets;

/// Where runs are cut off: far more than any silent design takes for so few facts.
const LIMITS: Limits = Limits {
    steps_max: 15_000,
    duration_us: u64::MAX / 4,
    in_flight_max: 5_000,
    bytes_max: 64 << 20,
};

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
    /// Faults that took place.
    pub(crate) faults: BTreeMap<Sort, u64>,
    pub(crate) violation: Option<Violation>,
    /// Why it cannot be played.
    pub(crate) refused: Option<String>,
    /// The reference was cut off.
    pub(crate) endless: bool,
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
            facts: paced(facts, seed),
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
    attacked.endless = !wanted.ended.is_complete();
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
        let mut oracles = family.judges.iter();
        let found = oracles.find_map(|oracle| {
            let found = (machine.judge)(*oracle, &outcome, &wanted, &context);
            found.first().map(ToString::to_string)
        });
        let found = found.or_else(|| {
            // Which event a fault meets is no message.
            let plain = scenario.faults.is_empty() && scenario.partitions.is_none();
            let pairs = plain && family.judges.contains(&Oracle::A2);
            pairs.then(|| secrets::told(&mut simulation, &scenario, &outcome, &context))?
        });
        if let Some(what) = found {
            attacked.violation = Some(Violation { what, scenario });
            return attacked;
        }
    }
    attacked
}

fn admitted(document: &Arc<Document>, family: &Family) -> Vec<Admitted> {
    let mut admitted = Fault::admitted(document, Catalog::bundled());
    admitted.extend(Fault::refusals(document));
    admitted.retain(|admitted| family.sorts.contains(&admitted.sort));
    admitted
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
