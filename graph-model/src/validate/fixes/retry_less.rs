//! Lets one place retry instead of two.

use super::fix;
use crate::validate::Fix;
use crate::validate::design::NodeIx;
use crate::validate::facts::Facts;
use crate::validate::rules::loops::retries::tries;

/// `by` is the channel that delivers again what `node` gives up; together they may try `limit` times.
pub(in crate::validate) fn retry_less(
    facts: &Facts,
    node: NodeIx,
    by: NodeIx,
    limit: f64,
) -> Vec<Fix> {
    let design = &*facts.design;
    let (Some(own), Some(outer)) = (tries(design, node), tries(design, by)) else {
        return Vec::new();
    };
    let fewer = |(at, field): (NodeIx, &str), other: i64| {
        let left = (limit / other as f64).floor() as i64;
        if left < 1 {
            return None;
        }
        let name = design.title(at);
        let title = match left {
            1 => format!("Let {name} try once"),
            more => format!("Let {name} try {more} times"),
        };
        let caution = "the other place still retries, with pauses that grow";
        Some(fix(design, title, caution, |build| {
            build.set_config(&design.nodes[at].id, field, Some(left.into()));
        }))
    };
    let inner = fewer((node, own.0), outer.1);
    let inner = inner.or_else(|| fewer((node, own.0), limit.max(1.0) as i64));
    inner
        .into_iter()
        .chain(fewer((by, outer.0), own.1))
        .collect()
}
