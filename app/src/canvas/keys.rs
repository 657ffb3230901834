//! What the keyboard does on the canvas: it goes from node to node and draws wires.

use std::collections::BTreeSet;

use egui::{Id, Key, Modifiers, Pos2, Rect, Ui, Vec2};
use graph_model::catalog::PortRole;

use super::gesture::{Aim, Wiring, connected, judge};
use super::intent::{Intent, Item, PortSide, SelectMode};
use super::scene::Scene;
use super::{CanvasInput, CanvasView};

/// Ports that a wire drawn by keyboard chooses among: the nearest ones.
const TARGETS_MAX: usize = 200;

/// A wire that is drawn by keyboard.
#[derive(Clone, Debug)]
pub(super) struct KeyWire {
    pub(super) wiring: Wiring,
    /// Ports that it may go to, the nearest first.
    targets: Vec<(usize, usize)>,
    at: usize,
}

impl KeyWire {
    fn aim(&mut self, input: &CanvasInput<'_>, scene: &Scene) {
        self.wiring.aim = self.targets.get(self.at).map(|(node, port)| Aim {
            node: *node,
            port: *port,
            refusal: judge(input, scene, &self.wiring, (*node, *port)),
        });
    }
}

/// Takes the keys that mean something on the canvas.
pub(super) fn run(
    ui: &Ui,
    input: &CanvasInput<'_>,
    view: &mut CanvasView,
    canvas: Rect,
    out: &mut Vec<Intent>,
) {
    if !input.keyboard {
        view.key_wire = None;
        return;
    }
    if std::mem::take(&mut view.wire_wanted) {
        start(ui, input, view, out);
    }
    if let Some(wire) = view.key_wire.take() {
        carry(ui, input, view, canvas, wire, out);
        return;
    }
    let focused = ui.memory(egui::Memory::focused);
    let here = match focused {
        None => None,
        Some(id) => match view.scene.node_of_widget(id) {
            Some(node) => Some(node),
            None => return,
        },
    };
    for (key, way) in [
        (Key::ArrowLeft, Way::Left),
        (Key::ArrowRight, Way::Right),
        (Key::ArrowUp, Way::Up),
        (Key::ArrowDown, Way::Down),
    ] {
        if !ui.input_mut(|input| input.consume_key(Modifiers::NONE, key)) {
            continue;
        }
        let from = here.or_else(|| chosen(input, &view.scene));
        let to = match from {
            Some(from) => view.scene.neighbour(from, way),
            None => view.scene.first(),
        };
        if let Some(to) = to {
            let node = &view.scene.nodes[to];
            out.push(Intent::Select {
                items: BTreeSet::from([Item::Node(node.id.clone())]),
                mode: SelectMode::Replace,
            });
            view.camera.reveal(canvas, node.rect);
            speak_to(ui, node.widget);
        }
    }
}

/// Gives the keyboard to a widget, and keeps the key that led there from leading on.
fn speak_to(ui: &Ui, widget: Id) {
    ui.memory_mut(|memory| {
        memory.request_focus(widget);
        memory.move_focus(egui::FocusDirection::None);
    });
}

/// The node that is selected, when there is one only.
fn chosen(input: &CanvasInput<'_>, scene: &Scene) -> Option<usize> {
    let mut nodes = input.selection.iter().filter_map(|item| match item {
        Item::Node(id) => scene.node(id),
        _ => None,
    });
    nodes.next().filter(|_| nodes.next().is_none())
}

/// Starts a wire at the selected node.
fn start(ui: &Ui, input: &CanvasInput<'_>, view: &mut CanvasView, out: &mut Vec<Intent>) {
    let scene = &view.scene;
    let focused = ui
        .memory(egui::Memory::focused)
        .and_then(|id| scene.node_of_widget(id));
    let Some(node) = focused.or_else(|| chosen(input, scene)) else {
        return;
    };
    let outputs: Vec<usize> = scene.nodes[node]
        .ports_on(PortSide::Output)
        .map(|(port, _)| port)
        .collect();
    let free = outputs.iter().find(|port| {
        let port = &scene.nodes[node].ports[**port];
        !port.connected && port.role == PortRole::Data
    });
    match free.or(outputs.first()) {
        Some(port) => view.key_wire = wire_from(input, scene, (node, *port), out),
        None => out.push(Intent::RefusedConnect {
            reason: format!(
                "{} has no output to draw a wire from",
                scene.nodes[node].title
            ),
        }),
    }
}

fn wire_from(
    input: &CanvasInput<'_>,
    scene: &Scene,
    (node, port): (usize, usize),
    out: &mut Vec<Intent>,
) -> Option<KeyWire> {
    let wiring = Wiring {
        from: scene.port_ref((node, port)),
        side: PortSide::Output,
        moving: None,
        aim: None,
    };
    let start = scene.port_at((node, port));
    let mut targets: Vec<(f32, (usize, usize))> = scene
        .nodes
        .iter()
        .enumerate()
        .filter(|(index, _)| *index != node)
        .flat_map(|(index, shape)| {
            shape
                .ports_on(PortSide::Input)
                .map(move |(port, _)| (index, port))
        })
        .map(|target| (effort(start, scene.port_at(target)), target))
        .collect();
    targets.sort_by(|a, b| a.0.total_cmp(&b.0));
    targets.truncate(TARGETS_MAX);
    let targets: Vec<(usize, usize)> = targets
        .into_iter()
        .map(|(_, target)| target)
        .filter(|target| {
            judge(input, scene, &wiring, *target).is_none_or(|refusal| refusal.doubtful)
        })
        .collect();
    if targets.is_empty() {
        out.push(Intent::RefusedConnect {
            reason: format!("no input here can take events from {}", wiring.from),
        });
        return None;
    }
    let mut wire = KeyWire {
        wiring,
        targets,
        at: 0,
    };
    wire.aim(input, scene);
    Some(wire)
}

