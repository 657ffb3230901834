//! The document as shapes: built once per revision, read by painter and gestures every frame.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use egui::{Pos2, Rect, Vec2, pos2, vec2};
use graph_model::catalog::{Catalog, Family, FieldType, KindSpec, PortRole};
use graph_model::document::{Annotations, Document, Node, Placement};
use graph_model::id::{EdgeId, Id, NodeId, PortRef};
use graph_model::layout;
use graph_model::value::Value;
use smol_str::SmolStr;

use super::intent::{End, PortSide};

/// Everything that is drawn, in document points, in the order of the ids.
#[derive(Default)]
pub(super) struct Scene {
    pub(super) nodes: Vec<NodeShape>,
    pub(super) edges: Vec<EdgeShape>,
    pub(super) zones: Vec<FrameShape>,
    pub(super) notes: Vec<FrameShape>,
    /// Around everything.
    pub(super) bounds: Option<Rect>,
    index: HashMap<NodeId, usize>,
    edge_index: HashMap<EdgeId, usize>,
    shifted: Vec<Shifted>,
}

pub(super) struct NodeShape {
    pub(super) id: NodeId,
    /// Id of its widget, for focus and assistive technology.
    pub(super) widget: egui::Id,
    pub(super) kind: SmolStr,
    pub(super) rect: Rect,
    pub(super) family: Option<Family>,
    pub(super) icon: SmolStr,
    pub(super) title: SmolStr,
    pub(super) kind_title: SmolStr,
    /// What matters most of its configuration, in one line.
    pub(super) fact: SmolStr,
    /// What people say of it: a picture and a few words each.
    pub(super) said: Vec<(&'static str, String)>,
    pub(super) ports: Vec<PortShape>,
    pub(super) edges: Vec<usize>,
    pub(super) disabled: bool,
    pub(super) zone: Option<Id>,
}

pub(super) struct PortShape {
    pub(super) widget: egui::Id,
    pub(super) name: SmolStr,
    pub(super) doc: SmolStr,
    pub(super) side: PortSide,
    pub(super) role: PortRole,
    /// From the node's upper left corner.
    pub(super) at: Vec2,
    pub(super) connected: bool,
    /// An edge names it, the node does not have it.
    pub(super) unknown: bool,
}

pub(super) struct EdgeShape {
    pub(super) id: EdgeId,
    pub(super) widget: egui::Id,
    pub(super) from: PortRef,
    pub(super) to: PortRef,
    /// Node and port it starts from and ends at; a missing node has neither.
    pub(super) start: Option<(usize, usize)>,
    pub(super) end: Option<(usize, usize)>,
    pub(super) points: [Pos2; 2],
    pub(super) failed: bool,
    pub(super) capacity: Option<u32>,
}

/// A zone or a note.
pub(super) struct FrameShape {
    pub(super) id: Id,
    pub(super) text: SmolStr,
    pub(super) rect: Rect,
}

#[derive(Clone, Copy)]
enum Shifted {
    Node(usize, Rect),
    Zone(usize, Rect),
    Note(usize, Rect),
}

impl Scene {
    pub(super) fn new(document: &Document, catalog: &Catalog) -> Scene {
        let mut scene = Scene::default();
        let computed = computed_places(document, catalog);
        for (id, node) in &document.nodes {
            let place = document
                .layout
                .get(id)
                .or_else(|| computed.get(id))
                .copied()
                .unwrap_or_default();
            scene.index.insert(id.clone(), scene.nodes.len());
            scene
                .nodes
                .push(node_shape(document, catalog, id, node, place));
        }
        for (id, edge) in &document.edges {
            let index = scene.edges.len();
            let start = scene.end_of(&edge.from, PortSide::Output, index);
            let end = scene.end_of(&edge.to, PortSide::Input, index);
            let failed = start
                .is_some_and(|(node, port)| scene.nodes[node].ports[port].role == PortRole::Failed);
            scene.edge_index.insert(id.clone(), index);
            scene.edges.push(EdgeShape {
                id: id.clone(),
                widget: egui::Id::unique(("canvas wire", id)),
                from: edge.from.clone(),
                to: edge.to.clone(),
                start,
                end,
                points: [Pos2::ZERO; 2],
                failed,
                capacity: edge.capacity,
            });
        }
        for index in 0..scene.edges.len() {
            scene.place_edge(index);
        }
        scene.zones = zone_shapes(document, &scene);
        scene.notes = document
            .notes
            .iter()
            .map(|(id, note)| {
                let place = document.layout.get(id).copied().unwrap_or_default();
                let size = place.size.unwrap_or((200, 100));
                FrameShape {
                    id: id.clone(),
                    text: note.text.clone(),
                    rect: frame(place, size),
                }
            })
            .collect();
        scene.bounds = scene
            .nodes
            .iter()
            .map(|node| node.rect)
            .chain(scene.zones.iter().map(|zone| zone.rect))
            .chain(scene.notes.iter().map(|note| note.rect))
            .reduce(Rect::union);
        scene
    }

