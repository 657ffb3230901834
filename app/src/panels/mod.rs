//! Panels around the canvas. Each is given a model to look at and answers with requests.

mod abilities;
mod annotations;
mod audience;
pub(crate) mod code;
mod costs;
mod declared;
mod events;
pub(crate) mod fields;
pub(crate) mod form;
mod hazards;
mod log;
mod people;
pub(crate) mod playback_bar;
mod properties;
mod releases;
pub(crate) mod run_bar;
pub(crate) mod status;
mod tests;
mod type_fields;
mod types;
mod witness;

use egui::Ui;
use smol_str::SmolStr;

use crate::requests::Requests;
use crate::session::Session;
use crate::showing::Showing;
use crate::state::State;
use crate::theme;
use crate::view::{BottomTab, SideTab};

/// What panels look at.
#[derive(Clone, Copy)]
pub(crate) struct Model<'a> {
    pub state: &'a State,
    pub session: &'a Session,
    /// Name of the open file.
    pub file: &'a str,
    pub recent_kinds: &'a [SmolStr],
    /// Whoever decides something here.
    pub author: &'a str,
    /// A hazard that is shown happening.
    pub showing: Option<&'a Showing>,
}

/// What the panels remember from frame to frame.
#[derive(Default)]
pub(crate) struct Panels {
    pub properties: properties::Properties,
    pub types: types::Types,
    pub people: people::People,
    pub hazards: hazards::Hazards,
    pub events: events::Events,
    pub witness: witness::WitnessPanel,
    pub code: code::CodePanel,
}

impl Panels {
    pub(crate) fn show_side(
        &mut self,
        ui: &mut Ui,
        model: &Model<'_>,
        tab: &mut SideTab,
        focus: bool,
        out: &mut Requests,
    ) {
        let tabs = [
            (SideTab::Properties, "Properties".to_owned()),
            (SideTab::Types, "Event types".to_owned()),
            (SideTab::People, "People".to_owned()),
        ];
        draw_tabs(ui, &tabs, tab, focus);
        egui::ScrollArea::vertical()
            .id_salt(*tab as u8)
            .auto_shrink([false, false])
            .show(ui, |ui| {
                // The bar that scrolls lies over what is wider.
                ui.set_max_width(ui.available_width() - theme::space::S);
                match tab {
                    SideTab::Properties => self.properties.show(ui, model, out),
                    SideTab::Types => self.types.show(ui, model, out),
                    SideTab::People => self.people.show(ui, model, out),
                }
            });
    }

    pub(crate) fn show_bottom(
        &mut self,
        ui: &mut Ui,
        model: &Model<'_>,
        tab: &mut BottomTab,
        focus: bool,
        out: &mut Requests,
    ) {
        let numbered = |name: &str, count: usize| {
            if count == 0 {
                name.to_owned()
            } else {
                format!("{name} {count}")
            }
        };
        let mut tabs = vec![
            (
                BottomTab::Hazards,
                numbered("Hazards", model.state.findings().len()),
            ),
            (
                BottomTab::Events,
                numbered("Events", model.session.events().len()),
            ),
            (
                BottomTab::Log,
                numbered("Log", model.session.unseen_failures()),
            ),
        ];
        if let Some(showing) = model.showing {
            let title = format!("Show me: {}", showing.play().code);
            tabs.insert(1, (BottomTab::Witness, title));
        } else if *tab == BottomTab::Witness {
            *tab = BottomTab::Hazards;
        }
        match tests::count(model) {
            0 if *tab == BottomTab::Tests => *tab = BottomTab::Hazards,
            0 => {}
            count => tabs.insert(tabs.len() - 2, (BottomTab::Tests, format!("Tests {count}"))),
        }
        match costs::count(model) {
            0 if *tab == BottomTab::Costs => *tab = BottomTab::Hazards,
            0 => {}
            count => tabs.insert(
                tabs.len() - 1,
                (BottomTab::Costs, format!("Functions {count}")),
            ),
        }
        if *tab == BottomTab::Code || code::is_about(model) {
            tabs.insert(0, (BottomTab::Code, "Code".to_owned()));
        }
        draw_tabs(ui, &tabs, tab, focus);
        match tab {
            BottomTab::Code => self.code.show(ui, model, out),
            BottomTab::Hazards => self.hazards.show(ui, model, out),
            BottomTab::Witness => self.witness.show(ui, model, out),
            BottomTab::Tests => tests::show(ui, model, out),
            BottomTab::Costs => costs::show(ui, model, out),
            BottomTab::Events => self.events.show(ui, model, out),
            BottomTab::Log => log::show(ui, model, out),
        }
    }
}

fn draw_tabs<T: Copy + PartialEq>(ui: &mut Ui, tabs: &[(T, String)], tab: &mut T, focus: bool) {
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = theme::space::S;
        for (value, title) in tabs {
            let response = ui.add(egui::Button::selectable(tab == value, title.as_str()));
            if focus && tab == value {
                response.request_focus();
            }
            if response.clicked() {
                *tab = *value;
            }
        }
    });
    ui.add_space(theme::space::S);
}
