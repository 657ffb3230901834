//! Clicks, and what they bring up.

use std::collections::BTreeSet;

use egui::{Pos2, Vec2, vec2};

use super::super::CanvasView;
use super::super::hit::Hit;
use super::super::intent::{Intent, PortSide, QuickAddFrom, SelectMode, Target};
use super::moving::snap;
use super::{Frame, item_of};

pub(super) fn click(frame: &Frame<'_, '_>, view: &CanvasView, hit: Hit, out: &mut Vec<Intent>) {
    let toggles = frame.modifiers.shift || frame.modifiers.command;
    match item_of(&view.scene, hit) {
        Some(item) => out.push(Intent::Select {
            items: BTreeSet::from([item]),
            mode: if toggles {
                SelectMode::Toggle
            } else {
                SelectMode::Replace
            },
        }),
        None if frame.modifiers.command => {
            if let Some(at) = frame.document(view) {
                out.push(quick_add(at, QuickAddFrom::Nothing));
            }
        }
        None if toggles => {}
        None => out.push(Intent::Select {
            items: BTreeSet::new(),
            mode: SelectMode::Replace,
        }),
    }
}

pub(super) fn double_click(
    frame: &Frame<'_, '_>,
    view: &CanvasView,
    hit: Hit,
    out: &mut Vec<Intent>,
) {
    match hit {
        Hit::Node(node) => out.push(Intent::OpenEditor {
            node: view.scene.nodes[node].id.clone(),
        }),
        Hit::Canvas => {
            if let Some(at) = frame.document(view) {
                out.push(quick_add(at, QuickAddFrom::Nothing));
            }
        }
        Hit::Edge(edge) => {
            if let Some(at) = frame.document(view) {
                let edge = view.scene.edges[edge].id.clone();
                out.push(quick_add(at, QuickAddFrom::Edge(edge)));
            }
        }
        Hit::Port(node, port) => {
            let side = view.scene.nodes[node].ports[port].side;
            let at = view.scene.port_at((node, port));
            let away = match side {
                PortSide::Output => 100.0,
                PortSide::Input => -300.0,
            };
            let from = QuickAddFrom::Port(view.scene.port_ref((node, port)), side);
            out.push(quick_add(at + vec2(away, 0.0) + HALF, from));
        }
        Hit::Zone(_) | Hit::Note(_) | Hit::ZoneCorner(..) | Hit::NoteCorner(..) => {}
    }
}

/// From the upper left corner of a card to about its middle.
const HALF: Vec2 = vec2(100.0, 35.0);

/// A new node that has its middle at a place.
fn quick_add(at: Pos2, from: QuickAddFrom) -> Intent {
    let corner = at - HALF;
    Intent::QuickAdd {
        at: (snap(corner.x), snap(corner.y)),
        from,
    }
}

pub(super) fn menu(frame: &Frame<'_, '_>, view: &CanvasView, hit: Hit, out: &mut Vec<Intent>) {
    let Some(screen) = frame.pointer else {
        return;
    };
    let at = view.camera.to_document(frame.canvas, screen) - HALF;
    let target = match hit {
        Hit::Port(node, port) => Target::Port(
            view.scene.port_ref((node, port)),
            view.scene.nodes[node].ports[port].side,
        ),
        hit => item_of(&view.scene, hit).map_or(Target::Canvas, Target::Item),
    };
    if let Target::Item(item) = &target
        && !frame.input.selection.contains(item)
    {
        out.push(Intent::Select {
            items: BTreeSet::from([item.clone()]),
            mode: SelectMode::Replace,
        });
    }
    out.push(Intent::ContextMenu {
        screen,
        at: (snap(at.x), snap(at.y)),
        target,
    });
}