/// Distance, with what lies behind counting as farther.
fn effort(from: Pos2, to: Pos2) -> f32 {
    let way = to - from;
    let behind = if way.x < 0.0 { 3.0 } else { 1.0 };
    way.length() * behind
}

fn carry(
    ui: &Ui,
    input: &CanvasInput<'_>,
    view: &mut CanvasView,
    canvas: Rect,
    mut wire: KeyWire,
    out: &mut Vec<Intent>,
) {
    let pressed = |key: Key| ui.input_mut(|input| input.consume_key(Modifiers::NONE, key));
    let count = wire.targets.len();
    if pressed(Key::Escape) || ui.input(|input| input.pointer.any_pressed()) {
        if let Some(node) = view.scene.node(&wire.wiring.from.node) {
            let widget = view.scene.nodes[node].widget;
            speak_to(ui, widget);
        }
        return;
    }
    let anyway = ui.input_mut(|input| input.consume_key(Modifiers::SHIFT, Key::Enter));
    if anyway || pressed(Key::Enter) {
        let intent = connected(&view.scene, &wire.wiring, Pos2::ZERO, anyway);
        let refused = matches!(intent, Some(Intent::RefusedConnect { .. }));
        out.extend(intent);
        if refused {
            view.key_wire = Some(wire);
        }
        return;
    }
    let mut turned = false;
    if pressed(Key::ArrowRight) | pressed(Key::ArrowDown) {
        wire.at = (wire.at + 1) % count;
        turned = true;
    }
    if pressed(Key::ArrowLeft) | pressed(Key::ArrowUp) {
        wire.at = (wire.at + count - 1) % count;
        turned = true;
    }
    if pressed(Key::W)
        && let Some((node, port)) = view.scene.port(&wire.wiring.from, PortSide::Output)
    {
        let outputs: Vec<usize> = view.scene.nodes[node]
            .ports_on(PortSide::Output)
            .map(|(port, _)| port)
            .collect();
        let here = outputs.iter().position(|other| *other == port).unwrap_or(0);
        let next = outputs[(here + 1) % outputs.len()];
        if let Some(other) = wire_from(input, &view.scene, (node, next), out) {
            wire = other;
        }
    }
    if turned {
        wire.aim(input, &view.scene);
    }
    if let Some((node, port)) = wire.targets.get(wire.at) {
        let shape = &view.scene.nodes[*node];
        view.camera.reveal(canvas, shape.rect);
        let widget: Id = shape.ports[*port].widget;
        if turned {
            speak_to(ui, widget);
        }
    }
    view.key_wire = Some(wire);
}

/// A direction of an arrow key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Left,
    Right,
    Up,
    Down,
}

impl Scene {
    /// The node whose own widget, or that of one of its ports, has this id.
    fn node_of_widget(&self, id: Id) -> Option<usize> {
        self.nodes
            .iter()
            .position(|node| node.widget == id || node.ports.iter().any(|port| port.widget == id))
    }

    /// The node to begin with: the leftmost one, the upper one of several.
    fn first(&self) -> Option<usize> {
        (0..self.nodes.len()).min_by(|a, b| {
            let key = |index: usize| self.nodes[index].rect.min;
            let (a, b) = (key(*a), key(*b));
            a.x.total_cmp(&b.x).then(a.y.total_cmp(&b.y))
        })
    }

    /// Where an arrow key leads: along a wire to either side, else to the nearest node there.
    pub(super) fn neighbour(&self, from: usize, way: Way) -> Option<usize> {
        let along = self.nodes[from].edges.iter().filter_map(|edge| {
            let edge = &self.edges[*edge];
            let (start, end) = (edge.start?.0, edge.end?.0);
            match way {
                Way::Right if start == from => Some(end),
                Way::Left if end == from => Some(start),
                _ => None,
            }
        });
        let here = self.nodes[from].rect.center();
        let level = |index: &usize| (self.nodes[*index].rect.center().y - here.y).abs();
        along
            .filter(|index| *index != from)
            .min_by(|a, b| level(a).total_cmp(&level(b)))
            .or_else(|| self.nearest(from, way))
    }

    fn nearest(&self, from: usize, way: Way) -> Option<usize> {
        let here = self.nodes[from].rect.center();
        let cost = |by: Vec2| {
            let (ahead, aside) = match way {
                Way::Left => (-by.x, by.y.abs()),
                Way::Right => (by.x, by.y.abs()),
                Way::Up => (-by.y, by.x.abs()),
                Way::Down => (by.y, by.x.abs()),
            };
            (ahead > 1.0 && aside <= ahead * 2.5).then_some(ahead + aside * 2.0)
        };
        self.nodes
            .iter()
            .enumerate()
            .filter(|(index, _)| *index != from)
            .filter_map(|(index, node)| Some((index, cost(node.rect.center() - here)?)))
            .min_by(|a, b| a.1.total_cmp(&b.1))
            .map(|(index, _)| index)
    }
}
