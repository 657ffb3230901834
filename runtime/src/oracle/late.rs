//! L2: nothing is left out because it came late, unless that is led somewhere.

use std::collections::BTreeSet;

use super::lineage::{key, steps};
use super::{Context, Finding, Oracle};
use crate::simulate::{Outcome, What};

/// Finds events that came too late for a result, and that no wire leads on.
pub(super) fn judge(run: &Outcome, reference: &Outcome, context: &Context) -> Vec<Finding> {
    if context.late.is_empty() {
        return Vec::new();
    }
    let late = |run| {
        steps(run, What::Unled)
            .filter(|(step, _)| context.late.contains(&(step.node.clone(), step.port)))
    };
    let meant: BTreeSet<_> = late(reference)
        .map(|(step, event)| (&step.node, key(event)))
        .collect();
    late(run)
        .filter(|(step, event)| !meant.contains(&(&step.node, key(event))))
        .map(|(step, event)| Finding {
            fact: step.fact,
            ..Finding::new(
                Oracle::L2,
                step.node.as_str(),
                "came too late",
                event.data.clone(),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::Trial;
    use super::*;
    use crate::simulate::FaultKind;

    #[test]
    fn a_fact_that_no_window_waited_for_is_told() {
        let judge = |lateness: &str, more: &str| {
            let flow = format!(
                r#"in: http(path=/in) -> sums: aggregate(aggregates=[{{"name": "n"}}], window=time, size=2ms, lateness={lateness}) -> out: view{more}"#
            );
            let facts: Vec<String> = (0..6).map(|n| format!(r#"in {{"n":{n}}}"#)).collect();
            let late = FaultKind::Late { by_us: 4_500 };
            let trial = Trial::new(&flow, &facts.join("\n")).fault(late, "in", 0);
            trial.judge(Oracle::L2)
        };
        let told = r#"L2 at `sums`: "came too late" instead of {"n":0}"#;
        assert_eq!(judge("0s", ""), told);
        assert_eq!(judge("1m", ""), "");
        assert_eq!(judge("0s", "\nsums.late -> rest: view"), "");
    }
}
