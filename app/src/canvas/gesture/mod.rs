//! What the pointer does: it starts gestures, carries them along, and ends them in intents.

mod click;
mod moving;
mod wiring;

use std::collections::BTreeSet;

use egui::{CursorIcon, Key, Modifiers, Pos2, Rect, Ui, vec2};
use graph_model::document::Placement;
use graph_model::id::{EdgeId, Id};

use self::click::{click, double_click, menu};
use self::moving::{inside, moved, pan_at_edge, resized, snapped, take_items};
pub(super) use self::wiring::{Aim, Wiring, connected, judge};
use self::wiring::{END_REACH, PORT_PULL, aim, take_end_at, take_end_near};
use super::hit::Hit;
use super::intent::{Intent, Item, SelectMode};
use super::scene::Scene;
use super::{CanvasInput, CanvasView};

/// How near the middle of a card must be to a wire to be put on it, in points of the screen.
const WIRE_PULL: f32 = 30.0;

/// A drag under way. Places are in the document.
#[derive(Debug)]
pub(super) enum Gesture {
    Pan,
    Marquee {
        from: Pos2,
        add: bool,
    },
    Move {
        ids: BTreeSet<Id>,
        from: Pos2,
        /// Where what is under the pointer stood: it lands on the grid.
        home: Pos2,
        copy: bool,
        /// The one node that is moved, when it can be put on a wire.
        single: Option<usize>,
    },
    Wire(Wiring),
    Resize {
        id: Id,
        home: Rect,
        corner: usize,
    },
    Slice {
        line: Vec<Pos2>,
    },
}

/// What happened to a widget of the canvas, or to the canvas itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Contact {
    pub(super) hit: Hit,
    pub(super) kind: ContactKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ContactKind {
    Click,
    DoubleClick,
    Menu,
    Drag,
}

/// What gestures look at in a frame.
pub(super) struct Frame<'a, 'i> {
    pub(super) ui: &'a Ui,
    pub(super) input: &'a CanvasInput<'i>,
    pub(super) canvas: Rect,
    pub(super) modifiers: Modifiers,
    /// The pointer on the screen, wherever it is.
    pub(super) pointer: Option<Pos2>,
}

impl Frame<'_, '_> {
    fn document(&self, view: &CanvasView) -> Option<Pos2> {
        Some(view.camera.to_document(self.canvas, self.pointer?))
    }
}

/// Starts, carries and ends gestures.
pub(super) fn run(
    frame: &Frame<'_, '_>,
    view: &mut CanvasView,
    contacts: &[Contact],
    out: &mut Vec<Intent>,
) {
    for contact in contacts {
        match contact.kind {
            ContactKind::Drag => start(frame, view, contact.hit, out),
            ContactKind::Click => click(frame, view, contact.hit, out),
            ContactKind::DoubleClick => double_click(frame, view, contact.hit, out),
            ContactKind::Menu => menu(frame, view, contact.hit, out),
        }
    }
    if let Some(gesture) = view.gesture.take() {
        carry(frame, view, gesture, out);
    }
}

fn start(frame: &Frame<'_, '_>, view: &mut CanvasView, hit: Hit, out: &mut Vec<Intent>) {
    let pressed = frame
        .ui
        .input(|input| input.pointer.press_origin())
        .or(frame.pointer);
    let Some(from) = pressed.map(|at| view.camera.to_document(frame.canvas, at)) else {
        return;
    };
    let (middle, space) = frame
        .ui
        .input(|input| (input.pointer.middle_down(), input.key_down(Key::Space)));
    if middle || space {
        view.gesture = Some(Gesture::Pan);
        return;
    }
    if !frame.ui.input(|input| input.pointer.primary_down()) {
        return;
    }
    let scene = &view.scene;
    view.gesture = match hit {
        Hit::Canvas if frame.modifiers.alt => Some(Gesture::Slice { line: vec![from] }),
        Hit::Canvas => Some(Gesture::Marquee {
            from,
            add: frame.modifiers.shift || frame.modifiers.command,
        }),
        Hit::Port(node, port) => {
            let side = scene.nodes[node].ports[port].side;
            let from = scene.port_ref((node, port));
            if frame.modifiers.shift {
                take_end_at(scene, node, port)
            } else {
                Some(Gesture::Wire(Wiring {
                    from,
                    side,
                    moving: None,
                    aim: None,
                }))
            }
        }
        Hit::Edge(edge) => take_end_near(scene, edge, from, END_REACH / view.camera.zoom),
        Hit::Node(_) | Hit::Zone(_) | Hit::Note(_) => take_items(frame, scene, hit, from, out),
        Hit::ZoneCorner(index, corner) => Some(Gesture::Resize {
            id: scene.zones[index].id.clone(),
            home: scene.zones[index].rect,
            corner,
        }),
        Hit::NoteCorner(index, corner) => Some(Gesture::Resize {
            id: scene.notes[index].id.clone(),
            home: scene.notes[index].rect,
            corner,
        }),
    };
}

