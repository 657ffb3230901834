//! ORDER-003: a step depends on order, and events overtake each other.

use crate::validate::design::NodeIx;
use crate::validate::diagnostic::RuleFindings;
use crate::validate::facts::Facts;
use crate::validate::facts::delivery::Loss;
use crate::validate::rules::{declare_rule, order};

declare_rule! {
    /// Finds steps that depend on order, behind several instances or behind events that are tried again
    /// later.
    /// ## Why is this bad
    /// Two workers side by side do not finish in the order in which they began. Whatever is put aside
    /// and tried again comes behind everything that did not have to wait. Under load, or after the
    /// first failure, old values win over new ones.
    /// ## When is this fine
    /// When later events never contradict earlier ones: then assume `ordered`, and every run tests
    /// that.
    /// ## Perturbation
    /// Other timing: one of two instances, or one failure, slows the earlier event of a key down.
    /// ## Example
    /// in: replay(file=orders.jsonl) -> all: log(key=.order, partitions=4) -> latest: table(table=latest, key=.customer)
    /// ## Use instead
    /// in: replay(file=orders.jsonl) -> all: log(key=.customer, partitions=4) -> latest: table(table=latest, key=.customer)
    /// ## Near miss
    /// type order(depends=/order>/customer): order string, customer string
    /// in: replay(file=orders.jsonl, event_type=order) -> all: log(key=.customer, partitions=4) -> latest: table(table=latest, key=.order)
    /// ## Source
    /// Apache Kafka, Introduction: events of one key are in one partition, and only there in order
    code = "ORDER-003", name = "overtaken-events", severity = Warning, since = "0.1.0",
    check = Node(check),
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let ours = |loss| matches!(loss, Loss::Instances | Loss::Retry);
    order::report(facts, node, findings, ours);
}
