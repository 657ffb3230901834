//! The log: what the engine and the designer have to tell.

use egui::{RichText, Ui};

use super::Model;
use crate::canvas::intent::Item;
use crate::requests::{Request, Requests};
use crate::session::TroubleKind;
use crate::theme;
use crate::widgets::empty;

pub(super) fn show(ui: &mut Ui, model: &Model<'_>, out: &mut Requests) {
    if model.session.troubles().is_empty() {
        empty(ui, "Nothing was reported.");
        return;
    }
    if ui
        .small_button("Clear")
        .accessible_name("Clear log")
        .clicked()
    {
        out.push(Request::ClearLog);
    }
    let tokens = theme::current(ui.ctx());
    egui::ScrollArea::vertical()
        .id_salt("log")
        .auto_shrink([false, false])
        .stick_to_bottom(true)
        .show(ui, |ui| {
            for (index, trouble) in model.session.troubles().iter().enumerate() {
                ui.push_id(index, |ui| {
                    ui.horizontal_wrapped(|ui| {
                        let color = match trouble.kind {
                            TroubleKind::Note => tokens.muted,
                            TroubleKind::Warning => tokens.warning,
                            TroubleKind::Failure => tokens.error,
                        };
                        if let Some(node) = &trouble.node
                            && ui.link(node.as_str()).clicked()
                        {
                            out.push(Request::Reveal(Item::Node(node.clone())));
                        }
                        ui.label(RichText::new(&trouble.message).color(color));
                        if trouble.times > 1 {
                            ui.label(RichText::new(format!("{} times", trouble.times)).weak());
                        }
                    });
                });
            }
        });
}
