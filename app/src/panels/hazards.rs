//! Hazards: what can go wrong, why, and what ends it; what was accepted, and what is not known.

use std::collections::BTreeMap;

use egui::{Button, Id, Key, RichText, Ui};
use graph_model::document::Acceptance;
use graph_model::edit::Transaction;
use graph_model::id::Id as DocId;
use smol_str::SmolStr;

use super::Model;
use crate::canvas::intent::Item;
use crate::day;
use crate::findings::{Accepted, Finding, Unchecked};
use crate::requests::{Request, Requests};
use crate::session::Sought;
use crate::theme::{self, Severity};
use crate::widgets::picker::{Offer, picker};
use crate::widgets::{empty, error, fold, hint, quiet_link, section};

/// For how long hazards are accepted, in days.
const SPANS: [(&str, u32); 4] = [
    ("for a week", 7),
    ("for a month", 30),
    ("for three months", 91),
    ("for a year", 365),
];

/// Points in which a name is typed.
const AUTHOR_WIDTH: f32 = 140.0;

#[derive(Default)]
pub(crate) struct Hazards {
    chosen: Option<usize>,
    reason: String,
    /// Who accepts it, when that is another one than before.
    author: Option<String>,
    /// The day from which what is being accepted is shown again.
    until: Option<String>,
}

impl Hazards {
    /// Shows the details of a finding.
    pub(crate) fn choose(&mut self, index: usize) {
        self.chosen = Some(index);
    }

    pub(crate) fn show(&mut self, ui: &mut Ui, model: &Model<'_>, out: &mut Requests) {
        let report = model.state.report();
        self.chosen = self.chosen.filter(|index| *index < report.open.len());
        let width = ui.available_width();
        let height = ui.available_height();
        ui.horizontal_top(|ui| {
            ui.vertical(|ui| {
                ui.set_width(if self.chosen.is_some() {
                    width * 0.45
                } else {
                    width
                });
                egui::ScrollArea::vertical()
                    .id_salt("hazard list")
                    .max_height(height)
                    .auto_shrink([false, false])
                    .show(ui, |ui| self.list(ui, model, out));
            });
            if let Some(index) = self.chosen {
                ui.separator();
                ui.vertical(|ui| {
                    egui::ScrollArea::vertical()
                        .id_salt("hazard details")
                        .max_height(height)
                        .auto_shrink([false, false])
                        .show(ui, |ui| {
                            self.details(ui, model, index, out);
                        });
                });
            }
        });
    }

    fn list(&mut self, ui: &mut Ui, model: &Model<'_>, out: &mut Requests) {
        let report = model.state.report();
        if report.open.is_empty() {
            empty(ui, "No hazards found in this flow.");
        }
        for (index, finding) in report.open.iter().enumerate() {
            if finding_row(ui, finding, self.chosen == Some(index)).clicked() {
                self.chosen = Some(index);
                out.push(Request::Preview(None));
                out.push(Request::Highlight(finding.path.iter().cloned().collect()));
                go(finding.subject.as_ref(), finding.ty.as_ref(), out);
            }
        }
        let count = report.accepted.len();
        if count > 0 {
            let id = Id::unique("accepted hazards");
            fold(ui, id, "Accepted", &count.to_string(), false, |ui| {
                for accepted in &report.accepted {
                    accepted_row(ui, model, accepted, out);
                }
            });
        }
        let count = report.unchecked.len();
        if count > 0 {
            let id = Id::unique("unchecked hazards");
            fold(ui, id, "Not checked", &count.to_string(), false, |ui| {
                for unchecked in &report.unchecked {
                    unchecked_row(ui, unchecked, out);
                }
            });
        }
    }

    fn details(&mut self, ui: &mut Ui, model: &Model<'_>, index: usize, out: &mut Requests) {
        let finding = &model.state.findings()[index];
        ui.label(RichText::new(&finding.name).strong());
        ui.label(&finding.message);
        show_me(ui, model, index, out);
        if let Some(assumed) = &finding.assumed {
            hint(
                ui,
                &format!("This rests on what is not known for sure: {assumed}"),
            );
        }
        if !finding.affected.is_empty() {
            ui.horizontal_wrapped(|ui| {
                hint(ui, "Somebody would notice at");
                for node in &finding.affected {
                    let title = model.state.document().node_title(node);
                    if ui.link(RichText::new(title).small()).clicked() {
                        out.push(Request::Reveal(Item::Node(node.clone())));
                    }
                }
            });
        }
        if !finding.steps.is_empty() {
            section(ui, "How it happens");
            for (number, step) in finding.steps.iter().enumerate() {
                hint(ui, &format!("{}. {step}", number + 1));
            }
        }
        fixes(ui, model, index, out);
        if !finding.consequences.is_empty() {
            section(ui, "What ends with it");
            for (said, item) in &finding.consequences {
                if quiet_link(ui, said).clicked() {
                    go(item.as_ref(), None, out);
                }
            }
        }
        if finding.subject.is_some() || finding.ty.is_some() {
            section(ui, "Or accept it");
            self.acceptance(ui, model, finding, out);
        } else if finding.fixes.is_empty() {
            error(ui, "this has to be mended by hand");
        }
        if !finding.lesson.is_empty() {
            section(ui, "Why it matters");
            ui.label(&finding.lesson);
        }
    }

