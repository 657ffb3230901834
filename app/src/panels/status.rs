//! The status bar: file, findings, run, and what was done last.

use egui::{RichText, Ui};

use super::Model;
use crate::requests::{Request, Requests};
use crate::theme::{self, Severity};

pub(crate) fn show(
    ui: &mut Ui,
    model: &Model<'_>,
    said: Option<&str>,
    waiting: Option<egui::KeyboardShortcut>,
    out: &mut Requests,
) {
    let tokens = theme::current(ui.ctx());
    ui.horizontal(|ui| {
        let dirty = if model.state.dirty() {
            " (unsaved)"
        } else {
            ""
        };
        ui.label(RichText::new(format!("{}{dirty}", model.file)).small());
        let count = |severity: Severity| {
            model
                .state
                .findings()
                .iter()
                .filter(|finding| finding.severity == severity)
                .count()
        };
        for (severity, word) in [(Severity::Error, "error"), (Severity::Warning, "warning")] {
            let number = count(severity);
            if number > 0 {
                let text = RichText::new(crate::actions::count(number, word))
                    .small()
                    .color(tokens.severity(severity));
                if ui.link(text).clicked() {
                    out.push(Request::Do("view.hazards"));
                }
            }
        }
        if model.session.active() {
            let rate: f64 = model
                .state
                .document()
                .edges
                .keys()
                .fold(0.0, |sum, edge| sum + model.session.edge_rate(edge));
            ui.label(RichText::new(format!("{rate:.1} events/s")).small().weak());
            for (node, address) in model.session.addresses().iter().take(3) {
                let text = RichText::new(format!("{node} on {address}")).small();
                if ui.link(text).on_hover_text("copy the address").clicked() {
                    out.push(Request::Copy(address.to_string()));
                }
            }
        }
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            if let Some(keys) = waiting {
                let keys = ui.ctx().format_shortcut(&keys);
                ui.label(RichText::new(format!("{keys} …")).small().strong());
            } else if let Some(line) = said {
                ui.add(egui::Label::new(RichText::new(line).small().weak()).truncate());
            }
        });
    });
}
