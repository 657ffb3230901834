//! The middle of the window: gives the canvas what it looks at, and passes on what it reports.

use std::collections::{BTreeMap, BTreeSet};

use egui::{Align2, Context, Id, Order, Pos2, Rect, RichText, Ui, vec2};
use graph_model::id::PortRef;
use graph_model::validate::Known;
use runtime_protocol::RunState;

use crate::canvas::intent::{Item, PortSide, QuickAddFrom, Target};
use crate::canvas::{self, CanvasInput, CanvasView, Ghost, HazardMark};
use crate::designer::Designer;
use crate::graph_edits;
use crate::palette::DraggedKind;
use crate::preview;
use crate::requests::{Request, Requests};
use crate::showing::Showing;
use crate::theme;
use crate::view::Region;

/// Events that an edge holds when it does not say; the engine's default.
const EDGE_CAPACITY: u32 = 1024;

/// How long the pointer rests on a port before it is explained.
const REST_SECONDS: f32 = 0.35;

/// The canvas and what is waiting to happen to its view.
#[derive(Default)]
pub(crate) struct CanvasPane {
    view: CanvasView,
    rect: Option<Rect>,
    moves: Vec<Move>,
    menu: Option<Menu>,
    pub hover_port: Option<PortRef>,
    /// What is known at the port that is pointed at, as of that check.
    known: Option<(PortRef, u64, Vec<Known>)>,
    marks: (u64, BTreeMap<Item, HazardMark>),
    pub ghost: Option<preview::Ghost>,
    pub ghosts: u64,
}

/// A change of the view that needs the size of the canvas.
#[derive(Clone, Debug, PartialEq)]
enum Move {
    Open,
    Fit,
    Reset,
    Zoom(f32),
    Reveal(BTreeSet<Item>),
}

/// An open context menu.
#[derive(Clone, Debug, PartialEq)]
struct Menu {
    screen: Pos2,
    at: (i32, i32),
    target: Target,
    /// Drawn once at least: the click that opened it must not close it.
    fresh: bool,
}

impl CanvasPane {
    pub(crate) fn zoom_to_fit(&mut self) {
        self.moves.push(Move::Fit);
    }

    /// Another flow is shown for the first time.
    pub(crate) fn open(&mut self) {
        self.moves.push(Move::Open);
    }

    pub(crate) fn zoom_reset(&mut self) {
        self.moves.push(Move::Reset);
    }

    pub(crate) fn zoom_by(&mut self, factor: f32) {
        self.moves.push(Move::Zoom(factor));
    }

    pub(crate) fn reveal(&mut self, items: BTreeSet<Item>) {
        self.moves.push(Move::Reveal(items));
    }

    pub(crate) fn start_wire(&mut self) {
        self.view.start_wire();
    }

    /// A drag or a wire is under way on the canvas.
    pub(crate) fn busy(&self) -> bool {
        self.view.busy()
    }

    /// Whether what has the keyboard is on the canvas.
    pub(crate) fn has_focus(&self, ctx: &Context) -> bool {
        ctx.memory(egui::Memory::focused)
            .and_then(|focused| ctx.read_response(focused))
            .zip(self.rect)
            .is_some_and(|(widget, rect)| {
                widget.layer_id.order == egui::Order::Background
                    && rect.contains_rect(widget.rect.intersect(rect))
                    && rect.intersects(widget.rect)
            })
    }

    pub(crate) fn open_menu(&mut self, screen: Pos2, at: (i32, i32), target: Target) {
        self.menu = Some(Menu {
            screen,
            at,
            target,
            fresh: true,
        });
    }

    /// The place in the document that the pointer shows, or the middle of the view.
    pub(crate) fn place(&self) -> (i32, i32) {
        let Some(rect) = self.rect else {
            return (80, 80);
        };
        let middle = rect.center() - egui::vec2(90.0, 40.0);
        let at = self.view.camera.to_document(rect, middle);
        (snap(at.x), snap(at.y))
    }

