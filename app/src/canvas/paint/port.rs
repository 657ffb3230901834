//! Ports, with their names.

use egui::{Color32, Shape, Stroke, vec2};
use graph_model::catalog::PortRole;

use super::super::intent::PortSide;
use super::super::scene::{NodeShape, PortShape};
use super::super::text::Style;
use super::{Brush, Detail, FADED, PORT_RADIUS};
use crate::theme::size;

/// Radius on the screen below which a port is left out.
const PORT_LEAST: f32 = 1.3;

impl Brush<'_> {
    /// A port of a card.
    pub(in crate::canvas) fn port(
        &mut self,
        node: &NodeShape,
        port: &PortShape,
        lit: bool,
        faded: bool,
    ) {
        let tokens = self.tokens;
        let at = self.place(node.rect.min + port.at);
        let quiet = port.role == PortRole::Failed && !port.connected && !lit;
        let radius = self.scale(if lit {
            PORT_RADIUS + 2.0
        } else if quiet {
            PORT_RADIUS - 1.5
        } else {
            PORT_RADIUS
        });
        let line = if port.unknown {
            tokens.error
        } else if lit {
            tokens.wire_active
        } else if port.role == PortRole::Failed {
            tokens.wire_failed
        } else {
            tokens.line_strong
        };
        let fill = if port.connected || lit {
            line
        } else {
            tokens.raised
        };
        let step_back = |color: Color32| {
            if faded {
                tokens.surface.lerp_to_gamma(color, FADED)
            } else {
                color
            }
        };
        if radius < PORT_LEAST {
            return;
        }
        self.shapes
            .push(Shape::circle_filled(at, radius, step_back(fill)));
        if self.detail() != Detail::Full && !lit {
            return;
        }
        let width = (1.4 * self.camera.zoom).clamp(0.8, 2.0);
        self.shapes.push(Shape::circle_stroke(
            at,
            radius,
            Stroke::new(width, step_back(line)),
        ));
    }

    /// The name of a port beside it, outside of its card.
    pub(in crate::canvas) fn port_name(&mut self, node: &NodeShape, port: &PortShape) {
        let at = self.place(node.rect.min + port.at);
        let ink = self.tokens.text;
        let style = Style::line(size::SMALL, 160.0);
        let width = self.texts.get(self.painter, &port.name, style).size().x + 14.0;
        let away = width / 2.0 + self.scale(PORT_RADIUS) + 7.0;
        let at = match port.side {
            PortSide::Input => at - vec2(away, 0.0),
            PortSide::Output => at + vec2(away, 0.0),
        };
        let line = self.tokens.line;
        self.plate(at, &port.name, ink, line);
    }
}
