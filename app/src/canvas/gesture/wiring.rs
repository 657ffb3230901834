//! Wires that are drawn: from which port they come, and which one they would go to.

use egui::Pos2;
use graph_model::id::{EdgeId, PortRef};

use super::super::CanvasInput;
use super::super::intent::{End, Intent, PortSide, QuickAddFrom};
use super::super::rules;
use super::super::scene::Scene;
use super::moving::snap;
use super::{Frame, Gesture};

/// How near the pointer must be to a port that a wire should go to, in points of the screen.
pub(super) const PORT_PULL: f32 = 26.0;

/// How near its end a wire is taken by that end, in points of the screen.
pub(super) const END_REACH: f32 = 36.0;

/// A wire on its way from a port to another one.
#[derive(Clone, Debug)]
pub(in crate::canvas) struct Wiring {
    pub(in crate::canvas) from: PortRef,
    pub(in crate::canvas) side: PortSide,
    /// The wire whose other end is being moved.
    pub(in crate::canvas) moving: Option<(EdgeId, End)>,
    pub(in crate::canvas) aim: Option<Aim>,
}

/// The port that a wire would go to, and why it may not.
#[derive(Clone, Debug)]
pub(in crate::canvas) struct Aim {
    pub(in crate::canvas) node: usize,
    pub(in crate::canvas) port: usize,
    pub(in crate::canvas) refusal: Option<rules::Refusal>,
}

/// Takes the end of the latest wire at a port off it.
pub(super) fn take_end_at(scene: &Scene, node: usize, port: usize) -> Option<Gesture> {
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
pub(super) fn take_end_near(scene: &Scene, edge: usize, at: Pos2, reach: f32) -> Option<Gesture> {
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

/// Finds the port that the wire would go to.
pub(super) fn aim(frame: &Frame<'_, '_>, scene: &Scene, wiring: &mut Wiring, at: Pos2, pull: f32) {
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
pub(super) fn target(
    scene: &Scene,
    wiring: &Wiring,
    at: Pos2,
    pull: f32,
) -> Option<(usize, usize)> {
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
pub(in crate::canvas) fn judge(
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
pub(in crate::canvas) fn connected(
    scene: &Scene,
    wiring: &Wiring,
    at: Pos2,
    anyway: bool,
) -> Option<Intent> {
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
