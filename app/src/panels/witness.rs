//! A hazard shown happening: the steps of the run, what was observed beside what was expected, and what
//! became of it in the flow as it is now.

use egui::{Button, RichText, ScrollArea, Ui};
use graph_model::value::Value;
use runtime_protocol::witness::{PlayStep, PlayWhat};

use super::Model;
use crate::canvas::intent::Item;
use crate::requests::{Request, Requests};
use crate::session::Sought;
use crate::showing::{SPEEDS, Showing, Side, Watch, words};
use crate::theme;
use crate::widgets::{empty, error, hint, section};

/// Width of the choice of speeds.
const SPEED: f32 = 64.0;
/// Characters of an observed value that are shown; the whole is in the witness.
const VALUE_MAX: usize = 4_000;

#[derive(Default)]
pub(crate) struct WitnessPanel {
    /// The step that the list was brought to.
    at: Option<usize>,
}

impl WitnessPanel {
    pub(crate) fn show(&mut self, ui: &mut Ui, model: &Model<'_>, out: &mut Requests) {
        let Some(showing) = model.showing else {
            empty(ui, "Press Show me at a hazard to watch it happen.");
            return;
        };
        controls(ui, model, showing, out);
        let (width, height) = (ui.available_width(), ui.available_height());
        ui.horizontal_top(|ui| {
            ui.vertical(|ui| {
                ui.set_width(width * 0.45);
                ScrollArea::vertical()
                    .id_salt("witness steps")
                    .max_height(height)
                    .auto_shrink([false, false])
                    .show(ui, |ui| self.steps(ui, model, showing, out));
            });
            ui.separator();
            ui.vertical(|ui| {
                ScrollArea::vertical()
                    .id_salt("witness meaning")
                    .max_height(height)
                    .auto_shrink([false, false])
                    .show(ui, |ui| meaning(ui, model, showing, out));
            });
        });
    }

    fn steps(&mut self, ui: &mut Ui, model: &Model<'_>, showing: &Showing, out: &mut Requests) {
        let seen = showing.seen();
        let moved = self.at != Some(seen);
        self.at = Some(seen);
        for (number, step) in showing.steps().iter().enumerate() {
            let current = number + 1 == seen;
            let row = step_row(
                ui,
                model,
                step,
                current,
                showing.decides(number),
                number < seen,
            );
            if current && moved {
                row.scroll_to_me(None);
            }
            if row.clicked() {
                out.push(Request::Watch(Watch::Pause));
                out.push(Request::Watch(Watch::To(number + 1)));
                out.push(Request::Reveal(Item::Node(step.node.clone())));
            }
        }
        if showing.play().left_out > 0 {
            let count = showing.play().left_out;
            hint(ui, &format!("{count} further steps are not told"));
        }
    }
}

/// Back and forth, how fast, and which of the runs.
fn controls(ui: &mut Ui, model: &Model<'_>, showing: &Showing, out: &mut Requests) {
    let mut wish = None;
    let (seen, count) = (showing.seen(), showing.steps().len());
    ui.horizontal_wrapped(|ui| {
        let mut button = |ui: &mut Ui, sign: &str, name: &str, enabled: bool, watch: Watch| {
            let button = ui.add_enabled(enabled, Button::new(sign));
            let button = button.on_hover_text(name);
            if button.clicked() {
                wish = Some(watch);
            }
            button.accessible_name(name.to_owned());
        };
        button(ui, "Start", "To the start", seen > 0, Watch::To(0));
        button(ui, "Back", "One step back", seen > 0, Watch::Back);
        if showing.plays() {
            button(ui, "Wait", "Wait here", true, Watch::Pause);
        } else {
            button(ui, "Play", "Play on", count > 0, Watch::Play);
        }
        button(ui, "Next", "One step forth", seen < count, Watch::Forth);
        egui::ComboBox::from_id_salt("witness speed")
            .selected_text(RichText::new(format!("{}x", showing.speed())).small())
            .width(SPEED)
            .show_ui(ui, |ui| {
                for choice in SPEEDS {
                    let is_it = (choice - showing.speed()).abs() < f64::EPSILON;
                    if ui.selectable_label(is_it, format!("{choice}x")).clicked() {
                        wish = Some(Watch::Speed(choice));
                    }
                }
            })
            .response
            .accessible_name(format!("Speed {}x", showing.speed()))
            .on_hover_text("how fast the steps follow each other");
        ui.separator();
        for (side, title) in [
            (Side::Happens, "What happens"),
            (Side::Should, "What should happen"),
        ] {
            if ui.selectable_label(showing.side() == side, title).clicked() {
                wish = Some(Watch::Side(side));
            }
        }
        ui.separator();
        check(ui, model, showing, out);
    });
    out.extend(wish.map(Request::Watch));
    ui.add_space(theme::space::S);
}

