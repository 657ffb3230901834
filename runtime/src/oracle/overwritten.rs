//! W1: what was written last in the reference is not overwritten by something older.

use graph_model::id::NodeId;
use graph_model::value::{Object, Value};
use smol_str::SmolStr;

use super::equal::alike;
use super::keys;
use super::lineage::{name, steps, twin, twins};
use super::{Context, Finding, Oracle, forked};
use crate::simulate::{Content, Outcome, Row, What};

/// Finds rows whose last writer in the reference wrote them, too, and was overwritten, and rows of which
/// their owner does not know.
pub(super) fn judge(run: &Outcome, reference: &Outcome, context: &Context) -> Vec<Finding> {
    if !run.ended.is_complete() {
        return Vec::new();
    }
    let mut findings = forked::judge(run, context);
    for (store, content) in &run.stores {
        let (Content::Rows(rows), Some(Content::Rows(wanted))) =
            (content, reference.stores.get(store))
        else {
            continue;
        };
        if rows == wanted {
            continue;
        }
        let twins = twins(reference, run);
        for (key, wanted) in wanted {
            let [key] = &key[..] else { break };
            let Some(found) = rows.get(std::slice::from_ref(key)) else {
                continue;
            };
            let lost = differing(found, wanted);
            if lost.is_empty() {
                continue;
            }
            let written = writes(run, store, key, context);
            let meant = writes(reference, store, key, context);
            let (Some(last), Some(meant)) = (written.last(), meant.last()) else {
                continue;
            };
            let Some(fact) = twin(&twins, meant.1) else {
                continue;
            };
            let overwritten = last.1 != Some(fact)
                && written
                    .iter()
                    .any(|(node, by)| *node == meant.0 && *by == Some(fact));
            if !overwritten {
                continue;
            }
            let told = |row: &Row, node: &NodeId, fact: Option<u32>| {
                let cell = |name: &&SmolStr| {
                    let value = row.cells.get(name).cloned().unwrap_or_default();
                    ((*name).clone(), value)
                };
                let mut told: Object = lost.iter().map(cell).collect();
                told.insert("by", node.as_str());
                told.insert("fact", fact.map(|fact| name(run, fact)).unwrap_or_default());
                told
            };
            findings.push(Finding {
                fact: Some(fact),
                ..Finding::new(
                    Oracle::W1,
                    store.clone(),
                    told(found, last.0, last.1),
                    told(wanted, meant.0, Some(fact)),
                )
            });
        }
    }
    findings
}

/// Columns in which two rows differ.
fn differing<'r>(found: &Row, wanted: &'r Row) -> Vec<&'r SmolStr> {
    let cells = wanted.cells.iter();
    let differ = |(name, value): &(&SmolStr, &Value)| {
        !found.cells.get(name).is_some_and(|held| alike(held, value))
    };
    cells.filter(differ).map(|(name, _)| name).collect()
}

/// Who wrote a row and for which fact, in their order.
fn writes<'o>(
    run: &'o Outcome,
    store: &SmolStr,
    key: &Value,
    context: &Context,
) -> Vec<(&'o NodeId, Option<u32>)> {
    let here =
        steps(run, What::Written).filter(|(step, _)| run.sinks.get(&step.node) == Some(store));
    here.filter(|(step, event)| {
        let expr = context.row_keys.get(&step.node);
        let of = expr.and_then(|expr| keys::value(expr, step, event));
        of.is_some_and(|of| of == *key)
    })
    .map(|(step, _)| (&step.node, step.fact))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::Trial;
    use super::*;
    use crate::simulate::FaultKind;

    fn check(mode: &str, wanted: &str) {
        let flow = format!(
            r#"web: manual -> first: queue -> a: table(table=t, key=.k, columns={{"mail": ".mail"}}, {mode})
               desk: manual -> second: queue -> b: table(table=t, key=.k, columns={{"mail": ".mail"}}, {mode})"#
        );
        let facts = r#"web {"k":"ana","mail":"old","v":1}
                       desk {"k":"ana","mail":"new","v":2}"#;
        let trial = Trial::new(&flow, facts);
        let trial = trial.fault(FaultKind::Delay { by_us: 60_000 }, "first ->", 0);
        assert_eq!(trial.judge(Oracle::W1), wanted);
    }

    #[test]
    fn a_writer_that_undoes_another_is_told() {
        check(
            "mode=upsert",
            r#"W1 at `table data.sqlite/t`: {"by":"a","fact":"f0","mail":"old"} instead of {"by":"b","fact":"f1","mail":"new"}"#,
        );
        check("mode=compare_and_set, version=.v", "");
    }
}