    /// The place in the document under a point of the screen, when that is on the canvas.
    pub(crate) fn place_at(&self, screen: Pos2) -> Option<(i32, i32)> {
        let rect = self.rect.filter(|rect| rect.contains(screen))?;
        let at = self.view.camera.to_document(rect, screen);
        Some((snap(at.x), snap(at.y)))
    }

    /// The point of the screen that shows a place in the document.
    pub(crate) fn screen(&self, at: (i32, i32)) -> Pos2 {
        let place = egui::pos2(at.0 as f32, at.1 as f32);
        match self.rect {
            Some(rect) => self.view.camera.to_screen(rect, place),
            None => place,
        }
    }
}

fn snap(at: f32) -> i32 {
    let grid = theme::space::GRID as f32;
    (at / grid).round() as i32 * theme::space::GRID
}

impl Designer {
    /// Draws the canvas in the room that is left.
    pub(crate) fn draw_canvas(&mut self, ui: &mut Ui, out: &mut Requests) {
        let rect = ui.available_rect_before_wrap();
        self.canvas.rect = Some(rect);
        self.move_view(rect);
        self.mark_hazards();
        self.make_ghost();
        self.learn_of_port(ui.ctx());
        self.keep_following();
        let changed = self.changed_nodes();
        let tapped = BTreeSet::new();
        let shown = self.showing.as_ref().map(Showing::items);
        let keyboard = !self.covered() && self.canvas.menu.is_none();
        let takes_focus = self.view.takes_focus(Region::Canvas);
        let input = CanvasInput {
            document: self.state.document(),
            revision: self.state.revision(),
            catalog: self.state.catalog(),
            selection: self.state.selection(),
            hazards: &self.canvas.marks.1,
            counters: match &self.showing {
                Some(showing) => Some(showing.counters()),
                None => self.session.active().then(|| self.session.counters()),
            },
            rates: (self.session.active() && self.showing.is_none())
                .then(|| self.session.edge_rates()),
            run: if self.showing.is_some() {
                RunState::Stopped
            } else {
                self.session.state()
            },
            highlight: shown.as_ref().unwrap_or(&self.highlight),
            tapped: &tapped,
            known: self
                .canvas
                .known
                .as_ref()
                .map(|(port, _, known)| (port, &known[..])),
            flow: self.follow.as_ref().map(|follow| &follow.flow),
            changed: &changed,
            ghost: self.canvas.ghost.as_ref().map(|ghost| Ghost {
                document: &ghost.document,
                revision: ghost.revision,
                marks: &ghost.diff.marks,
            }),
            incoming: egui::DragAndDrop::has_payload_of_type::<DraggedKind>(ui.ctx()),
            keyboard,
            animate: !self.view.still,
            default_capacity: EDGE_CAPACITY,
            tokens: theme::current(ui.ctx()),
        };
        let intents = canvas::show(ui, &input, &mut self.canvas.view);
        let ctx = ui.ctx().clone();
        if takes_focus && let Some(focused) = ctx.memory(egui::Memory::focused) {
            // Nothing has the keyboard: it speaks to the canvas.
            ctx.memory_mut(|memory| memory.surrender_focus(focused));
        }
        if let Some(kind) = egui::DragAndDrop::payload::<DraggedKind>(&ctx)
            && ctx.input(|input| input.pointer.any_released())
            && let Some(at) = ctx
                .pointer_latest_pos()
                .and_then(|pointer| self.canvas.place_at(pointer))
        {
            egui::DragAndDrop::clear_payload(&ctx);
            let wire = ctx
                .pointer_latest_pos()
                .and_then(|pointer| self.canvas.view.wire_at(rect, pointer))
                .map(QuickAddFrom::Edge);
            let from = wire
                .filter(|wire| {
                    let kind = self.state.catalog().get(&kind.0);
                    kind.is_some_and(|kind| graph_edits::fits(kind, wire))
                })
                .unwrap_or(QuickAddFrom::Nothing);
            // The card comes to stand with its middle under the pointer.
            out.push(Request::Add {
                kind: kind.0.clone(),
                at: Some((at.0 - 100, at.1 - 40)),
                from,
            });
        }
        for intent in intents {
            self.take_intent(&ctx, intent);
        }
        self.draw_preview_bar(ui, rect, out);
        self.draw_follow_bar(ui, rect, out);
        self.draw_known(ui, rect);
        self.draw_menu(ui);
    }

