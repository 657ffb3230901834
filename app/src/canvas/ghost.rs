//! A document that might be, drawn over the one that is: what would come, go, or become different.

use super::intent::Item;
use super::paint::{Brush, NodeLook, WireLook};
use super::scene::Scene;
use super::{CanvasInput, Mark};

/// What a previewed change would do.
pub(super) fn draw(
    brush: &mut Brush<'_>,
    input: &CanvasInput<'_>,
    scene: &Scene,
    kept: &mut Option<(u64, Scene)>,
) {
    let Some(ghost) = input.ghost else {
        *kept = None;
        return;
    };
    if kept.as_ref().map(|(revision, _)| *revision) != Some(ghost.revision) {
        *kept = Some((ghost.revision, Scene::new(ghost.document, input.catalog)));
    }
    let Some((_, after)) = kept else {
        return;
    };
    let mark = |item: Item| ghost.marks.get(&item).copied();
    for edge in &scene.edges {
        let then = after.edge(&edge.id).map(|then| &after.edges[then]);
        // An end that goes elsewhere leaves the old way empty.
        let stays = then.is_some_and(|then| then.from == edge.from && then.to == edge.to);
        if !stays {
            brush.struck_wire(edge);
        }
    }
    for edge in &after.edges {
        let before = scene.edge(&edge.id).map(|before| &scene.edges[before]);
        let same_way = before.is_some_and(|old| old.from == edge.from && old.to == edge.to);
        let mark = match mark(Item::Edge(edge.id.clone())) {
            Some(Mark::Changed) if !same_way => Mark::Added,
            Some(mark) => mark,
            None => continue,
        };
        let look = WireLook {
            mark: Some(mark),
            ..WireLook::default()
        };
        brush.wire(edge, look);
    }
    for node in &after.nodes {
        let mark = mark(Item::Node(node.id.clone()));
        if mark.is_some() {
            let look = NodeLook {
                mark,
                ..NodeLook::default()
            };
            brush.node(node, look);
        }
    }
    for node in &scene.nodes {
        if mark(Item::Node(node.id.clone())) == Some(Mark::Removed) {
            brush.struck_node(node);
        }
    }
}
