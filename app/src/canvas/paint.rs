//! Draws the flow: grid, zones, wires, cards, notes. Shapes are collected and added in one go.

use egui::epaint::{CubicBezierShape, RectShape};
use egui::{
    Align2, Color32, CornerRadius, Mesh, Painter, Pos2, Rect, Shape, Stroke, StrokeKind, Vec2,
    pos2, vec2,
};
use graph_model::catalog::PortRole;
use graph_model::layout::NODE_WIDTH;
use runtime_protocol::NodeCount;
use smol_str::SmolStr;

use super::camera::Camera;
use super::icons;
use super::intent::PortSide;
use super::scene::{EdgeShape, FrameShape, NodeShape, PortShape, curve, sample};
use super::text::{SIZE_MIN, Style, Texts};
use super::{HazardMark, Mark};
use crate::theme::{Severity, Tokens, size};

/// Magnification from which cards show everything.
const ZOOM_FULL: f32 = 0.5;
/// Magnification from which cards show their title; below it they are blocks of colour.
const ZOOM_TITLE: f32 = 0.2;
/// Least distance of two dots of the grid on the screen.
const GRID_STEP_MIN: f32 = 16.0;
/// Distance of the dots of the grid in the document.
const GRID_STEP: f32 = 20.0;
/// Radius of a port in the document.
const PORT_RADIUS: f32 = 5.0;
/// Radius on the screen below which a port is left out.
const PORT_LEAST: f32 = 1.3;
/// Share of a colour that is left of what steps back.
const FADED: f32 = 0.35;
/// Share of a colour that is left of what is not there yet.
const GHOST: f32 = 0.65;

/// Side of a mark for what people say of a node, in the document.
const SAID_SIDE: f32 = 11.0;
/// Side on the screen below which such marks are left out.
const SAID_LEAST: f32 = 7.0;

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

/// How one card looks besides what its node is.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one mark that comes and goes on its own"
)]
#[derive(Clone, Copy, Default)]
pub(super) struct NodeLook<'a> {
    pub(super) selected: bool,
    pub(super) hovered: bool,
    pub(super) focused: bool,
    pub(super) faded: bool,
    pub(super) changed: bool,
    /// Drawn as what a previewed change would make of it.
    pub(super) mark: Option<Mark>,
    pub(super) hazard: Option<&'a HazardMark>,
    pub(super) count: Option<&'a NodeCount>,
}

/// How one wire looks besides where it goes.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one mark that comes and goes on its own"
)]
#[derive(Clone, Copy, Default)]
pub(super) struct WireLook {
    pub(super) selected: bool,
    pub(super) hovered: bool,
    pub(super) faded: bool,
    pub(super) tapped: bool,
    /// A followed field goes along it.
    pub(super) carries: bool,
    /// Something is about to be put on it.
    pub(super) opened: bool,
    pub(super) mark: Option<Mark>,
    pub(super) hazard: Option<Severity>,
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

    /// Dots at even distances; fewer when the flow is far away.
    pub(super) fn grid(&mut self) {
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

    pub(super) fn zone(&mut self, zone: &FrameShape, selected: bool, hovered: bool) {
        let rect = self.rect(zone.rect);
        if !rect.intersects(self.canvas) {
            return;
        }
        let tokens = self.tokens;
        let line = if selected {
            tokens.accent
        } else if hovered {
            tokens.line_strong
        } else {
            tokens.line
        };
        let corner = self.scale(12.0).clamp(2.0, 24.0) as u8;
        self.shapes
            .push(Shape::rect_filled(rect, corner, tokens.zone));
        let width = if selected { 1.5 } else { 1.0 };
        if selected {
            self.shapes.push(Shape::rect_stroke(
                rect,
                corner,
                Stroke::new(width, line),
                StrokeKind::Inside,
            ));
        } else {
            self.dashed_frame(rect, Stroke::new(width, line));
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

    pub(super) fn note(&mut self, note: &FrameShape, selected: bool, hovered: bool) {
        let rect = self.rect(note.rect);
        if !rect.intersects(self.canvas) {
            return;
        }
        let tokens = self.tokens;
        let line = if selected {
            tokens.accent
        } else if hovered {
            tokens.line_strong
        } else {
            tokens.line
        };
        self.shapes.push(Shape::Rect(RectShape::new(
            rect,
            self.scale(6.0).clamp(1.0, 12.0) as u8,
            tokens.note,
            Stroke::new(if selected { 1.5 } else { 1.0 }, line),
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

    /// A wire of the document.
    pub(super) fn wire(&mut self, edge: &EdgeShape, look: WireLook) {
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
    pub(super) fn curve(&mut self, points: [Pos2; 4], stroke: Stroke, dashed: bool) {
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
    pub(super) fn struck_wire(&mut self, edge: &EdgeShape) {
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

    /// A node that a previewed change would remove.
    pub(super) fn struck_node(&mut self, node: &NodeShape) {
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

    /// The line that cuts wires.
    pub(super) fn slice(&mut self, line: &[Pos2]) {
        let points: Vec<Pos2> = line.iter().map(|at| self.place(*at)).collect();
        let stroke = Stroke::new(1.5, self.tokens.error);
        self.shapes
            .extend(Shape::dashed_line(&points, stroke, 6.0, 4.0));
    }

    /// The wire that is being drawn, from a port to wherever the pointer is.
    pub(super) fn loose_wire(&mut self, from: Pos2, to: Pos2, refused: bool) {
        let color = if refused {
            self.tokens.error
        } else {
            self.tokens.wire_active
        };
        let points = curve(from, to).map(|at| self.place(at));
        let width = (2.2 * self.camera.zoom.clamp(0.6, 1.4)).max(1.2);
        self.curve(points, Stroke::new(width, color), refused);
    }

    /// A node as a card.
    pub(super) fn node(&mut self, node: &NodeShape, look: NodeLook<'_>) {
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
    pub(super) fn run_mark(&mut self, rect: Rect, hovered: bool) {
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

    /// A port of a card.
    pub(super) fn port(&mut self, node: &NodeShape, port: &PortShape, lit: bool, faded: bool) {
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
    pub(super) fn port_name(&mut self, node: &NodeShape, port: &PortShape) {
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

    /// The frame in which things are being selected.
    pub(super) fn marquee(&mut self, rect: Rect) {
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
