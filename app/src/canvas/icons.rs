//! The pictures of the kinds: a few strokes each on a grid of sixteen by sixteen.

use egui::{Color32, Pos2, Shape, Stroke, pos2, vec2};

/// A stroke of a picture.
enum Part {
    Line(&'static [(f32, f32)]),
    Ring(f32, f32, f32),
    Dot(f32, f32, f32),
}

use Part::{Dot, Line, Ring};

/// Adds the picture of this name with its upper left corner at `at`; a ring when there is none.
pub(super) fn draw(shapes: &mut Vec<Shape>, name: &str, at: Pos2, side: f32, color: Color32) {
    let unit = side / 16.0;
    let stroke = Stroke::new((1.5 * unit).max(0.75), color);
    let place = |x: f32, y: f32| at + vec2(x, y) * unit;
    for part in parts(name) {
        shapes.push(match part {
            Line(points) => {
                Shape::line(points.iter().map(|(x, y)| place(*x, *y)).collect(), stroke)
            }
            Ring(x, y, radius) => Shape::circle_stroke(place(*x, *y), radius * unit, stroke),
            Dot(x, y, radius) => Shape::circle_filled(place(*x, *y), radius * unit, color),
        });
    }
}

/// A triangle that points right, for things that start.
pub(super) fn play(shapes: &mut Vec<Shape>, center: Pos2, radius: f32, color: Color32) {
    shapes.push(Shape::convex_polygon(
        vec![
            center + vec2(-0.55, -0.8) * radius,
            center + vec2(0.85, 0.0) * radius,
            center + vec2(-0.55, 0.8) * radius,
        ],
        color,
        Stroke::NONE,
    ));
}

/// The tip of an arrow that ends at `tip`, going in `direction` (of length one).
pub(super) fn arrow_head(tip: Pos2, direction: egui::Vec2, size: f32, color: Color32) -> Shape {
    let back = tip - direction * size;
    let side = direction.rot90() * (size * 0.5);
    Shape::convex_polygon(vec![tip, back + side, back - side], color, Stroke::NONE)
}

#[rustfmt::skip]
fn parts(name: &str) -> &'static [Part] {
    match name {
        "bolt" => &[Line(&[(9.0, 1.5), (3.5, 9.0), (8.0, 9.0), (7.0, 14.5), (12.5, 7.0), (8.0, 7.0), (9.0, 1.5)])],
        "clock" => &[Ring(8.0, 8.0, 6.0), Line(&[(8.0, 4.5), (8.0, 8.0), (10.5, 9.5)])],
        "console" => &[Line(&[(1.5, 3.0), (14.5, 3.0), (14.5, 13.0), (1.5, 13.0), (1.5, 3.0)]), Line(&[(4.0, 6.0), (6.5, 8.0), (4.0, 10.0)]), Line(&[(8.0, 10.5), (11.5, 10.5)])],
        "decide" => &[Line(&[(8.0, 1.5), (14.5, 8.0), (8.0, 14.5), (1.5, 8.0), (8.0, 1.5)]), Line(&[(5.6, 8.0), (7.4, 9.8), (10.6, 6.4)])],
        "dedupe" => &[Ring(6.0, 8.0, 4.0), Line(&[(8.0, 4.6), (9.5, 4.0), (12.0, 5.0), (13.8, 8.0), (12.0, 11.0), (9.5, 12.0), (8.0, 11.4)])],
        "dice" => &[Line(&[(2.5, 2.5), (13.5, 2.5), (13.5, 13.5), (2.5, 13.5), (2.5, 2.5)]), Dot(5.5, 5.5, 1.1), Dot(8.0, 8.0, 1.1), Dot(10.5, 10.5, 1.1)],
        "enrich" => &[Line(&[(1.5, 2.5), (8.5, 2.5), (8.5, 13.5), (1.5, 13.5), (1.5, 2.5)]), Line(&[(4.0, 6.0), (6.0, 6.0)]), Line(&[(4.0, 10.0), (6.0, 10.0)]), Line(&[(10.5, 8.0), (15.0, 8.0)]), Line(&[(12.75, 5.75), (12.75, 10.25)])],
        "eye" => &[Line(&[(1.0, 8.0), (4.0, 4.8), (8.0, 3.6), (12.0, 4.8), (15.0, 8.0), (12.0, 11.2), (8.0, 12.4), (4.0, 11.2), (1.0, 8.0)]), Ring(8.0, 8.0, 2.0)],
        "file" => &[Line(&[(9.5, 1.5), (3.5, 1.5), (3.5, 14.5), (12.5, 14.5), (12.5, 4.5), (9.5, 1.5), (9.5, 4.5), (12.5, 4.5)]), Line(&[(6.0, 8.0), (10.0, 8.0)]), Line(&[(6.0, 11.0), (10.0, 11.0)])],
        "filter" => &[Line(&[(1.5, 2.5), (14.5, 2.5), (9.5, 8.5), (9.5, 12.5), (6.5, 14.0), (6.5, 8.5), (1.5, 2.5)])],
        "fold" => &[Line(&[(13.2, 5.0), (11.4, 3.0), (8.6, 2.2), (5.6, 3.0), (3.4, 5.0), (2.6, 8.0), (3.4, 11.0), (5.6, 13.0), (8.6, 13.8), (11.4, 13.0), (13.2, 11.0)]), Line(&[(13.6, 1.8), (13.2, 5.0), (10.0, 4.8)]), Dot(8.2, 8.0, 1.8)],
        "folder" => &[Line(&[(1.5, 12.5), (1.5, 3.5), (6.0, 3.5), (7.5, 5.5), (14.5, 5.5), (14.5, 12.5), (1.5, 12.5)])],
        "function" => &[Line(&[(11.5, 2.8), (10.3, 2.0), (8.9, 2.5), (8.2, 4.5), (6.7, 12.0), (5.7, 13.6), (4.2, 13.2)]), Line(&[(5.0, 6.8), (10.8, 6.8)])],
        "globe" => &[Ring(8.0, 8.0, 6.3), Line(&[(1.7, 8.0), (14.3, 8.0)]), Line(&[(8.0, 1.7), (5.4, 4.6), (5.0, 8.0), (5.4, 11.4), (8.0, 14.3), (10.6, 11.4), (11.0, 8.0), (10.6, 4.6), (8.0, 1.7)])],
        "guard" => &[Line(&[(8.0, 1.5), (13.5, 3.5), (13.0, 8.8), (11.0, 12.2), (8.0, 14.5), (5.0, 12.2), (3.0, 8.8), (2.5, 3.5), (8.0, 1.5)]), Line(&[(5.6, 7.8), (7.4, 9.6), (10.6, 6.2)])],
        "hand" => &[Ring(8.0, 8.0, 6.3), Dot(8.0, 8.0, 3.0)],
        "inbox" => &[Line(&[(1.5, 9.0), (4.0, 2.5), (12.0, 2.5), (14.5, 9.0), (14.5, 13.5), (1.5, 13.5), (1.5, 9.0), (5.2, 9.0), (6.4, 11.0), (9.6, 11.0), (10.8, 9.0), (14.5, 9.0)])],
        "join" => &[Ring(5.8, 8.0, 4.4), Ring(10.2, 8.0, 4.4)],
        "log" => &[Line(&[(2.0, 5.0), (14.0, 5.0), (14.0, 11.0), (2.0, 11.0), (2.0, 5.0)]), Line(&[(6.0, 5.0), (6.0, 11.0)]), Line(&[(10.0, 5.0), (10.0, 11.0)])],
        "map" => &[Line(&[(1.5, 8.0), (14.0, 8.0)]), Line(&[(10.5, 4.5), (14.0, 8.0), (10.5, 11.5)]), Dot(4.5, 8.0, 2.2)],
        "mediate" => &[Line(&[(1.5, 5.5), (13.5, 5.5)]), Line(&[(10.8, 2.8), (13.5, 5.5)]), Line(&[(14.5, 10.5), (2.5, 10.5)]), Line(&[(5.2, 13.2), (2.5, 10.5)])],
        "merge" => &[Line(&[(1.5, 3.0), (5.0, 3.0), (9.0, 8.0), (14.5, 8.0)]), Line(&[(1.5, 13.0), (5.0, 13.0), (9.0, 8.0)]), Line(&[(11.8, 5.3), (14.5, 8.0), (11.8, 10.7)])],
        "queue" => &[Line(&[(2.5, 3.0), (2.5, 13.0)]), Line(&[(6.2, 3.0), (6.2, 13.0)]), Line(&[(9.9, 3.0), (9.9, 13.0)]), Line(&[(13.5, 5.5), (13.5, 10.5)])],
        "redact" => &[Line(&[(2.0, 4.0), (14.0, 4.0)]), Line(&[(2.0, 12.0), (9.0, 12.0)]), Line(&[(2.0, 7.4), (12.0, 7.4), (12.0, 8.6), (2.0, 8.6), (2.0, 7.4)])],
        "resequence" => &[Line(&[(1.5, 13.0), (4.5, 13.0), (4.5, 10.0), (7.5, 10.0), (7.5, 7.0), (10.5, 7.0), (10.5, 4.0), (14.5, 4.0)]), Line(&[(12.3, 1.8), (14.5, 4.0), (12.3, 6.2)])],
        "rewind" => &[Line(&[(8.0, 3.5), (2.0, 8.0), (8.0, 12.5), (8.0, 3.5)]), Line(&[(14.0, 3.5), (8.0, 8.0), (14.0, 12.5), (14.0, 3.5)])],
        "route" => &[Line(&[(1.5, 8.0), (5.5, 8.0), (9.5, 3.5), (14.0, 3.5)]), Line(&[(5.5, 8.0), (9.5, 12.5), (14.0, 12.5)]), Line(&[(11.8, 1.3), (14.0, 3.5), (11.8, 5.7)]), Line(&[(11.8, 10.3), (14.0, 12.5), (11.8, 14.7)])],
        "send" => &[Line(&[(14.5, 1.8), (1.5, 6.8), (6.8, 9.2), (9.2, 14.5), (14.5, 1.8), (6.8, 9.2)])],
        "shuffle" => &[Line(&[(1.5, 4.0), (4.5, 4.0), (10.5, 12.0), (14.0, 12.0)]), Line(&[(1.5, 12.0), (4.5, 12.0), (10.5, 4.0), (14.0, 4.0)]), Line(&[(12.0, 2.0), (14.0, 4.0), (12.0, 6.0)]), Line(&[(12.0, 10.0), (14.0, 12.0), (12.0, 14.0)])],
        "sigma" => &[Line(&[(12.5, 4.5), (12.5, 2.5), (3.5, 2.5), (8.5, 8.0), (3.5, 13.5), (12.5, 13.5), (12.5, 11.5)])],
        "split" => &[Dot(3.0, 8.0, 1.6), Line(&[(3.0, 8.0), (12.0, 3.0)]), Line(&[(3.0, 8.0), (12.0, 8.0)]), Line(&[(3.0, 8.0), (12.0, 13.0)]), Dot(13.0, 3.0, 1.5), Dot(13.0, 8.0, 1.5), Dot(13.0, 13.0, 1.5)],
        "table" => &[Line(&[(1.5, 2.5), (14.5, 2.5), (14.5, 13.5), (1.5, 13.5), (1.5, 2.5)]), Line(&[(1.5, 6.2), (14.5, 6.2)]), Line(&[(6.0, 6.2), (6.0, 13.5)]), Line(&[(1.5, 9.9), (14.5, 9.9)])],
        "tokenise" => &[Ring(4.8, 8.0, 3.3), Line(&[(8.1, 8.0), (14.5, 8.0), (14.5, 11.0)]), Line(&[(11.5, 8.0), (11.5, 10.5)])],
        "topic" => &[Dot(8.0, 8.0, 1.8), Line(&[(4.6, 4.6), (3.6, 6.2), (3.4, 8.0), (3.6, 9.8), (4.6, 11.4)]), Line(&[(11.4, 4.6), (12.4, 6.2), (12.6, 8.0), (12.4, 9.8), (11.4, 11.4)])],
        "validate" => &[Line(&[(13.5, 7.5), (13.5, 13.5), (2.5, 13.5), (2.5, 2.5), (10.0, 2.5)]), Line(&[(5.0, 7.5), (8.0, 10.5), (14.5, 2.5)])],
        "version_guard" => &[Line(&[(8.0, 13.5), (8.0, 5.5)]), Line(&[(4.6, 8.6), (8.0, 5.2), (11.4, 8.6)]), Line(&[(2.5, 2.0), (13.5, 2.0)])],
        _ => &[Ring(8.0, 8.0, 5.0)],
    }
}

/// Where a picture of this side stands inside a tile.
pub(super) fn inset(tile: egui::Rect, side: f32) -> Pos2 {
    pos2(tile.center().x - side / 2.0, tile.center().y - side / 2.0)
}

#[cfg(test)]
mod tests {
    use graph_model::catalog::Catalog;

    use super::*;

    #[test]
    fn every_kind_has_a_picture_of_its_own_that_stays_in_its_frame() {
        for kind in Catalog::bundled().iter() {
            let strokes = parts(&kind.icon);
            assert!(
                !matches!(strokes, [Ring(_, _, radius)] if *radius < 5.5),
                "{} of {}",
                kind.icon,
                kind.id
            );
            let mut shapes = Vec::new();
            draw(&mut shapes, &kind.icon, Pos2::ZERO, 16.0, Color32::WHITE);
            for shape in shapes {
                let bounds = shape.visual_bounding_rect();
                let frame = egui::Rect::from_min_max(pos2(0.0, 0.0), pos2(16.0, 16.0));
                assert!(
                    frame.expand(0.5).contains_rect(bounds),
                    "{}: {bounds}",
                    kind.icon
                );
            }
        }
    }
}
