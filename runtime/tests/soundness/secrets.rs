//! Whether what people see tells two values of a secret apart: the same run once more, with another value.

use std::sync::Arc;

use runtime::oracle::{Context, Secret, secrets};
use runtime::simulate::{Fact, Outcome, Scenario, Simulation};

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
        // What was cut off did not come to everything.
        let found = secret.judge(outcome, &second, context);
        let found = found.first().filter(|_| second.ended.is_complete())?;
        let let_go = secret.is_person(outcome, context)
            && lets_go(&secret, simulation, scenario, outcome, context);
        (!let_go).then(|| found.to_string())
    })
}

/// Whether the other run tells no more than it may: its numbers are over enough people, as the first are not.
fn lets_go(
    secret: &Secret,
    simulation: &mut Simulation,
    scenario: &Scenario,
    outcome: &Outcome,
    context: &Context,
) -> bool {
    let Some(reversed) = secret.reversed(&outcome.facts) else {
        return false;
    };
    let mut play = |facts: Arc<[Fact]>, replay| {
        let scenario = Scenario {
            facts,
            replay,
            ..scenario.clone()
        };
        simulation.reset(&scenario).ok()?;
        Some(simulation.run())
    };
    let Some(other) = play(secret.change(&outcome.facts), None) else {
        return false;
    };
    let replay = Some(Arc::new(reversed.released(&other, context)));
    let again = play(outcome.facts.clone().into(), replay);
    again.is_some_and(|again| reversed.judge(&other, &again, context).is_empty())
}
