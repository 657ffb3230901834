//! Actions that change what the graph is made of.

use std::collections::BTreeSet;
use std::sync::Arc;

use egui::Key;
use graph_model::document::{Note, Placement, Zone};
use graph_model::edit::Edit;
use graph_model::id::Id;

use super::edit::count;
use super::{Action, CTRL, CTRL_SHIFT, Menu, NONE, SHIFT, always, key};
use crate::canvas::intent::Item;
use crate::designer::Designer;

/// Room between a zone's frame and the nodes in it, in points.
const ZONE_MARGIN: i32 = 40;
/// About how large a node is drawn, for frames around nodes.
const NODE_SIZE: (i32, i32) = (190, 80);

pub(super) const ACTIONS: &[Action] = &[
    Action {
        id: "graph.add",
        title: "Add a node…",
        tooltip: "Choose a kind of node and put it on the canvas",
        menu: Menu::Edit(4),
        keys: &[key(NONE, Key::Tab)],
        when: always,
        perform: |designer, _| {
            let (at, from) = designer.place_to_go_on();
            designer.open_quick_add(at, from);
        },
    },
    Action {
        id: "graph.wire",
        title: "Draw a wire",
        tooltip: "Start a wire at the selected node: arrows choose where it goes, Enter connects",
        menu: Menu::Edit(4),
        keys: &[key(NONE, Key::W)],
        when: has_nodes,
        perform: |designer, _| designer.canvas.start_wire(),
    },
    Action {
        id: "graph.rename",
        title: "Rename",
        tooltip: "Change the title of the selected node",
        menu: Menu::Edit(4),
        keys: &[key(NONE, Key::F2)],
        when: |designer| designer.state.sole().is_some(),
        perform: |designer, _| designer.focus_title(),
    },
    Action {
        id: "graph.disable",
        title: "Enable or disable",
        tooltip: "A disabled node lets nothing through",
        menu: Menu::Edit(4),
        keys: &[key(NONE, Key::D), key(CTRL, Key::M)],
        when: has_nodes,
        perform: |designer, _| {
            let nodes = designer.state.selected_nodes();
            let document = designer.state.document();
            let disable = nodes.iter().any(|id| !document.nodes[id].disabled);
            let verb = if disable { "Disable" } else { "Enable" };
            let mut build = designer
                .state
                .build(format!("{verb} {}", count(nodes.len(), "node")));
            for id in &nodes {
                build.change_node(id, |node| node.disabled = disable);
            }
            let transaction = build.finish();
            designer.edit(transaction);
        },
    },
    Action {
        id: "graph.note",
        title: "Add a note",
        tooltip: "Put a note on the canvas",
        menu: Menu::Edit(4),
        keys: &[key(SHIFT, Key::S)],
        when: always,
        perform: |designer, _| {
            let (x, y) = designer.paste_place();
            let document = designer.state.document();
            let id = Id::from("note")
                .unused(|id| document.notes.contains_key(id) || document.layout.contains_key(id));
            let mut build = designer.state.build("Add a note");
            let note = Note {
                text: "Note".into(),
                ..Note::default()
            };
            build.edit(Edit::Note(id.clone(), Some(Arc::new(note))));
            let size = Some((220, 100));
            build.edit(Edit::Place(id.clone(), Some(Placement { x, y, size })));
            let transaction = build.finish();
            designer.edit(transaction);
            designer.state.select(BTreeSet::from([Item::Note(id)]));
            designer.focus_title();
        },
    },
    Action {
        id: "graph.group",
        title: "Group into a zone",
        tooltip: "Draw a zone around the selected nodes: a border of trust, team or account",
        menu: Menu::Edit(5),
        keys: &[key(CTRL, Key::G)],
        when: has_nodes,
        perform: |designer, _| group(designer),
    },
    Action {
        id: "graph.ungroup",
        title: "Take out of the zone",
        tooltip: "The selected nodes leave their zone; a zone that is left empty goes",
        menu: Menu::Edit(5),
        keys: &[key(CTRL_SHIFT, Key::G), key(CTRL_SHIFT, Key::U)],
        when: |designer| {
            designer.state.selection().iter().any(|item| match item {
                Item::Zone(_) => true,
                Item::Node(id) => designer.state.document().nodes[id].zone.is_some(),
                _ => false,
            })
        },
        perform: |designer, _| ungroup(designer),
    },
];

fn has_nodes(designer: &Designer) -> bool {
    !designer.state.selected_nodes().is_empty()
}

fn group(designer: &mut Designer) {
    let nodes = designer.state.selected_nodes();
    let document = designer.state.document();
    let id = Id::from("zone")
        .unused(|id| document.zones.contains_key(id) || document.layout.contains_key(id));
    let places: Vec<&Placement> = nodes
        .iter()
        .filter_map(|id| document.layout.get(id))
        .collect();
    let left = places.iter().map(|at| at.x).min().unwrap_or(0) - ZONE_MARGIN;
    let top = places.iter().map(|at| at.y).min().unwrap_or(0) - ZONE_MARGIN;
    let right = places.iter().map(|at| at.x).max().unwrap_or(0) + NODE_SIZE.0 + ZONE_MARGIN;
    let bottom = places.iter().map(|at| at.y).max().unwrap_or(0) + NODE_SIZE.1 + ZONE_MARGIN;
    let mut build = designer
        .state
        .build(format!("Group {}", count(nodes.len(), "node")));
    let zone = Zone {
        title: "Zone".into(),
        purpose: "team".into(),
        ..Zone::default()
    };
    build.edit(Edit::Zone(id.clone(), Some(Arc::new(zone))));
    build.edit(Edit::Place(
        id.clone(),
        Some(Placement {
            x: left,
            y: top,
            size: Some((right.abs_diff(left).max(40), bottom.abs_diff(top).max(40))),
        }),
    ));
    for node in &nodes {
        build.change_node(node, |node| node.zone = Some(id.clone()));
    }
    let transaction = build.finish();
    designer.edit(transaction);
    designer.state.select(BTreeSet::from([Item::Zone(id)]));
    designer.focus_title();
}

fn ungroup(designer: &mut Designer) {
    let document = designer.state.document();
    let mut leaving = designer.state.selected_nodes();
    for item in designer.state.selection() {
        if let Item::Zone(zone) = item {
            leaving.extend(
                document
                    .nodes
                    .iter()
                    .filter(|(_, node)| node.zone.as_ref() == Some(zone))
                    .map(|(id, _)| id.clone()),
            );
        }
    }
    let mut build = designer.state.build("Take out of the zone");
    for id in &leaving {
        build.change_node(id, |node| node.zone = None);
    }
    let emptied = document.zones.keys().filter(|zone| {
        let selected = designer
            .state
            .selection()
            .contains(&Item::Zone((*zone).clone()));
        let mut members = document
            .nodes
            .iter()
            .filter(|(_, node)| node.zone.as_ref() == Some(*zone))
            .map(|(id, _)| id)
            .peekable();
        selected || (members.peek().is_some() && members.all(|id| leaving.contains(id)))
    });
    for zone in emptied {
        build.edit(Edit::Zone(zone.clone(), None));
        build.edit(Edit::Place(zone.clone(), None));
    }
    let transaction = build.finish();
    designer.edit(transaction);
    designer.state.select_nodes(leaving);
}
