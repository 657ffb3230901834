//! The palette: all kinds of nodes by family, searchable, those used lately on top.

use egui::{RichText, Role, Sense, Ui, WidgetInfo};
use graph_model::catalog::{Catalog, Family, KindSpec};
use smol_str::SmolStr;

use crate::canvas::intent::QuickAddFrom;
use crate::panels::Model;
use crate::requests::{Request, Requests};
use crate::theme;

/// A kind on its way from the palette to the canvas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DraggedKind(pub SmolStr);

#[derive(Default)]
pub(crate) struct Palette {
    search: String,
}

impl Palette {
    #[cfg(test)]
    pub(crate) fn search_for(&mut self, text: &str) {
        text.clone_into(&mut self.search);
    }

    pub(crate) fn show(&mut self, ui: &mut Ui, model: &Model<'_>, focus: bool, out: &mut Requests) {
        let search = ui.add(
            egui::TextEdit::singleline(&mut self.search)
                .hint_text("Search kinds")
                .desired_width(f32::INFINITY),
        );
        let search = search.accessible_name("Search kinds");
        if focus {
            search.request_focus();
        }
        let catalog = model.state.catalog();
        let found = search_kinds(catalog, &self.search);
        if search.lost_focus()
            && ui.input(|input| input.key_pressed(egui::Key::Enter))
            && let Some(kind) = found.first()
        {
            add(out, kind);
            self.search.clear();
        }
        ui.add_space(theme::space::S);
        egui::ScrollArea::vertical()
            .auto_shrink([false, false])
            .show(ui, |ui| {
                ui.spacing_mut().item_spacing.y = 1.0;
                if !self.search.trim().is_empty() {
                    for kind in &found {
                        kind_row(ui, kind, "", out);
                    }
                    if found.is_empty() {
                        ui.label(RichText::new("no kind has this in its name").weak());
                    }
                    return;
                }
                let recent: Vec<&KindSpec> = model
                    .recent_kinds
                    .iter()
                    .filter_map(|id| catalog.get(id))
                    .collect();
                if !recent.is_empty() {
                    heading(ui, "Recent");
                    for kind in recent {
                        kind_row(ui, kind, " (recent)", out);
                    }
                }
                for family in FAMILIES {
                    heading(ui, family_title(family));
                    for kind in catalog.iter().filter(|kind| kind.family == family) {
                        kind_row(ui, kind, "", out);
                    }
                }
            });
    }
}

const FAMILIES: [Family; 5] = [
    Family::Source,
    Family::Channel,
    Family::Operator,
    Family::Function,
    Family::Sink,
];

fn family_title(family: Family) -> &'static str {
    match family {
        Family::Source => "Sources",
        Family::Channel => "Channels",
        Family::Operator => "Operators",
        Family::Function => "Functions",
        Family::Sink => "Sinks",
    }
}

/// Kinds that have all words of the text in title, id or summary; the one that is called so first, then
/// those whose titles start with it.
pub(crate) fn search_kinds<'c>(catalog: &'c Catalog, text: &str) -> Vec<&'c KindSpec> {
    let text = text.trim().to_lowercase();
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut found: Vec<(u8, &KindSpec)> = catalog
        .iter()
        .filter_map(|kind| {
            let title = kind.title.to_lowercase();
            let all = format!("{title} {} {}", kind.id, kind.summary.to_lowercase());
            let rank = if title == text || kind.id == text {
                0
            } else if title.starts_with(&text) || kind.id.starts_with(&text) {
                1
            } else if title.contains(&text) || kind.id.contains(&text) {
                2
            } else {
                3
            };
            words
                .iter()
                .all(|word| all.contains(word))
                .then_some((rank, kind))
        })
        .collect();
    found.sort_by_key(|(rank, kind)| (*rank, kind.family, kind.title.clone()));
    found.into_iter().map(|(_, kind)| kind).collect()
}

fn heading(ui: &mut Ui, title: &str) {
    ui.add_space(theme::space::M);
    ui.label(RichText::new(title).small().weak());
    ui.add_space(theme::space::XS);
}

fn add(out: &mut Requests, kind: &KindSpec) {
    out.push(Request::Add {
        kind: kind.id.clone(),
        at: None,
        from: QuickAddFrom::Nothing,
    });
}

/// One kind: click or Enter adds it, dragging puts it where it is dropped.
fn kind_row(ui: &mut Ui, kind: &KindSpec, suffix: &str, out: &mut Requests) {
    let tokens = theme::current(ui.ctx());
    let size = egui::vec2(ui.available_width(), 24.0);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click_and_drag());
    response.widget_info(|| {
        WidgetInfo::labeled(Role::Button, true, format!("Add {}{suffix}", kind.title))
    });
    if ui.is_rect_visible(rect) {
        let painter = ui.painter();
        if response.hovered() || response.has_focus() {
            painter.rect_filled(rect, 4.0, tokens.hover);
        }
        if response.has_focus() {
            let stroke = egui::Stroke::new(1.5, tokens.focus);
            painter.rect_stroke(rect, 4.0, stroke, egui::StrokeKind::Inside);
        }
        let mark = egui::Rect::from_min_size(
            rect.left_top() + egui::vec2(6.0, 6.0),
            egui::vec2(4.0, 12.0),
        );
        painter.rect_filled(mark, 2.0, tokens.family(kind.family));
        painter.text(
            rect.left_center() + egui::vec2(18.0, 0.0),
            egui::Align2::LEFT_CENTER,
            &kind.title,
            egui::FontId::proportional(theme::size::BODY),
            tokens.text,
        );
    }
    if response.dragged() {
        response.dnd_set_drag_payload(DraggedKind(kind.id.clone()));
        if let Some(pointer) = ui.ctx().pointer_interact_pos() {
            let layer = egui::LayerId::new(egui::Order::Tooltip, response.id);
            ui.ctx().layer_painter(layer).text(
                pointer + egui::vec2(12.0, 4.0),
                egui::Align2::LEFT_TOP,
                &kind.title,
                egui::FontId::proportional(theme::size::BODY),
                tokens.text,
            );
        }
    }
    if response.clicked() {
        add(out, kind);
    }
    response.on_hover_text(kind.summary.as_str());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_found_by_title_and_by_what_they_do() {
        let catalog = Catalog::bundled();
        let ids = |text: &str| -> Vec<&str> {
            search_kinds(catalog, text)
                .into_iter()
                .map(|kind| kind.id.as_str())
                .collect()
        };
        assert_eq!(ids("filt")[0], "filter");
        assert_eq!(ids("HTTP end")[0], "http");
        assert_eq!(ids("table")[0], "table");
        assert_eq!(ids("").len(), catalog.iter().count());
        assert!(ids("no such thing").is_empty());
    }
}
