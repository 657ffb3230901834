//! V1: what people say is always true of a sink is true once nothing is under way.

use std::collections::BTreeMap;

use graph_model::catalog::{Catalog, Family};
use graph_model::document::Document;
use graph_model::expr::{Env, Expr};
use graph_model::id::NodeId;
use graph_model::value::Value;

use super::{Context, Finding, Oracle};
use crate::simulate::Outcome;

/// What sinks declare as their `invariant`.
#[derive(Debug, Default)]
pub struct Invariants(BTreeMap<NodeId, Expr>);

impl Invariants {
    /// Those of a flow that can be read; what is wrong with others, the validator says.
    pub fn of(document: &Document, catalog: &Catalog) -> Invariants {
        let nodes = document.nodes.iter().filter(|(_, node)| !node.disabled);
        let said = nodes.filter_map(|(id, node)| {
            let is_sink = catalog.get(&node.kind)?.family == Family::Sink;
            let code = node.notes.declared.get("invariant")?.as_str()?;
            Some((id.clone(), Expr::compile(code).ok().filter(|_| is_sink)?))
        });
        Invariants(said.collect())
    }

    /// Finds what a sink holds at the end of a run that is not as it should always be. A run that was
    /// cut off has no such end.
    pub fn broken(&self, run: &Outcome) -> Vec<Finding> {
        if !run.ended.is_complete() {
            return Vec::new();
        }
        let mut findings = Vec::new();
        for (node, invariant) in &self.0 {
            let place = run.sinks.get(node);
            let Some(content) = place.and_then(|place| run.stores.get(place)) else {
                continue;
            };
            let things = content.things().into_iter();
            let broken = things.filter(|thing| invariant.test(thing, &Env::empty()) != Ok(true));
            let wanted = Value::str(invariant.code());
            let finding = |thing| Finding::new(Oracle::V1, node.as_str(), thing, wanted.clone());
            findings.extend(broken.map(finding));
        }
        findings
    }
}

pub(super) fn judge(run: &Outcome, _reference: &Outcome, context: &Context) -> Vec<Finding> {
    context.invariants.broken(run)
}

#[cfg(test)]
mod tests {
    use super::super::testing::Trial;
    use super::*;
    use crate::simulate::FaultKind;

    const ACCOUNTS: &str = r#"in: manual -> lane: queue -> left: fold(group=.account, step=($state // 10) - .amount) -> rows: table(table=accounts, key=.key, columns={"account": ".key", "left": ".state"}) ^invariant=".left >= 0""#;

    #[test]
    fn what_is_always_true_is_asked_at_the_end() {
        let payments = r#"in {"account": "a", "amount": 6}
            in {"account": "b", "amount": 10}"#;
        let trial = Trial::new(ACCOUNTS, payments);
        assert_eq!(trial.judge(Oracle::V1), "");
        let twice = trial.fault(FaultKind::Duplicate { after_us: 1_000 }, "lane ->", 0);
        assert_eq!(
            twice.judge(Oracle::V1),
            r#"V1 at `rows`: {"account":"a","left":-2,"weir_key":"a"} instead of ".left >= 0""#
        );
    }

    #[test]
    fn what_cannot_be_asked_of_a_thing_is_not_true_of_it() {
        let flow = r#"in: manual -> seen: view ^invariant=".n > 1 and .n % 2 == 0""#;
        let trial = Trial::new(flow, "in {\"n\": 4}\nin {\"n\": \"x\"}\nin {\"n\": 3}");
        assert_eq!(
            trial.judge(Oracle::V1),
            r#"V1 at `seen`: {"n":"x"} instead of ".n > 1 and .n % 2 == 0"
V1 at `seen`: {"n":3} instead of ".n > 1 and .n % 2 == 0""#
        );
    }
}