    pub(super) fn node(&self, id: &NodeId) -> Option<usize> {
        self.index.get(id).copied()
    }

    pub(super) fn edge(&self, id: &EdgeId) -> Option<usize> {
        self.edge_index.get(id).copied()
    }

    pub(super) fn port(&self, port: &PortRef, side: PortSide) -> Option<(usize, usize)> {
        let node = self.node(&port.node)?;
        let index = self.nodes[node]
            .ports
            .iter()
            .position(|shape| shape.side == side && shape.name == port.port)?;
        Some((node, index))
    }

    pub(super) fn port_ref(&self, (node, port): (usize, usize)) -> PortRef {
        let node = &self.nodes[node];
        PortRef::new(node.id.clone(), node.ports[port].name.clone())
    }

    pub(super) fn port_at(&self, (node, port): (usize, usize)) -> Pos2 {
        let node = &self.nodes[node];
        node.rect.min + node.ports[port].at
    }

    /// Draws nodes, zones and notes moved, until the next call.
    pub(super) fn shift(&mut self, ids: &BTreeSet<Id>, by: Vec2) {
        self.settle();
        for id in ids {
            if let Some(node) = self.node(id) {
                self.shifted
                    .push(Shifted::Node(node, self.nodes[node].rect));
            } else if let Some(zone) = self.zones.iter().position(|zone| zone.id == *id) {
                self.shifted
                    .push(Shifted::Zone(zone, self.zones[zone].rect));
            } else if let Some(note) = self.notes.iter().position(|note| note.id == *id) {
                self.shifted
                    .push(Shifted::Note(note, self.notes[note].rect));
            }
        }
        for index in 0..self.shifted.len() {
            let (rect, home) = self.shifted_rect(self.shifted[index]);
            *rect = home.translate(by);
            self.follow(self.shifted[index]);
        }
    }

    /// Takes every shift back.
    pub(super) fn settle(&mut self) {
        for shifted in std::mem::take(&mut self.shifted) {
            let (rect, home) = self.shifted_rect(shifted);
            *rect = home;
            self.follow(shifted);
        }
    }

    /// Draws one frame in another shape until the next shift.
    pub(super) fn reshape(&mut self, id: &Id, to: Rect) {
        self.shift(&BTreeSet::from([id.clone()]), Vec2::ZERO);
        if let Some(shifted) = self.shifted.first().copied() {
            *self.shifted_rect(shifted).0 = to;
        }
    }

    fn shifted_rect(&mut self, shifted: Shifted) -> (&mut Rect, Rect) {
        match shifted {
            Shifted::Node(index, home) => (&mut self.nodes[index].rect, home),
            Shifted::Zone(index, home) => (&mut self.zones[index].rect, home),
            Shifted::Note(index, home) => (&mut self.notes[index].rect, home),
        }
    }

    fn follow(&mut self, shifted: Shifted) {
        if let Shifted::Node(node, _) = shifted {
            for at in 0..self.nodes[node].edges.len() {
                self.place_edge(self.nodes[node].edges[at]);
            }
        }
    }

