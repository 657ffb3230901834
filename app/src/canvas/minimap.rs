//! The whole flow in a corner, with a frame around what is shown.

use egui::{
    Align2, Mesh, Pos2, Rect, Role, Sense, Shape, Stroke, StrokeKind, Ui, WidgetInfo, vec2,
};

use super::camera::Camera;
use super::scene::Scene;
use crate::theme::Tokens;

/// Largest size of the map, in points.
const SIZE: egui::Vec2 = vec2(168.0, 112.0);
/// Distance from the corner of the canvas.
const MARGIN: f32 = 12.0;
/// A canvas smaller than this has no room for a map.
const CANVAS_MIN: egui::Vec2 = vec2(356.0, 260.0);

/// Draws the map while part of the flow is out of sight; a press on it shows that place.
pub(super) fn show(ui: &mut Ui, canvas: Rect, camera: &mut Camera, scene: &Scene, tokens: &Tokens) {
    let Some(bounds) = scene.bounds else {
        return;
    };
    let visible = camera.visible(canvas);
    if visible.contains_rect(bounds)
        || canvas.width() < CANVAS_MIN.x
        || canvas.height() < CANVAS_MIN.y
    {
        return;
    }
    let world = bounds.expand(60.0);
    let scale = (SIZE.x / world.width()).min(SIZE.y / world.height());
    let size = world.size() * scale;
    let map = Align2::RIGHT_BOTTOM.anchor_size(canvas.max - vec2(MARGIN, MARGIN), size);
    let response = ui.interact(map, ui.scope_id().with("minimap"), Sense::click_and_drag());
    response.widget_info(|| WidgetInfo::labeled(Role::Canvas, true, "Map of the flow"));
    if (response.dragged() || response.clicked())
        && let Some(pointer) = response.interact_pointer_pos()
    {
        let place = world.min + (pointer - map.min) / scale;
        camera.offset = canvas.size() / 2.0 - place.to_vec2() * camera.zoom;
    }
    let to_map = |at: Pos2| map.min + (at - world.min) * scale;
    let rect_to_map = |rect: Rect| Rect::from_min_max(to_map(rect.min), to_map(rect.max));
    let painter = ui.painter_at(map.expand(1.0));
    painter.rect(
        map,
        6,
        tokens.panel.gamma_multiply(0.94),
        Stroke::new(1.0, tokens.line),
        StrokeKind::Inside,
    );
    let mut mesh = Mesh::default();
    for zone in &scene.zones {
        mesh.add_colored_rect(rect_to_map(zone.rect), tokens.zone);
    }
    for node in &scene.nodes {
        let rect = rect_to_map(node.rect);
        let rect = Rect::from_center_size(rect.center(), rect.size().max(vec2(2.0, 2.0)));
        let color = node
            .family
            .map_or(tokens.error, |family| tokens.family(family));
        mesh.add_colored_rect(rect, color.gamma_multiply(0.75));
    }
    painter.add(Shape::mesh(mesh));
    painter.rect(
        rect_to_map(visible).intersect(map),
        2,
        tokens.accent.gamma_multiply(0.10),
        Stroke::new(1.0, tokens.accent),
        StrokeKind::Inside,
    );
}
