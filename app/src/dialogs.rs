//! Dialogs above the window: one at a time, each closed by Escape and confirmed by Enter.

use egui::{Context, Id, Key, Modal, RichText, Ui};
use graph_model::value::Value;
use runtime_protocol::Target;
use smol_str::SmolStr;

use crate::designer::Designer;
use crate::files::{Autosave, Next};
use crate::host::{Ask, Location, Stamp};
use crate::theme;
use crate::trust::{self, Consent, Question};

/// Largest payload that is sent in by hand.
const PAYLOAD_MAX: usize = 1 << 20;

/// What the user is asked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Dialog {
    /// There are unsaved changes: save, give up, or stay.
    Unsaved(Next),
    /// An earlier run ended without saving.
    Recover(Autosave),
    /// Somebody else changed the file.
    Changed {
        stamp: Option<Stamp>,
    },
    Failed {
        title: String,
        message: String,
        place: String,
    },
    /// A path, where the host has no dialog for files.
    Path {
        save: bool,
        text: String,
    },
    /// Samples and recent files.
    Start,
    Inject(Inject),
    /// Whether a flow that was not made here may run.
    Trust(Question),
}

/// An event that the user writes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Inject {
    target: Target,
    text: String,
    ty: String,
}

/// What a dialog led to.
enum Outcome {
    Stay,
    Close,
    SaveAnd(Next),
    GoOn(Next),
    Recover(Autosave),
    DropRecovery,
    Reload,
    KeepOurs(Option<Stamp>),
    Path(String),
    Dismissed,
    Open(Location),
    PickOpen,
    New,
    Send(Target, Value, Option<SmolStr>),
    Consent(Consent, Question),
}

impl Dialog {
    pub(crate) fn path(save: bool, text: String) -> Dialog {
        Dialog::Path { save, text }
    }

    pub(crate) fn inject(target: Target, data: &Value, ty: Option<SmolStr>) -> Dialog {
        Dialog::Inject(Inject {
            target,
            text: data.to_json_pretty(),
            ty: ty.map(String::from).unwrap_or_default(),
        })
    }
}

impl Designer {
    /// Draws the open dialog and does what it led to.
    pub(crate) fn draw_dialog(&mut self, ctx: &Context) {
        let Some(mut dialog) = self.dialog.take() else {
            return;
        };
        if let Dialog::Path { text, .. } = &dialog
            && self.files.completing.as_ref() != Some(text)
        {
            self.files.completing = Some(text.clone());
            self.host.ask(Ask::Complete(text.clone()));
        }
        let first = !self.dialog_shown;
        self.dialog_shown = true;
        let width = (ctx.content_rect().width() - 48.0).min(match dialog {
            Dialog::Start | Dialog::Inject(_) | Dialog::Path { .. } | Dialog::Trust(_) => 560.0,
            _ => 420.0,
        });
        let shown = Modal::new(Id::unique("dialog")).show(ctx, |ui| {
            ui.set_width(width);
            ui.spacing_mut().item_spacing.y = theme::space::M;
            self.dialog_body(ui, &mut dialog, first)
        });
        let escaped = ctx.input(|input| input.key_pressed(Key::Escape)) && !shown.any_popup_open;
        let outcome = match shown.inner {
            Outcome::Stay if escaped => match dialog {
                Dialog::Path { .. } => Outcome::Dismissed,
                Dialog::Changed { stamp } => Outcome::KeepOurs(stamp),
                Dialog::Trust(ref question) => Outcome::Consent(Consent::Never, question.clone()),
                _ => Outcome::Close,
            },
            outcome => outcome,
        };
        if matches!(outcome, Outcome::Stay) {
            self.dialog = Some(dialog);
            return;
        }
        self.dialog_shown = false;
        ctx.request_repaint();
        match outcome {
            Outcome::Stay | Outcome::Close => {}
            Outcome::SaveAnd(next) => self.save_and(next),
            Outcome::GoOn(next) => self.go_on(next),
            Outcome::Recover(autosave) => self.recover(&autosave),
            Outcome::DropRecovery => self.forget_autosave(),
            Outcome::Reload => self.reload(),
            Outcome::KeepOurs(stamp) => self.keep_ours(stamp),
            Outcome::Path(path) => self.picked(Location::new(path)),
            Outcome::Dismissed => self.pick_dismissed(),
            Outcome::Open(location) => self.open(location),
            Outcome::PickOpen => self.open_flow(),
            Outcome::New => self.new_flow(),
            Outcome::Send(target, data, ty) => self.session.inject(target, data, ty),
            Outcome::Consent(consent, question) => self.take_consent(consent, question),
        }
    }

