//! A button that opens a list to search in: the way to add one of many, or to choose another one.

use egui::{Button, Context, Id, Key, Ui};

use super::choose::{Choice, Pick, choose};

/// Something that a picker offers.
pub(crate) struct Offer<T> {
    /// What is taken.
    pub what: T,
    pub title: String,
    /// What it means, on the right and in the hover.
    pub beside: String,
}

impl<T> Offer<T> {
    pub(crate) fn new(what: T, title: impl Into<String>, beside: impl Into<String>) -> Offer<T> {
        Offer {
            what,
            title: title.into(),
            beside: beside.into(),
        }
    }
}

/// Under this name stands the frame in which a list was drawn last.
const DRAWN: &str = "picker drawn";

/// Whether a list is open: it has its own keys.
pub(crate) fn is_open(ctx: &Context) -> bool {
    let drawn = ctx.data(|data| data.get_temp::<u64>(Id::unique(DRAWN)));
    drawn.is_some_and(|frame| ctx.cumulative_frame_nr() <= frame + 1)
}

/// Draws the button; below it, once it was clicked, the offers that hold all words of what is typed.
/// `offers` is given that text, so that it can offer what does not exist yet. Answers what was taken.
///
/// Assistive technology calls the list by its `name`, and the button by the same with an ellipsis.
pub(crate) fn picker<T>(
    ui: &mut Ui,
    id: Id,
    button: Button<'_>,
    name: &str,
    offers: impl FnOnce(&str) -> Vec<Offer<T>>,
) -> Option<T> {
    let open = ui.data(|data| data.get_temp::<Pick>(id));
    let response = ui.add(button.selected(open.is_some()));
    let clicked = response.clicked();
    let at = response.rect.left_bottom() + egui::vec2(0.0, 2.0);
    let button = response.id;
    response.accessible_name(format!("{name}…"));
    let Some(mut pick) = open else {
        if clicked {
            // The list is drawn from the next frame on: Enter that opened it takes nothing.
            ui.data_mut(|data| data.insert_temp(id, Pick::default()));
            ui.ctx().request_repaint();
        }
        return None;
    };
    let mut offers = offers(pick.text.trim());
    let text = pick.text.trim().to_lowercase();
    let has = |hay: &str| {
        let hay = hay.to_lowercase();
        text.split_whitespace().all(|word| hay.contains(word))
    };
    offers.retain(|offer| has(&format!("{} {}", offer.title, offer.beside)));
    offers.sort_by_key(|offer| !has(&offer.title));
    let choices: Vec<Choice> = offers
        .iter()
        .map(|offer| Choice {
            title: offer.title.clone(),
            beside: offer.beside.clone(),
            keys: String::new(),
            enabled: true,
        })
        .collect();
    let frame = ui.ctx().cumulative_frame_nr();
    ui.data_mut(|data| data.insert_temp(Id::unique(DRAWN), frame));
    let escaped = ui.input(|input| input.key_pressed(Key::Escape));
    let shown = choose(
        ui.ctx(),
        id.with("list"),
        name,
        Some(at),
        &mut pick,
        &choices,
    );
    let taken = shown.chosen;
    if taken.is_some() || escaped || shown.left || clicked {
        ui.data_mut(|data| data.remove::<Pick>(id));
        if !shown.left {
            ui.memory_mut(|memory| memory.request_focus(button));
        }
        ui.ctx().request_repaint();
    } else {
        ui.data_mut(|data| data.insert_temp(id, pick));
    }
    taken.map(|index| offers.swap_remove(index).what)
}
