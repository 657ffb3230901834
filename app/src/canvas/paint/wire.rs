//! Wires.

use egui::epaint::CubicBezierShape;
use egui::{Color32, Pos2, Rect, Shape, Stroke, Vec2, vec2};

use super::super::Mark;
use super::super::icons;
use super::super::scene::{EdgeShape, curve, sample};
use super::{Brush, Detail, FADED, PORT_RADIUS, ZOOM_TITLE};
use crate::theme::Severity;

/// How one wire looks besides where it goes.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one mark that comes and goes on its own"
)]
#[derive(Clone, Copy, Default)]
pub(in crate::canvas) struct WireLook {
    pub(in crate::canvas) selected: bool,
    pub(in crate::canvas) hovered: bool,
    pub(in crate::canvas) faded: bool,
    pub(in crate::canvas) tapped: bool,
    /// A followed field goes along it.
    pub(in crate::canvas) carries: bool,
    /// Something is about to be put on it.
    pub(in crate::canvas) opened: bool,
    pub(in crate::canvas) mark: Option<Mark>,
    pub(in crate::canvas) hazard: Option<Severity>,
}

impl Brush<'_> {
    /// A wire of the document.
    pub(in crate::canvas) fn wire(&mut self, edge: &EdgeShape, look: WireLook) {
        let points = edge.curve().map(|at| self.place(at));
        if !Rect::from_points(&points)
            .expand(6.0)
            .intersects(self.canvas)
        {
            return;
        }
        let tokens = self.tokens;
        let color = if let Some(mark) = look.mark {
            tokens.mark(mark)
        } else if look.carries {
            tokens.accent
        } else if !edge.whole() {
            tokens.error
        } else if look.selected || look.hovered || look.opened {
            tokens.wire_active
        } else if let Some(severity) = look.hazard {
            tokens.severity(severity)
        } else if edge.failed {
            tokens.surface.lerp_to_gamma(tokens.wire_failed, 0.6)
        } else if look.tapped {
            tokens.wire_active
        } else {
            tokens.wire
        };
        let color = if look.faded {
            tokens.surface.lerp_to_gamma(color, FADED)
        } else {
            color
        };
        let strong = look.selected || look.opened || look.carries || look.mark.is_some();
        let width = if strong {
            2.6
        } else if look.hovered {
            2.2
        } else if edge.failed {
            1.2
        } else {
            1.7
        };
        let width = (width * self.camera.zoom.clamp(0.5, 1.4)).max(1.0);
        let dashed = look.opened || look.mark == Some(Mark::Added) || !edge.whole();
        self.curve(points, Stroke::new(width, color), dashed);
    }

    /// A curve on the screen with the tip of an arrow at its end.
    pub(in crate::canvas) fn curve(&mut self, points: [Pos2; 4], stroke: Stroke, dashed: bool) {
        if self.camera.zoom < ZOOM_TITLE * 0.8 {
            self.shapes
                .push(Shape::line_segment([points[0], points[3]], stroke));
            return;
        }
        if dashed {
            let line: Vec<Pos2> = (0..=24)
                .map(|at| sample(points, at as f32 / 24.0))
                .collect();
            self.shapes
                .extend(Shape::dashed_line(&line, stroke, 6.0, 4.0));
        } else if self.detail() != Detail::Full {
            // Fewer points are enough from afar; making them is what wires cost.
            let (apart, least, most) = if self.crowded {
                (12.0, 4.0, 16.0)
            } else {
                (6.0, 16.0, 48.0)
            };
            let steps = (points[0].distance(points[3]) / apart).clamp(least, most) as u8;
            let line = (0..=steps)
                .map(|step| sample(points, f32::from(step) / f32::from(steps)))
                .collect();
            self.shapes.push(Shape::line(line, stroke));
        } else {
            self.shapes
                .push(Shape::CubicBezier(CubicBezierShape::from_points_stroke(
                    points,
                    false,
                    Color32::TRANSPARENT,
                    stroke,
                )));
        }
        if self.detail() == Detail::Full {
            let size = self.scale(8.0).clamp(4.0, 12.0);
            let tip = points[3] - vec2(self.scale(PORT_RADIUS), 0.0);
            self.shapes
                .push(icons::arrow_head(tip, Vec2::X, size, stroke.color));
        }
    }

    /// A wire that a previewed change would remove.
    pub(in crate::canvas) fn struck_wire(&mut self, edge: &EdgeShape) {
        let points = edge.curve().map(|at| self.place(at));
        let stroke = Stroke::new(1.6, self.tokens.mark(Mark::Removed));
        self.curve(points, stroke, true);
        let middle = sample(points, 0.5);
        let reach = self.scale(7.0).clamp(4.0, 9.0);
        for arm in [vec2(reach, reach), vec2(reach, -reach)] {
            self.shapes
                .push(Shape::line_segment([middle - arm, middle + arm], stroke));
        }
    }

    /// The line that cuts wires.
    pub(in crate::canvas) fn slice(&mut self, line: &[Pos2]) {
        let points: Vec<Pos2> = line.iter().map(|at| self.place(*at)).collect();
        let stroke = Stroke::new(1.5, self.tokens.error);
        self.shapes
            .extend(Shape::dashed_line(&points, stroke, 6.0, 4.0));
    }

    /// The wire that is being drawn, from a port to wherever the pointer is.
    pub(in crate::canvas) fn loose_wire(&mut self, from: Pos2, to: Pos2, refused: bool) {
        let color = if refused {
            self.tokens.error
        } else {
            self.tokens.wire_active
        };
        let points = curve(from, to).map(|at| self.place(at));
        let width = (2.2 * self.camera.zoom.clamp(0.6, 1.4)).max(1.2);
        self.curve(points, Stroke::new(width, color), refused);
    }
}
