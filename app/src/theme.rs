//! Named colours, spacing, radii and type sizes: the only place that knows what anything looks like.

use std::sync::LazyLock;

use egui::{Color32, Context, CornerRadius, FontId, Margin, Shadow, Stroke, TextStyle, Visuals};
use graph_model::catalog::Family;
use serde::{Deserialize, Deserializer};

use crate::canvas::Mark;

/// How grave a hazard or problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    Info,
    Warning,
    Error,
}

/// The colours of one theme, by what they are for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tokens {
    /// Behind the canvas.
    #[serde(deserialize_with = "color")]
    pub surface: Color32,
    /// Behind panels and bars.
    #[serde(deserialize_with = "color")]
    pub panel: Color32,
    /// Cards, menus, dialogs.
    #[serde(deserialize_with = "color")]
    pub raised: Color32,
    /// Where text is typed.
    #[serde(deserialize_with = "color")]
    pub field: Color32,
    #[serde(deserialize_with = "color")]
    pub hover: Color32,
    #[serde(deserialize_with = "color")]
    pub pressed: Color32,
    /// Dots of the canvas.
    #[serde(deserialize_with = "color")]
    pub grid: Color32,
    /// Quiet separators and borders.
    #[serde(deserialize_with = "color")]
    pub line: Color32,
    /// Borders that must be seen: ports, fields.
    #[serde(deserialize_with = "color")]
    pub line_strong: Color32,
    #[serde(deserialize_with = "color")]
    pub text: Color32,
    /// Text of the second rank.
    #[serde(deserialize_with = "color")]
    pub muted: Color32,
    /// What can be acted on, and what is chosen.
    #[serde(deserialize_with = "color")]
    pub accent: Color32,
    #[serde(deserialize_with = "color")]
    pub on_accent: Color32,
    /// Behind selected rows and text.
    #[serde(deserialize_with = "color")]
    pub selection: Color32,
    /// The ring around what the keyboard speaks to.
    #[serde(deserialize_with = "color")]
    pub focus: Color32,
    #[serde(deserialize_with = "color")]
    pub error: Color32,
    #[serde(deserialize_with = "color")]
    pub warning: Color32,
    #[serde(deserialize_with = "color")]
    pub info: Color32,
    #[serde(deserialize_with = "color")]
    pub ok: Color32,
    /// Text on a filled severity mark.
    #[serde(deserialize_with = "color")]
    pub on_mark: Color32,
    #[serde(deserialize_with = "color")]
    pub source: Color32,
    #[serde(deserialize_with = "color")]
    pub channel: Color32,
    #[serde(deserialize_with = "color")]
    pub operator: Color32,
    #[serde(deserialize_with = "color")]
    pub function: Color32,
    #[serde(deserialize_with = "color")]
    pub sink: Color32,
    #[serde(deserialize_with = "color")]
    pub wire: Color32,
    #[serde(deserialize_with = "color")]
    pub wire_active: Color32,
    /// Wires from ports that carry failed events.
    #[serde(deserialize_with = "color")]
    pub wire_failed: Color32,
    /// Dots that run along a wire when events pass.
    #[serde(deserialize_with = "color")]
    pub pulse: Color32,
    #[serde(deserialize_with = "color")]
    pub zone: Color32,
    #[serde(deserialize_with = "color")]
    pub note: Color32,
    #[serde(deserialize_with = "color")]
    pub shadow: Color32,
}

/// Distances, in points.
pub mod space {
    pub const XS: f32 = 2.0;
    pub const S: f32 = 4.0;
    pub const M: f32 = 8.0;
    pub const L: f32 = 12.0;
    pub const XL: f32 = 20.0;
    /// The grid that things on the canvas snap to.
    pub const GRID: i32 = 10;
}

/// Corner radii, in points.
pub mod radius {
    pub const S: u8 = 3;
    pub const M: u8 = 6;
    pub const L: u8 = 9;
}

