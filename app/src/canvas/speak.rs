//! What assistive technology is told of the canvas, and what takes the pointer for it.

use egui::{EventFilter, Rect, Response, Role, Sense, Ui, Vec2, WidgetInfo};
use graph_model::validate::Known;

use super::gesture::Contact;
use super::hit::Hit;
use super::paint::Detail;
use super::scene::{self, EdgeShape, NodeShape, PortShape};
use super::{CanvasInput, CanvasView, Item, PORTS_SPOKEN_MAX, touch};

/// Nodes in sight that assistive technology is told of; beyond this they are too small to read.
const SPOKEN_MAX: usize = 2000;
/// Least width and height of what takes the pointer for a port, in points of the screen.
const PORT_TOUCH: f32 = 18.0;

/// Tells assistive technology what is there, and hears the pointer and the keyboard on it.
/// Answers which node or port has the keyboard.
pub(super) fn speak(
    ui: &Ui,
    input: &CanvasInput<'_>,
    view: &CanvasView,
    canvas: Rect,
    detail: Detail,
    shown: &[usize],
    contacts: &mut Vec<Contact>,
) -> Option<Hit> {
    if detail == Detail::Block && shown.len() > SPOKEN_MAX {
        return None;
    }
    let mut focused = None;
    let mut attend = |response: &Response, hit: Hit| {
        touch(response, hit, contacts);
        if response.clicked() || response.drag_started() {
            response.request_focus();
        }
        if response.has_focus() {
            focused = Some(hit);
            ui.memory_mut(|memory| {
                let keys = EventFilter {
                    tab: true,
                    horizontal_arrows: true,
                    vertical_arrows: true,
                    escape: true,
                };
                memory.set_focus_lock_filter(response.id, keys);
            });
        }
    };
    let scene = &view.scene;
    for index in shown {
        let node = &scene.nodes[*index];
        let rect = view.camera.rect_to_screen(canvas, node.rect);
        let selected = input.selection.contains(&Item::Node(node.id.clone()));
        let response = ui.interact(rect, node.widget, Sense::click_and_drag());
        response
            .widget_info(|| WidgetInfo::selected(Role::ListItem, true, selected, node.spoken()));
        ui.ctx().accesskit_node_builder(node.widget, |builder| {
            builder.set_description(described(node, input));
        });
        attend(&response, Hit::Node(*index));
    }
    if detail != Detail::Full && shown.len() > PORTS_SPOKEN_MAX {
        return focused;
    }
    // From afar ports and wires are too small for the pointer, not for other ways.
    let sense = if detail == Detail::Full {
        Sense::click_and_drag()
    } else {
        Sense::focusable_noninteractive()
    };
    for (index, edge) in scene.edges.iter().enumerate() {
        let curve = edge.curve();
        let middle = view.camera.to_screen(canvas, scene::sample(curve, 0.5));
        if !canvas.contains(middle) {
            continue;
        }
        let selected = input.selection.contains(&Item::Edge(edge.id.clone()));
        let rect = Rect::from_center_size(middle, Vec2::splat(12.0));
        let response = ui.interact(rect, edge.widget, sense);
        if let Some(carried) = carried(input, edge) {
            ui.ctx().accesskit_node_builder(edge.widget, |builder| {
                builder.set_description(carried);
            });
        }
        response.widget_info(|| {
            let name = format!("wire {} to {}", edge.from, edge.to);
            WidgetInfo::selected(Role::ListItem, true, selected, name)
        });
        attend(&response, Hit::Edge(index));
    }
    for index in shown {
        let node = &scene.nodes[*index];
        for (port, shape) in node.ports.iter().enumerate() {
            let at = view.camera.to_screen(canvas, node.rect.min + shape.at);
            let side = (20.0 * view.camera.zoom).max(PORT_TOUCH);
            let rect = Rect::from_center_size(at, Vec2::splat(side));
            let response = ui.interact(rect, shape.widget, sense);
            response.widget_info(|| {
                let name = format!("port {}.{}", node.id, shape.name);
                WidgetInfo::labeled(Role::Button, true, name)
            });
            ui.ctx().accesskit_node_builder(shape.widget, |builder| {
                let mut text = shape.doc.to_string();
                for known in known_at(input, node, shape) {
                    text.push_str(&format!(". {}: {}", known.topic, known.text));
                }
                builder.set_description(text);
            });
            attend(&response, Hit::Port(*index, port));
        }
    }
    focused
}

/// What of a followed field a wire carries, in words.
pub(super) fn carried(input: &CanvasInput<'_>, edge: &EdgeShape) -> Option<String> {
    let fields = input.flow?.get(&edge.from)?;
    let fields: Vec<String> = fields
        .iter()
        .map(|field| match field {
            field if field.is_root() => "the whole event".to_owned(),
            field => field.to_string(),
        })
        .collect();
    Some(format!("carries it as {}", fields.join(", ")))
}

/// What is known at a port, if it is the one that is pointed at.
fn known_at<'a>(input: &CanvasInput<'a>, node: &NodeShape, port: &PortShape) -> &'a [Known] {
    match input.known {
        Some((at, lines)) if at.node == node.id && at.port == port.name => lines,
        _ => &[],
    }
}

fn described(node: &NodeShape, input: &CanvasInput<'_>) -> String {
    let mut text = node.described();
    if let Some(hazard) = input.hazards.get(&Item::Node(node.id.clone())) {
        text.push_str(if hazard.count == 1 {
            ", 1 hazard: "
        } else {
            ", hazards: "
        });
        text.push_str(&hazard.text);
    }
    text
}
