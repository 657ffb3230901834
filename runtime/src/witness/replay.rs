//! Plays a witness again, and says what differs from what it holds.

use std::fmt;
use std::path::Path;

use graph_model::catalog::Catalog;
use runtime_protocol::Problem;

use super::bench::Bench;
use super::{Budget, Witness, templates};
use crate::oracle::Finding;
use crate::simulate::TraceHash;

/// In what a run of a witness is not the run that it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// Some step is another one.
    Trace { held: TraceHash, found: TraceHash },
    /// Its oracle finds nothing wrong any more.
    Nothing { held: Finding },
    /// Its oracle finds something else.
    Finding { held: Finding, found: Finding },
}

/// Plays it once; nothing differs where the hazard is still seen in the same run.
pub fn replay(
    witness: &Witness,
    catalog: &Catalog,
    project: &Path,
) -> Result<Vec<Difference>, Vec<Problem>> {
    let held = &witness.finding;
    let budget = Budget {
        schedules_max: 1,
        is_over: &|| false,
    };
    let (oracles, act) = (vec![held.oracle], templates::act(&witness.code));
    let mut bench = Bench::new(&witness.document, catalog, project, oracles, act, budget)?;
    bench.matters = [held.at.clone()].into();
    let broken = || vec![Problem::new("the flow of the witness cannot be played")];
    let reference = bench.reference(&witness.scenario).ok_or_else(broken)?;
    let run = bench.play(&witness.scenario).ok_or_else(broken)?;
    let mut differences = Vec::new();
    if run.hash != witness.hash {
        differences.push(Difference::Trace {
            held: witness.hash,
            found: run.hash,
        });
    }
    let found = bench.findings(&witness.scenario, &run, &reference);
    if !found.contains(held) {
        differences.push(match found.into_iter().next() {
            Some(found) => Difference::Finding {
                held: held.clone(),
                found,
            },
            None => Difference::Nothing { held: held.clone() },
        });
    }
    Ok(differences)
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Difference::Trace { held, found } => {
                write!(f, "the steps differ: trace {found} instead of {held}")
            }
            Difference::Nothing { held } => {
                let (id, name) = (held.oracle.id(), held.oracle.name());
                write!(f, "{id} ({name}) finds nothing at `{}` any more", held.at)
            }
            Difference::Finding { held, found } => {
                write!(f, "what is found differs: {found}; held is {held}")
            }
        }
    }
}
