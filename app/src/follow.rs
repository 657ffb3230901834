//! Following a field: where it goes is coloured on the canvas, and everything else steps back.

use std::collections::{BTreeMap, BTreeSet};

use egui::{Align2, Button, Id, Order, Rect, RichText, Ui, vec2};
use graph_model::id::{Id as DocId, PortRef};
use graph_model::pointer::Pointer;

use crate::actions::count;
use crate::designer::Designer;
use crate::requests::{Request, Requests};
use crate::widgets::hint;

/// A field that is being followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Follow {
    ty: DocId,
    field: Pointer,
    /// Every output at which it leaves, and what holds it there.
    pub flow: BTreeMap<PortRef, Vec<Pointer>>,
    /// The check that this is of.
    as_of: u64,
}

impl Designer {
    /// Colours where the field of a type goes, until Escape.
    pub(crate) fn follow_field(&mut self, ty: DocId, field: Pointer) {
        self.highlight.clear();
        self.follow = Some(Follow {
            flow: self.flow_of(&ty, &field),
            ty,
            field,
            as_of: self.state.checks(),
        });
    }

    /// Looks again when the flow has changed; a type that is gone is not followed any more.
    pub(crate) fn keep_following(&mut self) {
        let Some(mut follow) = self.follow.take() else {
            return;
        };
        if !self.state.document().types.contains_key(&follow.ty) {
            return;
        }
        if follow.as_of != self.state.checks() {
            follow.as_of = self.state.checks();
            follow.flow = self.flow_of(&follow.ty, &follow.field);
        }
        self.follow = Some(follow);
    }

    fn flow_of(&self, ty: &DocId, field: &Pointer) -> BTreeMap<PortRef, Vec<Pointer>> {
        let passages = self.state.checker().field_flow(ty, field).into_iter();
        passages
            .map(|passage| (passage.port, passage.fields))
            .collect()
    }

    /// Says above the canvas what is followed, and ends it.
    pub(crate) fn draw_follow_bar(&self, ui: &Ui, canvas: Rect, out: &mut Requests) {
        let Some(follow) = &self.follow else {
            return;
        };
        if self.state.preview().is_some() {
            return; // What a fix would do is said there.
        }
        egui::Area::new(Id::unique("follow bar"))
            .order(Order::Middle)
            .pivot(Align2::CENTER_TOP)
            .fixed_pos(canvas.center_top() + vec2(0.0, 10.0))
            .constrain_to(canvas)
            .accessible_name("Followed field")
            .show(ui.ctx(), |ui| {
                egui::Frame::popup(ui.style()).show(ui, |ui| {
                    ui.set_max_width((canvas.width() - 40.0).clamp(160.0, 460.0));
                    ui.horizontal_wrapped(|ui| {
                        let title = format!("Where {} of {} goes", follow.field, follow.ty);
                        ui.label(RichText::new(title).strong());
                        let end = ui.add(Button::new("End").shortcut_text("Esc"));
                        if end.clicked() {
                            out.push(Request::Follow(None));
                        }
                        end.accessible_name("End following the field");
                    });
                    hint(ui, &follow.words());
                });
            });
    }
}

impl Follow {
    fn words(&self) -> String {
        if self.flow.is_empty() {
            return format!(
                "nothing is known of it: no event of type {} arrives anywhere",
                self.ty
            );
        }
        let nodes: BTreeSet<&DocId> = self.flow.keys().map(|port| &port.node).collect();
        let others: BTreeSet<&Pointer> = self
            .flow
            .values()
            .flatten()
            .filter(|field| **field != self.field)
            .collect();
        let mut words = format!("leaves {}", count(nodes.len(), "node"));
        if !others.is_empty() {
            let others = others.into_iter().map(|field| match field {
                field if field.is_root() => "the whole event".to_owned(),
                field => field.to_string(),
            });
            let others: Vec<String> = others.collect();
            words.push_str(&format!(", also as {}", others.join(", ")));
        }
        words
    }
}
