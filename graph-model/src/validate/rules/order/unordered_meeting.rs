//! ORDER-002: a step depends on the order between streams that meet.

use crate::validate::design::NodeIx;
use crate::validate::diagnostic::RuleFindings;
use crate::validate::facts::Facts;
use crate::validate::facts::delivery::Loss;
use crate::validate::rules::{declare_rule, order};

declare_rule! {
    /// Finds steps that depend on which event comes last, where several streams have met.
    /// ## Why is this bad
    /// Two ordered streams that meet are not one ordered stream. The slower one brings its old news
    /// after the faster one's fresh news. A cancellation overtakes the order that it cancels.
    /// ## When is this fine
    /// When the streams never speak of the same key: then assume `ordered`, and every run tests that.
    /// ## Perturbation
    /// Other timing: two branches, the other one faster, leave another result.
    /// ## Example
    /// a: manual -> both: merge -> latest: table(table=latest, key=.sensor)
    /// b: manual -> both
    /// ## Use instead
    /// a: manual -> both: merge -> all: table(table=readings, key=$event.id)
    /// b: manual -> both
    /// ## Near miss
    /// a: manual -> both: merge -> top: aggregate(group=.sensor, aggregates=[{"name": "top", "function": "max", "of": ".value"}]) -> latest: table(table=latest, key=.key)
    /// b: manual -> both
    code = "ORDER-002", name = "unordered-meeting", severity = Error, since = "0.1.0",
    check = Node(check),
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    order::report(facts, node, findings, |loss| loss == Loss::Meeting);
}
