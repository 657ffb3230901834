//! Fixes shown on the canvas before they are made: as a difference, with what applies and what leaves it.

use egui::{Align2, Button, Context, Key, Modifiers, Order, Rect, RichText, Ui, vec2};
use graph_model::document::{Document, Placement};
use graph_model::layout;

use crate::designer::Designer;
use crate::diff::{Diff, diff};
use crate::graph_edits;
use crate::requests::{Request, Requests};
use crate::state::Preview;
use crate::theme;
use crate::widgets::hint;

/// About how much of the canvas the bar of a preview covers, in points.
pub(crate) const BAR_HEIGHT: f32 = 116.0;

/// The flow as a previewed fix would make it.
pub(crate) struct Ghost {
    preview: Preview,
    pub document: Document,
    pub diff: Diff,
    /// Another number whenever it is another one.
    pub revision: u64,
}

impl Designer {
    /// Applies the first fix of the hazard that F4 went to last, or else of the first with a fix.
    pub(crate) fn fix_hazard(&mut self) {
        let first = self
            .finding_to_fix()
            .and_then(|at| self.state.preview_of(at, 0));
        match first {
            Some(fix) => self.apply_fix(fix),
            None => self.say(NO_FIX.to_owned()),
        }
    }

    /// Shows the next fix of the hazard that is being looked at, the first one to begin with.
    pub(crate) fn preview_next(&mut self) {
        let shown = self.state.preview();
        let (finding, fix) = match shown {
            Some(shown) => {
                let fixes = self.state.findings().get(shown.finding);
                let count = fixes.map_or(1, |finding| finding.fixes.len());
                (Some(shown.finding), (shown.fix + 1) % count.max(1))
            }
            None => (self.finding_to_fix(), 0),
        };
        let preview = finding.and_then(|finding| self.state.preview_of(finding, fix));
        if preview.is_none() {
            self.say(NO_FIX.to_owned());
        }
        self.state.set_preview(preview);
    }

    /// Makes the change of a fix.
    pub(crate) fn apply_fix(&mut self, fix: Preview) {
        self.say(format!("applied: {}", fix.title));
        self.highlight.clear();
        self.edit(fix.transaction);
    }

    /// While a fix is shown, the keyboard of the canvas is about it; answers whether a key was.
    pub(crate) fn read_preview_keys(&mut self, ctx: &Context) -> bool {
        let Some(preview) = self.state.preview().cloned() else {
            return false;
        };
        let pressed = |key| ctx.input_mut(|input| input.consume_key(Modifiers::NONE, key));
        if pressed(Key::Enter) {
            self.apply_fix(preview);
        } else if pressed(Key::Escape) {
            self.state.set_preview(None);
        } else {
            return false;
        }
        true
    }

    /// The hazard that was gone to last, or the first one that has a fix.
    fn finding_to_fix(&self) -> Option<usize> {
        let findings = self.state.findings();
        let has_fix = |at: &usize| findings.get(*at).is_some_and(|at| !at.fixes.is_empty());
        match self.hazard_at {
            Some(at) => Some(at).filter(has_fix),
            None => (0..findings.len()).find(has_fix),
        }
    }

    /// The document as the previewed fix would make it.
    pub(crate) fn make_ghost(&mut self) {
        let preview = self.state.preview();
        if self.canvas.ghost.as_ref().map(|ghost| &ghost.preview) == preview {
            return;
        }
        self.canvas.ghosts += 1;
        let revision = self.canvas.ghosts;
        self.canvas.ghost = preview.map(|preview| {
            let mut document = self.state.document().clone();
            preview.transaction.clone().apply(&mut document);
            let diff = diff(self.state.document(), &document);
            self.stand_still(&mut document);
            Ghost {
                preview: preview.clone(),
                document,
                diff,
                revision,
            }
        });
        if let Some(ghost) = &self.canvas.ghost {
            let items = ghost.diff.marks.keys().cloned().collect();
            self.canvas.reveal(items);
        }
    }

    /// Nodes that nobody placed stand where they are drawn now, so that only what is new is elsewhere.
    fn stand_still(&self, ghost: &mut Document) {
        let before = self.state.document();
        if before.nodes.keys().all(|id| before.layout.contains_key(id)) {
            return;
        }
        for (id, place) in layout::layered(before, self.state.catalog()) {
            if ghost.nodes.contains_key(&id) {
                ghost.layout.entry(id).or_insert(place);
            }
        }
        for (id, (x, y)) in graph_edits::new_places(before, ghost) {
            ghost.layout.insert(id, Placement { x, y, size: None });
        }
    }

    /// Says above the canvas what the previewed fix would do, and offers to do it.
    pub(crate) fn draw_preview_bar(&self, ui: &Ui, canvas: Rect, out: &mut Requests) {
        let Some(ghost) = &self.canvas.ghost else {
            return;
        };
        let preview = &ghost.preview;
        let fixes = self.state.findings().get(preview.finding);
        let count = fixes.map_or(1, |finding| finding.fixes.len());
        let tokens = theme::current(ui.ctx());
        let width = (canvas.width() - 40.0).clamp(160.0, 460.0);
        egui::Area::new(egui::Id::unique("preview bar"))
            .order(Order::Middle)
            .pivot(Align2::CENTER_TOP)
            .fixed_pos(canvas.center_top() + vec2(0.0, 10.0))
            .constrain_to(canvas)
            .accessible_name("Preview")
            .show(ui.ctx(), |ui| {
                let frame =
                    egui::Frame::popup(ui.style()).stroke(egui::Stroke::new(1.0, tokens.ok));
                frame.show(ui, |ui| {
                    ui.set_max_width(width);
                    ui.label(RichText::new(&preview.title).strong());
                    hint(ui, &ghost.diff.words);
                    if !preview.caution.is_empty() {
                        hint(ui, &preview.caution);
                    }
                    ui.horizontal_wrapped(|ui| {
                        let button = |title, keys| Button::new(title).shortcut_text(keys);
                        let apply = ui.add(button("Apply", "Enter"));
                        if apply.clicked() {
                            out.push(Request::Fix(preview.clone()));
                        }
                        apply.accessible_name("Apply the previewed fix");
                        let leave = ui.add(button("Leave", "Esc"));
                        if leave.clicked() {
                            out.push(Request::Preview(None));
                        }
                        leave.accessible_name("Leave the preview");
                        if count > 1 {
                            let next = ui.add(button("Next fix", "."));
                            if next.clicked() {
                                out.push(Request::Do("view.preview_fix"));
                            }
                            next.accessible_name("Preview the next fix");
                            hint(ui, &format!("{} of {count}", preview.fix + 1));
                        }
                    });
                });
            });
    }
}

/// What is said where nothing can be shown.
const NO_FIX: &str = "this hazard has no fix; its page says what ends it";
