//! What of the flow lies under a point of the screen.

use egui::{Pos2, Rect, vec2};

use super::intent::Item;
use super::paint::Detail;
use super::scene::{Scene, sample};

/// How far from a wire the pointer still means it, in points of the screen.
const WIRE_REACH: f32 = 7.0;
/// The same for a port.
const PORT_REACH: f32 = 11.0;
/// The same for the corner of a frame.
const CORNER_REACH: f32 = 8.0;
/// Height of the title of a zone, in the document: the part by which it is taken.
const ZONE_TITLE: f32 = 30.0;
/// Width of the border of a zone by which it is taken, in points of the screen.
const ZONE_BORDER: f32 = 5.0;

/// Something under the pointer. Numbers are places in the scene.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hit {
    Canvas,
    /// Node and port.
    Port(usize, usize),
    Node(usize),
    Edge(usize),
    Zone(usize),
    Note(usize),
    /// Corner of a selected zone or note: 0 upper left, then clockwise.
    ZoneCorner(usize, usize),
    NoteCorner(usize, usize),
}

impl Scene {
    /// What is at a place of the document; `point` is the size of a point of the screen there.
    pub(super) fn hit(
        &self,
        at: Pos2,
        point: f32,
        detail: Detail,
        selected: impl Fn(&Item) -> bool,
    ) -> Hit {
        if detail == Detail::Full
            && let Some(hit) = self.hit_port(at, PORT_REACH * point)
        {
            return hit;
        }
        if let Some(node) = self.node_at(at) {
            return Hit::Node(node);
        }
        let reach = CORNER_REACH * point;
        let corner = |rect: Rect| {
            corners(rect)
                .into_iter()
                .position(|corner| corner.distance(at) <= reach)
        };
        for (index, note) in self.notes.iter().enumerate().rev() {
            if selected(&Item::Note(note.id.clone()))
                && let Some(corner) = corner(note.rect)
            {
                return Hit::NoteCorner(index, corner);
            }
            if note.rect.contains(at) {
                return Hit::Note(index);
            }
        }
        if let Some(edge) = self.edge_at(at, WIRE_REACH * point) {
            return Hit::Edge(edge);
        }
        for (index, zone) in self.zones.iter().enumerate().rev() {
            if selected(&Item::Zone(zone.id.clone()))
                && let Some(corner) = corner(zone.rect)
            {
                return Hit::ZoneCorner(index, corner);
            }
            let title = Rect::from_min_size(zone.rect.min, vec2(zone.rect.width(), ZONE_TITLE));
            let border = zone.rect.expand(ZONE_BORDER * point).contains(at)
                && !zone.rect.shrink(ZONE_BORDER * point).contains(at);
            if title.contains(at) || border {
                return Hit::Zone(index);
            }
        }
        Hit::Canvas
    }

    fn hit_port(&self, at: Pos2, reach: f32) -> Option<Hit> {
        let mut best: Option<(f32, Hit)> = None;
        for (index, node) in self.nodes.iter().enumerate() {
            if !node.rect.expand(reach).contains(at) {
                continue;
            }
            for (port, shape) in node.ports.iter().enumerate() {
                let distance = (node.rect.min + shape.at).distance(at);
                if distance <= reach && best.is_none_or(|(least, _)| distance < least) {
                    best = Some((distance, Hit::Port(index, port)));
                }
            }
        }
        best.map(|(_, hit)| hit)
    }

    /// The topmost node at a place.
    pub(super) fn node_at(&self, at: Pos2) -> Option<usize> {
        self.nodes.iter().rposition(|node| node.rect.contains(at))
    }

    /// The wire next to a place.
    pub(super) fn edge_at(&self, at: Pos2, reach: f32) -> Option<usize> {
        self.edges
            .iter()
            .enumerate()
            .filter_map(|(index, edge)| {
                let distance = distance(edge.curve(), at, reach)?;
                (distance <= reach).then_some((index, distance))
            })
            .min_by(|a, b| a.1.total_cmp(&b.1))
            .map(|(index, _)| index)
    }
}

/// Corners of a frame: upper left, then clockwise.
pub(super) fn corners(rect: Rect) -> [Pos2; 4] {
    [
        rect.left_top(),
        rect.right_top(),
        rect.right_bottom(),
        rect.left_bottom(),
    ]
}

/// How far a place is from a curve; nothing when it is surely farther than `reach`.
fn distance(curve: [Pos2; 4], at: Pos2, reach: f32) -> Option<f32> {
    if !Rect::from_points(&curve).expand(reach).contains(at) {
        return None;
    }
    let mut least = f32::INFINITY;
    let mut from = curve[0];
    for step in 1..=24_u8 {
        let to = sample(curve, f32::from(step) / 24.0);
        let along = to - from;
        let t = ((at - from).dot(along) / along.length_sq().max(1e-6)).clamp(0.0, 1.0);
        least = least.min(at.distance(from + along * t));
        from = to;
    }
    Some(least)
}
