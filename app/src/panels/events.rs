//! Events as they were seen on the wires: list, payload, causes and effects.

use egui::{RichText, Ui};
use graph_model::event::{extension, rfc3339};
use graph_model::value::Value;
use runtime_protocol::{Observed, Target};

use super::Model;
use crate::canvas::intent::Item;
use crate::requests::{Request, Requests};
use crate::widgets::{empty, hint, section, tree};

/// Events that the list shows; the latest ones.
const LISTED_MAX: usize = 2_000;
/// Height of a row of the list.
const ROW: f32 = 20.0;
/// Causes and effects that are listed.
const RELATED_MAX: usize = 50;

#[derive(Default)]
pub(crate) struct Events {
    filter: String,
    chosen: Option<u64>,
    /// Positions of the listed events, and what they were made for.
    listed: Vec<usize>,
    listed_for: Option<(u64, String)>,
}

impl Events {
    pub(crate) fn show(&mut self, ui: &mut Ui, model: &Model<'_>, out: &mut Requests) {
        let session = model.session;
        ui.horizontal(|ui| {
            ui.add(
                egui::TextEdit::singleline(&mut self.filter)
                    .hint_text("Filter by wire, id, type or payload")
                    .desired_width((ui.available_width() - 200.0).clamp(80.0, 320.0)),
            )
            .accessible_name("Filter events");
            if ui.button("Clear").accessible_name("Clear events").clicked() {
                out.push(Request::Do("run.clear_events"));
            }
            if session.skipped() > 0 {
                hint(ui, &format!("{} more were not kept", session.skipped()));
            }
        });
        if session.events().is_empty() {
            let text = if !session.connected() {
                "No engine is connected, so flows are drawn and checked here, not run. Open a recorded run (*.run.jsonl) to see events."
            } else if session.plays() {
                "Press Ctrl+Enter to play the recorded run, or step through it; its events appear here."
            } else if session.active() {
                "No event was seen yet. Post one to a source, or press Ctrl+I with a source selected."
            } else {
                "Press Ctrl+Enter to run the flow; its events appear here."
            };
            empty(ui, text);
            return;
        }
        let key = (session.events_revision(), self.filter.clone());
        if self.listed_for.as_ref() != Some(&key) {
            let words: Vec<String> = self
                .filter
                .to_lowercase()
                .split_whitespace()
                .map(str::to_owned)
                .collect();
            self.listed = session
                .events()
                .iter()
                .enumerate()
                .rev()
                .filter(|(_, seen)| fits(seen, &words))
                .map(|(index, _)| index)
                .take(LISTED_MAX)
                .collect();
            self.listed_for = Some(key);
        }
        let chosen = self
            .chosen
            .and_then(|seq| session.events().iter().find(|seen| seen.seq == seq));
        let (width, height) = (ui.available_width(), ui.available_height());
        let mut choose = None;
        ui.horizontal_top(|ui| {
            ui.vertical(|ui| {
                ui.set_width(if chosen.is_some() { width * 0.5 } else { width });
                egui::ScrollArea::vertical()
                    .id_salt("event list")
                    .max_height(height)
                    .auto_shrink([false, false])
                    .show_rows(ui, ROW, self.listed.len(), |ui, rows| {
                        for row in rows {
                            let Some(seen) = self
                                .listed
                                .get(row)
                                .and_then(|index| session.events().get(*index))
                            else {
                                continue;
                            };
                            if event_row(ui, seen, self.chosen == Some(seen.seq)).clicked() {
                                choose = Some(seen.seq);
                            }
                        }
                    });
            });
            if let Some(seen) = chosen {
                ui.separator();
                ui.vertical(|ui| {
                    egui::ScrollArea::vertical()
                        .id_salt("event details")
                        .max_height(height)
                        .auto_shrink([false, false])
                        .show(ui, |ui| {
                            choose = choose.or(details(ui, model, seen, out));
                        });
                });
            }
        });
        if choose.is_some() {
            self.chosen = choose;
        }
    }
}

