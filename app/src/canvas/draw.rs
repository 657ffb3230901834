//! Draws the flow, from the grid up to what a gesture is about to do.

use egui::{Rect, vec2};

use super::gesture::{self, Gesture, Wiring};
use super::hit::Hit;
use super::paint::{Brush, NodeLook, WireLook};
use super::speak::carried;
use super::{CanvasInput, CanvasView, Item, PortSide, ghost, live, scene, text};

pub(super) fn draw(
    brush: &mut Brush<'_>,
    input: &CanvasInput<'_>,
    view: &mut CanvasView,
    shown: &[usize],
    hover: Hit,
    focused: Option<Hit>,
) {
    let scene = &view.scene;
    let marquee = view.marquee.as_ref();
    let selected = |item: &Item| {
        input.selection.contains(item) || marquee.is_some_and(|(_, items)| items.contains(item))
    };
    // A field whose way is not known lets nothing step back.
    let flow = input.flow.filter(|flow| !flow.is_empty());
    let carries = |edge: usize| flow.is_some_and(|flow| flow.contains_key(&scene.edges[edge].from));
    let faded = |item: &Item| !input.highlight.is_empty() && !input.highlight.contains(item);
    brush.grid();
    for (index, zone) in scene.zones.iter().enumerate() {
        let item = Item::Zone(zone.id.clone());
        brush.zone(zone, selected(&item), hover == Hit::Zone(index));
    }
    let sight = view.camera.visible(brush.canvas).expand(10.0);
    for (index, edge) in scene.edges.iter().enumerate() {
        if !Rect::from_points(&edge.curve()).intersects(sight) {
            continue;
        }
        let item = Item::Edge(edge.id.clone());
        let look = WireLook {
            selected: selected(&item),
            hovered: hover == Hit::Edge(index) || focused == Some(Hit::Edge(index)),
            faded: flow.map_or_else(|| faded(&item), |_| !carries(index)),
            carries: carries(index),
            tapped: input.tapped.contains(&edge.id),
            opened: view.opened == Some(index),
            mark: None,
            hazard: input.hazards.get(&item).map(|mark| mark.severity),
        };
        brush.wire(edge, look);
        live::chip(brush, input, edge);
    }
    view.live
        .draw(brush, scene, brush.painter.ctx().input(|input| input.time));
    for (index, note) in scene.notes.iter().enumerate() {
        let item = Item::Note(note.id.clone());
        brush.note(note, selected(&item), hover == Hit::Note(index));
    }
    for index in shown {
        let node = &scene.nodes[*index];
        let item = Item::Node(node.id.clone());
        brush.node(
            node,
            NodeLook {
                selected: selected(&item),
                hovered: matches!(hover, Hit::Node(at) | Hit::Port(at, _) if at == *index),
                focused: input.keyboard && focused == Some(Hit::Node(*index)),
                faded: flow.map_or_else(
                    || faded(&item),
                    |_| !node.edges.iter().any(|edge| carries(*edge)),
                ),
                changed: input.changed.contains(&node.id),
                mark: None,
                hazard: input.hazards.get(&item),
                count: input
                    .counters
                    .and_then(|counters| counters.nodes.get(&node.id)),
            },
        );
    }
    if flow.is_some() {
        for (index, edge) in scene.edges.iter().enumerate() {
            let ends = [edge.start, edge.end].into_iter().flatten();
            for (node, port) in ends.filter(|_| carries(index)) {
                let node = &scene.nodes[node];
                brush.port(node, &node.ports[port], true, false);
            }
        }
    }
    ghost::draw(brush, input, scene, &mut view.ghost);
    draw_gesture(brush, view, hover, focused);
    draw_hints(brush, input, view, hover);
    live::frame(brush, input.run);
}

fn draw_gesture(brush: &mut Brush<'_>, view: &CanvasView, hover: Hit, focused: Option<Hit>) {
    let scene = &view.scene;
    let wiring = match (&view.gesture, &view.key_wire) {
        (Some(Gesture::Wire(wiring)), _) => Some(wiring),
        (_, Some(wire)) => Some(&wire.wiring),
        _ => None,
    };
    for hit in [Some(hover), focused].into_iter().flatten() {
        if let Hit::Port(node, port) = hit
            && wiring.is_none()
            && let Some(shape) = scene.nodes.get(node)
            && let Some(port) = shape.ports.get(port)
        {
            brush.port(shape, port, true, false);
            brush.port_name(shape, port);
        }
    }
    if let Some(wiring) = wiring {
        draw_wiring(brush, view, wiring);
    }
    if let Some(Gesture::Slice { line }) = &view.gesture {
        brush.slice(line);
    }
    if let Some((rect, _)) = &view.marquee {
        let rect = brush.rect(*rect);
        brush.marquee(rect);
    }
}

