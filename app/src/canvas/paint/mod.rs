//! Draws the flow: grid, zones, wires, cards, notes. Shapes are collected and added in one go.

mod ground;
mod node;
mod port;
mod wire;

use egui::epaint::RectShape;
use egui::{Align2, Color32, Painter, Pos2, Rect, Shape, Stroke, StrokeKind, Vec2, vec2};
use smol_str::SmolStr;

use super::camera::Camera;
use super::text::{SIZE_MIN, Style, Texts};
use crate::theme::{Tokens, size};

pub(super) use self::node::NodeLook;
pub(super) use self::wire::WireLook;

/// Magnification from which cards show everything.
const ZOOM_FULL: f32 = 0.5;
/// Magnification from which cards show their title; below it they are blocks of colour.
const ZOOM_TITLE: f32 = 0.2;
/// Radius of a port in the document.
const PORT_RADIUS: f32 = 5.0;
/// Share of a colour that is left of what steps back.
const FADED: f32 = 0.35;

/// How much of a card is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Detail {
    Block,
    Title,
    Full,
}

/// Everything that drawing needs, and what was drawn so far.
pub(super) struct Brush<'a> {
    pub(super) painter: &'a Painter,
    pub(super) tokens: &'a Tokens,
    pub(super) camera: Camera,
    /// The canvas on the screen.
    pub(super) canvas: Rect,
    /// So much is in sight that each thing has to be drawn with less.
    pub(super) crowded: bool,
    pub(super) texts: &'a mut Texts,
    pub(super) shapes: Vec<Shape>,
}

impl Detail {
    /// How much is drawn at a magnification.
    pub(super) fn at(zoom: f32) -> Detail {
        match zoom {
            zoom if zoom >= ZOOM_FULL => Detail::Full,
            zoom if zoom >= ZOOM_TITLE => Detail::Title,
            _ => Detail::Block,
        }
    }
}

impl Brush<'_> {
    pub(super) fn detail(&self) -> Detail {
        Detail::at(self.camera.zoom)
    }

    pub(super) fn place(&self, at: Pos2) -> Pos2 {
        self.camera.to_screen(self.canvas, at)
    }

    pub(super) fn rect(&self, rect: Rect) -> Rect {
        self.camera.rect_to_screen(self.canvas, rect)
    }

    /// A length of the document on the screen.
    fn scale(&self, length: f32) -> f32 {
        length * self.camera.zoom
    }

    /// Hands everything over to be shown.
    pub(super) fn finish(self) {
        self.painter.extend(self.shapes);
    }

    /// Puts a text; answers the room that it takes.
    pub(super) fn text(
        &mut self,
        at: Pos2,
        anchor: Align2,
        text: &SmolStr,
        style: Style,
        color: Color32,
    ) -> Rect {
        if text.is_empty() || style.size < SIZE_MIN {
            return Rect::from_min_size(at, Vec2::ZERO);
        }
        let galley = self.texts.get(self.painter, text, style);
        let room = anchor.anchor_size(at, galley.size());
        self.shapes.push(Shape::galley(room.min, galley, color));
        room
    }

    /// A text on a plate of its own, centred at `at` and kept inside the canvas.
    pub(super) fn plate(&mut self, at: Pos2, text: &SmolStr, ink: Color32, line: Color32) -> Rect {
        let style = Style::line(size::SMALL, 360.0).rows(4);
        let galley = self.texts.get(self.painter, text, style);
        let room = Rect::from_center_size(at, galley.size() + vec2(14.0, 8.0));
        let inside = self.canvas.shrink(4.0);
        let shift =
            (inside.min - room.min).max(Vec2::ZERO) - (room.max - inside.max).max(Vec2::ZERO);
        let room = room.translate(shift);
        self.shapes.push(Shape::Rect(
            RectShape::filled(room.translate(vec2(0.0, 2.0)), 6, self.tokens.shadow)
                .with_blur_width(8.0),
        ));
        self.shapes.push(Shape::Rect(RectShape::new(
            room,
            6,
            self.tokens.raised,
            Stroke::new(1.0, line),
            StrokeKind::Inside,
        )));
        self.shapes
            .push(Shape::galley(room.min + vec2(7.0, 4.0), galley, ink));
        room
    }

    fn dashed_frame(&mut self, rect: Rect, stroke: Stroke) {
        let corners = [
            rect.left_top(),
            rect.right_top(),
            rect.right_bottom(),
            rect.left_bottom(),
            rect.left_top(),
        ];
        self.shapes
            .extend(Shape::dashed_line(&corners, stroke, 5.0, 4.0));
    }
}

/// A count in few characters: `999`, `1.2k`, `34k`, `5.6M`.
pub(super) fn brief(count: u64) -> String {
    let steps = [(1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")];
    for (step, letter) in steps {
        if count >= step {
            let tenths = count / (step / 10);
            return if tenths < 100 {
                format!("{}.{}{letter}", tenths / 10, tenths % 10)
            } else {
                format!("{}{letter}", tenths / 10)
            };
        }
    }
    count.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_stay_short() {
        for (count, expected) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1.0k"),
            (9_990, "9.9k"),
            (34_567, "34k"),
            (5_640_000, "5.6M"),
            (u64::from(u32::MAX), "4.2G"),
        ] {
            assert_eq!(brief(count), expected);
        }
    }
}