    fn move_view(&mut self, rect: Rect) {
        let view = &mut self.canvas.view;
        view.read(
            self.state.document(),
            self.state.revision(),
            self.state.catalog(),
        );
        for change in std::mem::take(&mut self.canvas.moves) {
            match change {
                Move::Open => view.open(rect),
                Move::Fit => view.fit(rect),
                Move::Reset => {
                    let zoom = view.camera.zoom;
                    view.camera.zoom_at(rect, rect.center(), 1.0 / zoom);
                }
                Move::Zoom(factor) => view.camera.zoom_at(rect, rect.center(), factor),
                Move::Reveal(items) => {
                    let bar = self
                        .canvas
                        .ghost
                        .as_ref()
                        .map_or(0.0, |_| preview::BAR_HEIGHT);
                    view.reveal(rect, bar, &items);
                }
            }
        }
    }

    /// Marks of the findings on nodes and edges, made anew when the findings are.
    fn mark_hazards(&mut self) {
        let checks = self.state.checks();
        if self.canvas.marks.0 == checks {
            return;
        }
        let mut marks: BTreeMap<Item, HazardMark> = BTreeMap::new();
        for finding in self.state.findings() {
            let Some(item) = &finding.subject else {
                continue;
            };
            let mark = marks.entry(item.clone()).or_insert_with(|| HazardMark {
                severity: finding.severity,
                count: 0,
                text: String::new(),
            });
            mark.count += 1;
            mark.severity = mark.severity.max(finding.severity);
            if !mark.text.is_empty() {
                mark.text.push('\n');
            }
            mark.text
                .push_str(&format!("{} {}", finding.code, finding.message));
        }
        self.canvas.marks = (checks, marks);
    }

    /// Asks what is known at a port when the pointer has rested on it, or the keyboard is there.
    fn learn_of_port(&mut self, ctx: &Context) {
        let Some(port) = self.canvas.hover_port.clone() else {
            self.canvas.known = None;
            return;
        };
        let checks = self.state.checks();
        if let Some((at, as_of, _)) = &self.canvas.known
            && *at == port
            && *as_of == checks
        {
            return;
        }
        let rested = ctx.input(|input| input.pointer.time_since_last_movement());
        if rested < REST_SECONDS {
            self.canvas.known = None;
            ctx.request_repaint_after_secs(REST_SECONDS - rested);
            return;
        }
        let known = self.state.checker().port_facts(&port);
        self.canvas.known = Some((port, checks, known));
    }

    /// Explains the port that is pointed at, beside it.
    fn draw_known(&self, ui: &Ui, canvas: Rect) {
        let Some((port, _, known)) = &self.canvas.known else {
            return;
        };
        let place = self.canvas.view.port_at(canvas, port);
        let Some((at, side)) = place.filter(|_| !known.is_empty() && !self.canvas.busy()) else {
            return;
        };
        let (pivot, away) = match side {
            PortSide::Input => (Align2::RIGHT_TOP, -12.0),
            PortSide::Output => (Align2::LEFT_TOP, 12.0),
        };
        egui::Area::new(Id::unique("known at a port"))
            .order(Order::Tooltip)
            .interactable(false)
            .pivot(pivot)
            .fixed_pos(at + vec2(away, 16.0))
            .constrain_to(canvas)
            .show(ui.ctx(), |ui| {
                egui::Frame::popup(ui.style()).show(ui, |ui| {
                    ui.set_max_width((canvas.width() - 40.0).min(340.0));
                    let grid = egui::Grid::new("known").num_columns(2);
                    let grid = grid.min_row_height(0.0).spacing(vec2(10.0, 3.0));
                    grid.show(ui, |ui| {
                        for known in known {
                            ui.label(RichText::new(known.topic).small().weak());
                            let text = RichText::new(&known.text).small();
                            ui.add(egui::Label::new(text).wrap());
                            ui.end_row();
                        }
                    });
                });
            });
    }

