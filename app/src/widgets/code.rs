//! A field for code: coloured, with numbered lines, and a mark at the line that is wrong.

use std::collections::BTreeSet;
use std::sync::Arc;

use egui::{
    Align2, FontId, Frame, Galley, Id, Margin, Pos2, Rect, Response, TextBuffer, TextEdit, Ui,
    pos2, vec2,
};
use graph_model::pointer::Pointer;

use super::Kept;
use super::complete::Completion;
use super::syntax::{Language, layout};
use crate::theme;

/// Space between the numbers and the code.
const GUTTER: f32 = 30.0;

/// What a code field is given.
pub(crate) struct Code<'c> {
    pub current: &'c str,
    /// Shown while nothing is typed.
    pub hint: &'c str,
    pub language: Language,
    pub rows: usize,
    /// The line that is wrong, counted from 1.
    pub wrong: Option<usize>,
    /// Fields of the event, to complete their names; asked for while somebody types.
    pub fields: &'c dyn Fn() -> BTreeSet<Pointer>,
}

/// Draws the field; answers the text, and whether it changed. Tab indents; Escape gives the keyboard back.
pub(crate) fn code_field(ui: &mut Ui, id: Id, code: &Code<'_>) -> (Response, String, bool) {
    let kept = Kept::of(id);
    let mut text = kept.text(ui, code.current);
    let before = text.clone();
    let completion = Completion::begin(ui, id, &mut text);
    let completed = text != before;
    let tokens = theme::current(ui.ctx());
    let font = FontId::monospace(theme::size::MONO);
    let mut layouter = |ui: &Ui, text: &dyn TextBuffer, width: f32| -> Arc<Galley> {
        let mut job = layout(text.as_str(), code.language, &font, tokens);
        job.wrap.max_width = width;
        ui.fonts_mut(|fonts| fonts.layout_job(job))
    };
    let multiline = code.rows > 1;
    // A line alone needs no number.
    let numbered = multiline && (code.language == Language::TypeScript || text.contains('\n'));
    let left = if numbered { GUTTER } else { theme::space::M };
    let field = if multiline {
        TextEdit::multiline(&mut text)
            .desired_rows(code.rows)
            .lock_focus(true)
    } else {
        TextEdit::singleline(&mut text)
    };
    let margin = Margin {
        left: left as i8,
        right: theme::space::S as i8,
        top: 4,
        bottom: 4,
    };
    let output = field
        .id(id)
        .font(font.clone())
        .frame(Frame::NONE.fill(tokens.field).inner_margin(margin))
        .desired_width(f32::INFINITY)
        .hint_text(code.hint.to_owned())
        .layouter(&mut layouter)
        .show(ui);
    let response = output.response.response;
    if multiline {
        let lines = Lines {
            galley: &output.galley,
            at: output.galley_pos,
            around: response.rect,
        };
        if numbered {
            lines.number(ui, &font);
        }
        if let Some(wrong) = code.wrong {
            let mark = lines.mark(wrong);
            ui.painter()
                .rect_filled(mark, 0.0, tokens.error.gamma_multiply(0.16));
        }
    }
    let stroke = if response.has_focus() {
        egui::Stroke::new(1.5, tokens.focus)
    } else {
        egui::Stroke::new(1.0, tokens.line_strong)
    };
    let corner = theme::radius::S;
    let inside = egui::StrokeKind::Inside;
    ui.painter()
        .rect_stroke(response.rect, corner, stroke, inside);
    let changed = response.changed() || completed;
    let cursor = output.cursor_range.filter(|_| response.has_focus());
    let cursor = cursor.map(|range| {
        let below = output.galley.pos_from_cursor(range.primary).left_bottom();
        (range.primary.index.0, output.galley_pos + below.to_vec2())
    });
    let typed = response.changed() && !completed;
    completion.end(ui, &text, code.language, code.fields, cursor, typed);
    kept.keep(ui, &response, &text);
    (response, text, changed)
}

/// The lines of a field as they were drawn.
struct Lines<'g> {
    galley: &'g Galley,
    at: Pos2,
    around: Rect,
}

impl Lines<'_> {
    /// Top and bottom of each line; one that was wrapped has several rows.
    fn spans(&self) -> Vec<(f32, f32)> {
        let mut spans: Vec<(f32, f32)> = Vec::new();
        let mut begins = true;
        for row in &self.galley.rows {
            let rect = row.rect();
            match spans.last_mut() {
                Some(span) if !begins => span.1 = rect.bottom(),
                _ => spans.push((rect.top(), rect.bottom())),
            }
            begins = row.ends_with_newline;
        }
        spans
    }

    fn number(&self, ui: &Ui, font: &FontId) {
        let tokens = theme::current(ui.ctx());
        let right = self.around.left() + GUTTER - theme::space::M;
        for (index, (top, _)) in self.spans().into_iter().enumerate() {
            let at = pos2(right, self.at.y + top);
            let number = (index + 1).to_string();
            let painter = ui.painter_at(self.around);
            painter.text(at, Align2::RIGHT_TOP, number, font.clone(), tokens.muted);
        }
    }

    fn mark(&self, line: usize) -> Rect {
        let spans = self.spans();
        let span = spans.get(line.saturating_sub(1)).or(spans.last());
        let (top, bottom) = span.copied().unwrap_or_default();
        let min = pos2(self.around.left(), self.at.y + top);
        let mark = Rect::from_min_size(min, vec2(self.around.width(), bottom - top));
        mark.intersect(self.around)
    }
}
