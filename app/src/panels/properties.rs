//! Properties of what is selected.

use egui::{Id, RichText, Ui};
use graph_model::catalog::{Behaviour, KindSpec, Observation, PortRole};
use graph_model::declare::Place;
use graph_model::document::{Node, WhenFull};
use graph_model::edit::{Edit, Transaction};
use graph_model::id::{EdgeId, Id as DocId, NodeId, PortRef};
use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Model, abilities, annotations, form};
use crate::canvas::intent::Item;
use crate::requests::{Request, Requests};
use crate::theme;
use crate::widgets::{empty, error, hint, section, text_field};

#[derive(Default)]
pub(crate) struct Properties {
    focus_title: bool,
}

impl Properties {
    /// The title field takes the keyboard when it is drawn next.
    pub(crate) fn focus_title(&mut self) {
        self.focus_title = true;
    }

    pub(crate) fn show(&mut self, ui: &mut Ui, model: &Model<'_>, out: &mut Requests) {
        let focus = std::mem::take(&mut self.focus_title);
        match model.state.sole() {
            Some(Item::Node(id)) => node(ui, model, id, focus, out),
            Some(Item::Edge(id)) => edge(ui, model, id, out),
            Some(Item::Zone(id)) => zone(ui, model, id, focus, out),
            Some(Item::Note(id)) => note(ui, model, id, focus, out),
            None if model.state.selection().is_empty() => flow(ui, model, out),
            None => several(ui, model, out),
        }
    }
}

fn heading(ui: &mut Ui, title: &str, beside: &str) {
    ui.label(RichText::new(title).size(theme::size::HEADING).strong());
    if !beside.is_empty() {
        hint(ui, beside);
    }
}

/// A titled text field; answers the new text when it changed.
fn titled(
    ui: &mut Ui,
    id: Id,
    title: &str,
    current: &str,
    rows: usize,
    focus: bool,
) -> Option<String> {
    ui.add_space(theme::space::S);
    let name = ui.label(RichText::new(title).small().weak());
    let (response, text, changed) = text_field(ui, id, current, "", false, rows);
    let response = response.labelled_by(name.id);
    if focus {
        response.request_focus();
        let mut state = egui::text_edit::TextEditState::load(ui.ctx(), id).unwrap_or_default();
        let end = egui::text::CCursor::new(text.chars().count());
        let all = egui::text::CCursorRange::two(egui::text::CCursor::new(0), end);
        state.cursor.set_char_range(Some(all));
        state.store(ui.ctx(), id);
    }
    changed.then_some(text)
}

fn flow(ui: &mut Ui, model: &Model<'_>, out: &mut Requests) {
    let document = model.state.document();
    heading(
        ui,
        "Flow",
        "Nothing is selected: this is about the whole flow.",
    );
    let meta = &document.meta;
    let id = Id::unique("flow title");
    if let Some(title) = titled(ui, id, "Title", &meta.title, 1, false) {
        let mut meta = meta.clone();
        meta.title = title.into();
        let edit = Edit::Meta(Box::new(meta));
        out.push(Request::Type(
            id,
            Transaction::new("Change the title of the flow", vec![edit]),
        ));
    }
    let id = Id::unique("flow description");
    if let Some(text) = titled(ui, id, "Description", &meta.description, 4, false) {
        let mut meta = meta.clone();
        meta.description = text.into();
        let edit = Edit::Meta(Box::new(meta));
        out.push(Request::Type(
            id,
            Transaction::new("Change the description", vec![edit]),
        ));
    }
    ui.add_space(theme::space::M);
    hint(
        ui,
        &format!(
            "{}, {}, {}",
            crate::actions::count(document.nodes.len(), "node"),
            crate::actions::count(document.edges.len(), "wire"),
            crate::actions::count(document.types.len(), "event type"),
        ),
    );
    if document.nodes.is_empty() {
        empty(
            ui,
            "Add the first node from the palette, or press Tab on the canvas.",
        );
    }
}

