//! Laid-out texts, kept from frame to frame: nothing is laid out twice for one magnification.

use std::collections::HashMap;
use std::sync::Arc;

use egui::epaint::TextOptions;
use egui::text::{LayoutJob, TextWrapping};
use egui::{Color32, FontId, Galley, Painter, TextFormat};
use smol_str::SmolStr;

/// Texts that are kept; beyond this those that the last frame did not draw go.
const KEPT_MAX: usize = 8192;
/// Sizes below this cannot be read and are not laid out.
pub(super) const SIZE_MIN: f32 = 5.0;

/// A memory of laid-out texts.
#[derive(Default)]
pub(super) struct Texts {
    kept: HashMap<Key, Kept>,
    frame: u64,
    atlas: Option<Atlas>,
}

/// How a text is set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Style {
    /// Size on the screen, in points; rounded to halves, so that zooming needs few sizes.
    pub(super) size: f32,
    /// Room on the screen; what is longer ends in an ellipsis.
    pub(super) width: f32,
    /// Lines at most.
    pub(super) rows: u16,
    pub(super) mono: bool,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    text: SmolStr,
    half_points: u16,
    width: u16,
    rows: u16,
    mono: bool,
}

struct Kept {
    galley: Arc<Galley>,
    used: u64,
}

/// What tells one state of the font texture from another: texts point into it.
#[derive(PartialEq)]
struct Atlas {
    options: TextOptions,
    pixels_per_point: f32,
    filled: f32,
}

impl Style {
    pub(super) fn line(size: f32, width: f32) -> Style {
        Style {
            size,
            width,
            rows: 1,
            mono: false,
        }
    }

    pub(super) fn mono(self) -> Style {
        Style { mono: true, ..self }
    }

    pub(super) fn rows(self, rows: u16) -> Style {
        Style { rows, ..self }
    }
}

impl Texts {
    /// Call first in every frame: forgets everything when the font texture was made anew.
    pub(super) fn begin(&mut self, painter: &Painter) {
        self.frame += 1;
        let atlas = painter.fonts(|fonts| Atlas {
            options: *fonts.options(),
            pixels_per_point: painter.pixels_per_point(),
            filled: fonts.font_atlas_fill_ratio(),
        });
        let same = self.atlas.as_ref().is_some_and(|old| {
            old.options == atlas.options
                && old.pixels_per_point.to_bits() == atlas.pixels_per_point.to_bits()
                && old.filled <= atlas.filled
        });
        if !same {
            self.kept.clear();
        } else if self.kept.len() > KEPT_MAX {
            let last = self.frame - 1;
            self.kept.retain(|_, kept| kept.used == last);
        }
        self.atlas = Some(atlas);
    }

    /// The text as it is drawn; its colour is chosen when it is drawn.
    pub(super) fn get(&mut self, painter: &Painter, text: &SmolStr, style: Style) -> Arc<Galley> {
        let half_points = (style.size * 2.0).round().max(1.0) as u16;
        let key = Key {
            text: text.clone(),
            half_points,
            width: style.width.max(0.0) as u16,
            rows: style.rows,
            mono: style.mono,
        };
        let frame = self.frame;
        let kept = self.kept.entry(key).or_insert_with(|| {
            let size = f32::from(half_points) / 2.0;
            let font = if style.mono {
                FontId::monospace(size)
            } else {
                FontId::proportional(size)
            };
            let mut job = LayoutJob::single_section(
                text.to_string(),
                TextFormat::simple(font, Color32::PLACEHOLDER),
            );
            job.wrap = TextWrapping {
                max_width: style.width.max(1.0),
                max_rows: usize::from(style.rows),
                break_anywhere: style.rows == 1,
                overflow_character: Some('…'),
            };
            Kept {
                galley: painter.layout_job(job),
                used: frame,
            }
        });
        kept.used = frame;
        Arc::clone(&kept.galley)
    }
}