    fn dialog_body(&self, ui: &mut Ui, dialog: &mut Dialog, first: bool) -> Outcome {
        match dialog {
            Dialog::Unsaved(next) => {
                heading(ui, "Save the changes?");
                ui.label(format!(
                    "{} has changes that are not in its file.",
                    self.files.name()
                ));
                let choice = buttons(ui, first, &["Save", "Don't save", "Cancel"]);
                match choice {
                    Some(0) => Outcome::SaveAnd(next.clone()),
                    Some(1) => Outcome::GoOn(next.clone()),
                    Some(_) => Outcome::Close,
                    None => Outcome::Stay,
                }
            }
            Dialog::Recover(autosave) => {
                heading(ui, "Recover unsaved work?");
                let name = autosave
                    .location
                    .as_ref()
                    .map_or("an untitled flow", |at| at.as_str());
                ui.label(format!(
                    "Weir ended before the changes to {name} were saved. They were kept."
                ));
                match buttons(ui, first, &["Recover", "Delete them", "Decide later"]) {
                    Some(0) => Outcome::Recover(autosave.clone()),
                    Some(1) => Outcome::DropRecovery,
                    Some(_) => Outcome::Close,
                    None => Outcome::Stay,
                }
            }
            Dialog::Changed { stamp } => {
                heading(ui, "The file changed");
                let what = if stamp.is_some() {
                    "was changed by another program"
                } else {
                    "is gone"
                };
                ui.label(format!(
                    "{} {what} while it has unsaved changes here.",
                    self.files.name()
                ));
                let choices: &[&str] = if stamp.is_some() {
                    &["Keep mine", "Reload from the file"]
                } else {
                    &["Keep mine"]
                };
                match buttons(ui, first, choices) {
                    Some(0) => Outcome::KeepOurs(*stamp),
                    Some(_) => Outcome::Reload,
                    None => Outcome::Stay,
                }
            }
            Dialog::Failed {
                title,
                message,
                place,
            } => {
                heading(ui, title);
                ui.label(message.as_str());
                ui.label(RichText::new(place.as_str()).small().weak());
                match buttons(ui, first, &["Close"]) {
                    Some(_) => Outcome::Close,
                    None => Outcome::Stay,
                }
            }
            Dialog::Path { save, text } => self.path_body(ui, *save, text, first),
            Dialog::Start => self.start_body(ui, first),
            Dialog::Inject(inject) => inject_body(ui, inject, first),
            Dialog::Trust(question) => {
                heading(ui, "Run this flow?");
                match trust::body(ui, question, first) {
                    Some(consent) => Outcome::Consent(consent, question.clone()),
                    None => Outcome::Stay,
                }
            }
        }
    }

    fn path_body(&self, ui: &mut Ui, save: bool, text: &mut String, first: bool) -> Outcome {
        heading(ui, if save { "Save as" } else { "Open a flow" });
        let name = ui.label("Path");
        let field = egui::TextEdit::singleline(text)
            .desired_width(f32::INFINITY)
            .hint_text("/home/me/orders.flow.json")
            .id(Id::unique("path prompt"));
        let output = field.show(ui);
        let response = output.response.response.labelled_by(name.id);
        if first {
            response.request_focus();
            let end = egui::text::CCursor::new(text.chars().count());
            let mut state = output.state;
            state
                .cursor
                .set_char_range(Some(egui::text::CCursorRange::one(end)));
            state.store(ui.ctx(), Id::unique("path prompt"));
        }
        let entered = response.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
        let mut outcome = Outcome::Stay;
        egui::ScrollArea::vertical()
            .max_height(200.0)
            .auto_shrink([false, true])
            .show(ui, |ui| {
                for entry in self.files.completed.iter().take(200) {
                    let short = Location::new(entry.trim_end_matches('/')).name().to_owned();
                    let folder = entry.ends_with('/');
                    let shown = if folder { format!("{short}/") } else { short };
                    if row(ui, &shown, "").clicked() {
                        if !folder && !save {
                            outcome = Outcome::Path(entry.clone());
                        }
                        text.clone_from(entry);
                        response.request_focus();
                    }
                }
                if !save {
                    self.start_lists(ui, &mut outcome);
                }
            });
        let verb = if save { "Save here" } else { "Open" };
        match buttons(ui, false, &[verb, "Cancel"]) {
            Some(0) => outcome = Outcome::Path(text.clone()),
            Some(_) => outcome = Outcome::Dismissed,
            None => {}
        }
        if entered && !text.trim().is_empty() {
            outcome = Outcome::Path(text.trim().to_owned());
        }
        outcome
    }

