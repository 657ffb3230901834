//! What somebody did on the canvas becomes edits, a selection or a question.

use std::collections::BTreeSet;

use egui::Context;
use graph_model::catalog::PortRole;
use graph_model::id::{NodeId, PortRef};
use runtime_protocol::Target;
use smol_str::SmolStr;

use super::Designer;
use crate::actions;
use crate::canvas::intent::{Intent, Item, PortSide, QuickAddFrom, SelectMode};
use crate::graph_edits;
use crate::view::{Region, SideTab};

impl Designer {
    /// Does what the canvas reported.
    pub(crate) fn take_intent(&mut self, ctx: &Context, intent: Intent) {
        match intent {
            Intent::Select { items, mode } => {
                let mut selection = match mode {
                    SelectMode::Replace => BTreeSet::new(),
                    SelectMode::Add | SelectMode::Toggle => self.state.selection().clone(),
                };
                for item in items {
                    if mode == SelectMode::Toggle && selection.contains(&item) {
                        selection.remove(&item);
                    } else {
                        selection.insert(item);
                    }
                }
                self.state.select(selection);
                self.view.region = Region::Canvas;
            }
            Intent::MoveBy { ids, dx, dy, done } => {
                if done && (dx != 0 || dy != 0) {
                    let ids: Vec<_> = ids.into_iter().collect();
                    let transaction = graph_edits::moved(&self.state, "Move", &ids, dx, dy);
                    self.edit(transaction);
                }
            }
            Intent::Duplicate { ids, dx, dy } => actions::duplicate(self, &ids, (dx, dy)),
            Intent::Connect { from, to } => {
                let (edge, transaction) = graph_edits::connected(&self.state, from, to);
                self.edit(transaction);
                self.state.select(BTreeSet::from([Item::Edge(edge)]));
            }
            Intent::Reconnect { edge, end, to } => {
                let transaction = graph_edits::reconnected(&self.state, &edge, end, to);
                self.edit(transaction);
            }
            Intent::RefusedConnect { reason } => self.say(reason),
            Intent::DropOnWire { node, edge, dx, dy } => {
                let transaction = graph_edits::dropped_on_wire(&self.state, &node, &edge, dx, dy);
                self.edit(transaction);
            }
            Intent::QuickAdd { at, from } => self.open_quick_add(at, from),
            Intent::DeleteSelection { reconnect } => {
                let id = if reconnect {
                    "edit.delete_reconnect"
                } else {
                    "edit.delete"
                };
                self.perform(ctx, id);
            }
            Intent::OpenEditor { node } => {
                self.state.select_nodes([node]);
                self.view.show_side(SideTab::Properties);
                self.view.focus(Region::Side);
            }
            Intent::SliceEdges { edges } => {
                let items = edges.into_iter().map(Item::Edge).collect();
                let transaction = actions::removal(&self.state, "Cut", &items);
                self.edit(transaction);
            }
            Intent::ContextMenu { screen, at, target } => {
                self.canvas.open_menu(screen, at, target);
            }
            Intent::Resize { id, to } => {
                let mut build = self.state.build(format!("Resize {id}"));
                build.edit(graph_model::edit::Edit::Place(id, Some(to)));
                let transaction = build.finish();
                self.edit(transaction);
            }
            Intent::InjectFrom { source } => {
                if self.session.active() {
                    let target = Target::Source(source);
                    let data = self.sample_payload(&target);
                    self.session.inject(target, data, None);
                } else {
                    self.say("run the flow first, then send events in".to_owned());
                }
            }
            Intent::HoverPort { port } => self.canvas.hover_port = port,
            Intent::Leave { backward } => self.move_region(ctx, if backward { -1 } else { 1 }),
        }
        ctx.request_repaint();
    }

    /// Adds a node of the kind and selects it.
    pub(crate) fn add_node(&mut self, kind: &SmolStr, at: Option<(i32, i32)>, from: &QuickAddFrom) {
        let Some(spec) = self.state.catalog().get(kind) else {
            return;
        };
        // Without a place of its own a node continues what is selected.
        let mut from = from.clone();
        let at = match at {
            Some(at) => at,
            None => match self.state.sole() {
                Some(Item::Node(id)) => {
                    let id = id.clone();
                    if from == QuickAddFrom::Nothing
                        && !spec.inputs.is_empty()
                        && let Some(port) = self.free_output(&id)
                    {
                        from = QuickAddFrom::Port(port, PortSide::Output);
                    }
                    graph_edits::place_after(self.state.document(), &id)
                }
                _ => self.paste_place(),
            },
        };
        let (id, transaction) = graph_edits::added(&self.state, spec, at, &from);
        self.edit(transaction);
        self.view.used_kind(kind);
        self.keep_settings();
        self.state.select_nodes([id.clone()]);
        self.canvas.reveal(BTreeSet::from([Item::Node(id)]));
        self.view.show_side(SideTab::Properties);
    }

    /// The first ordinary output of the node that feeds nothing yet.
    pub(super) fn free_output(&self, id: &NodeId) -> Option<PortRef> {
        let document = self.state.document();
        let node = document.nodes.get(id)?;
        let kind = self.state.catalog().get(&node.kind)?;
        kind.outputs_of(node)
            .into_iter()
            .filter(|port| port.role == PortRole::Data)
            .map(|port| PortRef::new(id.clone(), port.name))
            .find(|port| !document.edges.values().any(|edge| edge.from == *port))
    }
}
