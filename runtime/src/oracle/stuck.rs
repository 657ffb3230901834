//! G1: nothing blocks what stands behind it.

use graph_model::value::Object;
use rustc_hash::FxHashMap;

use super::{Context, Finding, Oracle};
use crate::simulate::{Outcome, What};

/// Failed deliveries of one event while others wait that are too many.
const TRIES_MAX: u32 = 12;

/// Finds events that a channel hands out again and again, to no end.
pub(super) fn judge(run: &Outcome, _reference: &Outcome, _context: &Context) -> Vec<Finding> {
    if run.trace.iter().all(|step| step.what != What::Nacked) {
        return Vec::new();
    }
    let mut failed = FxHashMap::default();
    let mut order = Vec::new();
    for step in &run.trace {
        let event = (&step.node, &step.event);
        if step.what == What::Nacked {
            let held = failed.entry(event).or_insert_with(|| {
                order.push((event, step.fact));
                0_u32
            });
            *held += 1;
        }
    }
    let stuck = order.into_iter().filter_map(|(event, fact)| {
        let tries = failed.get(&event).copied();
        let tries = tries.filter(|tries| *tries > TRIES_MAX)?;
        let mut observed = Object::with_capacity(2);
        observed.insert("event", event.1.clone());
        observed.insert("failed_deliveries", i64::from(tries));
        Some(Finding {
            fact,
            ..Finding::new(Oracle::G1, event.0.as_str(), observed, "given up soon")
        })
    });
    stuck.collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::Trial;
    use super::*;

    #[test]
    fn a_poison_event_that_blocks_is_told() {
        let judge = |attempts: u32| {
            let flow = format!(
                r#"in: manual -> lane: log(key=.shop, max_attempts={attempts}) -> sums: aggregate(group=.id, groups=1, aggregates=[{{"name": "n"}}]) -> out: view"#
            );
            let facts = r#"in {"id":"a"}
                           in {"id":"b"}
                           in {"id":"a"}"#;
            Trial::new(&flow, facts).judge(Oracle::G1)
        };
        let found = judge(200);
        assert!(found.starts_with("G1 at `lane`"), "{found}");
        assert_eq!(judge(3), "");
    }
}