    fn place_edge(&mut self, index: usize) {
        let edge = &self.edges[index];
        let start = edge.start.map(|port| self.port_at(port));
        let end = edge.end.map(|port| self.port_at(port));
        let stub = vec2(60.0, 0.0);
        self.edges[index].points = match (start, end) {
            (Some(start), Some(end)) => [start, end],
            (Some(start), None) => [start, start + stub],
            (None, Some(end)) => [end - stub, end],
            (None, None) => [Pos2::ZERO, Pos2::ZERO + stub],
        };
    }

    /// Node and port of an edge's end; a port that the node lacks is added, to be seen.
    fn end_of(&mut self, port: &PortRef, side: PortSide, edge: usize) -> Option<(usize, usize)> {
        let node = self.node(&port.node)?;
        let known = self.port(port, side);
        let shape = &mut self.nodes[node];
        if shape.edges.last() != Some(&edge) {
            shape.edges.push(edge);
        }
        let (_, index) = known.unwrap_or_else(|| {
            let row = shape.ports.iter().filter(|port| port.side == side).count();
            shape.ports.push(PortShape {
                widget: port_widget(&shape.id, side, &port.port),
                name: port.port.clone(),
                doc: "the node has no such port".into(),
                side,
                role: PortRole::Data,
                at: port_place(side, row),
                connected: true,
                unknown: true,
            });
            let height = layout::node_height(row as u32 + 1) as f32;
            shape.rect.max.y = shape.rect.max.y.max(shape.rect.min.y + height);
            (node, shape.ports.len() - 1)
        });
        shape.ports[index].connected = true;
        Some((node, index))
    }
}

impl EdgeShape {
    /// Control points of its curve, in document points.
    pub(super) fn curve(&self) -> [Pos2; 4] {
        curve(self.points[0], self.points[1])
    }

    /// A line drawn by hand goes across it.
    pub(super) fn crosses(&self, line: &[Pos2]) -> bool {
        let curve = self.curve();
        let bounds = Rect::from_points(&curve);
        line.windows(2)
            .filter(|pair| bounds.intersects(Rect::from_two_pos(pair[0], pair[1])))
            .any(|pair| {
                (0..24_u8).any(|step| {
                    let from = sample(curve, f32::from(step) / 24.0);
                    let to = sample(curve, f32::from(step + 1) / 24.0);
                    cross([pair[0], pair[1]], [from, to])
                })
            })
    }

    /// It has both ends.
    pub(super) fn whole(&self) -> bool {
        self.start.is_some() && self.end.is_some()
    }

    /// The end of it that is nearer.
    pub(super) fn nearer_end(&self, place: Pos2) -> End {
        if place.distance_sq(self.points[0]) < place.distance_sq(self.points[1]) {
            End::From
        } else {
            End::To
        }
    }
}

impl NodeShape {
    /// What a screen reader calls it.
    pub(super) fn spoken(&self) -> String {
        format!("node {}, {}", self.id, self.kind)
    }

    /// What a screen reader adds to its name.
    pub(super) fn described(&self) -> String {
        let mut text = format!("{}, {}", self.title, self.kind_title);
        if self.disabled {
            text.push_str(", disabled");
        }
        if !self.fact.is_empty() {
            text.push_str(", ");
            text.push_str(&self.fact);
        }
        for (_, said) in &self.said {
            text.push_str(", ");
            text.push_str(said);
        }
        text
    }

