//! A list to search in: a field to type into, and rows that arrows, Enter or a click choose.

use egui::{Context, Id, Key, Pos2, RichText, Ui};

use crate::theme;

/// Rows that a list shows at most; typing narrows it.
const CHOICES_MAX: usize = 200;

/// A search text and the row that Enter takes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pick {
    pub text: String,
    row: usize,
    opened: bool,
}

/// A row of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    pub title: String,
    pub beside: String,
    pub keys: String,
    pub enabled: bool,
}

/// What came of drawing a list.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Chosen {
    pub chosen: Option<usize>,
    /// The user clicked somewhere else.
    pub left: bool,
}

/// Draws a search field with its rows; arrows move, Enter or a click chooses.
pub(crate) fn choose(
    ctx: &Context,
    id: Id,
    name: &str,
    at: Option<Pos2>,
    pick: &mut Pick,
    choices: &[Choice],
) -> Chosen {
    let screen = ctx.content_rect();
    let width = (screen.width() - 40.0).min(if at.is_some() { 380.0 } else { 560.0 });
    let (up, down) = ctx.input_mut(|input| {
        (
            input.count_and_consume_key(egui::Modifiers::NONE, Key::ArrowUp),
            input.count_and_consume_key(egui::Modifiers::NONE, Key::ArrowDown),
        )
    });
    let last = choices.len().min(CHOICES_MAX).saturating_sub(1);
    pick.row = (pick.row + down).saturating_sub(up).min(last);
    let moved = up + down > 0;
    let entered = ctx.input(|input| input.key_pressed(Key::Enter));
    let mut out = Chosen::default();
    let mut area = egui::Area::new(id)
        .order(egui::Order::Foreground)
        .constrain(true)
        .accessible_name(name);
    area = match at {
        Some(at) => area.fixed_pos(at),
        None => area.anchor(egui::Align2::CENTER_TOP, egui::vec2(0.0, 56.0)),
    };
    let shown = area.show(ctx, |ui| {
        egui::Frame::popup(ui.style()).show(ui, |ui| {
            ui.set_width(width);
            let field = ui.add(
                egui::TextEdit::singleline(&mut pick.text)
                    .hint_text(format!("{name}: type to search"))
                    .desired_width(f32::INFINITY)
                    .return_key(None),
            );
            let field = field.accessible_name(name);
            if field.changed() {
                pick.row = 0;
            }
            field.request_focus();
            ui.add_space(theme::space::S);
            egui::ScrollArea::vertical()
                .max_height((screen.height() * 0.5).min(360.0))
                .auto_shrink([false, true])
                .show(ui, |ui| {
                    ui.spacing_mut().item_spacing.y = 1.0;
                    for (index, choice) in choices.iter().take(CHOICES_MAX).enumerate() {
                        let response = choice_row(ui, choice, index == pick.row);
                        if moved && index == pick.row {
                            response.scroll_to_me(None);
                        }
                        if response.clicked() {
                            out.chosen = Some(index);
                        }
                    }
                    if choices.is_empty() {
                        ui.label(RichText::new("nothing has this in its name").weak());
                    }
                });
        });
    });
    if entered && choices.get(pick.row).is_some_and(|choice| choice.enabled) {
        out.chosen = Some(pick.row);
    }
    out.left = pick.opened && shown.response.clicked_elsewhere();
    pick.opened = true;
    out
}

fn choice_row(ui: &mut Ui, choice: &Choice, current: bool) -> egui::Response {
    let quiet = if choice.keys.is_empty() {
        &choice.beside
    } else {
        &choice.keys
    };
    // The title is what is chosen by: what stands beside it takes the room that is left.
    let room = (ui.available_width() / 6.2) as usize;
    let room = room.saturating_sub(choice.title.chars().count() + 6);
    let quiet: String = if quiet.chars().count() <= room {
        quiet.clone()
    } else if room < 12 {
        String::new()
    } else {
        quiet.chars().take(room - 1).chain(['…']).collect()
    };
    let title: String = choice.title.clone();
    let response = ui
        .add_enabled_ui(choice.enabled, |ui| {
            ui.add(
                egui::Button::selectable(current, title)
                    .right_text(RichText::new(quiet).small().weak())
                    .truncate()
                    .min_size(egui::vec2(ui.available_width(), 0.0)),
            )
        })
        .inner;
    if choice.beside.is_empty() {
        response.accessible_name(choice.title.clone())
    } else {
        response
            .accessible_name(choice.title.clone())
            .on_hover_text(choice.beside.as_str())
    }
}
