//! Lets fewer calls run at once, and events wait meanwhile.

use super::{Placed, declare, fix, insert_before, kind_that};
use crate::catalog::{Behaviour, FieldType};
use crate::document::Node;
use crate::validate::Fix;
use crate::validate::design::NodeIx;
use crate::validate::facts::Facts;

/// At most `left` calls of a node, when those are enough for what it `needs` in the mean.
pub(in crate::validate) fn cap_calls(
    facts: &Facts,
    node: NodeIx,
    left: f64,
    needs: f64,
) -> Vec<Fix> {
    let design = &*facts.design;
    let count = left.floor() as i64;
    if count < 1 || needs > left {
        // What waits would never be done.
        return Vec::new();
    }
    let name = design.title(node);
    let mut fixes = Vec::new();
    let waits = design.nodes[node]
        .ins
        .iter()
        .all(|edge| design.is_channel(design.edges[*edge].from));
    if waits {
        let title = format!("Let at most {count} calls of {name} run at once");
        let caution = "a promise: what runs it has to hold it to that; events wait meanwhile";
        let instances = [("instances", Some(count.into()))];
        fixes.push(declare(design, node, title, caution, &instances));
        return fixes;
    }
    let Some(kind) = kind_that(design, |does| matches!(does, Behaviour::Queue { .. })) else {
        return fixes;
    };
    let Behaviour::Queue { concurrency, .. } = &kind.behaviour else {
        return fixes;
    };
    let most = match kind.field(concurrency).map(|field| &field.ty) {
        Some(FieldType::Integer { max, .. }) => *max,
        _ => 1,
    };
    let slots = count.min(most);
    if needs > slots as f64 {
        return fixes;
    }
    let queue = Node::new(kind.id.clone()).with(concurrency, slots);
    let edges = design.nodes[node].ins.iter().copied();
    let edges: Vec<_> = edges.filter(|edge| !design.edges[*edge].resource).collect();
    let title = format!("Put a queue that hands out {slots} at once in front of {name}");
    let caution = "it delivers at least once and in any order, and answers come later";
    fixes.push(fix(design, title, caution, |build| {
        insert_before(
            design,
            build,
            Placed { node, edges },
            &"waiting".into(),
            queue,
        );
    }));
    fixes
}
