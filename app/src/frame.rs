//! The layout of the window: bars above and below, panels at the sides, the canvas in the middle.

use egui::{CentralPanel, Frame, Margin, Panel, Ui};

use crate::actions::{self, Menu};
use crate::canvas_pane::menu_row;
use crate::designer::Designer;
use crate::panels::{Model, playback_bar, run_bar, status};
use crate::requests::{Request, Requests};
use crate::theme;
use crate::view::{BottomTab, Region};

/// Below this width of the window the side panels start narrow.
const NARROW: f32 = 1100.0;
/// Height of the bar above a menu, and of some room below it.
const MENU_MARGIN: f32 = 64.0;

impl Designer {
    /// Draws everything once.
    pub(crate) fn draw(&mut self, ui: &mut Ui, out: &mut Requests) {
        let tokens = theme::current(ui.ctx());
        let window = ui.max_rect().size();
        let narrow = window.x < NARROW;
        let bar = Frame::new()
            .fill(tokens.panel)
            .inner_margin(Margin::symmetric(8, 5));
        let side = Frame::new()
            .fill(tokens.panel)
            .inner_margin(Margin::symmetric(10, 8));
        let before = (
            self.view.palette_open,
            self.view.side_open,
            self.view.bottom_open,
            self.view.sizes,
        );
        let mut sizes = before.3;
        let palette_usual = if narrow { 170.0 } else { 210.0 };
        let side_usual = if narrow { 260.0 } else { 330.0 };
        let bottom_usual = (window.y * 0.26).clamp(120.0, 300.0);

        Panel::top("menu bar").frame(bar).show(ui, |ui| {
            egui::MenuBar::new().ui(ui, |ui| {
                if !self.host.shows_menus() {
                    self.draw_menus(ui, out);
                }
                ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                    run_bar::show(ui, &self.model(), out);
                });
            });
        });
        Panel::bottom("status bar").frame(bar).show(ui, |ui| {
            let waiting = self.keymap.waiting();
            status::show(ui, &self.model(), self.said(), waiting, out);
        });

        let mut open = self.view.palette_open;
        let focus = self.view.takes_focus(Region::Palette);
        let palette = Panel::left("palette")
            .frame(side)
            .default_size(start(sizes.palette, palette_usual))
            .size_range(120.0..=(window.x * 0.24).clamp(130.0, 360.0))
            .show_collapsible(ui, &mut open, |ui| {
                let mut palette = std::mem::take(&mut self.palette);
                palette.show(ui, &self.model(), focus, out);
                self.palette = palette;
            });
        let width = palette.map(|panel| panel.response.rect.width());
        kept(
            ui,
            &mut sizes.palette,
            width,
            palette_usual,
            self.view.palette_open && open,
        );
        self.view.palette_open = open;

        let mut open = self.view.side_open;
        let focus = self.view.takes_focus(Region::Side);
        let panel = Panel::right("side")
            .frame(side)
            .default_size(start(sizes.side, side_usual))
            .size_range(180.0..=(window.x * 0.36).clamp(200.0, 560.0))
            .show_collapsible(ui, &mut open, |ui| {
                let mut panels = std::mem::take(&mut self.panels);
                let mut tab = self.view.side;
                panels.show_side(ui, &self.model(), &mut tab, focus, out);
                self.view.side = tab;
                self.panels = panels;
            });
        let width = panel.map(|panel| panel.response.rect.width());
        kept(
            ui,
            &mut sizes.side,
            width,
            side_usual,
            self.view.side_open && open,
        );
        self.view.side_open = open;

        let mut open = self.view.bottom_open;
        let focus = self.view.takes_focus(Region::Bottom);
        // Code needs room to be read.
        let least = match self.view.bottom {
            BottomTab::Code => (window.y * 0.45).min(320.0),
            _ => 90.0,
        };
        let panel = Panel::bottom("bottom")
            .frame(side)
            .default_size(start(sizes.bottom, bottom_usual))
            .size_range(least..=(window.y * 0.7).max(100.0))
            .show_collapsible(ui, &mut open, |ui| {
                let mut panels = std::mem::take(&mut self.panels);
                let mut tab = self.view.bottom;
                panels.show_bottom(ui, &self.model(), &mut tab, focus, out);
                self.view.bottom = tab;
                self.panels = panels;
            });
        let height = panel.map(|panel| panel.response.rect.height());
        kept(
            ui,
            &mut sizes.bottom,
            height,
            bottom_usual,
            self.view.bottom_open && open,
        );
        self.view.sizes = sizes;
        self.view.bottom_open = open;
        if let Some(playback) = self.session.playback() {
            Panel::bottom("playback bar")
                .frame(bar)
                .show(ui, |ui| playback_bar::show(ui, playback, out));
        }
        if self.view.bottom_open && self.view.bottom == BottomTab::Log {
            self.session.troubles_seen();
        }
        let after = (
            self.view.palette_open,
            self.view.side_open,
            self.view.bottom_open,
            self.view.sizes,
        );
        if before != after {
            self.keep_settings();
        }

        CentralPanel::no_frame().show(ui, |ui| self.draw_canvas(ui, out));

        let ctx = ui.ctx().clone();
        self.draw_overlay(&ctx, out);
        self.draw_quick_add(&ctx, out);
        self.draw_dialog(&ctx);
    }

    /// What panels look at.
    pub(crate) fn model(&self) -> Model<'_> {
        Model {
            state: &self.state,
            session: &self.session,
            file: self.files.name(),
            recent_kinds: &self.view.recent_kinds,
            author: &self.view.author,
            showing: self.showing.as_ref(),
        }
    }

    fn draw_menus(&self, ui: &mut Ui, out: &mut Requests) {
        for title in Menu::TITLES {
            ui.menu_button(title, |ui| {
                ui.set_min_width(240.0);
                // A menu that is longer than the window rolls.
                let room = ui.ctx().content_rect().height() - MENU_MARGIN;
                let rows = egui::ScrollArea::vertical().max_height(room);
                rows.show(ui, |ui| self.draw_rows(title, ui, out));
            });
        }
    }

    fn draw_rows(&self, title: &str, ui: &mut Ui, out: &mut Requests) {
        let mut group: Option<Menu> = None;
        for action in actions::all().filter(|action| action.menu.title() == title) {
            if group.is_some_and(|group| group != action.menu) {
                ui.separator();
            }
            group = Some(action.menu);
            let keys = action.keys_text(ui.ctx()).unwrap_or_default();
            let enabled = (action.when)(self);
            let row = ui
                .add_enabled(enabled, menu_row(action.title, &keys))
                .on_hover_text(action.tooltip);
            if row.clicked() {
                out.push(Request::Do(action.id));
                ui.close();
            }
        }
    }
}

/// The size that a panel starts with.
fn start(kept: Option<u16>, usual: f32) -> f32 {
    kept.map_or(usual, f32::from)
}

/// Keeps the size of an open panel when the pointer lets go of something and it is another one.
fn kept(ui: &Ui, size: &mut Option<u16>, now: Option<f32>, usual: f32, settled: bool) {
    if settled
        && let Some(now) = now
        && ui.input(|input| input.pointer.any_released())
        && (start(*size, usual) - now).abs() > 1.5
    {
        *size = Some(now.round() as u16);
    }
}
