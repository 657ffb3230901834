//! PART-010: partitions do not help where one key has most of the events, or where there are few keys.

use crate::catalog::Behaviour;
use crate::validate::design::NodeIx;
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::fixes;
use crate::validate::rules::cost::ask_for_rate;
use crate::validate::rules::declare_rule;
use crate::validate::rules::delivery::{key_field, way_from};
use crate::value::Value;

declare_rule! {
    /// Finds partitions that one key fills by itself, and partitions that no key will ever reach.
    /// ## Why is this bad
    /// All events of a key go to one partition, however many there are. If one key has most of the
    /// events, one instance does most of the work, and the others watch. More partitions cost more and
    /// change nothing.
    /// ## When is this fine
    /// When the busiest key is busy for a moment only, and may wait: then accept the hazard.
    /// ## Perturbation
    /// Skewed keys at the declared rate: the events of one partition wait longer and longer.
    /// ## Example
    /// in: manual ^rate=2000 -> lane: log(key=.shop, partitions=8) ^hot_key=0.7 ^partition_rate=1000 -> out: view
    /// ## Use instead
    /// in: manual ^rate=2000 -> lane: log(key=[.shop, .order], partitions=8) ^hot_key=0.001 ^partition_rate=1000 -> out: view
    /// ## Near miss
    /// in: manual ^rate=1200 -> lane: log(key=.shop, partitions=8) ^hot_key=0.7 ^partition_rate=1000 -> out: view
    /// ## Source
    /// Amazon DynamoDB, best practices for partition keys; Amazon Kinesis, hot shards
    code = "PART-010", name = "hot-key", severity = Warning, since = "0.1.0",
    check = Node(check),
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let Some((view, behaviour)) = design.acting(node) else {
        return;
    };
    let title = design.title(node);
    let key = key_field(design, node).and_then(|field| design.text(node, field));
    let by = key.map_or_else(|| "one key".to_owned(), |key| format!("one `{key}`"));
    let takes = design.declared_number(node, "partition_rate");
    let hot = design.declared_number(node, "hot_key");
    let rates = facts.rates().map(|rates| rates.peak(node));
    if let (Some(takes), Some(hot), Some(rates)) = (takes, hot, rates)
        && hot * rates.least <= takes
        && hot * rates.most > takes
    {
        ask_for_rate(facts, node, findings);
        return;
    }
    if let (Some(takes), Some(hot), Some(rate)) = (takes, hot, rates.map(|rates| rates.least))
        && hot * rate > takes
    {
        let share = hot * 100.0;
        let busy = hot * rate;
        let effect = format!("takes {takes} a second in one partition, but {by} brings {busy:.0}");
        let source = source(facts, node);
        let cause =
            format!("brings {rate:.0} events a second to it, {share:.0} % of them of one key");
        let message = format!(
            "{by} has {share:.0} % of the {rate:.0} events a second at {title}, but a partition takes {takes}, and more partitions do not help; take a finer key"
        );
        findings.add(
            Found::node(&view.id, message)
                .detail("hot")
                .path(way_from(facts, source, cause, node, effect)),
        );
        return;
    }
    let (Behaviour::Log { partitions, .. } | Behaviour::Repartition { partitions, .. }) = behaviour
    else {
        return;
    };
    let count = design
        .value(node, partitions)
        .and_then(Value::as_i64)
        .unwrap_or(1);
    let keys = design.declared_number(node, "keys");
    if let Some(keys) = keys.filter(|keys| *keys < count as f64 && key.is_some()) {
        let idle = count as f64 - keys;
        let source = source(facts, node);
        let cause = format!("sends events of {keys} keys in all");
        let effect = format!("has {count} partitions, of which at least {idle} stay empty");
        let message = format!(
            "{title} has {count} partitions, but there are only {keys} keys, so at least {idle} stay empty; take a finer key or fewer partitions"
        );
        findings.add(
            Found::node(&view.id, message)
                .detail("few")
                .path(way_from(facts, source, cause, node, effect))
                .fixes(fixes::fewer_partitions(facts, node, keys)),
        );
    }
}

/// The nearest source in front of a node; the node itself when there is none.
fn source(facts: &Facts, node: NodeIx) -> NodeIx {
    let design = &*facts.design;
    let way = design.trace(
        node,
        |_| true,
        |at| at != node && design.nodes[at].ins.is_empty(),
    );
    way.first().map_or(node, |edge| design.edges[*edge].from)
}
