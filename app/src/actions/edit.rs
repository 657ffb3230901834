//! Actions on what is selected: undo, clipboard, delete.

use std::collections::BTreeSet;
use std::sync::Arc;

use egui::{Context, Key};
use graph_model::document::{Document, Note};
use graph_model::edit::{Clip, Edit, Transaction};
use graph_model::format;
use graph_model::id::Id;

use super::{Action, CTRL, CTRL_SHIFT, Menu, NONE, key};
use crate::canvas::intent::Item;
use crate::designer::Designer;
use crate::state::State;

/// How far a copy stands from what it was copied from, in points.
const COPY_OFFSET: i32 = 30;

pub(super) const ACTIONS: &[Action] = &[
    Action {
        id: "edit.undo",
        title: "Undo",
        tooltip: "Take the last step back",
        menu: Menu::Edit(0),
        keys: &[key(CTRL, Key::Z)],
        when: |designer| designer.state.history().undo_title().is_some(),
        perform: |designer, _| {
            let now = designer.now;
            if let Some(title) = designer.state.undo(now) {
                designer.say(format!("undone: {title}"));
            }
        },
    },
    Action {
        id: "edit.redo",
        title: "Redo",
        tooltip: "Do the step again that was taken back last",
        menu: Menu::Edit(0),
        keys: &[key(CTRL, Key::Y), key(CTRL_SHIFT, Key::Z)],
        when: |designer| designer.state.history().redo_title().is_some(),
        perform: |designer, _| {
            let now = designer.now;
            if let Some(title) = designer.state.redo(now) {
                designer.say(format!("done again: {title}"));
            }
        },
    },
    Action {
        id: "edit.cut",
        title: "Cut",
        tooltip: "Move the selected nodes to the clipboard as text",
        menu: Menu::Edit(1),
        keys: &[key(CTRL, Key::X)],
        when: has_nodes,
        perform: |designer, ctx| {
            copy(designer, ctx);
            delete(designer, "Cut");
        },
    },
    Action {
        id: "edit.copy",
        title: "Copy",
        tooltip: "Copy the selected nodes and the wires among them to the clipboard as text",
        menu: Menu::Edit(1),
        keys: &[key(CTRL, Key::C)],
        when: has_nodes,
        perform: copy,
    },
    Action {
        id: "edit.paste",
        title: "Paste",
        tooltip: "Put nodes from the clipboard at the pointer",
        menu: Menu::Edit(1),
        keys: &[key(CTRL, Key::V)],
        when: super::always,
        perform: |_, ctx| ctx.send_viewport_cmd(egui::ViewportCommand::RequestPaste),
    },
    Action {
        id: "edit.duplicate",
        title: "Duplicate",
        tooltip: "Put a copy of the selected nodes beside them",
        menu: Menu::Edit(1),
        keys: &[key(CTRL, Key::D)],
        when: has_nodes,
        perform: |designer, _| {
            let nodes = designer.state.selected_nodes();
            duplicate(designer, &nodes, (COPY_OFFSET, COPY_OFFSET));
        },
    },
    Action {
        id: "edit.delete",
        title: "Delete",
        tooltip: "Remove what is selected, with the wires that touch it",
        menu: Menu::Edit(2),
        keys: &[key(NONE, Key::Delete), key(NONE, Key::Backspace)],
        when: |designer| !designer.state.selection().is_empty(),
        perform: |designer, _| delete(designer, "Delete"),
    },
    Action {
        id: "edit.delete_reconnect",
        title: "Delete and reconnect",
        tooltip: "Remove the selected nodes and join what fed them with what they fed",
        menu: Menu::Edit(2),
        keys: &[key(CTRL, Key::Delete), key(CTRL, Key::Backspace)],
        when: has_nodes,
        perform: |designer, _| {
            let transaction = remove_and_reconnect(&designer.state);
            designer.edit(transaction);
        },
    },
];

fn has_nodes(designer: &Designer) -> bool {
    designer
        .state
        .selection()
        .iter()
        .any(|item| matches!(item, Item::Node(_)))
}

fn copy(designer: &mut Designer, ctx: &Context) {
    let nodes = designer.state.selected_nodes();
    let clip = Clip::of(designer.state.document(), &nodes);
    ctx.copy_text(format::write(&clip.document));
    designer.say(format!("copied {}", count(nodes.len(), "node")));
}

fn delete(designer: &mut Designer, verb: &str) {
    let transaction = removal(&designer.state, verb, designer.state.selection());
    designer.edit(transaction);
}

