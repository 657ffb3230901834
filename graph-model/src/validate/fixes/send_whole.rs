//! Sends a list as one event instead of each element.

use std::collections::BTreeSet;

use super::{fix, kind_that};
use crate::catalog::Behaviour;
use crate::document::Node;
use crate::validate::Fix;
use crate::validate::design::{Design, NodeIx};

/// A map instead of a node that splits, where nothing behind it reads single fields.
pub(in crate::validate) fn send_whole(design: &Design, node: NodeIx) -> Option<Fix> {
    let view = &design.nodes[node];
    let Behaviour::Split { expr } = design.behaviour(node)? else {
        return None;
    };
    let map = kind_that(design, |does| matches!(does, Behaviour::Map { .. }))?;
    let Behaviour::Map { expr: makes } = &map.behaviour else {
        return None;
    };
    let code = design.text(node, expr)?;
    let new = Node::new(map.id.clone());
    let mut wires = view.outs.iter().map(|edge| &design.edges[*edge]);
    let same_ports = wires.all(|wire| map.output_role(&new, &wire.edge.from.port).is_some());
    let input = &map.inputs.first()?.name;
    let mut wires = view.ins.iter().map(|edge| &design.edges[*edge]);
    let same_ports = same_ports && wires.all(|wire| wire.edge.to.port == *input);
    if !same_ports || !takes_lists(design, node) {
        return None;
    }
    let title = format!("Let {} send its list as one event", design.title(node));
    let caution = "whoever gets it has to go through the list";
    Some(fix(design, title, caution, |build| {
        build.change_node(&view.id, |held| {
            held.kind = map.id.clone();
            held.config = Node::new(map.id.clone()).with(makes, code).config;
            held.notes.declared.remove("gain");
        });
    }))
}

/// Whether all that is behind a node, but for channels, is code or shows whatever comes.
fn takes_lists(design: &Design, node: NodeIx) -> bool {
    let (mut open, mut seen) = (vec![node], BTreeSet::new());
    while let Some(at) = open.pop() {
        let outs = design.nodes[at].outs.iter().copied();
        for edge in outs.filter(|edge| !design.is_failure(*edge)) {
            let to = design.edges[edge].to;
            if !seen.insert(to) {
                continue;
            }
            match design.behaviour(to) {
                Some(Behaviour::Opaque { .. } | Behaviour::Observe { .. }) => {}
                Some(Behaviour::Queue { .. } | Behaviour::Topic | Behaviour::Merge) => {
                    open.push(to);
                }
                _ => return false,
            }
        }
    }
    true
}