    fn start_body(&self, ui: &mut Ui, first: bool) -> Outcome {
        heading(ui, "Open a flow");
        let mut outcome = Outcome::Stay;
        egui::ScrollArea::vertical()
            .max_height(380.0)
            .auto_shrink([false, true])
            .show(ui, |ui| self.start_lists(ui, &mut outcome));
        match buttons(ui, first, &["Empty flow", "Open a file…", "Cancel"]) {
            Some(0) => Outcome::New,
            Some(1) => Outcome::PickOpen,
            Some(_) => Outcome::Close,
            None => outcome,
        }
    }

    fn start_lists(&self, ui: &mut Ui, outcome: &mut Outcome) {
        if !self.files.recent.is_empty() {
            ui.add_space(theme::space::S);
            ui.label(RichText::new("Recent").strong());
            for location in &self.files.recent {
                if row(ui, location.name(), location.folder()).clicked() {
                    *outcome = Outcome::Open(location.clone());
                }
            }
        }
        let samples = self.host.samples();
        if !samples.is_empty() {
            ui.add_space(theme::space::S);
            ui.label(RichText::new("Samples").strong());
            for sample in samples {
                if row(ui, &sample.title, &sample.summary).clicked() {
                    *outcome = Outcome::Open(sample.location);
                }
            }
        }
    }
}

fn inject_body(ui: &mut Ui, inject: &mut Inject, first: bool) -> Outcome {
    heading(ui, "Send an event in");
    ui.label(match &inject.target {
        Target::Source(node) => format!("Out of {node}, as if it had come from outside."),
        Target::Edge(edge) => format!("Along {edge}, as if the node before it had just sent it."),
    });
    let name = ui.label("Payload (JSON)");
    let response = egui::ScrollArea::vertical()
        .max_height(280.0)
        .show(ui, |ui| {
            ui.add(
                egui::TextEdit::multiline(&mut inject.text)
                    .code_editor()
                    .lock_focus(false)
                    .desired_rows(8)
                    .desired_width(f32::INFINITY),
            )
        })
        .inner
        .labelled_by(name.id);
    if first {
        response.request_focus();
    }
    let name = ui.label("Event type (optional)");
    ui.add(egui::TextEdit::singleline(&mut inject.ty).desired_width(f32::INFINITY))
        .labelled_by(name.id);
    let parsed = Value::parse(inject.text.as_bytes(), PAYLOAD_MAX);
    if let Err(error) = &parsed {
        let color = theme::current(ui.ctx()).error;
        ui.colored_label(color, error.to_string());
    }
    let confirmed = ui.input_mut(|input| input.consume_key(egui::Modifiers::COMMAND, Key::Enter));
    let choice = buttons(ui, false, &["Send", "Cancel"]);
    match (choice, parsed) {
        (Some(0), Ok(data)) => send(inject, data),
        (None, Ok(data)) if confirmed => send(inject, data),
        (Some(1), _) => Outcome::Close,
        _ => Outcome::Stay,
    }
}

fn send(inject: &Inject, data: Value) -> Outcome {
    let ty = inject.ty.trim();
    let ty = (!ty.is_empty()).then(|| SmolStr::from(ty));
    Outcome::Send(inject.target.clone(), data, ty)
}

fn heading(ui: &mut Ui, text: &str) {
    ui.label(RichText::new(text).size(theme::size::HEADING).strong());
}

/// A row of buttons, the first of which is the usual answer; answers which was used.
fn buttons(ui: &mut Ui, focus: bool, titles: &[&str]) -> Option<usize> {
    ui.add_space(theme::space::S);
    let mut chosen = None;
    ui.horizontal(|ui| {
        for (index, title) in titles.iter().enumerate() {
            let response = if index == 0 {
                primary_button(ui, title)
            } else {
                ui.button(*title)
            };
            if index == 0 && focus {
                response.request_focus();
            }
            if response.clicked() {
                chosen = Some(index);
            }
        }
    });
    chosen
}

/// The button of the usual answer.
pub(crate) fn primary_button(ui: &mut Ui, title: &str) -> egui::Response {
    let tokens = theme::current(ui.ctx());
    ui.add(
        egui::Button::new(RichText::new(title).color(tokens.on_accent))
            .fill(tokens.accent)
            .stroke(egui::Stroke::NONE),
    )
}

/// A row of a list: a name, and something quieter beside it.
fn row(ui: &mut Ui, name: &str, beside: &str) -> egui::Response {
    let quiet = RichText::new(beside.to_owned()).small().weak();
    ui.add(
        egui::Button::new(name.to_owned())
            .right_text(quiet)
            .frame_when_inactive(false)
            .truncate()
            .min_size(egui::vec2(ui.available_width(), 0.0)),
    )
}
