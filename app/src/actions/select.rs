//! Actions that choose what is selected.

use std::collections::BTreeSet;

use egui::Key;
use graph_model::graph::FlowGraph;
use graph_model::id::NodeId;

use super::{ALT, Action, CTRL, Menu, always, chord, key};
use crate::canvas::intent::Item;
use crate::designer::Designer;

pub(super) const ACTIONS: &[Action] = &[
    Action {
        id: "select.all",
        title: "Select all",
        tooltip: "Select every node, zone and note",
        menu: Menu::Edit(3),
        keys: &[key(CTRL, Key::A)],
        when: always,
        perform: |designer, _| {
            let document = designer.state.document();
            let items = document
                .nodes
                .keys()
                .cloned()
                .map(Item::Node)
                .chain(document.zones.keys().cloned().map(Item::Zone))
                .chain(document.notes.keys().cloned().map(Item::Note))
                .collect();
            designer.state.select(items);
        },
    },
    Action {
        id: "select.upstream",
        title: "Select upstream",
        tooltip: "Add everything that can feed the selected nodes",
        menu: Menu::Edit(3),
        keys: &[chord(ALT, Key::S, Key::U)],
        when: has_nodes,
        perform: |designer, _| reach(designer, graph_model::graph::FlowGraph::upstream),
    },
    Action {
        id: "select.downstream",
        title: "Select downstream",
        tooltip: "Add everything that the selected nodes can feed",
        menu: Menu::Edit(3),
        keys: &[chord(ALT, Key::S, Key::D)],
        when: has_nodes,
        perform: |designer, _| reach(designer, graph_model::graph::FlowGraph::downstream),
    },
    Action {
        id: "select.connected",
        title: "Select connected",
        tooltip: "Add everything that the selected nodes are joined with, both ways",
        menu: Menu::Edit(3),
        keys: &[chord(ALT, Key::S, Key::C)],
        when: has_nodes,
        perform: |designer, _| {
            reach(designer, |graph, nodes| {
                let mut all = nodes.clone();
                loop {
                    let mut wider = graph.upstream(&all);
                    wider.extend(graph.downstream(&all));
                    if wider.len() == all.len() {
                        return all;
                    }
                    all = wider;
                }
            });
        },
    },
];

fn has_nodes(designer: &Designer) -> bool {
    !designer.state.selected_nodes().is_empty()
}

fn reach(
    designer: &mut Designer,
    grow: impl Fn(&FlowGraph, &BTreeSet<NodeId>) -> BTreeSet<NodeId>,
) {
    let graph = FlowGraph::new(designer.state.document(), designer.state.catalog());
    let nodes = grow(&graph, &designer.state.selected_nodes());
    designer.state.select_nodes(nodes);
}