    fn draw_menu(&mut self, ui: &mut Ui) {
        let Some(mut menu) = self.canvas.menu.take() else {
            return;
        };
        let mut chosen: Option<&'static str> = None;
        let mut quick_add: Option<QuickAddFrom> = None;
        let area = egui::Area::new(egui::Id::unique("canvas menu"))
            .order(egui::Order::Foreground)
            .fixed_pos(menu.screen)
            .constrain(true)
            .accessible_name("Context menu")
            .show(ui.ctx(), |ui| {
                egui::Frame::popup(ui.style()).show(ui, |ui| {
                    ui.set_width(220.0);
                    let ids: &[&'static str] = match &menu.target {
                        Target::Canvas => &[
                            "edit.paste",
                            "graph.note",
                            "select.all",
                            "arrange.auto",
                            "view.fit",
                        ],
                        Target::Item(Item::Node(_)) => &[
                            "graph.rename",
                            "graph.disable",
                            "run.inject",
                            "edit.copy",
                            "edit.cut",
                            "edit.duplicate",
                            "graph.group",
                            "graph.ungroup",
                            "select.upstream",
                            "select.downstream",
                            "edit.delete_reconnect",
                            "edit.delete",
                        ],
                        Target::Item(Item::Edge(_)) => &["run.inject", "edit.delete"],
                        Target::Item(_) => &["graph.rename", "graph.ungroup", "edit.delete"],
                        Target::Port(..) => &["view.follow"],
                    };
                    let add = match &menu.target {
                        Target::Canvas => Some(QuickAddFrom::Nothing),
                        Target::Item(Item::Edge(id)) => Some(QuickAddFrom::Edge(id.clone())),
                        Target::Port(port, side) => Some(QuickAddFrom::Port(port.clone(), *side)),
                        Target::Item(_) => None,
                    };
                    if let Some(from) = add
                        && ui.add(menu_row("Add a node…", "")).clicked()
                    {
                        quick_add = Some(from);
                    }
                    for id in ids {
                        let Some(action) = crate::actions::by_id(id) else {
                            continue;
                        };
                        let keys = action.keys_text(ui.ctx()).unwrap_or_default();
                        let enabled = (action.when)(self);
                        if ui
                            .add_enabled(enabled, menu_row(action.title, &keys))
                            .clicked()
                        {
                            chosen = Some(action.id);
                        }
                    }
                });
            });
        let escaped = ui.input(|input| input.key_pressed(egui::Key::Escape));
        let outside = !menu.fresh && area.response.clicked_elsewhere();
        menu.fresh = false;
        if let Some(from) = quick_add {
            self.open_quick_add(menu.at, from);
        } else if let Some(id) = chosen {
            let ctx = ui.ctx().clone();
            self.perform(&ctx, id);
        } else if !escaped && !outside {
            self.canvas.menu = Some(menu);
        }
    }
}

/// A row of a menu: what it does, and its keys on the right.
pub(crate) fn menu_row<'a>(title: &'a str, keys: &str) -> egui::Button<'a> {
    egui::Button::new(title)
        .frame_when_inactive(false)
        .shortcut_text(keys.to_owned())
        .min_size(egui::vec2(210.0, 0.0))
}