fn fits(seen: &Observed, words: &[String]) -> bool {
    if words.is_empty() {
        return true;
    }
    let context = &seen.event.context;
    let hay = format!(
        "{} {} {} {}",
        seen.edge,
        context.id,
        context.ty,
        seen.event.data.to_json()
    )
    .to_lowercase();
    words.iter().all(|word| hay.contains(word))
}

fn event_row(ui: &mut Ui, seen: &Observed, chosen: bool) -> egui::Response {
    let at = seen.at_ms;
    let time = format!("{:>4}.{:03}", at / 1000, at % 1000);
    let payload: String = seen.event.data.to_json().chars().take(120).collect();
    let text = (
        RichText::new(time).monospace().small().weak(),
        RichText::new(seen.edge.to_string()).small(),
        RichText::new(payload.clone()).monospace().small(),
    );
    ui.add(
        egui::Button::selectable(chosen, text)
            .truncate()
            .min_size(egui::vec2(ui.available_width(), ROW)),
    )
    .accessible_name(format!("Event {} on {}: {payload}", seen.seq, seen.edge))
}

fn details(ui: &mut Ui, model: &Model<'_>, seen: &Observed, out: &mut Requests) -> Option<u64> {
    let mut choose = None;
    let context = &seen.event.context;
    ui.horizontal_wrapped(|ui| {
        if ui.button("Copy").accessible_name("Copy event").clicked() {
            out.push(Request::Copy(seen.event.to_cloudevent().to_json_pretty()));
        }
        let again = ui.add_enabled(
            model.session.active(),
            egui::Button::new("Edit and send again…"),
        );
        if again.clicked() {
            out.push(Request::EditEvent {
                target: Target::Edge(seen.edge.clone()),
                data: seen.event.data.clone(),
                ty: (!context.ty.is_empty()).then(|| context.ty.clone()),
            });
        }
        if ui.button("Show the wire").clicked() {
            out.push(Request::Reveal(Item::Edge(seen.edge.clone())));
        }
    });
    tree::show(ui, "payload", &seen.event.data, true);
    section(ui, "Context");
    let mut lines = vec![
        ("id", context.id.to_string()),
        ("source", context.source.to_string()),
        ("type", context.ty.to_string()),
        ("time", rfc3339(context.time_ms)),
    ];
    if let Some(subject) = &context.subject {
        lines.push(("subject", subject.to_string()));
    }
    for (name, value) in &context.extensions {
        lines.push((name.as_str(), value.to_string()));
    }
    for (name, value) in lines {
        tree::show(ui, name, &Value::str(value), false);
    }
    let cause = context.extensions.get(extension::CAUSATION);
    let correlation = |seen: &Observed| {
        let context = &seen.event.context;
        context
            .extensions
            .get(extension::CORRELATION)
            .unwrap_or(&context.id)
            .clone()
    };
    let own = correlation(seen);
    for (title, of) in [
        ("Causes", 0),
        ("Effects", 1),
        ("Same event elsewhere", 2),
        ("Same flow of business", 3),
    ] {
        let related: Vec<&Observed> = model
            .session
            .events()
            .iter()
            .filter(|other| {
                let context_of = &other.event.context;
                let caused = context_of.extensions.get(extension::CAUSATION) == Some(&context.id);
                let causes = cause == Some(&context_of.id);
                let same = context_of.id == context.id;
                other.seq != seen.seq
                    && match of {
                        0 => causes,
                        1 => caused,
                        2 => same,
                        _ => !causes && !caused && !same && correlation(other) == own,
                    }
            })
            .take(RELATED_MAX)
            .collect();
        if related.is_empty() {
            continue;
        }
        section(ui, title);
        for other in related {
            let text = format!("{} on {}", other.event.context.id, other.edge);
            if ui.link(RichText::new(text).small()).clicked() {
                choose = Some(other.seq);
            }
        }
    }
    choose
}