/// Removes things of any sort in one step.
pub(crate) fn removal(state: &State, verb: &str, items: &BTreeSet<Item>) -> Transaction {
    let title = match items.iter().next() {
        Some(Item::Node(id)) if items.len() == 1 => {
            format!("{verb} {}", state.document().node_title(id))
        }
        Some(Item::Edge(id)) if items.len() == 1 => format!("{verb} wire {id}"),
        _ => format!("{verb} {}", count(items.len(), "item")),
    };
    let mut build = state.build(title);
    let nodes: BTreeSet<Id> = items
        .iter()
        .filter_map(|item| match item {
            Item::Node(id) => Some(id.clone()),
            _ => None,
        })
        .collect();
    for item in items {
        match item {
            Item::Edge(id) => {
                let touches = state.document().edges.get(id).is_some_and(|edge| {
                    nodes.contains(&edge.from.node) || nodes.contains(&edge.to.node)
                });
                if !touches {
                    build.remove_edge(id);
                }
            }
            Item::Zone(id) => {
                for (node_id, node) in &state.document().nodes {
                    if node.zone.as_ref() == Some(id) && !nodes.contains(node_id) {
                        build.change_node(node_id, |node| node.zone = None);
                    }
                }
                build.edit(Edit::Zone(id.clone(), None));
                build.edit(Edit::Place(id.clone(), None));
            }
            Item::Note(id) => {
                build.edit(Edit::Note(id.clone(), None));
                build.edit(Edit::Place(id.clone(), None));
            }
            Item::Node(_) => {}
        }
    }
    build.remove_nodes(&nodes);
    build.finish()
}

/// Removes the selected nodes one by one, each joined over, as one step.
pub(crate) fn remove_and_reconnect(state: &State) -> Transaction {
    let nodes = state.selected_nodes();
    let mut after: Document = state.document().clone();
    let mut all = Transaction::new(
        format!("Delete {} and reconnect", count(nodes.len(), "node")),
        Vec::new(),
    );
    for node in &nodes {
        let mut build = graph_model::edit::TransactionBuilder::new(&after, "Delete");
        build.remove_and_reconnect(node);
        let step = build.finish();
        all.edits.extend(step.edits.iter().cloned());
        step.apply(&mut after);
    }
    all
}

/// What was pasted: nodes when the text is a flow, a note otherwise.
pub(crate) fn paste(designer: &mut Designer, text: &str, at: (i32, i32)) {
    if let Ok(opened) = format::open(text.as_bytes()) {
        let clip = Clip {
            document: opened.document,
        };
        let origin = clip.origin();
        put_clip(designer, "Paste", &clip, (at.0 - origin.0, at.1 - origin.1));
        return;
    }
    let text = text.trim();
    if text.is_empty() {
        return;
    }
    let mut build = designer.state.build("Paste as a note");
    let id = Id::from("note").unused(|id| designer.state.document().notes.contains_key(id));
    let short: String = text.chars().take(4_000).collect();
    build.edit(Edit::Note(
        id.clone(),
        Some(Arc::new(Note {
            text: short.into(),
            ..Note::default()
        })),
    ));
    build.edit(Edit::Place(
        id.clone(),
        Some(graph_model::document::Placement {
            x: at.0,
            y: at.1,
            size: Some((220, 100)),
        }),
    ));
    let transaction = build.finish();
    designer.edit(transaction);
    designer.state.select(BTreeSet::from([Item::Note(id)]));
}

/// Puts copies of nodes at a distance from them.
pub(crate) fn duplicate(designer: &mut Designer, nodes: &BTreeSet<Id>, offset: (i32, i32)) {
    let clip = Clip::of(designer.state.document(), nodes);
    put_clip(designer, "Duplicate", &clip, offset);
}

fn put_clip(designer: &mut Designer, verb: &str, clip: &Clip, offset: (i32, i32)) {
    let nodes = clip.document.nodes.len();
    if nodes == 0 {
        designer.say("the clipboard holds no nodes".to_owned());
        return;
    }
    let mut build = designer
        .state
        .build(format!("{verb} {}", count(nodes, "node")));
    let new = build.paste(clip, offset);
    let transaction = build.finish();
    designer.edit(transaction);
    designer.state.select_nodes(new);
}

/// `1 node`, `3 nodes`.
pub(crate) fn count(number: usize, word: &str) -> String {
    if number == 1 {
        format!("1 {word}")
    } else {
        format!("{number} {word}s")
    }
}
