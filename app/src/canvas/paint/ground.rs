//! What lies under the flow: the grid, zones and notes.

use egui::epaint::RectShape;
use egui::{Align2, Mesh, Rect, Shape, Stroke, StrokeKind, Vec2, pos2, vec2};

use super::super::scene::FrameShape;
use super::super::text::Style;
use super::{Brush, Detail};
use crate::theme::size;

/// Least distance of two dots of the grid on the screen.
const GRID_STEP_MIN: f32 = 16.0;
/// Distance of the dots of the grid in the document.
const GRID_STEP: f32 = 20.0;

impl Brush<'_> {
    /// Dots at even distances; fewer when the flow is far away.
    pub(in crate::canvas) fn grid(&mut self) {
        let mut step = GRID_STEP;
        while self.scale(step) < GRID_STEP_MIN {
            step *= 2.0;
        }
        let visible = self.camera.visible(self.canvas);
        let dot = self.scale(1.6).clamp(1.0, 2.0);
        let (left, top) = (
            (visible.min.x / step).floor(),
            (visible.min.y / step).floor(),
        );
        let columns = (visible.width() / step) as u32 + 2;
        let rows = (visible.height() / step) as u32 + 2;
        let mut mesh = Mesh::default();
        mesh.reserve_vertices((columns * rows * 4) as usize);
        mesh.reserve_triangles((columns * rows * 2) as usize);
        for row in 0..rows {
            for column in 0..columns {
                let at = pos2((left + column as f32) * step, (top + row as f32) * step);
                let rect = Rect::from_center_size(self.place(at), Vec2::splat(dot));
                mesh.add_colored_rect(rect, self.tokens.grid);
            }
        }
        self.shapes.push(Shape::mesh(mesh));
    }

    pub(in crate::canvas) fn zone(&mut self, zone: &FrameShape, selected: bool, hovered: bool) {
        let rect = self.rect(zone.rect);
        if !rect.intersects(self.canvas) {
            return;
        }
        let tokens = self.tokens;
        let line = self.outline(selected, hovered);
        let corner = self.scale(12.0).clamp(2.0, 24.0) as u8;
        self.shapes
            .push(Shape::rect_filled(rect, corner, tokens.zone));
        if selected {
            self.shapes
                .push(Shape::rect_stroke(rect, corner, line, StrokeKind::Inside));
        } else {
            self.dashed_frame(rect, line);
        }
        let style = Style::line(
            self.scale(size::BODY).clamp(9.0, 26.0),
            rect.width() - self.scale(20.0),
        );
        let at = rect.min + vec2(self.scale(12.0), self.scale(8.0));
        self.text(at, Align2::LEFT_TOP, &zone.text, style, tokens.muted);
        if selected {
            self.handles(rect);
        }
    }

    pub(in crate::canvas) fn note(&mut self, note: &FrameShape, selected: bool, hovered: bool) {
        let rect = self.rect(note.rect);
        if !rect.intersects(self.canvas) {
            return;
        }
        let tokens = self.tokens;
        let line = self.outline(selected, hovered);
        self.shapes.push(Shape::Rect(RectShape::new(
            rect,
            self.scale(6.0).clamp(1.0, 12.0) as u8,
            tokens.note,
            line,
            StrokeKind::Inside,
        )));
        if self.detail() != Detail::Block {
            let inner = rect.shrink2(vec2(self.scale(12.0), self.scale(10.0)));
            let letters = self.scale(size::BODY).max(8.5);
            let rows = (inner.height() / (letters * 1.25)).floor().max(1.0) as u16;
            let style = Style::line(letters, inner.width()).rows(rows);
            self.text(inner.min, Align2::LEFT_TOP, &note.text, style, tokens.text);
        }
        if selected {
            self.handles(rect);
        }
    }

    /// The line around a zone or a note.
    fn outline(&self, selected: bool, hovered: bool) -> Stroke {
        let tokens = self.tokens;
        let color = if selected {
            tokens.accent
        } else if hovered {
            tokens.line_strong
        } else {
            tokens.line
        };
        Stroke::new(if selected { 1.5 } else { 1.0 }, color)
    }

    /// Marks of the corners that can be dragged.
    fn handles(&mut self, rect: Rect) {
        for corner in [
            rect.left_top(),
            rect.right_top(),
            rect.right_bottom(),
            rect.left_bottom(),
        ] {
            let mark = Rect::from_center_size(corner, Vec2::splat(8.0));
            self.shapes.push(Shape::Rect(RectShape::new(
                mark,
                2,
                self.tokens.raised,
                Stroke::new(1.5, self.tokens.accent),
                StrokeKind::Inside,
            )));
        }
    }

    /// The frame in which things are being selected.
    pub(in crate::canvas) fn marquee(&mut self, rect: Rect) {
        let accent = self.tokens.accent;
        self.shapes.push(Shape::Rect(RectShape::new(
            rect,
            2,
            accent.gamma_multiply(0.10),
            Stroke::new(1.0, accent),
            StrokeKind::Inside,
        )));
    }
}
