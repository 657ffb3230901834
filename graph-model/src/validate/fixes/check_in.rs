//! Keeps payloads in a store and sends claims for them.

use super::{fix, kind_that};
use crate::catalog::{Behaviour, PortRole};
use crate::document::Node;
use crate::id::PortRef;
use crate::validate::Fix;
use crate::validate::design::{Design, NodeIx};

/// A store for the payload in front of a node, and a claim in its place.
pub(in crate::validate) fn check_in(design: &Design, node: NodeIx) -> Option<Fix> {
    let bucket = kind_that(design, |does| matches!(does, Behaviour::Bucket { .. }))?;
    let map = kind_that(design, |does| matches!(does, Behaviour::Map { .. }))?;
    let (Behaviour::Bucket { name }, Behaviour::Map { expr }) = (&bucket.behaviour, &map.behaviour)
    else {
        return None;
    };
    let view = &design.nodes[node];
    let edges = view.ins.iter().copied();
    let edges: Vec<_> = edges.filter(|edge| !design.edges[*edge].resource).collect();
    let (into, sent) = (map.inputs.first()?, map.outputs.first()?);
    let out = bucket
        .outputs
        .iter()
        .find(|port| port.role == PortRole::Data)?;
    let store = bucket.inputs.first()?;
    let keep = Node::new(bucket.id.clone()).with(name, "$event.id");
    let claim = Node::new(map.id.clone()).with(expr, "{claim: $event.id}");
    let title = format!(
        "Keep what is sent to {} in a store, and send a claim",
        design.title(node)
    );
    let caution = "whoever reads it fetches the payload from the store by `claim`";
    let to = edges
        .first()
        .map(|edge| design.edges[*edge].edge.to.clone())?;
    Some(fix(design, title, caution, |build| {
        let keep = build.add_node(&"payloads".into(), keep, None);
        let claim = build.add_node(&"claim".into(), claim, None);
        for edge in &edges {
            build.change_edge(&design.edges[*edge].id, |edge| {
                edge.to = PortRef::new(keep.clone(), store.name.clone());
            });
        }
        build.connect(
            PortRef::new(keep, out.name.clone()),
            PortRef::new(claim.clone(), into.name.clone()),
        );
        build.connect(PortRef::new(claim, sent.name.clone()), to);
    }))
}