/// Whether it still happens in the flow as it is now.
fn check(ui: &mut Ui, model: &Model<'_>, showing: &Showing, out: &mut Requests) {
    let changed = model.state.revision() != showing.revision();
    let looking = model.session.sought().is_some_and(Sought::is_open);
    let button = ui.add_enabled(
        changed && !looking && model.session.has_engine(),
        Button::new("Check my fix"),
    );
    let button = button
        .on_hover_text("play the same facts and faults on the flow as it is now")
        .on_disabled_hover_text("change the flow first: apply a fix, or mend it by hand");
    if button.clicked() {
        out.push(Request::Watch(Watch::Check));
    }
}

fn step_row(
    ui: &mut Ui,
    model: &Model<'_>,
    step: &PlayStep,
    current: bool,
    decides: bool,
    seen: bool,
) -> egui::Response {
    let tokens = theme::current(ui.ctx());
    let said = words(model.state.document(), step);
    let time = format!("{:>8.3} s   ", step.at_us as f64 / 1e6);
    let ink = |font, color| egui::TextFormat::simple(font, color);
    let small = egui::FontId::monospace(theme::size::SMALL);
    let body = egui::FontId::proportional(theme::size::BODY);
    let color = match step.what {
        _ if decides => tokens.error,
        PlayWhat::Fault | PlayWhat::Nacked | PlayWhat::GivenUp | PlayWhat::Dropped => {
            tokens.warning
        }
        PlayWhat::Acked | PlayWhat::Handled => tokens.muted,
        _ if seen => tokens.text,
        _ => tokens.muted,
    };
    let mut line = egui::text::LayoutJob::default();
    line.append(&time, 0.0, ink(small, tokens.muted));
    let mark = if decides { "Here it goes wrong: " } else { "" };
    line.append(mark, 0.0, ink(body.clone(), color));
    line.append(&said, 0.0, ink(body, color));
    let row = Button::selectable(current, line)
        .truncate()
        .min_size(egui::vec2(ui.available_width(), 0.0));
    let row = ui.add(row);
    let row = match &step.data {
        Some(data) => row.on_hover_text(short(data)),
        None => row,
    };
    row.accessible_name(format!("{mark}{said}"))
}

/// What it means, and what was seen beside what should have been.
fn meaning(ui: &mut Ui, model: &Model<'_>, showing: &Showing, out: &mut Requests) {
    let play = showing.play();
    if let Some(sought) = model.session.sought()
        && sought.checks
    {
        match &sought.answer {
            None => hint(ui, "Playing it on the flow as it is now…"),
            Some(Ok(told)) => {
                let tokens = theme::current(ui.ctx());
                ui.label(RichText::new(told).color(tokens.ok).strong());
            }
            Some(Err(problem)) => error(ui, problem),
        }
    }
    ui.label(RichText::new(format!("{} happening", play.code)).strong());
    for sentence in &play.explanation {
        ui.label(sentence);
    }
    ui.add_space(theme::space::S);
    ui.columns(2, |columns| {
        value(&mut columns[0], "Observed", &play.observed);
        value(&mut columns[1], "Expected", &play.expected);
    });
    section(ui, "Where it is seen");
    ui.horizontal_wrapped(|ui| {
        for node in &play.nodes {
            let title = model.state.document().node_title(node);
            if ui.link(RichText::new(title).small()).clicked() {
                out.push(Request::Reveal(Item::Node(node.clone())));
            }
        }
        hint(ui, &format!("watched for {}", play.watches));
    });
    ui.add_space(theme::space::S);
    ui.horizontal_wrapped(|ui| {
        let copy = ui.button("Copy witness");
        let copy = copy.on_hover_text("as a file that `weir witness replay` plays again");
        if copy.clicked() {
            out.push(Request::Copy(play.file.clone()));
        }
        if ui.button("Close").clicked() {
            out.push(Request::Watch(Watch::Close));
        }
    });
}

fn value(ui: &mut Ui, title: &str, value: &Value) {
    section(ui, title);
    ui.add(egui::Label::new(RichText::new(short(value)).monospace().small()).wrap());
}

/// A value as lines of JSON, cut where it is long.
fn short(value: &Value) -> String {
    let text = serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_json());
    match text.char_indices().nth(VALUE_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
