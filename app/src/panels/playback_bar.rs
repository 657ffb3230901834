//! The bar of a recorded run: where it is, how fast it plays, and a handle to go elsewhere.

use egui::{RichText, Ui};

use crate::plain;
use crate::playback::{Playback, SPEEDS};
use crate::requests::{Request, Requests};
use crate::theme;

/// Characters of a title that are shown.
const TITLE_MAX: usize = 80;
/// Width of the choice of speeds.
const SPEED: f32 = 64.0;

pub(crate) fn show(ui: &mut Ui, playback: &Playback, out: &mut Requests) {
    ui.horizontal(|ui| {
        let (at, length) = (
            playback.position_ms() / 1000.0,
            playback.length_ms() / 1000.0,
        );
        let text = |at: f64| format!("recorded run, {at:.1} s of {length:.1} s");
        // As wide as it gets, so that the handle does not move under the pointer.
        let font = egui::TextStyle::Small.resolve(ui.style());
        let widest = ui
            .painter()
            .layout_no_wrap(text(length), font, ui.visuals().text_color());
        let label = ui.scope(|ui| {
            ui.set_min_width(widest.size().x);
            ui.label(RichText::new(text(at)).small())
        });
        let label = label.inner;
        if let Some(title) = playback.title() {
            label.on_hover_text(plain::line(title, TITLE_MAX));
        }
        if playback.is_cut() {
            ui.label(RichText::new("cut short").small().weak())
                .on_hover_text("the last line of the file is not complete, as after a crash");
        }
        let mut seconds = at;
        ui.spacing_mut().slider_width =
            (ui.available_width() - SPEED - 2.0 * theme::space::M).max(80.0);
        let slider = egui::Slider::new(&mut seconds, 0.0..=length.max(0.001))
            .show_value(false)
            .smart_aim(false);
        let slider = ui
            .add(slider)
            .accessible_name("Position in the recorded run");
        if slider.changed() {
            out.push(Request::Seek(seconds * 1000.0));
        }
        let speed = playback.speed();
        egui::ComboBox::from_id_salt("speed")
            .selected_text(RichText::new(name(speed)).small())
            .width(SPEED)
            .show_ui(ui, |ui| {
                for choice in SPEEDS {
                    let is_it = (choice - speed).abs() < f64::EPSILON;
                    if ui.selectable_label(is_it, name(choice)).clicked() {
                        out.push(Request::Speed(choice));
                    }
                }
            })
            .response
            .accessible_name(format!("Speed {}", name(speed)))
            .on_hover_text("how fast the recorded run plays");
    });
}

fn name(speed: f64) -> String {
    format!("{speed}x")
}