    fn acceptance(
        &mut self,
        ui: &mut Ui,
        model: &Model<'_>,
        finding: &Finding,
        out: &mut Requests,
    ) {
        let reason = egui::TextEdit::singleline(&mut self.reason)
            .hint_text("reason")
            .desired_width(f32::INFINITY);
        let reason = ui.add(reason);
        let entered = reason.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
        reason.accessible_name("Reason for accepting");
        ui.horizontal_wrapped(|ui| {
            let until = match &self.until {
                Some(day) => format!("until {day}"),
                None => "for good".to_owned(),
            };
            let today = model.state.today();
            let name = "How long it is accepted";
            let id = Id::unique("accepted until");
            let offers = |text: &str| spans(today, text);
            if let Some(until) = picker(ui, id, Button::new(until), name, offers) {
                self.until = until;
            }
            let mut author = self.author.as_deref().unwrap_or(model.author).to_owned();
            let name = egui::TextEdit::singleline(&mut author)
                .hint_text("your name")
                .desired_width(AUTHOR_WIDTH);
            let name = ui.add(name);
            if name.changed() {
                self.author = Some(author.clone());
            }
            name.accessible_name("Who accepts it");
            let given = !self.reason.trim().is_empty();
            let accept = ui.add_enabled(given, Button::new("Accept"));
            if (accept.clicked() || entered) && given {
                let acceptance = Acceptance {
                    reason: self.reason.trim().into(),
                    by: author.trim().into(),
                    until: self.until.take().map(Into::into),
                    ..Acceptance::default()
                };
                self.reason.clear();
                if self.author.take().is_some() {
                    out.push(Request::CallMe(acceptance.by.clone()));
                }
                let title = format!("Accept {}", finding.code);
                out.extend(change(model, finding, title, |accepted| {
                    accepted.insert(finding.code.clone(), acceptance);
                }));
            }
        });
    }
}

/// Lets somebody watch the hazard happen, and says what came of looking for a run that has it.
fn show_me(ui: &mut Ui, model: &Model<'_>, index: usize, out: &mut Requests) {
    let finding = &model.state.findings()[index];
    let sought = model.session.sought();
    let of_this = sought.filter(|sought| !sought.checks && sought.hazard == finding.hazard());
    let looking = sought.is_some_and(Sought::is_open);
    ui.horizontal_wrapped(|ui| {
        let button = ui.add_enabled(
            model.session.has_engine() && !looking,
            Button::new("Show me"),
        );
        let button = button
            .on_hover_text("watch a run of your flow in which this happens")
            .on_disabled_hover_text(if looking {
                "a run is being looked for"
            } else {
                "start Weir from its own program: it takes an engine"
            });
        if button.clicked() {
            out.push(Request::ShowMe(index));
        }
        match of_this.map(|sought| &sought.answer) {
            Some(None) => {
                ui.spinner();
                hint(ui, "looking for a run in which it happens");
            }
            Some(Some(Ok(told))) => hint(ui, told),
            Some(Some(Err(problem))) => error(ui, problem),
            None => {}
        }
    });
}

fn finding_row(ui: &mut Ui, finding: &Finding, chosen: bool) -> egui::Response {
    let tokens = theme::current(ui.ctx());
    let severity = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "info",
    };
    let mut line = egui::text::LayoutJob::default();
    let ink = |size, color| egui::TextFormat::simple(egui::FontId::proportional(size), color);
    let mark = format!("{severity}  {}   ", finding.code);
    let color = tokens.severity(finding.severity);
    line.append(&mark, 0.0, ink(theme::size::SMALL, color));
    line.append(&finding.message, 0.0, ink(theme::size::BODY, tokens.text));
    ui.add(
        Button::selectable(chosen, line)
            .truncate()
            .min_size(egui::vec2(ui.available_width(), 0.0)),
    )
    .accessible_name(format!("{} {}", finding.code, finding.message))
}