/// Type sizes, in points.
pub mod size {
    pub const SMALL: f32 = 11.0;
    pub const BODY: f32 = 13.0;
    pub const MONO: f32 = 12.5;
    pub const HEADING: f32 = 16.0;
}

static LIGHT: LazyLock<Tokens> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../assets/theme/light.json"))
        .expect("a test reads the light theme")
});
static DARK: LazyLock<Tokens> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../assets/theme/dark.json"))
        .expect("a test reads the dark theme")
});

/// The tokens of the theme.
pub fn tokens(theme: egui::Theme) -> &'static Tokens {
    match theme {
        egui::Theme::Light => &LIGHT,
        egui::Theme::Dark => &DARK,
    }
}

/// The tokens of the theme that the context shows now.
pub fn current(ctx: &Context) -> &'static Tokens {
    tokens(ctx.theme())
}

/// Gives the context our look in both themes. Call once, before the first frame.
pub fn install(ctx: &Context) {
    for theme in [egui::Theme::Light, egui::Theme::Dark] {
        ctx.style_mut_of(theme, |style| {
            style.visuals = visuals(theme);
            style.text_styles = [
                (TextStyle::Small, FontId::proportional(size::SMALL)),
                (TextStyle::Body, FontId::proportional(size::BODY)),
                (TextStyle::Button, FontId::proportional(size::BODY)),
                (TextStyle::Monospace, FontId::monospace(size::MONO)),
                (TextStyle::Heading, FontId::proportional(size::HEADING)),
            ]
            .into();
            style.spacing.item_spacing = egui::vec2(space::M, space::S + 1.0);
            style.spacing.button_padding = egui::vec2(space::M, space::S);
            style.spacing.interact_size = egui::vec2(28.0, 24.0);
            style.spacing.window_margin = Margin::same(12);
            style.spacing.menu_margin = Margin::same(6);
            style.spacing.indent = 14.0;
        });
    }
}

fn visuals(theme: egui::Theme) -> Visuals {
    let tokens = tokens(theme);
    let mut visuals = match theme {
        egui::Theme::Light => Visuals::light(),
        egui::Theme::Dark => Visuals::dark(),
    };
    visuals.panel_fill = tokens.panel;
    visuals.window_fill = tokens.raised;
    visuals.window_stroke = Stroke::new(1.0, tokens.line);
    visuals.window_corner_radius = CornerRadius::same(radius::L);
    visuals.menu_corner_radius = CornerRadius::same(radius::M);
    visuals.faint_bg_color = tokens.hover;
    visuals.extreme_bg_color = tokens.field;
    visuals.text_edit_bg_color = Some(tokens.field);
    visuals.code_bg_color = tokens.hover;
    visuals.weak_text_color = Some(tokens.muted);
    visuals.hyperlink_color = tokens.accent;
    visuals.warn_fg_color = tokens.warning;
    visuals.error_fg_color = tokens.error;
    visuals.selection.bg_fill = tokens.selection;
    visuals.selection.stroke = Stroke::new(1.0, tokens.text);
    let shadow = Shadow {
        offset: [0, 6],
        blur: 18,
        spread: 0,
        color: tokens.shadow,
    };
    visuals.window_shadow = shadow;
    visuals.popup_shadow = shadow;
    let corner = CornerRadius::same(radius::M);
    let widgets = &mut visuals.widgets;
    for (state, fill, line, text) in [
        (
            &mut widgets.noninteractive,
            tokens.panel,
            tokens.line,
            tokens.text,
        ),
        (
            &mut widgets.inactive,
            tokens.hover,
            tokens.line,
            tokens.text,
        ),
        (
            &mut widgets.hovered,
            tokens.pressed,
            tokens.line_strong,
            tokens.text,
        ),
        (
            &mut widgets.active,
            tokens.pressed,
            tokens.accent,
            tokens.text,
        ),
        (&mut widgets.open, tokens.hover, tokens.line, tokens.text),
    ] {
        state.bg_fill = fill;
        state.weak_bg_fill = fill;
        state.bg_stroke = Stroke::new(1.0, line);
        state.fg_stroke = Stroke::new(1.0, text);
        state.corner_radius = corner;
        state.expansion = 0.0;
    }
    visuals
}

