//! Quick-add: a search over the kinds that fit where the user points.

use egui::{Context, Id, Key};

use crate::canvas::intent::QuickAddFrom;
use crate::designer::Designer;
use crate::graph_edits;
use crate::palette::search_kinds;
use crate::requests::{Request, Requests};
use crate::widgets::choose::{Choice, Pick, choose};

/// An open quick-add.
#[derive(Clone, Debug)]
pub(crate) struct QuickAdd {
    at: (i32, i32),
    from: QuickAddFrom,
    pick: Pick,
}

impl QuickAdd {
    pub(crate) fn new(at: (i32, i32), from: QuickAddFrom) -> QuickAdd {
        QuickAdd {
            at,
            from,
            pick: Pick::default(),
        }
    }
}

impl Designer {
    pub(crate) fn draw_quick_add(&mut self, ctx: &Context, out: &mut Requests) {
        let Some(mut quick) = self.quick_add.take() else {
            return;
        };
        let kinds: Vec<_> = search_kinds(self.state.catalog(), &quick.pick.text)
            .into_iter()
            .filter(|kind| graph_edits::fits(kind, &quick.from))
            .collect();
        let choices: Vec<Choice> = kinds
            .iter()
            .map(|kind| Choice {
                title: kind.title.to_string(),
                beside: kind.summary.to_string(),
                keys: String::new(),
                enabled: true,
            })
            .collect();
        let at = self.canvas.screen(quick.at);
        let more = ctx.input(|input| input.modifiers.command);
        let closed = ctx.input(|input| input.key_pressed(Key::Escape));
        let shown = choose(
            ctx,
            Id::unique("quick add"),
            "Add a node",
            Some(at),
            &mut quick.pick,
            &choices,
        );
        if let Some(index) = shown.chosen {
            out.push(Request::Add {
                kind: kinds[index].id.clone(),
                at: Some(quick.at),
                from: quick.from.clone(),
            });
            // Holding Ctrl keeps the list open for the next one.
            if more && quick.from == QuickAddFrom::Nothing {
                quick.at.1 += 110;
                self.quick_add = Some(quick);
            }
        } else if !closed && !shown.left {
            self.quick_add = Some(quick);
        }
    }
}
