//! D4: playing the same facts again comes to the same.
//!
//! It needs a second run, at [another time](again) and with other chance.

use super::{Context, Finding, Oracle, final_state};
use crate::simulate::{Fact, Outcome, Scenario};

/// So much later the facts are played again.
const LATER_US: u64 = 93_784_000_000;

/// The same scenario some other day.
#[must_use]
pub fn again(scenario: &Scenario) -> Scenario {
    let later = scenario.facts.iter().map(|fact| Fact {
        at_us: fact.at_us + LATER_US,
        ..fact.clone()
    });
    let mut again = scenario.clone();
    again.facts = later.collect();
    again.seed ^= 0x0a9a_1000;
    again.limits.duration_us = scenario.limits.duration_us.saturating_add(LATER_US);
    again
}

/// What a run and its repetition do not agree on.
pub fn judge_again(run: &Outcome, again: &Outcome, context: &Context) -> Vec<Finding> {
    let mut findings = final_state::judge(again, run, context);
    for finding in &mut findings {
        finding.oracle = Oracle::D4;
    }
    findings
}

/// D4 has no verdict on one run.
pub(super) fn judge(_run: &Outcome, _reference: &Outcome, _context: &Context) -> Vec<Finding> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Trial, shown};
    use super::*;

    #[test]
    fn the_past_does_not_ask_what_time_it_is() {
        let judge = |expr: &str| {
            let flow = format!(
                "in: manual -> m: map(expr={{id, at: {expr}}}) -> out: table(table=t, key=.id, columns={{\"at\": \".at\"}})"
            );
            let trial = Trial::new(&flow, r#"in {"id":"a","at":5}"#);
            let run = trial.play(&trial.scenario);
            let other = trial.play(&again(&trial.scenario));
            shown(&judge_again(&run, &other, &trial.context()))
        };
        assert!(judge("$now").starts_with("D4 at `table data.sqlite/t`"));
        assert_eq!(judge(".at"), "");
    }
}
