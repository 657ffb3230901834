//! Things that are moved or get another size.

use std::collections::BTreeSet;

use egui::{Pos2, Rect, Vec2, pos2, vec2};
use graph_model::id::Id;

use super::super::CanvasView;
use super::super::hit::{Hit, corners};
use super::super::intent::{Intent, Item, PortSide, SelectMode};
use super::super::scene::Scene;
use super::{Frame, Gesture, item_of};
use crate::theme::space::GRID;

/// Width of the margin of the canvas that moves the view during a drag.
const EDGE_PAN: f32 = 28.0;

/// Smallest width and height of a zone or note.
const FRAME_MIN: f32 = 60.0;

/// Takes what is selected, or what is under the pointer when that is not.
pub(super) fn take_items(
    frame: &Frame<'_, '_>,
    scene: &Scene,
    hit: Hit,
    from: Pos2,
    out: &mut Vec<Intent>,
) -> Option<Gesture> {
    let item = item_of(scene, hit)?;
    let mut items: BTreeSet<Item> = if frame.input.selection.contains(&item) {
        frame.input.selection.clone()
    } else {
        BTreeSet::new()
    };
    if items.is_empty() {
        let mode = if frame.modifiers.shift {
            items.clone_from(frame.input.selection);
            SelectMode::Add
        } else {
            SelectMode::Replace
        };
        items.insert(item.clone());
        out.push(Intent::Select {
            items: BTreeSet::from([item]),
            mode,
        });
    }
    let mut ids: BTreeSet<Id> = BTreeSet::new();
    for item in &items {
        match item {
            Item::Node(id) | Item::Note(id) => {
                ids.insert(id.clone());
            }
            Item::Zone(zone) => {
                // What stands in a zone goes with it.
                ids.insert(zone.clone());
                ids.extend(
                    scene
                        .nodes
                        .iter()
                        .filter(|node| node.zone.as_ref() == Some(zone))
                        .map(|node| node.id.clone()),
                );
            }
            Item::Edge(_) => {}
        }
    }
    let home = match hit {
        Hit::Node(index) => scene.nodes[index].rect.min,
        Hit::Zone(index) => scene.zones[index].rect.min,
        Hit::Note(index) => scene.notes[index].rect.min,
        _ => from,
    };
    let single = match hit {
        Hit::Node(index) if ids.len() == 1 => {
            let node = &scene.nodes[index];
            let joins = |side| node.ports_on(side).next().is_some();
            (node.edges.is_empty() && joins(PortSide::Input) && joins(PortSide::Output))
                .then_some(index)
        }
        _ => None,
    };
    Some(Gesture::Move {
        ids,
        from,
        home,
        copy: frame.modifiers.alt,
        single,
    })
}

pub(super) fn moved(
    scene: &Scene,
    ids: &BTreeSet<Id>,
    (dx, dy): (i32, i32),
    copy: bool,
    single: Option<usize>,
    opened: Option<usize>,
) -> Intent {
    if copy {
        return Intent::Duplicate {
            ids: ids.clone(),
            dx,
            dy,
        };
    }
    match (single, opened) {
        (Some(node), Some(edge)) => Intent::DropOnWire {
            node: scene.nodes[node].id.clone(),
            edge: scene.edges[edge].id.clone(),
            dx,
            dy,
        },
        _ => Intent::MoveBy {
            ids: ids.clone(),
            dx,
            dy,
            done: true,
        },
    }
}

/// Everything whose frame lies in a rectangle, or touches it in the case of nodes.
pub(super) fn inside(scene: &Scene, rect: Rect) -> BTreeSet<Item> {
    let nodes = scene
        .nodes
        .iter()
        .filter(|node| rect.intersects(node.rect))
        .map(|node| Item::Node(node.id.clone()));
    let zones = scene
        .zones
        .iter()
        .filter(|zone| rect.contains_rect(zone.rect))
        .map(|zone| Item::Zone(zone.id.clone()));
    let notes = scene
        .notes
        .iter()
        .filter(|note| rect.intersects(note.rect))
        .map(|note| Item::Note(note.id.clone()));
    nodes.chain(zones).chain(notes).collect()
}

/// The view follows a drag that reaches the margin of the canvas.
pub(super) fn pan_at_edge(frame: &Frame<'_, '_>, view: &mut CanvasView) {
    let Some(pointer) = frame.pointer else {
        return;
    };
    let push = |at: f32, min: f32, max: f32| {
        ((min + EDGE_PAN - at).max(0.0) - (at - max + EDGE_PAN).max(0.0)).clamp(-EDGE_PAN, EDGE_PAN)
    };
    let by = vec2(
        push(pointer.x, frame.canvas.min.x, frame.canvas.max.x),
        push(pointer.y, frame.canvas.min.y, frame.canvas.max.y),
    );
    if by != Vec2::ZERO {
        let seconds = frame.ui.input(|input| input.stable_dt).min(0.05);
        view.camera.offset += by * seconds * 14.0;
        frame.ui.ctx().request_repaint();
    }
}

/// How far to move so that what stood at `home` stands on the grid; freely on demand.
pub(super) fn snapped(home: Pos2, by: Vec2, free: bool) -> (i32, i32) {
    if free {
        return (by.x.round() as i32, by.y.round() as i32);
    }
    (
        snap(home.x + by.x) - home.x as i32,
        snap(home.y + by.y) - home.y as i32,
    )
}

pub(in crate::canvas) fn snap(at: f32) -> i32 {
    (at / GRID as f32).round() as i32 * GRID
}

pub(super) fn resized(home: Rect, corner: usize, at: Pos2) -> Rect {
    let at = pos2(snap(at.x) as f32, snap(at.y) as f32);
    let fixed = corners(home)[(corner + 2) % 4];
    let limit = |at: f32, fixed: f32, low: bool| {
        if low {
            at.min(fixed - FRAME_MIN)
        } else {
            at.max(fixed + FRAME_MIN)
        }
    };
    let left = matches!(corner, 0 | 3);
    let top = matches!(corner, 0 | 1);
    let moving = pos2(limit(at.x, fixed.x, left), limit(at.y, fixed.y, top));
    Rect::from_two_pos(fixed, moving)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_moved_lands_on_the_grid() {
        let home = pos2(13.0, -7.0);
        assert_eq!(snapped(home, vec2(4.0, 3.0), false), (7, 7));
        assert_eq!(snapped(home, vec2(4.4, 3.6), true), (4, 4));
    }

    #[test]
    fn frames_keep_a_least_size_and_their_fixed_corner() {
        let home = Rect::from_min_max(pos2(0.0, 0.0), pos2(200.0, 100.0));
        for (corner, at, expected) in [
            (2, pos2(304.0, 56.0), [0, 0, 300, 60]),
            (0, pos2(-52.0, 31.0), [-50, 30, 200, 100]),
            (0, pos2(500.0, 500.0), [140, 40, 200, 100]),
            (3, pos2(-100.0, 200.0), [-100, 0, 200, 200]),
        ] {
            let to = resized(home, corner, at);
            let sides = [to.min.x, to.min.y, to.max.x, to.max.y];
            assert_eq!(sides.map(|side| side as i32), expected);
        }
    }
}