fn several(ui: &mut Ui, model: &Model<'_>, out: &mut Requests) {
    let count = model.state.selection().len();
    heading(ui, &format!("{count} items"), "Choose one to edit it.");
    ui.add_space(theme::space::S);
    for item in model.state.selection().iter().take(100) {
        let (kind, id) = match item {
            Item::Node(id) => ("node", id),
            Item::Edge(id) => ("wire", id),
            Item::Zone(id) => ("zone", id),
            Item::Note(id) => ("note", id),
        };
        if ui.button(format!("{kind} {id}")).clicked() {
            out.push(Request::Reveal(item.clone()));
        }
    }
}

fn node(ui: &mut Ui, model: &Model<'_>, id: &NodeId, focus: bool, out: &mut Requests) {
    let document = model.state.document();
    let node = &document.nodes[id];
    let kind = model.state.catalog().get(&node.kind);
    if let Some(kind) = kind {
        heading(
            ui,
            document.node_title(id),
            &format!("{} · {}", kind.title, kind.summary),
        );
    } else {
        heading(ui, document.node_title(id), "");
        error(
            ui,
            &format!("the kind `{}` is not known to this Weir", node.kind),
        );
    }
    node_findings(ui, model, &Item::Node(id.clone()), out);
    let change = |title: &str, change: &dyn Fn(&mut Node)| {
        let mut build = model
            .state
            .build(format!("{title} of {}", document.node_title(id)));
        build.change_node(id, |node| change(node));
        build.finish()
    };
    let field = Id::unique(("node title", id));
    if let Some(title) = titled(ui, field, "Title", &node.title, 1, focus) {
        let transaction = change("Change the title", &|node| {
            node.title = title.as_str().into();
        });
        out.push(Request::Type(field, transaction));
    }
    if let Some(kind) = kind {
        let inputs: Vec<&EdgeId> = document
            .edges
            .iter()
            .filter(|(_, edge)| edge.to.node == *id)
            .map(|(id, _)| id)
            .collect();
        let last = model.session.last_event(&inputs);
        let around = form::Around {
            document,
            last: last.map(|seen| &seen.event),
        };
        form::show(
            ui,
            Id::unique(("form", id)),
            &kind.config,
            &node.config,
            &around,
            |field, new| {
                let mut build = model.state.build(format!(
                    "Change {} of {}",
                    field.title.to_lowercase(),
                    document.node_title(id)
                ));
                build.set_config(id, &field.name, new.value);
                out.push(asked(build.finish(), new.typing));
            },
        );
    }
    let around = form::Around {
        document,
        last: None,
    };
    ui.add_space(theme::space::M);
    let sheet = Id::unique(("said of node", id));
    let place = kind.map(|kind| Place::Node(kind.family));
    annotations::show(ui, sheet, place, &node.notes, &around, &mut |new| {
        let mut transaction = change(&new.title, &|node| node.notes = new.notes.clone());
        transaction.edits.extend(new.also);
        out.push(asked(transaction, new.typing));
    });
    if let Some(kind) = kind {
        abilities::show(ui, model, id, node, kind, out);
        section(ui, "Ports");
        ports(ui, model, id, node, kind, out);
    }
    if let Some(count) = model
        .session
        .node_count(id)
        .filter(|_| model.session.active())
    {
        section(ui, "This run");
        hint(
            ui,
            &format!(
                "{} received, {} sent, {} failed, {} given up, {:.1} a second",
                count.received,
                count.sent,
                count.failed,
                count.dead,
                model.session.node_rate(id)
            ),
        );
    }
    section(ui, "Node");
    rename_id(ui, model, id, out);
    let mut on = !node.disabled;
    if ui.checkbox(&mut on, "Enabled").changed() {
        out.push(Request::Edit(change("Enable or disable", &|node| {
            node.disabled = !on;
        })));
    }
    let zone = node.zone.as_ref().map_or("none", DocId::as_str);
    let name = ui.label(RichText::new("Zone").small().weak());
    let shown = egui::ComboBox::from_id_salt(("zone", id))
        .selected_text(zone.to_owned())
        .width(ui.available_width())
        .show_ui(ui, |ui| {
            if ui.selectable_label(node.zone.is_none(), "none").clicked() {
                out.push(Request::Edit(change("Change the zone", &|node| {
                    node.zone = None;
                })));
            }
            for zone in document.zones.keys() {
                let chosen = node.zone.as_ref() == Some(zone);
                if ui.selectable_label(chosen, zone.as_str()).clicked() {
                    let transaction =
                        change("Change the zone", &|node| node.zone = Some(zone.clone()));
                    out.push(Request::Edit(transaction));
                }
            }
        });
    shown.response.labelled_by(name.id);
    observed_rows(ui, model, id, node, out);
    section(ui, "");
    if ui.button("Delete node").clicked() {
        out.push(Request::Do("edit.delete"));
    }
    if let Some(kind) = kind {
        egui::CollapsingHeader::new("About this kind")
            .id_salt(("about", &kind.id))
            .show_unindented(ui, |ui| ui.label(kind.doc.as_str()));
    }
}

