//! Whether what people see tells two values of a secret apart: the same run once more, with another value.

use std::sync::Arc;

use runtime::oracle::{Context, secrets};
use runtime::simulate::{Outcome, Scenario, Simulation};

/// Secrets of one run that are tried.
const SECRETS_MAX: usize = 8;

/// What somebody who may not read a field can tell of it in this run.
pub(crate) fn told(
    simulation: &mut Simulation,
    scenario: &Scenario,
    outcome: &Outcome,
    context: &Context,
) -> Option<String> {
    let mut secrets = secrets(context, &outcome.facts);
    // Others in each run.
    let count = secrets.len().max(1);
    secrets.rotate_left(scenario.seed as usize % count);
    secrets.into_iter().take(SECRETS_MAX).find_map(|secret| {
        let other = Scenario {
            facts: secret.change(&outcome.facts),
            replay: Some(Arc::new(secret.released(outcome, context))),
            ..scenario.clone()
        };
        simulation.reset(&other).ok()?;
        let second = simulation.run();
        let found = secret.judge(outcome, &second, context);
        found.first().map(ToString::to_string)
    })
}
