//! The run bar: what runs, and the buttons that change it. Drawn from right to left.

use egui::{RichText, Ui};
use runtime_protocol::{Line, RunState};

use super::Model;
use crate::requests::{Request, Requests};
use crate::theme;

/// What is possible where nothing can run.
const NO_ENGINE: &str = "no engine is connected: flows can be drawn, checked and saved, and recorded runs opened and played";

pub(crate) fn show(ui: &mut Ui, model: &Model<'_>, out: &mut Requests) {
    let tokens = theme::current(ui.ctx());
    let session = model.session;
    let mut button = |ui: &mut Ui, title: &str, id: &'static str, enabled: bool, primary: bool| {
        let mut widget = egui::Button::new(if primary && enabled {
            RichText::new(title).color(tokens.on_accent)
        } else {
            RichText::new(title)
        });
        if primary && enabled {
            widget = widget.fill(tokens.accent).stroke(egui::Stroke::NONE);
        }
        let mut response = ui.add_enabled(enabled, widget);
        if let Some(action) = crate::actions::by_id(id) {
            let keys = action.keys_text(ui.ctx()).unwrap_or_default();
            response = response.on_hover_text(format!("{} ({keys})", action.tooltip));
            response = response.on_disabled_hover_text(if session.looks_on() {
                "you look on here; the operator changes the run"
            } else {
                NO_ENGINE
            });
        }
        if response.clicked() {
            out.push(Request::Do(id));
        }
    };
    let operates = session.operates();
    match session.state() {
        RunState::Stopped => {
            let title = if session.plays() { "Play" } else { "Run" };
            button(ui, title, "run.start", operates, true);
        }
        RunState::Running => {
            button(ui, "Stop", "run.stop", operates, false);
            button(ui, "Pause", "run.pause", operates, false);
        }
        RunState::Paused => {
            button(ui, "Stop", "run.stop", operates, false);
            button(ui, "Step", "run.step", operates, false);
            button(ui, "Continue", "run.resume", operates, true);
        }
        RunState::Draining => button(ui, "Stop", "run.stop", false, false),
    }
    let (text, color) = match session.state() {
        RunState::Running if session.plays() => ("playing", tokens.ok),
        RunState::Stopped if session.connected() => ("stopped", tokens.muted),
        RunState::Stopped => ("no engine", tokens.muted),
        RunState::Running => ("running", tokens.ok),
        RunState::Paused => ("paused", tokens.warning),
        RunState::Draining => ("finishing", tokens.info),
    };
    let label = ui.label(RichText::new(text).color(color));
    if !session.connected() {
        label.on_hover_text(NO_ENGINE);
    }
    if session.looks_on() && session.line() == Line::Up {
        ui.label(RichText::new("looking on").small().color(tokens.info))
            .on_hover_text("you see the run and change nothing");
    }
    match session.line() {
        Line::Up => {}
        Line::Down { why } => {
            ui.label(RichText::new("reconnecting…").small().color(tokens.warning))
                .on_hover_text(format!("{why}; what you do meanwhile is kept"));
        }
        Line::Ended { why } => {
            ui.label(RichText::new("disconnected").small().color(tokens.error))
                .on_hover_text(why);
        }
    }
    if operates && session.undeployed(model.state.revision()) {
        let (text, about) = if session.plays() {
            (
                "changed since",
                "the flow that was recorded is not the one that you see",
            )
        } else {
            (
                "not deployed yet",
                "the flow that runs is not the one that you see",
            )
        };
        if !session.plays() {
            button(ui, "Deploy", "run.start", true, true);
        }
        ui.label(RichText::new(text).small().color(tokens.info))
            .on_hover_text(about);
    }
}
