//! Checks what strangers sent.

use super::{Placed, fix, insert_before, kind_that};
use crate::catalog::{Behaviour, PortRole};
use crate::document::Node;
use crate::id::PortRef;
use crate::validate::Fix;
use crate::validate::design::NodeIx;
use crate::validate::facts::Facts;

/// A validation in front of the node, or right behind the source, by the event type that is known
/// there.
pub(in crate::validate) fn validate_input(
    facts: &Facts,
    node: NodeIx,
    source: NodeIx,
) -> Option<Fix> {
    let design = &*facts.design;
    let kind = kind_that(design, |does| matches!(does, Behaviour::Validate { .. }))?;
    let Behaviour::Validate { ty: field } = &kind.behaviour else {
        return None;
    };
    let caution = "events of another shape are held back there; wire `invalid` to keep them";
    let drawn = |edges: &[usize]| edges.iter().all(|edge| !design.edges[*edge].resource);
    let here = facts.input(node).and_then(|port| port.payload.ty.clone());
    if let Some(ty) = here.filter(|_| drawn(&design.nodes[node].ins)) {
        let new = Node::new(kind.id.clone()).with(field, ty.as_str());
        let edges = design.nodes[node].ins.clone();
        let title = format!("Check that it is {ty} in front of {}", design.title(node));
        return Some(fix(design, title, caution, |build| {
            insert_before(design, build, Placed { node, edges }, &"check".into(), new);
        }));
    }
    let ty = facts.output(source)?.payload.ty.clone()?;
    let edges: Vec<usize> = design.nodes[source]
        .outs
        .iter()
        .copied()
        .filter(|edge| design.edges[*edge].role == PortRole::Data && design.edges[*edge].main)
        .collect();
    if !drawn(&edges) {
        return None;
    }
    let (into, out) = (kind.inputs.first()?, kind.outputs.first()?);
    let from = design.edges[*edges.first()?].edge.from.clone();
    let new = Node::new(kind.id.clone()).with(field, ty.as_str());
    let title = format!("Check that it is {ty} behind {}", design.title(source));
    Some(fix(design, title, caution, |build| {
        let check = build.add_node(&"check".into(), new, None);
        for edge in edges {
            let start = PortRef::new(check.clone(), out.name.clone());
            build.change_edge(&design.edges[edge].id, |edge| edge.from = start);
        }
        build.connect(from, PortRef::new(check, into.name.clone()));
    }))
}
