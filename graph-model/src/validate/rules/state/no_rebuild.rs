//! STATE-008: what would have to be read again is gone by then.

use crate::catalog::Behaviour;
use crate::units::format_duration;
use crate::validate::design::{EdgeIx, NodeIx};
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::fixes;
use crate::validate::rules::declare_rule;
use crate::validate::rules::delivery::folds_by;

declare_rule! {
    /// Finds state that is to be rebuilt from a log which does not keep all of its events.
    /// ## Why is this bad
    /// The log is the backup only as long as it is there and complete. A rebuild from what is left
    /// gives numbers that are too small, without an error. It is tried for the first time when the
    /// state is lost.
    /// ## When is this fine
    /// When only the newest events matter: then declare how long the state is remembered.
    /// ## Perturbation
    /// The state is deleted and rebuilt after the retention: it differs from the one before.
    /// ## Example
    /// in: manual -> kept: log(key=.account) ^retention=7d -> once: dedupe(key=$event.id, ttl=30d) -> sum: fold(group=.account, initial={}, step={total: (($state.total // 0) + .amount)}) ^replayed=true -> out: view
    /// ## Use instead
    /// in: manual -> kept: log(key=.account) ^retention=7d -> once: dedupe(key=$event.id, ttl=30d) -> sum: fold(group=.account, initial={}, step={total: (($state.total // 0) + .amount)}) ^replayed=true ^snapshots=true -> out: view
    /// ## Near miss
    /// in: manual -> kept: log(key=.account) ^compacted=true -> once: dedupe(key=$event.id) -> newest: aggregate(group=.account, aggregates=[{"name": "total", "function": "last", "of": ".total"}]) ^replayed=true -> out: view
    /// ## Source
    /// Apache Kafka: documentation of log compaction (only the last value of each key is sure to be kept)
    code = "STATE-008", name = "projection-cannot-be-rebuilt", severity = Warning, since = "0.1.0",
    check = Node(check),
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let Some((view, behaviour)) = design.acting(node) else {
        return;
    };
    if !design.declared_flag(node, "replayed") || design.declared_flag(node, "snapshots") {
        return;
    }
    let newest_only = match behaviour {
        Behaviour::Aggregate {
            aggregates, window, ..
        } => {
            if design.text(node, window).is_some_and(|kind| kind != "none") {
                return; // a window does not reach far back
            }
            let others = [
                "count",
                "sum",
                "min",
                "max",
                "average",
                "first",
                "count_distinct",
                "list",
            ];
            !folds_by(design, node, aggregates, &others)
        }
        _ => false,
    };
    let is_kept = |at: NodeIx| {
        let kept = at != node
            && (design.declared_ms(at, "retention").is_some()
                || design.declared_flag(at, "compacted"));
        kept && design.is_channel(at)
    };
    let carries = |edge: EdgeIx| !design.is_failure(edge);
    let way = design.trace(node, carries, is_kept);
    let Some(log) = way.first().map(|edge| design.edges[*edge].from) else {
        return;
    };
    let remembered = design.declared_ms(node, "state_ttl");
    let retention = design.declared_ms(log, "retention");
    let short = retention.filter(|kept| remembered.is_none_or(|needed| needed > *kept));
    let compacted = design.declared_flag(log, "compacted") && !newest_only;
    let (title, name) = (design.title(node), design.title(log));
    let cause = match (short, compacted) {
        (Some(ms), _) => {
            let kept = format_duration(std::time::Duration::from_millis(ms.max(0).unsigned_abs()));
            format!("keeps events for {kept}")
        }
        (None, true) => "keeps only the last event of each key".to_owned(),
        (None, false) => return,
    };
    let message = format!(
        "{title} is to be rebuilt from {name}, which {cause}; keep snapshots of the state, or keep the \
         events"
    );
    let effect = "needs all of them to be rebuilt".to_owned();
    findings.add(
        Found::node(&view.id, message)
            .path(design.steps((log, cause), &way, (node, effect)))
            .fixes(fixes::make_rebuildable(design, node, log)),
    );
}
