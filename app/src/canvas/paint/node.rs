//! Cards of nodes, with their marks.

use egui::epaint::RectShape;
use egui::{Align2, Color32, CornerRadius, Rect, Shape, Stroke, StrokeKind, Vec2, pos2, vec2};
use graph_model::layout::NODE_WIDTH;
use runtime_protocol::NodeCount;
use smol_str::SmolStr;

use super::super::icons;
use super::super::intent::PortSide;
use super::super::scene::NodeShape;
use super::super::text::Style;
use super::super::{HazardMark, Mark};
use super::{Brush, Detail, FADED, brief};
use crate::theme::size;

/// Share of a colour that is left of what is not there yet.
const GHOST: f32 = 0.65;
/// Side of a mark for what people say of a node, in the document.
const SAID_SIDE: f32 = 11.0;
/// Side on the screen below which such marks are left out.
const SAID_LEAST: f32 = 7.0;

/// How one card looks besides what its node is.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one mark that comes and goes on its own"
)]
#[derive(Clone, Copy, Default)]
pub(in crate::canvas) struct NodeLook<'a> {
    pub(in crate::canvas) selected: bool,
    pub(in crate::canvas) hovered: bool,
    pub(in crate::canvas) focused: bool,
    pub(in crate::canvas) faded: bool,
    pub(in crate::canvas) changed: bool,
    /// Drawn as what a previewed change would make of it.
    pub(in crate::canvas) mark: Option<Mark>,
    pub(in crate::canvas) hazard: Option<&'a HazardMark>,
    pub(in crate::canvas) count: Option<&'a NodeCount>,
}

