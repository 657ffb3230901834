//! Lists above the window: command palette, find, shortcuts, about.

use egui::{Context, Id, Key, RichText, Ui};

use crate::actions;
use crate::canvas::intent::{Item, QuickAddFrom};
use crate::designer::Designer;
use crate::palette::search_kinds;
use crate::panels::fields;
use crate::requests::{Request, Requests};
use crate::theme;
use crate::view::Overlay;
use crate::widgets::choose::{Choice, Pick, choose};

/// What lists above the window remember while they are open.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overlays {
    pick: Pick,
}

impl Overlays {
    pub(crate) fn reset(&mut self) {
        *self = Overlays::default();
    }
}

/// What a row of the command palette stands for.
enum Goal {
    Action(&'static str),
    Kind(smol_str::SmolStr),
    Item(Item),
}

impl Designer {
    pub(crate) fn draw_overlay(&mut self, ctx: &Context, out: &mut Requests) {
        let Some(overlay) = self.view.overlay else {
            return;
        };
        let escaped = ctx.input(|input| input.key_pressed(Key::Escape));
        if escaped {
            self.view.overlay = None;
            return;
        }
        match overlay {
            Overlay::Commands => self.draw_goals(ctx, "Commands", true, out),
            Overlay::Find => self.draw_goals(ctx, "Find in the flow", false, out),
            Overlay::Follow => self.draw_fields(ctx, out),
            Overlay::Keys => self.draw_page(ctx, "Keyboard shortcuts", keys_page),
            Overlay::About => self.draw_page(ctx, "About Weir", about_page),
        }
    }

    fn draw_goals(&mut self, ctx: &Context, name: &str, commands: bool, out: &mut Requests) {
        let goals = self.goals(ctx, commands);
        let choices: Vec<Choice> = goals.iter().map(|(_, choice)| choice.clone()).collect();
        let id = Id::unique("overlay");
        let shown = choose(ctx, id, name, None, &mut self.overlays.pick, &choices);
        if let Some(index) = shown.chosen {
            self.view.overlay = None;
            out.push(match &goals[index].0 {
                Goal::Action(id) => Request::Do(id),
                Goal::Kind(kind) => Request::Add {
                    kind: kind.clone(),
                    at: None,
                    from: QuickAddFrom::Nothing,
                },
                Goal::Item(item) => Request::Reveal(item.clone()),
            });
        } else if shown.left {
            self.view.overlay = None;
        }
    }

    fn goals(&self, ctx: &Context, commands: bool) -> Vec<(Goal, Choice)> {
        let text = self.overlays.pick.text.trim().to_lowercase();
        let words: Vec<&str> = text.split_whitespace().collect();
        let fits = |hay: &str| words.iter().all(|word| hay.contains(word));
        let mut goals = Vec::new();
        if commands {
            for action in actions::all() {
                let hay = format!("{} {}", action.title, action.menu.title()).to_lowercase();
                if fits(&hay) {
                    goals.push((
                        Goal::Action(action.id),
                        Choice {
                            title: action.title.to_owned(),
                            beside: action.tooltip.to_owned(),
                            keys: action.keys_text(ctx).unwrap_or_default(),
                            enabled: (action.when)(self),
                        },
                    ));
                }
            }
            let wish = text.strip_prefix("add ").unwrap_or(&text);
            for kind in search_kinds(self.state.catalog(), wish) {
                goals.push((
                    Goal::Kind(kind.id.clone()),
                    Choice {
                        title: format!("Add {}", kind.title),
                        beside: kind.summary.to_string(),
                        keys: String::new(),
                        enabled: true,
                    },
                ));
            }
        }
        let document = self.state.document();
        for (id, node) in &document.nodes {
            let hay = if commands {
                format!("{} {id}", node.title)
            } else {
                let config: String = node
                    .config
                    .values()
                    .map(|value| value.to_json() + " ")
                    .collect();
                format!("{} {id} {} {config}", node.title, node.kind)
            };
            if (commands && text.is_empty()) || !fits(&hay.to_lowercase()) {
                continue;
            }
            goals.push((
                Goal::Item(Item::Node(id.clone())),
                Choice {
                    title: format!("Go to {}", document.node_title(id)),
                    beside: format!("{id}, {}", node.kind),
                    keys: String::new(),
                    enabled: true,
                },
            ));
        }
        goals
    }

    /// The fields of all event types, to be followed.
    fn draw_fields(&mut self, ctx: &Context, out: &mut Requests) {
        let text = self.overlays.pick.text.trim().to_lowercase();
        let types = self.state.document().types.iter();
        let fields = types.flat_map(|(id, ty)| {
            let fields = fields::of_type(ty).into_iter();
            fields.map(move |field| (id.clone(), field.pointer))
        });
        let fields: Vec<_> = fields
            .filter(|(ty, field)| {
                let hay = format!("{field} of {ty}").to_lowercase();
                text.split_whitespace().all(|word| hay.contains(word))
            })
            .collect();
        let choices: Vec<Choice> = fields
            .iter()
            .map(|(ty, field)| Choice {
                title: field.to_string(),
                beside: format!("of {ty}"),
                keys: String::new(),
                enabled: true,
            })
            .collect();
        let id = Id::unique("overlay");
        let name = "Follow a field";
        let shown = choose(ctx, id, name, None, &mut self.overlays.pick, &choices);
        if let Some(index) = shown.chosen {
            self.view.overlay = None;
            out.push(Request::Follow(Some(fields[index].clone())));
        } else if shown.left {
            self.view.overlay = None;
        }
    }

    fn draw_page(&mut self, ctx: &Context, title: &str, page: fn(&mut Ui)) {
        let shown = egui::Modal::new(Id::unique("page")).show(ctx, |ui| {
            ui.set_width((ctx.content_rect().width() - 60.0).min(620.0));
            ui.label(RichText::new(title).size(theme::size::HEADING).strong());
            ui.add_space(theme::space::S);
            egui::ScrollArea::vertical()
                .max_height(ctx.content_rect().height() - 160.0)
                .show(ui, page);
            ui.add_space(theme::space::S);
            let close = ui.button("Close");
            close.request_focus();
            close.clicked()
        });
        if shown.inner || shown.backdrop_response.clicked() {
            self.view.overlay = None;
        }
    }
}

fn keys_page(ui: &mut Ui) {
    let ctx = ui.ctx().clone();
    for menu in actions::Menu::TITLES {
        ui.add_space(theme::space::M);
        ui.label(RichText::new(menu).strong());
        egui::Grid::new(("keys", menu))
            .num_columns(2)
            .spacing(egui::vec2(20.0, 4.0))
            .min_col_width(200.0)
            .show(ui, |ui| {
                for action in actions::all() {
                    if action.menu.title() != menu || action.keys.is_empty() {
                        continue;
                    }
                    ui.label(action.title).on_hover_text(action.tooltip);
                    let keys: Vec<String> =
                        action.keys.iter().map(|keys| keys.text(&ctx)).collect();
                    ui.label(RichText::new(keys.join(", ")).weak());
                    ui.end_row();
                }
            });
    }
}

fn about_page(ui: &mut Ui) {
    ui.label(format!("Weir {}", env!("CARGO_PKG_VERSION")));
    ui.label("A designer for event-driven systems: draw the graph, see its hazards, run it.");
    ui.label(RichText::new("MIT or Apache-2.0").weak());
}
