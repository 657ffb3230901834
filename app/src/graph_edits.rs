//! Transactions that the canvas and the lists ask for, built from what the user pointed at.

use std::collections::BTreeSet;

use graph_model::catalog::{Catalog, KindSpec};
use graph_model::document::{Document, Node, Placement};
use graph_model::edit::{Edit, Transaction, TransactionBuilder};
use graph_model::graph::FlowGraph;
use graph_model::id::{EdgeId, Id, NodeId, PortRef};
use graph_model::layout;
use graph_model::value::Value;
use smol_str::SmolStr;

use crate::canvas::intent::{End, PortSide, QuickAddFrom};
use crate::state::State;

/// Distance from a new node to the one it is joined with, in points.
const GAP: (i32, i32) = (300, 0);
/// Least room for a wire between two nodes.
const WIRE_ROOM: i32 = 40;

/// Moves placed things; what never had a place gets one.
pub(crate) fn moved(state: &State, verb: &str, ids: &[Id], dx: i32, dy: i32) -> Transaction {
    let title = match ids {
        [id] => format!("{verb} {id}"),
        _ => format!("{verb} {} items", ids.len()),
    };
    let mut build = state.build(title);
    for id in ids {
        let place = state.document().layout.get(id).copied().unwrap_or_default();
        build.place(id, place.x + dx, place.y + dy);
    }
    build.finish()
}

/// A node of the kind, with the starting values that its required fields name.
pub(crate) fn fresh_node(kind: &KindSpec) -> Node {
    let mut node = Node::new(kind.id.clone());
    for field in &kind.config {
        if field.required && !matches!(field.default, Value::Null) {
            node.config
                .insert(field.name.clone(), field.default.clone());
        }
    }
    node
}

/// The id that a node of the kind gets when nobody says otherwise.
pub(crate) fn wished_id(kind: &KindSpec) -> Id {
    let id = Id::new(kind.id.clone());
    if id.well_formed() {
        id
    } else {
        Id::from_title(&kind.title)
    }
}

/// Adds a node, joined with what the user came from; answers its id.
pub(crate) fn added(
    state: &State,
    kind: &KindSpec,
    at: (i32, i32),
    from: &QuickAddFrom,
) -> (NodeId, Transaction) {
    let mut build = state.build(format!("Add {}", kind.title));
    let node = fresh_node(kind);
    let input = kind.inputs_of(&node).first().map(|port| port.name.clone());
    let output = kind.outputs_of(&node).first().map(|port| port.name.clone());
    let id = build.add_node(&wished_id(kind), node, Some(at));
    match from {
        QuickAddFrom::Nothing => {}
        QuickAddFrom::Port(port, PortSide::Output) => {
            if let Some(input) = input {
                build.connect(port.clone(), PortRef::new(id.clone(), input));
            }
        }
        QuickAddFrom::Port(port, PortSide::Input) => {
            if let Some(output) = output {
                build.connect(PortRef::new(id.clone(), output), port.clone());
            }
        }
        QuickAddFrom::Edge(edge) => {
            if let (Some(input), Some(output)) = (input, output) {
                build.insert_on_edge(edge, &id, &input, &output);
                make_room(state, &mut build, edge, &id, at);
            }
        }
    }
    (id, build.finish())
}

/// Whether a node of the kind can take the place that the user points at.
pub(crate) fn fits(kind: &KindSpec, from: &QuickAddFrom) -> bool {
    let node = fresh_node(kind);
    let takes = !kind.inputs_of(&node).is_empty();
    let gives = !kind.outputs_of(&node).is_empty();
    match from {
        QuickAddFrom::Nothing => true,
        QuickAddFrom::Port(_, PortSide::Output) => takes,
        QuickAddFrom::Port(_, PortSide::Input) => gives,
        QuickAddFrom::Edge(_) => takes && gives,
    }
}

/// Where a node that continues another one goes: right of it, below what already stands there.
pub(crate) fn place_after(document: &Document, node: &NodeId) -> (i32, i32) {
    let from = document.layout.get(node).copied().unwrap_or_default();
    free_place(document, (from.x + GAP.0, from.y + GAP.1))
}

/// The wished place, or the next one below that no node covers.
pub(crate) fn free_place(document: &Document, wished: (i32, i32)) -> (i32, i32) {
    let (x, mut y) = wished;
    while document
        .nodes
        .keys()
        .filter_map(|id| document.layout.get(id))
        .any(|place| place.x.abs_diff(x) < 160 && place.y.abs_diff(y) < 90)
    {
        y += 110;
    }
    (x, y)
}

/// The change with a place for each node that it adds: beside what it is joined with, and not on top of
/// another one. In a flow that nobody arranged, places are nobody's business.
pub(crate) fn settled(state: &State, mut transaction: Transaction) -> Transaction {
    let before = state.document();
    let arranged = before.nodes.keys().all(|id| before.layout.contains_key(id));
    if !arranged || before.nodes.is_empty() {
        return transaction;
    }
    let mut after = before.clone();
    transaction.clone().apply(&mut after);
    for (id, (x, y)) in new_places(before, &after) {
        let place = Placement { x, y, size: None };
        transaction.edits.push(Edit::Place(id, Some(place)));
    }
    transaction
}

