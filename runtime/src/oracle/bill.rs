//! R4: an event costs no more than it may.

use std::collections::{BTreeMap, BTreeSet};

use graph_model::id::NodeId;
use graph_model::value::{Object, Value};

use super::lineage::{key, steps};
use super::{Context, Finding, Oracle};
use crate::simulate::{Fact, Outcome, What};

/// Prices are for so many events.
const PRICED: f64 = 1e6;
/// Sums of floats differ by less.
const SLACK: f64 = 1.0 + 1e-9;

/// Finds sources of which one event costs more in the mean, with all that follows from it.
pub(super) fn judge(run: &Outcome, _reference: &Outcome, context: &Context) -> Vec<Finding> {
    let prices = &context.said.prices;
    let Some(budget) = context.said.cost_max.filter(|_| !prices.is_empty()) else {
        return Vec::new();
    };
    let mut bills: BTreeMap<&NodeId, (f64, u32)> = BTreeMap::new();
    for fact in &run.facts {
        let (bill, count) = bills.entry(&fact.source).or_default();
        *bill += prices.get(&fact.source).copied().unwrap_or_default() / PRICED;
        *count += 1;
    }
    // A channel is paid for what it takes in, however many read it.
    let mut handed_out = BTreeSet::new();
    let delivered = steps(run, What::Delivered)
        .filter(|(step, _)| handed_out.insert((&step.node, &step.event)));
    let delivered: Vec<_> = delivered.collect();
    // How often something is tried again is another question.
    let mut done = BTreeSet::new();
    let handled = steps(run, What::Handled)
        .filter(|(step, event)| done.insert((&step.node, step.port, &step.event, &event.data)));
    let handled: Vec<_> = handled.collect();
    // What waited for others is paid by those who sent it, and not by whoever came last.
    let sent: BTreeMap<_, &Fact> = run
        .facts
        .iter()
        .map(|fact| (key(&fact.event), fact))
        .collect();
    for (step, event) in handled.into_iter().chain(delivered) {
        let cause = || run.facts.get(step.fact? as usize);
        let fact = sent.get(&key(event)).copied().or_else(cause);
        if let (Some(fact), Some(price)) = (fact, prices.get(&step.node))
            && let Some((bill, _)) = bills.get_mut(&fact.source)
        {
            *bill += price / PRICED;
        }
    }
    let cost = |amount: f64| {
        let mut told = Object::with_capacity(1);
        // To the billionth, as budgets are.
        told.insert("cost", Value::Float((amount * 1e9).round() / 1e9));
        told
    };
    bills
        .into_iter()
        .map(|(source, (bill, count))| (source, bill / f64::from(count)))
        .filter(|(_, each)| *each > budget * SLACK)
        .map(|(source, each)| Finding::new(Oracle::R4, source.as_str(), cost(each), cost(budget)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::Trial;
    use super::*;

    #[test]
    fn an_event_that_costs_more_than_it_may_is_told() {
        let judge = |budget: &str, price: u32| {
            let flow = format!(
                "budget per_event={budget}\nin: manual -> lines: split(expr=[.a, .b]) -> lane: log ^price=1 -> rows: table(table=rows, mode=append) ^price={price}\nlane -> out: view"
            );
            let facts =
                "in {\"a\":{\"n\":1},\"b\":{\"n\":2}}\nin {\"a\":{\"n\":3},\"b\":{\"n\":4}}";
            Trial::new(&flow, facts).judge(Oracle::R4)
        };
        assert_eq!(
            judge("0.000009", 4),
            r#"R4 at `in`: {"cost":0.00001} instead of {"cost":9e-6}"#
        );
        assert_eq!(judge("0.00001", 4), "");
        assert_eq!(judge("0.000009", 3), "");
    }
}
