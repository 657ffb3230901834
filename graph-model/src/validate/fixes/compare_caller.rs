//! Lets events pass only when what they act on is the caller's.

use super::identify::path;
use super::{Placed, fix, insert_before, kind_that};
use crate::catalog::Behaviour;
use crate::document::Node;
use crate::pointer::Pointer;
use crate::validate::Fix;
use crate::validate::design::NodeIx;
use crate::validate::facts::Facts;

/// A filter in front of the node that compares two fields.
pub(in crate::validate) fn compare_caller(
    facts: &Facts,
    node: NodeIx,
    acts_on: &Pointer,
    caller: &Pointer,
) -> Option<Fix> {
    let design = &*facts.design;
    let kind = kind_that(design, |does| matches!(does, Behaviour::Filter { .. }))?;
    let Behaviour::Filter { predicate } = &kind.behaviour else {
        return None;
    };
    let test = format!("{} == {}", path(acts_on)?, path(caller)?);
    let title = format!("Let only `{test}` pass to {}", design.title(node));
    let new = Node::new(kind.id.clone()).with(predicate, test);
    let edges = design.nodes[node].ins.clone();
    if edges.iter().any(|edge| design.edges[*edge].resource) {
        return None;
    }
    let caution = "events of callers who act for others are dropped; wire `dropped` to keep them";
    Some(fix(design, title, caution, |build| {
        insert_before(
            design,
            build,
            Placed { node, edges },
            &"own_only".into(),
            new,
        );
    }))
}