/// The change, as part of typing into a widget when it is that.
fn asked(transaction: Transaction, typing: Option<Id>) -> Request {
    match typing {
        Some(widget) => Request::Type(widget, transaction),
        None => Request::Edit(transaction),
    }
}

fn node_findings(ui: &mut Ui, model: &Model<'_>, item: &Item, out: &mut Requests) {
    let tokens = theme::current(ui.ctx());
    for (index, finding) in model.state.findings().iter().enumerate() {
        if finding.subject.as_ref() != Some(item) {
            continue;
        }
        let text = RichText::new(format!("{} {}", finding.code, finding.message))
            .small()
            .color(tokens.severity(finding.severity));
        if ui
            .link(text)
            .on_hover_text(format!("hazard {}", index + 1))
            .clicked()
        {
            out.push(Request::Highlight(finding.path.iter().cloned().collect()));
            out.push(Request::Do("view.hazards"));
        }
    }
}

fn rename_id(ui: &mut Ui, model: &Model<'_>, id: &NodeId, out: &mut Requests) {
    let field = Id::unique(("node id", id));
    let name = ui.label(RichText::new("Id").small().weak());
    let mut text = ui
        .data(|data| data.get_temp::<String>(field))
        .unwrap_or_else(|| id.to_string());
    let response = ui
        .add(
            egui::TextEdit::singleline(&mut text)
                .id(field)
                .font(egui::TextStyle::Monospace)
                .desired_width(f32::INFINITY),
        )
        .labelled_by(name.id);
    let new = DocId::new(text.trim());
    let problem = if new == *id {
        None
    } else if !new.well_formed() {
        Some("lower-case letters, digits, `_` and `-`, starting with a letter")
    } else if model.state.document().nodes.contains_key(&new) {
        Some("another node has this id")
    } else {
        None
    };
    if response.has_focus() {
        ui.data_mut(|data| data.insert_temp(field, text));
    } else {
        ui.data_mut(|data| data.remove::<String>(field));
    }
    if response.lost_focus() && new != *id && problem.is_none() {
        let mut build = model.state.build(format!("Rename {id} to {new}"));
        build.rename_id(id, &new);
        out.push(Request::Edit(build.finish()));
        out.push(Request::Select(BTreeSet::from([Item::Node(new)])));
    } else if let Some(problem) = problem {
        error(ui, problem);
    }
}

fn ports(
    ui: &mut Ui,
    model: &Model<'_>,
    id: &NodeId,
    node: &Node,
    kind: &KindSpec,
    out: &mut Requests,
) {
    let document = model.state.document();
    let sides = [("in", kind.inputs_of(node)), ("out", kind.outputs_of(node))];
    for (side, ports) in sides {
        for port in ports {
            let here = PortRef::new(id.clone(), port.name.clone());
            let role = match port.role {
                PortRole::Data => "",
                PortRole::Failed => " (failed events)",
                PortRole::Reply => " (reply)",
            };
            let shown = RichText::new(format!("{side} {}{role}", port.name)).small();
            ui.label(shown).on_hover_text(port.doc.as_str());
            let wires = document.edges.iter().filter(|(_, edge)| {
                if side == "in" {
                    edge.to == here
                } else {
                    edge.from == here
                }
            });
            for (edge_id, edge) in wires {
                let other = if side == "in" { &edge.from } else { &edge.to };
                let text = if side == "in" {
                    format!("from {other}")
                } else {
                    format!("to {other}")
                };
                ui.indent((side, &port.name, edge_id), |ui| {
                    if ui.link(RichText::new(text).small()).clicked() {
                        out.push(Request::Reveal(Item::Edge(edge_id.clone())));
                    }
                });
            }
        }
    }
    connect_menu(ui, model, id, node, kind, out);
}