/// The wire that is being drawn, and whether it may end where it would.
fn draw_wiring(brush: &mut Brush<'_>, view: &CanvasView, wiring: &Wiring) {
    let scene = &view.scene;
    let Some(from) = scene.port(&wiring.from, wiring.side) else {
        return;
    };
    let start = scene.port_at(from);
    let refused = wiring.aim.as_ref().and_then(|aim| aim.refusal.as_ref());
    let end = match &wiring.aim {
        Some(aim) => scene.port_at((aim.node, aim.port)),
        None => view.loose_end.unwrap_or(start),
    };
    let (left, right) = match wiring.side {
        PortSide::Output => (start, end),
        PortSide::Input => (end, start),
    };
    brush.loose_wire(left, right, refused.is_some());
    let node = &scene.nodes[from.0];
    brush.port(node, &node.ports[from.1], true, false);
    let Some(aim) = &wiring.aim else {
        return;
    };
    let node = &scene.nodes[aim.node];
    brush.port(node, &node.ports[aim.port], true, false);
    let (text, line) = match refused {
        Some(refusal) => (refusal.reason.clone(), brush.tokens.error),
        None => (
            format!(
                "{} to {}",
                wiring.from,
                scene.port_ref((aim.node, aim.port))
            ),
            brush.tokens.accent,
        ),
    };
    let at = brush.place(scene.port_at((aim.node, aim.port))) + vec2(0.0, 34.0);
    let ink = brush.tokens.text;
    brush.plate(at, &text.into(), ink, line);
}

/// What the pointer learns by resting on something, and what an empty flow says.
fn draw_hints(brush: &mut Brush<'_>, input: &CanvasInput<'_>, view: &CanvasView, hover: Hit) {
    let scene = &view.scene;
    if scene.nodes.is_empty() && scene.notes.is_empty() {
        let at = brush.canvas.center();
        let ink = brush.tokens.muted;
        let style = text::Style::line(crate::theme::size::HEADING, 400.0);
        let title = "An empty flow".into();
        brush.text(
            at - vec2(0.0, 16.0),
            egui::Align2::CENTER_CENTER,
            &title,
            style,
            ink,
        );
        let style = text::Style::line(crate::theme::size::BODY, 460.0);
        let hint = "Double click, press Tab, or drag a kind here from the left".into();
        brush.text(
            at + vec2(0.0, 10.0),
            egui::Align2::CENTER_CENTER,
            &hint,
            style,
            ink,
        );
    }
    if view.gesture.is_some() {
        return;
    }
    if let Hit::Edge(edge) = hover
        && let Some(shape) = scene.edges.get(edge)
        && let Some(text) = carried(input, shape)
    {
        let at = brush.place(scene::sample(shape.curve(), 0.5)) - vec2(0.0, 26.0);
        let (ink, line) = (brush.tokens.text, brush.tokens.accent);
        brush.plate(at, &text.into(), ink, line);
    }
    if let Hit::Edge(edge) = hover
        && let Some(shape) = scene.edges.get(edge)
        && let Some(count) = input
            .counters
            .and_then(|counters| counters.edges.get(&shape.id))
    {
        let text = live::exact(count, shape.capacity.unwrap_or(input.default_capacity));
        let at = brush.place(scene::sample(shape.curve(), 0.5)) + vec2(0.0, 34.0);
        let (ink, line) = (brush.tokens.text, brush.tokens.line);
        brush.plate(at, &text.into(), ink, line);
    }
    let item = gesture::item_of(scene, hover).filter(|_| !matches!(hover, Hit::Port(..)));
    let said: Vec<&str> = match hover {
        Hit::Node(node) => {
            let said = scene.nodes[node].said.iter();
            said.map(|(_, words)| words.as_str()).collect()
        }
        _ => Vec::new(),
    };
    let mark = item.and_then(|item| input.hazards.get(&item));
    if mark.is_some() || !said.is_empty() {
        let at = match hover {
            Hit::Node(node) => {
                let rect = brush.rect(scene.nodes[node].rect);
                rect.center_top() - vec2(0.0, 26.0)
            }
            Hit::Edge(edge) => {
                brush.place(scene::sample(scene.edges[edge].curve(), 0.5)) - vec2(0.0, 30.0)
            }
            _ => return,
        };
        let ink = brush.tokens.text;
        let line = mark.map_or(brush.tokens.line, |mark| {
            brush.tokens.severity(mark.severity)
        });
        let hazards = mark.map(|mark| mark.text.as_str());
        let lines: Vec<&str> = hazards.into_iter().chain(said).collect();
        brush.plate(at, &lines.join("\n").into(), ink, line);
    }
}
