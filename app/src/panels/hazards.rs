//! Hazards: what can go wrong, why, and what ends it.

use egui::{RichText, Ui};

use super::{Model, properties};
use crate::requests::{Request, Requests};
use crate::state::Preview;
use crate::theme::{self, Severity};
use crate::widgets::{empty, error, hint, section};

#[derive(Default)]
pub(crate) struct Hazards {
    chosen: Option<usize>,
    reason: String,
}

impl Hazards {
    /// Shows the details of a finding.
    pub(crate) fn choose(&mut self, index: usize) {
        self.chosen = Some(index);
    }

    pub(crate) fn show(&mut self, ui: &mut Ui, model: &Model<'_>, out: &mut Requests) {
        let findings = model.state.findings();
        if findings.is_empty() {
            empty(ui, "No hazards found in this flow.");
            return;
        }
        self.chosen = self.chosen.filter(|index| *index < findings.len());
        let tokens = theme::current(ui.ctx());
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
                    .show(ui, |ui| {
                        for (index, finding) in findings.iter().enumerate() {
                            let severity = match finding.severity {
                                Severity::Error => "error",
                                Severity::Warning => "warning",
                                Severity::Info => "info",
                            };
                            let mut line = egui::text::LayoutJob::default();
                            let ink = |size, color| {
                                egui::TextFormat::simple(egui::FontId::proportional(size), color)
                            };
                            let mark = format!("{severity}  {}   ", finding.code);
                            let color = tokens.severity(finding.severity);
                            line.append(&mark, 0.0, ink(theme::size::SMALL, color));
                            line.append(&finding.message, 0.0, ink(theme::size::BODY, tokens.text));
                            let row = ui
                                .add(
                                    egui::Button::selectable(self.chosen == Some(index), line)
                                        .truncate()
                                        .min_size(egui::vec2(ui.available_width(), 0.0)),
                                )
                                .accessible_name(format!("{} {}", finding.code, finding.message));
                            if row.clicked() {
                                self.chosen = Some(index);
                                out.push(Request::Preview(None));
                                out.push(Request::Highlight(
                                    finding.path.iter().cloned().collect(),
                                ));
                                if let Some(item) = &finding.subject {
                                    out.push(Request::Reveal(item.clone()));
                                }
                            }
                        }
                    });
            });
            if let Some(index) = self.chosen {
                ui.separator();
                ui.vertical(|ui| {
                    egui::ScrollArea::vertical()
                        .id_salt("hazard details")
                        .max_height(height)
                        .auto_shrink([false, false])
                        .show(ui, |ui| self.details(ui, model, index, out));
                });
            }
        });
    }

    fn details(&mut self, ui: &mut Ui, model: &Model<'_>, index: usize, out: &mut Requests) {
        let finding = &model.state.findings()[index];
        ui.label(RichText::new(&finding.name).strong());
        ui.label(&finding.message);
        if !finding.steps.is_empty() {
            section(ui, "How it happens");
            for (number, step) in finding.steps.iter().enumerate() {
                hint(ui, &format!("{}. {step}", number + 1));
            }
        }
        if !finding.fixes.is_empty() {
            section(ui, "What ends it");
        }
        for fix in &finding.fixes {
            let previewed = model
                .state
                .preview()
                .is_some_and(|preview| preview.transaction == fix.transaction);
            ui.horizontal_wrapped(|ui| {
                ui.label(&fix.title);
                let apply = ui
                    .button("Apply")
                    .accessible_name(format!("Apply: {}", fix.title));
                if apply.clicked() {
                    out.push(Request::Edit(fix.transaction.clone()));
                }
                let title = if previewed { "Hide preview" } else { "Preview" };
                let preview = ui
                    .button(title)
                    .accessible_name(format!("{title}: {}", fix.title));
                if preview.clicked() {
                    out.push(Request::Preview((!previewed).then(|| Preview {
                        title: fix.title.clone(),
                        transaction: fix.transaction.clone(),
                    })));
                }
            });
            if !fix.caution.is_empty() {
                hint(ui, &fix.caution);
            }
        }
        if let Some(item) = &finding.subject {
            section(ui, "Or accept it");
            ui.horizontal(|ui| {
                ui.add(
                    egui::TextEdit::singleline(&mut self.reason)
                        .hint_text("reason")
                        .desired_width((ui.available_width() - 90.0).max(80.0)),
                )
                .accessible_name("Reason for accepting");
                let accept =
                    ui.add_enabled(!self.reason.trim().is_empty(), egui::Button::new("Accept"));
                if accept.clicked()
                    && let Some(transaction) =
                        properties::accept(model, item, &finding.code, self.reason.trim())
                {
                    self.reason.clear();
                    out.push(Request::Edit(transaction));
                }
            });
        } else if finding.fixes.is_empty() {
            error(ui, "this has to be mended by hand");
        }
        if !finding.lesson.is_empty() {
            section(ui, "Why it matters");
            ui.label(&finding.lesson);
        }
    }
}