/// Connecting by list: the way to wire a node without the mouse.
fn connect_menu(
    ui: &mut Ui,
    model: &Model<'_>,
    id: &NodeId,
    node: &Node,
    kind: &KindSpec,
    out: &mut Requests,
) {
    let outputs = kind.outputs_of(node);
    if outputs.is_empty() {
        return;
    }
    let document = model.state.document();
    ui.menu_button("Connect to…", |ui| {
        egui::ScrollArea::vertical()
            .max_height(300.0)
            .show(ui, |ui| {
                for output in &outputs {
                    for (other, target) in &document.nodes {
                        let Some(spec) = model.state.catalog().get(&target.kind) else {
                            continue;
                        };
                        for input in spec.inputs_of(target) {
                            let from = PortRef::new(id.clone(), output.name.clone());
                            let to = PortRef::new(other.clone(), input.name.clone());
                            let taken = document
                                .edges
                                .values()
                                .any(|edge| edge.from == from && edge.to == to);
                            if taken || other == id {
                                continue;
                            }
                            if ui.button(format!("{} to {to}", output.name)).clicked() {
                                let (_, transaction) =
                                    crate::graph_edits::connected(model.state, from, to);
                                out.push(Request::Edit(transaction));
                                ui.close();
                            }
                        }
                    }
                }
            });
    });
}

/// Rows that a view shows, numbers of a metric, or letters that were given up.
fn observed_rows(ui: &mut Ui, model: &Model<'_>, id: &NodeId, node: &Node, out: &mut Requests) {
    if !model.session.active() {
        return;
    }
    let Some(kind) = model.state.catalog().get(&node.kind) else {
        return;
    };
    let rows = match kind.behaviour {
        Behaviour::Observe {
            observation: Observation::View | Observation::Metric,
        } => {
            section(ui, "Rows");
            if ui.button("Read rows").clicked() {
                out.push(Request::ReadView(id.clone()));
            }
            model.session.view(id).unwrap_or_default()
        }
        Behaviour::DeadLetter => {
            section(ui, "Letters");
            if ui.button("Read letters").clicked() {
                out.push(Request::ReadDeadLetters);
            }
            model.session.dead_letters()
        }
        _ => return,
    };
    for (index, event) in rows.iter().rev().take(50).enumerate() {
        ui.push_id(index, |ui| {
            crate::widgets::tree::show(ui, &event.context.id, &event.data, false);
        });
    }
}