/// Where nodes go that are in `after` only, unless they have a good place already. Nodes that they are
/// joined with have theirs in `after`.
pub(crate) fn new_places(before: &Document, after: &Document) -> Vec<(NodeId, (i32, i32))> {
    let mut placed = after.clone();
    let mut new = Vec::new();
    let added = after
        .nodes
        .keys()
        .filter(|id| !before.nodes.contains_key(*id));
    for id in added {
        let own = placed.layout.remove(id);
        let around: Vec<(i32, i32)> = after
            .edges_of(id)
            .flat_map(|(_, edge)| [&edge.from.node, &edge.to.node])
            .filter_map(|other| placed.layout.get(other))
            .map(|place| (place.x, place.y))
            .collect();
        let wished = match own {
            Some(place) => (place.x, place.y),
            None if around.is_empty() => (0, 0),
            None => {
                let count = around.len() as i32;
                let sum = |part: fn(&(i32, i32)) -> i32| around.iter().map(part).sum::<i32>();
                (sum(|place| place.0) / count, sum(|place| place.1) / count)
            }
        };
        let (x, y) = free_place(&placed, wished);
        let place = Placement { x, y, size: None };
        if own != Some(place) {
            new.push((id.clone(), (x, y)));
        }
        placed.layout.insert(id.clone(), place);
    }
    new
}

/// Puts a node that is already there between the ends of a wire, and moves it by the given way.
pub(crate) fn dropped_on_wire(
    state: &State,
    node: &NodeId,
    edge: &EdgeId,
    dx: i32,
    dy: i32,
) -> Transaction {
    let document = state.document();
    let mut build = state.build(format!("Put {} on the wire", document.node_title(node)));
    let place = document.layout.get(node).copied().unwrap_or_default();
    let at = (place.x + dx, place.y + dy);
    build.place(node, at.0, at.1);
    if let Some((input, output)) = first_ports(document, state.catalog(), node) {
        build.insert_on_edge(edge, node, &input, &output);
        make_room(state, &mut build, edge, node, at);
    }
    build.finish()
}

/// Keeps a node that came onto a wire, and is to stand at this place, clear of both its ends: it goes right
/// of the one, and the other moves on, with all that it leads to on its right. A wire that leads back, or
/// whose ends have no places, is left as it is.
fn make_room(
    state: &State,
    build: &mut TransactionBuilder<'_>,
    edge: &EdgeId,
    node: &NodeId,
    at: (i32, i32),
) {
    let document = state.document();
    let Some(edge) = document.edges.get(edge) else {
        return;
    };
    let place_of = |id: &NodeId| document.layout.get(id).copied();
    let (Some(from), Some(to)) = (place_of(&edge.from.node), place_of(&edge.to.node)) else {
        return;
    };
    let beside = layout::NODE_WIDTH as i32 + WIRE_ROOM;
    if to.x < from.x + layout::NODE_WIDTH as i32 {
        return;
    }
    let (_, height) = node_size(document, state.catalog(), &edge.from.node);
    let mut x = at.0;
    if from.y.abs_diff(at.1) < height.unsigned_abs() && x < from.x + beside {
        x = from.x + beside;
        build.place(node, x, at.1);
    }
    let by = x + beside - to.x;
    if by <= 0 {
        return;
    }
    let graph = FlowGraph::new(document, state.catalog());
    for id in graph.downstream(&BTreeSet::from([edge.to.node.clone()])) {
        let moves = place_of(&id).filter(|place| id != *node && place.x >= to.x);
        if let Some(place) = moves {
            build.place(&id, place.x + by, place.y);
        }
    }
}

/// Moves one end of an edge to another port.
pub(crate) fn reconnected(state: &State, edge: &EdgeId, end: End, to: PortRef) -> Transaction {
    let mut build = state.build("Move the end of a wire");
    build.change_edge(edge, |edge| match end {
        End::From => edge.from = to,
        End::To => edge.to = to,
    });
    build.finish()
}

/// Joins two ports.
pub(crate) fn connected(state: &State, from: PortRef, to: PortRef) -> (EdgeId, Transaction) {
    let document = state.document();
    let title = format!(
        "Connect {} to {}",
        document.node_title(&from.node),
        document.node_title(&to.node)
    );
    let mut build = state.build(title);
    let id = build.connect(from, to);
    (id, build.finish())
}

/// Size of a node as it is drawn, in points.
pub(crate) fn node_size(document: &Document, catalog: &Catalog, id: &NodeId) -> (i32, i32) {
    let (width, height) = document
        .nodes
        .get(id)
        .map_or((200, 70), |node| layout::node_size(catalog, node));
    (width as i32, height as i32)
}

fn first_ports(
    document: &Document,
    catalog: &Catalog,
    node: &NodeId,
) -> Option<(SmolStr, SmolStr)> {
    let node = document.nodes.get(node)?;
    let kind = catalog.get(&node.kind)?;
    let input = kind.inputs_of(node).into_iter().next()?;
    let output = kind.outputs_of(node).into_iter().next()?;
    Some((input.name, output.name))
}