fn accepted_row(ui: &mut Ui, model: &Model<'_>, accepted: &Accepted, out: &mut Requests) {
    let finding = &accepted.finding;
    let said = format!("{} {}", finding.code, finding.message);
    if quiet_link(ui, &said).clicked() {
        out.push(Request::Highlight(finding.path.iter().cloned().collect()));
        go(finding.subject.as_ref(), finding.ty.as_ref(), out);
    }
    ui.horizontal_wrapped(|ui| {
        let reason = if accepted.reason.is_empty() {
            "no reason given"
        } else {
            accepted.reason.as_str()
        };
        let by = match accepted.by.as_str() {
            "" => String::new(),
            by => format!(" ({by})"),
        };
        match &accepted.until {
            Some(day) => hint(ui, &format!("{reason}{by}; until {day}")),
            None => hint(ui, &format!("{reason}{by}; for good")),
        }
        let place = match &finding.subject {
            Some(Item::Node(id) | Item::Edge(id) | Item::Zone(id) | Item::Note(id)) => Some(id),
            None => finding.ty.as_ref(),
        };
        if let Some(place) = place {
            let again = ui.button(RichText::new("Show again").small());
            let again = again.accessible_name(format!("Show {} at {place} again", finding.code));
            if again.clicked() {
                let title = format!("Show {} again", finding.code);
                out.extend(change(model, finding, title, |accepted| {
                    accepted.remove(&finding.code);
                }));
            }
        }
    });
}

fn unchecked_row(ui: &mut Ui, unchecked: &Unchecked, out: &mut Requests) {
    let codes: Vec<&str> = unchecked
        .codes
        .iter()
        .map(smol_str::SmolStr::as_str)
        .collect();
    if quiet_link(ui, &unchecked.reason).clicked() {
        go(unchecked.subject.as_ref(), unchecked.ty.as_ref(), out);
    }
    hint(ui, &format!("for {}", codes.join(", ")));
}

/// The fixes, the best first. One that has the keyboard is shown on the canvas; Enter applies it, Escape
/// leaves it. A click shows it, another one hides it.
fn fixes(ui: &mut Ui, model: &Model<'_>, index: usize, out: &mut Requests) {
    let finding = &model.state.findings()[index];
    if finding.fixes.is_empty() {
        return;
    }
    section(ui, "What ends it");
    let shown = model.state.preview();
    for (number, fix) in finding.fixes.iter().enumerate() {
        let previewed = shown.is_some_and(|held| (held.finding, held.fix) == (index, number));
        let preview = || model.state.preview_of(index, number);
        ui.horizontal(|ui| {
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                let apply = ui
                    .button("Apply")
                    .accessible_name(format!("Apply: {}", fix.title));
                if apply.clicked() {
                    out.extend(preview().map(Request::Fix));
                }
                let title = format!("{}. {}", number + 1, fix.title);
                let row = Button::selectable(previewed, title)
                    .wrap()
                    .min_size(egui::vec2(ui.available_width(), 0.0));
                let row = ui.add(row);
                let by_pointer = row.clicked_by(egui::PointerButton::Primary);
                let led_to = row.gained_focus() && !ui.input(|input| input.pointer.any_down());
                if row.clicked() && previewed && !by_pointer {
                    out.extend(preview().map(Request::Fix));
                } else if previewed && row.clicked() {
                    out.push(Request::Preview(None));
                } else if row.clicked() || led_to {
                    out.push(Request::Preview(preview()));
                }
                row.accessible_name(format!("Fix {}: {}", number + 1, fix.title));
            });
        });
        if !fix.caution.is_empty() {
            hint(ui, &fix.caution);
        }
    }
}

/// Shows a place.
fn go(item: Option<&Item>, ty: Option<&DocId>, out: &mut Requests) {
    if let Some(item) = item {
        out.push(Request::Reveal(item.clone()));
    } else if let Some(ty) = ty {
        out.push(Request::ShowType(ty.clone()));
    }
}

/// Until when something may be accepted; the day that is typed, too.
fn spans(today: &str, text: &str) -> Vec<Offer<Option<String>>> {
    let mut offers = vec![Offer::new(None, "for good", "never shown again by itself")];
    for (title, days) in SPANS {
        if let Some(day) = day::after(today, days) {
            let beside = format!("until {day}");
            offers.push(Offer::new(Some(day), title, beside));
        }
    }
    if day::is_day(text) {
        let title = format!("until {text}");
        offers.push(Offer::new(Some(text.to_owned()), title, "as typed"));
    }
    offers
}

/// The change of what is accepted where the hazard is: at a node, a wire or an event type.
fn change(
    model: &Model<'_>,
    finding: &Finding,
    title: String,
    change: impl FnOnce(&mut BTreeMap<SmolStr, Acceptance>),
) -> Option<Request> {
    let mut build = model.state.build(title);
    match (&finding.subject, &finding.ty) {
        (Some(Item::Node(id)), _) => build.change_node(id, |node| change(&mut node.notes.accepted)),
        (Some(Item::Edge(id)), _) => build.change_edge(id, |edge| change(&mut edge.notes.accepted)),
        (None, Some(id)) => build.change_type(id, |ty| change(&mut ty.accepted)),
        (Some(Item::Zone(_) | Item::Note(_)), _) | (None, None) => return None,
    };
    let transaction: Transaction = build.finish();
    Some(Request::Edit(transaction))
}