    pub(super) fn ports_on(&self, side: PortSide) -> impl Iterator<Item = (usize, &PortShape)> {
        self.ports
            .iter()
            .enumerate()
            .filter(move |(_, port)| port.side == side)
    }
}

/// Control points of a wire from an output to an input. A wire that goes back on the same height
/// swings out below, so that it is not hidden behind the cards.
pub(super) fn curve(from: Pos2, to: Pos2) -> [Pos2; 4] {
    let way = to - from;
    if way.x >= 0.0 {
        let reach = (way.x * 0.5)
            .max(24.0_f32.min(way.x + way.y.abs() * 0.5))
            .min(160.0);
        return [from, from + vec2(reach, 0.0), to - vec2(reach, 0.0), to];
    }
    let reach = (60.0 - way.x * 0.5).min(240.0);
    let swing = (110.0 - way.y.abs()).max(0.0) * 1.3;
    [
        from,
        from + vec2(reach, swing),
        to + vec2(-reach, swing),
        to,
    ]
}

/// The point of a curve at `t` from 0 to 1.
pub(super) fn sample(curve: [Pos2; 4], t: f32) -> Pos2 {
    let rest = 1.0 - t;
    let shares = [
        rest * rest * rest,
        3.0 * rest * rest * t,
        3.0 * rest * t * t,
        t * t * t,
    ];
    let mut at = Vec2::ZERO;
    for (point, share) in curve.into_iter().zip(shares) {
        at += point.to_vec2() * share;
    }
    at.to_pos2()
}

/// Whether two stretches have a point in common.
fn cross(one: [Pos2; 2], other: [Pos2; 2]) -> bool {
    // On which side of a stretch a place lies.
    let side = |of: [Pos2; 2], at: Pos2| {
        let (along, away) = (of[1] - of[0], at - of[0]);
        along.x * away.y - along.y * away.x
    };
    side(one, other[0]) * side(one, other[1]) <= 0.0
        && side(other, one[0]) * side(other, one[1]) <= 0.0
}

fn computed_places(document: &Document, catalog: &Catalog) -> BTreeMap<Id, Placement> {
    let all_placed = document
        .nodes
        .keys()
        .all(|id| document.layout.contains_key(id));
    if all_placed {
        BTreeMap::new()
    } else {
        layout::layered(document, catalog).into_iter().collect()
    }
}

fn node_shape(
    document: &Document,
    catalog: &Catalog,
    id: &NodeId,
    node: &Node,
    place: Placement,
) -> NodeShape {
    let kind = catalog.get(&node.kind);
    let mut ports = Vec::new();
    if let Some(kind) = kind {
        for (side, of_side) in [
            (PortSide::Input, kind.inputs_of(node)),
            (PortSide::Output, kind.outputs_of(node)),
        ] {
            for (row, port) in of_side.into_iter().enumerate() {
                ports.push(PortShape {
                    widget: port_widget(id, side, &port.name),
                    name: port.name,
                    doc: port.doc,
                    side,
                    role: port.role,
                    at: port_place(side, row),
                    connected: false,
                    unknown: false,
                });
            }
        }
    }
    NodeShape {
        id: id.clone(),
        rect: frame(place, layout::node_size(catalog, node)),
        family: kind.map(|kind| kind.family),
        icon: kind.map(|kind| kind.icon.clone()).unwrap_or_default(),
        title: document.node_title(id).into(),
        kind_title: kind.map_or_else(
            || format!("unknown kind {}", node.kind).into(),
            |kind| kind.title.clone(),
        ),
        fact: kind.map(|kind| fact(kind, node).into()).unwrap_or_default(),
        said: said(document, &node.notes),
        widget: egui::Id::unique(("canvas node", id)),
        kind: node.kind.clone(),
        ports,
        edges: Vec::new(),
        disabled: node.disabled,
        zone: node.zone.clone(),
    }
}

fn port_widget(node: &NodeId, side: PortSide, name: &SmolStr) -> egui::Id {
    egui::Id::unique(("canvas port", node, side, name))
}

fn port_place(side: PortSide, row: usize) -> Vec2 {
    let y = layout::port_y(row as u32) as f32;
    match side {
        PortSide::Input => vec2(0.0, y),
        PortSide::Output => vec2(layout::NODE_WIDTH as f32, y),
    }
}

fn frame(place: Placement, (width, height): (u32, u32)) -> Rect {
    Rect::from_min_size(
        pos2(place.x as f32, place.y as f32),
        vec2(width as f32, height as f32),
    )
}

/// What people say of a node, as marks: who sees it, what is known of it, what is accepted.
fn said(document: &Document, notes: &Annotations) -> Vec<(&'static str, String)> {
    let mut said = Vec::new();
    if let Some(audience) = &notes.audience {
        let roles = audience.roles.iter().map(|role| {
            let known = document.roles.get(role);
            let title = known.map_or("", |role| role.title.as_str());
            if title.is_empty() {
                role.as_str()
            } else {
                title
            }
        });
        let roles: Vec<&str> = roles.collect();
        let rows = match audience.rows.len() {
            0 => "",
            _ if roles.is_empty() => "its owners",
            _ => ", each their own rows",
        };
        said.push(("people", format!("seen by {}{rows}", roles.join(", "))));
    }
    let known = notes.declared.keys().map(SmolStr::as_str);
    let known = known.chain(notes.assumptions.keys().map(SmolStr::as_str));
    let known: Vec<String> = known.map(|name| name.replace('_', " ")).collect();
    if !known.is_empty() {
        said.push(("known", format!("you know: {}", known.join(", "))));
    }
    if !notes.accepted.is_empty() {
        let codes: Vec<&str> = notes.accepted.keys().map(SmolStr::as_str).collect();
        said.push(("accepted", format!("accepted: {}", codes.join(", "))));
    }
    said
}

/// The first two set fields that say something in one line.
fn fact(kind: &KindSpec, node: &Node) -> String {
    let mut facts = kind
        .config
        .iter()
        .filter(|field| !field.advanced)
        .filter_map(|field| {
            let value = node.config.get(&field.name)?;
            match (&field.ty, value) {
                (
                    FieldType::Secret
                    | FieldType::Json
                    | FieldType::LongText
                    | FieldType::Code { .. },
                    _,
                ) => None,
                (_, Value::Obj(entries)) if !entries.is_empty() => {
                    Some(format!("{} {}", entries.len(), field.title.to_lowercase()))
                }
                (_, Value::Arr(entries)) if !entries.is_empty() => {
                    let texts: Vec<&str> = entries.iter().filter_map(Value::as_str).collect();
                    Some(if texts.len() == entries.len() {
                        texts.join(", ")
                    } else {
                        format!("{} {}", entries.len(), field.title.to_lowercase())
                    })
                }
                (_, Value::Obj(_) | Value::Arr(_) | Value::Null | Value::Bool(_)) => None,
                (FieldType::Integer { .. } | FieldType::Number { .. }, number) => {
                    Some(format!("{} {number}", field.title.to_lowercase()))
                }
                (_, value) => {
                    let text = value.to_text();
                    (!text.is_empty()).then(|| text.replace('\n', " "))
                }
            }
        });
    match (facts.next(), facts.next()) {
        (Some(first), Some(second)) if first.len() + second.len() < 26 => {
            format!("{first} · {second}")
        }
        (Some(first), _) => first,
        (None, _) => String::new(),
    }
}

/// Zones where they are placed, else around the nodes that stand in them.
fn zone_shapes(document: &Document, scene: &Scene) -> Vec<FrameShape> {
    let mut around: BTreeMap<&Id, Rect> = BTreeMap::new();
    for node in &scene.nodes {
        if let Some(zone) = &node.zone {
            around
                .entry(zone)
                .and_modify(|rect| *rect = rect.union(node.rect))
                .or_insert(node.rect);
        }
    }
    document
        .zones
        .iter()
        .filter_map(|(id, zone)| {
            let place = document.layout.get(id);
            let rect = if let Some((place, size)) = place.and_then(|at| Some((at, at.size?))) {
                frame(*place, size)
            } else {
                let rect = around.get(id)?;
                Rect::from_min_max(rect.min - vec2(30.0, 50.0), rect.max + vec2(30.0, 30.0))
            };
            Some(FrameShape {
                id: id.clone(),
                text: if zone.title.is_empty() {
                    id.as_str().into()
                } else {
                    zone.title.clone()
                },
                rect,
            })
        })
        .collect()
}
