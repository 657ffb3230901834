//! What the pointer does: it starts gestures, carries them along, and ends them in intents.

use std::collections::BTreeSet;

use egui::{CursorIcon, Key, Modifiers, Pos2, Rect, Ui, Vec2, pos2, vec2};
use graph_model::document::Placement;
use graph_model::id::{EdgeId, Id, PortRef};

use super::hit::{Hit, corners};
use super::intent::{End, Intent, Item, PortSide, QuickAddFrom, SelectMode, Target};
use super::rules;
use super::scene::Scene;
use super::{CanvasInput, CanvasView};
use crate::theme::space::GRID;

/// How near the pointer must be to a port that a wire should go to, in points of the screen.
const PORT_PULL: f32 = 26.0;
/// How near the middle of a card must be to a wire to be put on it, in points of the screen.
const WIRE_PULL: f32 = 30.0;
/// How near its end a wire is taken by that end, in points of the screen.
const END_REACH: f32 = 36.0;
/// Width of the margin of the canvas that moves the view during a drag.
const EDGE_PAN: f32 = 28.0;
/// Smallest width and height of a zone or note.
const FRAME_MIN: f32 = 60.0;

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

/// A wire on its way from a port to another one.
#[derive(Clone, Debug)]
pub(super) struct Wiring {
    pub(super) from: PortRef,
    pub(super) side: PortSide,
    /// The wire whose other end is being moved.
    pub(super) moving: Option<(EdgeId, End)>,
    pub(super) aim: Option<Aim>,
}