impl Tokens {
    pub fn severity(&self, severity: Severity) -> Color32 {
        match severity {
            Severity::Info => self.info,
            Severity::Warning => self.warning,
            Severity::Error => self.error,
        }
    }

    /// The colour of what a previewed change would do.
    pub fn mark(&self, mark: Mark) -> Color32 {
        match mark {
            Mark::Added | Mark::Changed => self.ok,
            Mark::Removed => self.error,
        }
    }

    /// The restrained colour of a family of kinds.
    pub fn family(&self, family: Family) -> Color32 {
        match family {
            Family::Source => self.source,
            Family::Channel => self.channel,
            Family::Operator => self.operator,
            Family::Function => self.function,
            Family::Sink => self.sink,
        }
    }
}

fn color<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Color32, D::Error> {
    let text = String::deserialize(deserializer)?;
    Color32::from_hex(&text)
        .map_err(|_| serde::de::Error::custom(format!("`{text}` is no colour; write #rrggbb")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_marks_can_be_read() {
        for theme in [egui::Theme::Light, egui::Theme::Dark] {
            let t = tokens(theme);
            for (ground, name) in [
                (t.surface, "surface"),
                (t.panel, "panel"),
                (t.raised, "raised"),
                (t.field, "field"),
                (t.hover, "hover"),
                (t.note, "note"),
            ] {
                for (text, what) in [
                    (t.text, "text"),
                    (t.muted, "muted"),
                    (t.accent, "accent"),
                    (t.error, "error"),
                    (t.warning, "warning"),
                    (t.info, "info"),
                    (t.ok, "ok"),
                ] {
                    let ratio = contrast(text, ground);
                    assert!(ratio >= 4.5, "{theme:?}: {what} on {name} has {ratio:.2}");
                }
            }
            for (text, ground) in [
                (t.on_accent, t.accent),
                (t.text, t.selection),
                (t.text, t.pressed),
                (t.on_mark, t.error),
                (t.on_mark, t.warning),
                (t.on_mark, t.info),
            ] {
                assert!(
                    contrast(text, ground) >= 4.5,
                    "{theme:?}: {text:?} {ground:?}"
                );
            }
            for shape in [
                t.source,
                t.channel,
                t.operator,
                t.function,
                t.sink,
                t.line_strong,
                t.focus,
            ] {
                for ground in [t.raised, t.panel] {
                    let ratio = contrast(shape, ground);
                    assert!(ratio >= 3.0, "{theme:?}: {shape:?} has {ratio:.2}");
                }
            }
            for wire in [t.wire, t.wire_active, t.wire_failed] {
                assert!(contrast(wire, t.surface) >= 2.7, "{theme:?}: {wire:?}");
            }
        }
    }

    #[test]
    fn visuals_follow_the_tokens() {
        let ctx = Context::default();
        install(&ctx);
        ctx.set_theme(egui::Theme::Dark);
        assert_eq!(current(&ctx).panel, ctx.global_style().visuals.panel_fill);
    }

    /// Contrast ratio of WCAG 2.
    fn contrast(a: Color32, b: Color32) -> f32 {
        let light = |color: Color32| {
            let channel = |value: u8| {
                let value = f32::from(value) / 255.0;
                if value <= 0.040_45 {
                    value / 12.92
                } else {
                    ((value + 0.055) / 1.055).powf(2.4)
                }
            };
            0.2126 * channel(color.r()) + 0.7152 * channel(color.g()) + 0.0722 * channel(color.b())
        };
        let (a, b) = (light(a), light(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }
}