fn edge(ui: &mut Ui, model: &Model<'_>, id: &EdgeId, out: &mut Requests) {
    let document = model.state.document();
    let edge = &document.edges[id];
    heading(ui, "Wire", &format!("{} to {}", edge.from, edge.to));
    node_findings(ui, model, &Item::Edge(id.clone()), out);
    for (title, end) in [("From", &edge.from.node), ("To", &edge.to.node)] {
        if document.nodes.contains_key(end) {
            if ui
                .link(format!("{title} {}", document.node_title(end)))
                .clicked()
            {
                out.push(Request::Reveal(Item::Node(end.clone())));
            }
        } else {
            error(ui, &format!("{title} {end}, which is not in this flow"));
        }
    }
    let change = |title: &str, change: &dyn Fn(&mut graph_model::document::Edge)| {
        let mut build = model.state.build(format!("{title} of {id}"));
        build.change_edge(id, |edge| change(edge));
        build.finish()
    };
    let field = Id::unique(("capacity", id));
    let current = edge
        .capacity
        .map(|capacity| capacity.to_string())
        .unwrap_or_default();
    if let Some(text) = titled(ui, field, "Events that may wait on it", &current, 1, false) {
        let text = text.trim();
        let capacity = text.parse::<u32>().ok().filter(|capacity| *capacity > 0);
        if text.is_empty() || capacity.is_some() {
            let transaction = change("Change the capacity", &|edge| edge.capacity = capacity);
            out.push(Request::Type(field, transaction));
        } else {
            out.push(Request::Say(format!(
                "`{text}` is not a whole number above 0"
            )));
        }
    }
    let names = [
        (WhenFull::Block, "the sender waits"),
        (WhenFull::DropOldest, "the oldest event is dropped"),
        (WhenFull::DeadLetter, "the event goes to dead letters"),
    ];
    let current = names.iter().find(|(when, _)| *when == edge.when_full);
    ui.add_space(theme::space::S);
    let name = ui.label(RichText::new("When it is full").small().weak());
    let shown = egui::ComboBox::from_id_salt(("when full", id))
        .selected_text(current.map_or("", |(_, name)| *name))
        .width(ui.available_width())
        .show_ui(ui, |ui| {
            for (when, name) in names {
                if ui.selectable_label(when == edge.when_full, name).clicked() {
                    out.push(Request::Edit(change(
                        "Change what happens when full",
                        &|edge| {
                            edge.when_full = when;
                        },
                    )));
                }
            }
        });
    shown.response.labelled_by(name.id);
    if let Some(count) = model
        .session
        .edge_count(id)
        .filter(|_| model.session.active())
    {
        section(ui, "This run");
        hint(
            ui,
            &format!(
                "{} passed, {} waiting, {} dropped, {:.1} a second",
                count.passed,
                count.waiting,
                count.dropped,
                model.session.edge_rate(id)
            ),
        );
    }
    ui.add_space(theme::space::M);
    let around = form::Around {
        document,
        last: None,
    };
    let sheet = Id::unique(("said of wire", id));
    annotations::show(ui, sheet, None, &edge.notes, &around, &mut |new| {
        let mut transaction = change(&new.title, &|edge| edge.notes = new.notes.clone());
        transaction.edits.extend(new.also);
        out.push(asked(transaction, new.typing));
    });
    section(ui, "");
    if ui.button("Delete wire").clicked() {
        out.push(Request::Do("edit.delete"));
    }
}

fn zone(ui: &mut Ui, model: &Model<'_>, id: &DocId, focus: bool, out: &mut Requests) {
    let zone = &model.state.document().zones[id];
    heading(ui, "Zone", id.as_str());
    let put = |title: &str, zone: graph_model::document::Zone| {
        Transaction::new(title, vec![Edit::Zone(id.clone(), Some(Arc::new(zone)))])
    };
    let field = Id::unique(("zone title", id));
    if let Some(title) = titled(ui, field, "Title", &zone.title, 1, focus) {
        let mut new = graph_model::document::Zone::clone(zone);
        new.title = title.into();
        out.push(Request::Type(field, put("Change the title of a zone", new)));
    }
    ui.add_space(theme::space::S);
    let name = ui.label(RichText::new("Border of").small().weak());
    let shown = egui::ComboBox::from_id_salt(("purpose", id))
        .selected_text(zone.purpose.to_string())
        .width(ui.available_width())
        .show_ui(ui, |ui| {
            for purpose in ["trust", "team", "account"] {
                if ui
                    .selectable_label(zone.purpose == purpose, purpose)
                    .clicked()
                {
                    let mut new = graph_model::document::Zone::clone(zone);
                    new.purpose = purpose.into();
                    out.push(Request::Edit(put("Change what a zone is", new)));
                }
            }
        });
    shown.response.labelled_by(name.id);
    section(ui, "");
    if ui.button("Delete zone").clicked() {
        out.push(Request::Do("edit.delete"));
    }
}

fn note(ui: &mut Ui, model: &Model<'_>, id: &DocId, focus: bool, out: &mut Requests) {
    let note = &model.state.document().notes[id];
    heading(ui, "Note", "");
    let field = Id::unique(("note text", id));
    if let Some(text) = titled(ui, field, "Text", &note.text, 8, focus) {
        let mut new = graph_model::document::Note::clone(note);
        new.text = text.into();
        let edit = Edit::Note(id.clone(), Some(Arc::new(new)));
        out.push(Request::Type(
            field,
            Transaction::new("Change a note", vec![edit]),
        ));
    }
    section(ui, "");
    if ui.button("Delete note").clicked() {
        out.push(Request::Do("edit.delete"));
    }
}