pub(super) fn item_of(scene: &Scene, hit: Hit) -> Option<Item> {
    match hit {
        Hit::Node(index) | Hit::Port(index, _) => Some(Item::Node(scene.nodes[index].id.clone())),
        Hit::Edge(index) => Some(Item::Edge(scene.edges[index].id.clone())),
        Hit::Zone(index) | Hit::ZoneCorner(index, _) => {
            Some(Item::Zone(scene.zones[index].id.clone()))
        }
        Hit::Note(index) | Hit::NoteCorner(index, _) => {
            Some(Item::Note(scene.notes[index].id.clone()))
        }
        Hit::Canvas => None,
    }
}

fn carry(
    frame: &Frame<'_, '_>,
    view: &mut CanvasView,
    mut gesture: Gesture,
    out: &mut Vec<Intent>,
) {
    let cancelled = frame
        .ui
        .input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape) || !input.raw.focused);
    if cancelled {
        view.scene.settle();
        view.opened = None;
        return;
    }
    let released = frame.ui.input(|input| !input.pointer.any_down());
    if matches!(gesture, Gesture::Pan) {
        frame.ui.ctx().set_cursor_icon(CursorIcon::Grabbing);
        view.camera.offset += frame.ui.input(|input| input.pointer.delta());
        if !released {
            view.gesture = Some(gesture);
        }
        return;
    }
    if !released {
        pan_at_edge(frame, view);
    }
    let Some(at) = frame.document(view) else {
        view.gesture = Some(gesture);
        return;
    };
    match &mut gesture {
        Gesture::Pan => {}
        Gesture::Marquee { from, add } => {
            let rect = Rect::from_two_pos(*from, at);
            let items = inside(&view.scene, rect);
            if released {
                view.marquee = None;
                let mode = if *add {
                    SelectMode::Add
                } else {
                    SelectMode::Replace
                };
                out.push(Intent::Select { items, mode });
                return;
            }
            view.marquee = Some((rect, items));
        }
        Gesture::Move {
            ids,
            from,
            home,
            copy,
            single,
        } => {
            let (dx, dy) = snapped(*home, at - *from, frame.modifiers.command);
            let by = vec2(dx as f32, dy as f32);
            view.scene.shift(ids, by);
            view.opened = single
                .filter(|_| !*copy)
                .and_then(|node| wire_under(&view.scene, node, WIRE_PULL / view.camera.zoom));
            frame.ui.ctx().set_cursor_icon(if *copy {
                CursorIcon::Copy
            } else {
                CursorIcon::Grabbing
            });
            if released {
                view.scene.settle();
                let opened = view.opened.take();
                out.push(moved(&view.scene, ids, (dx, dy), *copy, *single, opened));
                return;
            }
        }
        Gesture::Wire(wiring) => {
            view.loose_end = Some(at);
            aim(frame, &view.scene, wiring, at, PORT_PULL / view.camera.zoom);
            if released {
                out.extend(connected(&view.scene, wiring, at, frame.modifiers.shift));
                return;
            }
        }
        Gesture::Resize { id, home, corner } => {
            let to = resized(*home, *corner, at);
            view.scene.reshape(id, to);
            if released {
                view.scene.settle();
                if to != *home {
                    out.push(Intent::Resize {
                        id: id.clone(),
                        to: Placement {
                            x: to.min.x as i32,
                            y: to.min.y as i32,
                            size: Some((to.width() as u32, to.height() as u32)),
                        },
                    });
                }
                return;
            }
        }
        Gesture::Slice { line } => {
            if line
                .last()
                .is_none_or(|last| last.distance(at) * view.camera.zoom > 4.0)
            {
                line.push(at);
            }
            if released {
                let edges: BTreeSet<EdgeId> = view
                    .scene
                    .edges
                    .iter()
                    .filter(|edge| edge.crosses(line))
                    .map(|edge| edge.id.clone())
                    .collect();
                if !edges.is_empty() {
                    out.push(Intent::SliceEdges { edges });
                }
                return;
            }
        }
    }
    view.gesture = Some(gesture);
}

/// The wire that passes under the middle of a card.
pub(super) fn wire_under(scene: &Scene, node: usize, reach: f32) -> Option<usize> {
    scene.edge_at(scene.nodes[node].rect.center(), reach)
}