/// The port that a wire would go to, and why it may not.
#[derive(Clone, Debug)]
pub(super) struct Aim {
    pub(super) node: usize,
    pub(super) port: usize,
    pub(super) refusal: Option<rules::Refusal>,
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

/// Takes the end of the latest wire at a port off it.
fn take_end_at(scene: &Scene, node: usize, port: usize) -> Option<Gesture> {
    let side = scene.nodes[node].ports[port].side;
    let edge = *scene.nodes[node].edges.iter().rev().find(|edge| {
        let edge = &scene.edges[**edge];
        match side {
            PortSide::Input => edge.end == Some((node, port)),
            PortSide::Output => edge.start == Some((node, port)),
        }
    })?;
    let end = match side {
        PortSide::Input => End::To,
        PortSide::Output => End::From,
    };
    Some(take_end(scene, edge, end))
}

/// Takes a wire by its end when that is near.
fn take_end_near(scene: &Scene, edge: usize, at: Pos2, reach: f32) -> Option<Gesture> {
    let shape = &scene.edges[edge];
    let end = shape.nearer_end(at);
    let place = match end {
        End::From => shape.points[0],
        End::To => shape.points[1],
    };
    (place.distance(at) <= reach).then(|| take_end(scene, edge, end))
}

fn take_end(scene: &Scene, edge: usize, end: End) -> Gesture {
    let shape = &scene.edges[edge];
    let (from, side) = match end {
        End::From => (shape.to.clone(), PortSide::Input),
        End::To => (shape.from.clone(), PortSide::Output),
    };
    Gesture::Wire(Wiring {
        from,
        side,
        moving: Some((shape.id.clone(), end)),
        aim: None,
    })
}

/// Takes what is selected, or what is under the pointer when that is not.
fn take_items(
    frame: &Frame<'_, '_>,
    scene: &Scene,
    hit: Hit,
    from: Pos2,
    out: &mut Vec<Intent>,
) -> Option<Gesture> {
    let item = item_of(scene, hit)?;
    let mut items: BTreeSet<Item> = if frame.input.selection.contains(&item) {
        frame.input.selection.clone()
    } else {
        BTreeSet::new()
    };
    if items.is_empty() {
        let mode = if frame.modifiers.shift {
            items.clone_from(frame.input.selection);
            SelectMode::Add
        } else {
            SelectMode::Replace
        };
        items.insert(item.clone());
        out.push(Intent::Select {
            items: BTreeSet::from([item]),
            mode,
        });
    }
    let mut ids: BTreeSet<Id> = BTreeSet::new();
    for item in &items {
        match item {
            Item::Node(id) | Item::Note(id) => {
                ids.insert(id.clone());
            }
            Item::Zone(zone) => {
                // What stands in a zone goes with it.
                ids.insert(zone.clone());
                ids.extend(
                    scene
                        .nodes
                        .iter()
                        .filter(|node| node.zone.as_ref() == Some(zone))
                        .map(|node| node.id.clone()),
                );
            }
            Item::Edge(_) => {}
        }
    }
    let home = match hit {
        Hit::Node(index) => scene.nodes[index].rect.min,
        Hit::Zone(index) => scene.zones[index].rect.min,
        Hit::Note(index) => scene.notes[index].rect.min,
        _ => from,
    };
    let single = match hit {
        Hit::Node(index) if ids.len() == 1 => {
            let node = &scene.nodes[index];
            let joins = |side| node.ports_on(side).next().is_some();
            (node.edges.is_empty() && joins(PortSide::Input) && joins(PortSide::Output))
                .then_some(index)
        }
        _ => None,
    };
    Some(Gesture::Move {
        ids,
        from,
        home,
        copy: frame.modifiers.alt,
        single,
    })
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

fn moved(
    scene: &Scene,
    ids: &BTreeSet<Id>,
    (dx, dy): (i32, i32),
    copy: bool,
    single: Option<usize>,
    opened: Option<usize>,
) -> Intent {
    if copy {
        return Intent::Duplicate {
            ids: ids.clone(),
            dx,
            dy,
        };
    }
    match (single, opened) {
        (Some(node), Some(edge)) => Intent::DropOnWire {
            node: scene.nodes[node].id.clone(),
            edge: scene.edges[edge].id.clone(),
            dx,
            dy,
        },
        _ => Intent::MoveBy {
            ids: ids.clone(),
            dx,
            dy,
            done: true,
        },
    }
}

/// The wire that passes under the middle of a card.
pub(super) fn wire_under(scene: &Scene, node: usize, reach: f32) -> Option<usize> {
    scene.edge_at(scene.nodes[node].rect.center(), reach)
}

/// Finds the port that the wire would go to.
fn aim(frame: &Frame<'_, '_>, scene: &Scene, wiring: &mut Wiring, at: Pos2, pull: f32) {
    let found = target(scene, wiring, at, pull);
    wiring.aim = found.map(|(node, port)| {
        let same = wiring
            .aim
            .as_ref()
            .filter(|aim| (aim.node, aim.port) == (node, port));
        match same {
            Some(aim) => aim.clone(),
            None => Aim {
                node,
                port,
                refusal: judge(frame.input, scene, wiring, (node, port)),
            },
        }
    });
}

/// The nearest port around a place, else the first port that fits of the node there.
fn target(scene: &Scene, wiring: &Wiring, at: Pos2, pull: f32) -> Option<(usize, usize)> {
    let mut best: Option<(f32, (usize, usize))> = None;
    for (index, node) in scene.nodes.iter().enumerate() {
        if !node.rect.expand(pull).contains(at) {
            continue;
        }
        for (port, shape) in node.ports.iter().enumerate() {
            let own = node.id == wiring.from.node
                && shape.name == wiring.from.port
                && shape.side == wiring.side;
            let mut distance = (node.rect.min + shape.at).distance(at);
            if shape.side == wiring.side {
                distance *= 2.0;
            }
            if !own && distance <= pull && best.is_none_or(|(least, _)| distance < least) {
                best = Some((distance, (index, port)));
            }
        }
    }
    best.map(|(_, port)| port).or_else(|| {
        let node = scene.node_at(at)?;
        if scene.nodes[node].id == wiring.from.node {
            return None;
        }
        let (port, _) = scene.nodes[node].ports_on(wiring.side.other()).next()?;
        Some((node, port))
    })
}

/// Why the wire may not go to a port.
pub(super) fn judge(
    input: &CanvasInput<'_>,
    scene: &Scene,
    wiring: &Wiring,
    (node, port): (usize, usize),
) -> Option<rules::Refusal> {
    let shape = &scene.nodes[node].ports[port];
    if shape.side == wiring.side {
        return Some(rules::Refusal::never(match wiring.side {
            PortSide::Output => "this is an output, too; a wire ends at an input",
            PortSide::Input => "this is an input, too; a wire starts at an output",
        }));
    }
    let other = scene.port_ref((node, port));
    let (from, to) = match wiring.side {
        PortSide::Output => (&wiring.from, &other),
        PortSide::Input => (&other, &wiring.from),
    };
    let moving = wiring.moving.as_ref().map(|(edge, _)| edge);
    rules::refusal(input.document, input.catalog, from, to, moving)
}

/// What letting go of a wire means.
pub(super) fn connected(scene: &Scene, wiring: &Wiring, at: Pos2, anyway: bool) -> Option<Intent> {
    let Some(aim) = &wiring.aim else {
        if wiring.moving.is_some() || scene.node_at(at).is_some() {
            return None;
        }
        // The new node stands with its first port at the pointer.
        let (dx, dy) = match wiring.side {
            PortSide::Output => (0, 58),
            PortSide::Input => (200, 58),
        };
        return Some(Intent::QuickAdd {
            at: (snap(at.x) - dx, snap(at.y) - dy),
            from: QuickAddFrom::Port(wiring.from.clone(), wiring.side),
        });
    };
    if let Some(refusal) = &aim.refusal
        && !(anyway && refusal.doubtful)
    {
        return Some(Intent::RefusedConnect {
            reason: refusal.reason.clone(),
        });
    }
    let other = scene.port_ref((aim.node, aim.port));
    if let Some((edge, end)) = &wiring.moving {
        return Some(Intent::Reconnect {
            edge: edge.clone(),
            end: *end,
            to: other,
        });
    }
    let (from, to) = match wiring.side {
        PortSide::Output => (wiring.from.clone(), other),
        PortSide::Input => (other, wiring.from.clone()),
    };
    Some(Intent::Connect { from, to })
}

fn click(frame: &Frame<'_, '_>, view: &CanvasView, hit: Hit, out: &mut Vec<Intent>) {
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

fn double_click(frame: &Frame<'_, '_>, view: &CanvasView, hit: Hit, out: &mut Vec<Intent>) {
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

fn menu(frame: &Frame<'_, '_>, view: &CanvasView, hit: Hit, out: &mut Vec<Intent>) {
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

/// Everything whose frame lies in a rectangle, or touches it in the case of nodes.
fn inside(scene: &Scene, rect: Rect) -> BTreeSet<Item> {
    let nodes = scene
        .nodes
        .iter()
        .filter(|node| rect.intersects(node.rect))
        .map(|node| Item::Node(node.id.clone()));
    let zones = scene
        .zones
        .iter()
        .filter(|zone| rect.contains_rect(zone.rect))
        .map(|zone| Item::Zone(zone.id.clone()));
    let notes = scene
        .notes
        .iter()
        .filter(|note| rect.intersects(note.rect))
        .map(|note| Item::Note(note.id.clone()));
    nodes.chain(zones).chain(notes).collect()
}

/// The view follows a drag that reaches the margin of the canvas.
fn pan_at_edge(frame: &Frame<'_, '_>, view: &mut CanvasView) {
    let Some(pointer) = frame.pointer else {
        return;
    };
    let push = |at: f32, min: f32, max: f32| {
        ((min + EDGE_PAN - at).max(0.0) - (at - max + EDGE_PAN).max(0.0)).clamp(-EDGE_PAN, EDGE_PAN)
    };
    let by = vec2(
        push(pointer.x, frame.canvas.min.x, frame.canvas.max.x),
        push(pointer.y, frame.canvas.min.y, frame.canvas.max.y),
    );
    if by != Vec2::ZERO {
        let seconds = frame.ui.input(|input| input.stable_dt).min(0.05);
        view.camera.offset += by * seconds * 14.0;
        frame.ui.ctx().request_repaint();
    }
}

/// How far to move so that what stood at `home` stands on the grid; freely on demand.
fn snapped(home: Pos2, by: Vec2, free: bool) -> (i32, i32) {
    if free {
        return (by.x.round() as i32, by.y.round() as i32);
    }
    (
        snap(home.x + by.x) - home.x as i32,
        snap(home.y + by.y) - home.y as i32,
    )
}

pub(super) fn snap(at: f32) -> i32 {
    (at / GRID as f32).round() as i32 * GRID
}

fn resized(home: Rect, corner: usize, at: Pos2) -> Rect {
    let at = pos2(snap(at.x) as f32, snap(at.y) as f32);
    let fixed = corners(home)[(corner + 2) % 4];
    let limit = |at: f32, fixed: f32, low: bool| {
        if low {
            at.min(fixed - FRAME_MIN)
        } else {
            at.max(fixed + FRAME_MIN)
        }
    };
    let left = matches!(corner, 0 | 3);
    let top = matches!(corner, 0 | 1);
    let moving = pos2(limit(at.x, fixed.x, left), limit(at.y, fixed.y, top));
    Rect::from_two_pos(fixed, moving)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_moved_lands_on_the_grid() {
        let home = pos2(13.0, -7.0);
        assert_eq!(snapped(home, vec2(4.0, 3.0), false), (7, 7));
        assert_eq!(snapped(home, vec2(4.4, 3.6), true), (4, 4));
    }

    #[test]
    fn frames_keep_a_least_size_and_their_fixed_corner() {
        let home = Rect::from_min_max(pos2(0.0, 0.0), pos2(200.0, 100.0));
        for (corner, at, expected) in [
            (2, pos2(304.0, 56.0), [0, 0, 300, 60]),
            (0, pos2(-52.0, 31.0), [-50, 30, 200, 100]),
            (0, pos2(500.0, 500.0), [140, 40, 200, 100]),
            (3, pos2(-100.0, 200.0), [-100, 0, 200, 200]),
        ] {
            let to = resized(home, corner, at);
            let sides = [to.min.x, to.min.y, to.max.x, to.max.y];
            assert_eq!(sides.map(|side| side as i32), expected);
        }
    }
}