impl Brush<'_> {
    /// A node that a previewed change would remove.
    pub(in crate::canvas) fn struck_node(&mut self, node: &NodeShape) {
        let rect = self.rect(node.rect);
        let color = self.tokens.mark(Mark::Removed);
        let corner = self.scale(9.0).clamp(2.0, 24.0) as u8;
        let veil = self.tokens.surface.gamma_multiply(0.6);
        self.shapes.push(Shape::rect_filled(rect, corner, veil));
        let line = [rect.left_bottom(), rect.right_top()];
        self.shapes
            .push(Shape::line_segment(line, Stroke::new(1.6, color)));
        self.dashed_frame(rect, Stroke::new(1.6, color));
    }

    /// A node as a card.
    pub(in crate::canvas) fn node(&mut self, node: &NodeShape, look: NodeLook<'_>) {
        let rect = self.rect(node.rect);
        let tokens = self.tokens;
        let fade = |color: Color32| {
            if look.faded {
                tokens.surface.lerp_to_gamma(color, FADED)
            } else if look.mark == Some(Mark::Added) {
                tokens.surface.lerp_to_gamma(color, GHOST)
            } else if node.disabled {
                tokens.surface.lerp_to_gamma(color, 0.55)
            } else {
                color
            }
        };
        let family = node
            .family
            .map_or(tokens.error, |family| tokens.family(family));
        let detail = self.detail();
        if detail == Detail::Block {
            let fill = fade(tokens.raised.lerp_to_gamma(family, 0.45));
            let corner = self.scale(8.0) as u8;
            self.shapes.push(Shape::rect_filled(rect, corner, fill));
            let line = look.mark.map_or(tokens.accent, |mark| tokens.mark(mark));
            if look.selected || look.focused || look.mark.is_some() {
                self.shapes.push(Shape::rect_stroke(
                    rect.expand(1.0),
                    corner,
                    Stroke::new(1.5, line),
                    StrokeKind::Outside,
                ));
            }
            if let Some(hazard) = look.hazard {
                self.shapes.push(Shape::circle_filled(
                    rect.right_top(),
                    3.0,
                    fade(tokens.severity(hazard.severity)),
                ));
            }
            return;
        }
        let corner = self.scale(9.0).clamp(2.0, 24.0) as u8;
        if detail == Detail::Full && !node.disabled && !look.faded && look.mark.is_none() {
            self.shapes.push(Shape::Rect(
                RectShape::filled(
                    rect.translate(vec2(0.0, self.scale(2.0))),
                    corner,
                    tokens.shadow,
                )
                .with_blur_width(self.scale(if look.selected {
                    14.0
                } else {
                    9.0
                })),
            ));
        }
        let fill = if node.disabled {
            tokens.surface
        } else {
            fade(tokens.raised)
        };
        // The colour of the family shows where the card leaves its left border free.
        self.shapes
            .push(Shape::rect_filled(rect, corner, fade(family)));
        let mut face = rect;
        face.min.x += self.scale(4.0).max(2.0);
        let right = CornerRadius {
            nw: 0,
            sw: 0,
            ne: corner,
            se: corner,
        };
        self.shapes.push(Shape::rect_filled(face, right, fill));
        let (width, line) = if let Some(mark) = look.mark {
            (1.8, tokens.mark(mark))
        } else if look.selected {
            (2.0, tokens.accent)
        } else if look.hovered {
            (1.0, tokens.line_strong)
        } else {
            (1.0, fade(tokens.line))
        };
        if look.mark == Some(Mark::Added) {
            self.dashed_frame(rect, Stroke::new(width, line));
        } else if node.disabled && !look.selected && look.mark.is_none() {
            self.dashed_frame(rect, Stroke::new(1.0, tokens.line_strong));
        } else {
            self.shapes.push(Shape::rect_stroke(
                rect,
                corner,
                Stroke::new(width, line),
                StrokeKind::Inside,
            ));
        }
        if look.focused {
            self.shapes.push(Shape::rect_stroke(
                rect.expand(3.0),
                corner.saturating_add(3),
                Stroke::new(1.5, tokens.focus),
                StrokeKind::Outside,
            ));
        }
        if detail == Detail::Full {
            self.card(node, rect, family, &fade);
        } else {
            self.plain_card(node, rect, family, &fade);
        }
        for port in &node.ports {
            if port.connected || detail == Detail::Full {
                self.port(node, port, false, look.faded);
            }
        }
        self.badges(rect, look);
    }

    /// What stands on a card that is far away: picture and title.
    fn plain_card(
        &mut self,
        node: &NodeShape,
        rect: Rect,
        family: Color32,
        fade: &impl Fn(Color32) -> Color32,
    ) {
        let roomy = rect.width() >= 76.0;
        let side = 13.0;
        let left = if roomy { side + 13.0 } else { 7.0 };
        if roomy {
            let at = pos2(rect.min.x + 9.0, rect.center().y - side / 2.0);
            icons::draw(&mut self.shapes, &node.icon, at, side, fade(family));
        }
        let style = Style::line(
            self.scale(size::BODY).max(if roomy { 10.5 } else { 9.0 }),
            rect.width() - left - 5.0,
        )
        .rows(if rect.height() > 26.0 { 2 } else { 1 });
        let at = pos2(rect.min.x + left, rect.center().y);
        let ink = fade(self.tokens.text);
        self.text(at, Align2::LEFT_CENTER, &node.title, style, ink);
    }

    /// The mark on a source that sends one event.
    pub(in crate::canvas) fn run_mark(&mut self, rect: Rect, hovered: bool) {
        let color = if hovered {
            self.tokens.accent
        } else {
            self.tokens.muted
        };
        let radius = rect.width() / 2.0;
        if hovered {
            let fill = self.tokens.hover;
            self.shapes
                .push(Shape::circle_filled(rect.center(), radius, fill));
        }
        icons::play(&mut self.shapes, rect.center(), radius * 0.5, color);
    }

    /// What stands on a card: picture, title, kind, what matters most, names of ports.
    fn card(
        &mut self,
        node: &NodeShape,
        rect: Rect,
        family: Color32,
        fade: &impl Fn(Color32) -> Color32,
    ) {
        let tokens = self.tokens;
        let unit = self.camera.zoom;
        let tile =
            Rect::from_min_size(rect.min + vec2(14.0, 11.0) * unit, Vec2::splat(28.0 * unit));
        self.shapes.push(Shape::rect_filled(
            tile,
            self.scale(7.0).clamp(1.0, 18.0) as u8,
            fade(tokens.raised.lerp_to_gamma(family, 0.16)),
        ));
        let side = 17.0 * unit;
        icons::draw(
            &mut self.shapes,
            &node.icon,
            icons::inset(tile, side),
            side,
            fade(family),
        );
        let room = (NODE_WIDTH as f32 - 51.0 - 12.0) * unit;
        self.text(
            rect.min + vec2(51.0, 9.0) * unit,
            Align2::LEFT_TOP,
            &node.title,
            Style::line(size::BODY * unit, room),
            fade(tokens.text),
        );
        let kind = if node.disabled {
            SmolStr::new_static("disabled")
        } else {
            node.kind_title.clone()
        };
        let side = SAID_SIDE * unit;
        let mut at = pos2(rect.max.x - 10.0 * unit - side, rect.min.y + 27.5 * unit);
        let said = node.said.iter().rev();
        for (picture, _) in said.filter(|_| side >= SAID_LEAST) {
            icons::draw(&mut self.shapes, picture, at, side, fade(tokens.muted));
            at.x -= side + 4.0 * unit;
        }
        let left = rect.min.x + 51.0 * unit;
        self.text(
            rect.min + vec2(51.0, 26.0) * unit,
            Align2::LEFT_TOP,
            &kind,
            Style::line(size::SMALL * unit, (at.x + side - left).min(room)),
            fade(tokens.muted),
        );
        let small = size::SMALL * unit;
        let mut widest: f32 = 0.0;
        let outputs = node.ports_on(PortSide::Output).count();
        for port in &node.ports {
            let names = match port.side {
                PortSide::Output => outputs > 1,
                PortSide::Input => port.name != "in",
            };
            if !names {
                continue;
            }
            let at = rect.min + port.at * unit;
            let (at, anchor) = match port.side {
                PortSide::Input => (at + vec2(11.0 * unit, 0.0), Align2::LEFT_CENTER),
                PortSide::Output => (at - vec2(11.0 * unit, 0.0), Align2::RIGHT_CENTER),
            };
            let ink = if port.unknown {
                tokens.error
            } else {
                tokens.muted
            };
            let used = self.text(
                at,
                anchor,
                &port.name,
                Style::line(small, 90.0 * unit),
                fade(ink),
            );
            if port.side == PortSide::Output {
                widest = widest.max(used.width());
            }
        }
        let reply = node
            .ports_on(PortSide::Input)
            .any(|(_, port)| port.name != "in");
        if !node.fact.is_empty() && !reply {
            let room = (NODE_WIDTH as f32 - 14.0 - 22.0) * unit - widest;
            self.text(
                rect.min + vec2(14.0, 58.0) * unit,
                Align2::LEFT_CENTER,
                &node.fact,
                Style::line(small, room).mono(),
                fade(tokens.muted),
            );
        }
    }

    fn badges(&mut self, rect: Rect, look: NodeLook<'_>) {
        let tokens = self.tokens;
        if look.changed {
            self.shapes.push(Shape::circle_filled(
                rect.left_top() + vec2(2.0, 2.0),
                self.scale(4.5).clamp(3.0, 7.0),
                tokens.accent,
            ));
        }
        if let Some(hazard) = look.hazard {
            let radius = self.scale(9.0).clamp(5.0, 16.0);
            let at = rect.right_top() + vec2(-radius * 0.3, radius * 0.3);
            let color = tokens.severity(hazard.severity);
            let color = if look.faded {
                tokens.surface.lerp_to_gamma(color, FADED)
            } else {
                color
            };
            self.shapes.push(Shape::circle_filled(at, radius, color));
            self.shapes.push(Shape::circle_stroke(
                at,
                radius,
                Stroke::new(1.5, tokens.surface),
            ));
            let text = match hazard.count {
                0 | 1 => SmolStr::new_static("!"),
                count @ 2..=9 => SmolStr::from(count.to_string()),
                _ => SmolStr::new_static("9+"),
            };
            let style = Style::line(radius * 1.3, 40.0);
            self.text(at, Align2::CENTER_CENTER, &text, style, tokens.on_mark);
        }
        if let Some(count) = look.count
            && self.detail() == Detail::Full
        {
            let mut line = format!("{} in · {} out", brief(count.received), brief(count.sent));
            if count.held > 0 {
                line = format!("{line} · {} held", brief(count.held));
            }
            let small = self.scale(size::SMALL);
            let at = rect.left_bottom() + vec2(self.scale(6.0), self.scale(4.0));
            let room = self.text(
                at,
                Align2::LEFT_TOP,
                &line.into(),
                Style::line(small, rect.width()),
                tokens.muted,
            );
            let bad = count.failed + count.dead + count.refused;
            if bad > 0 {
                let text = format!("· {} failed", brief(bad));
                let at = room.right_top() + vec2(self.scale(4.0), 0.0);
                let style = Style::line(small, rect.width());
                self.text(at, Align2::LEFT_TOP, &text.into(), style, tokens.error);
            }
        }
    }
}
