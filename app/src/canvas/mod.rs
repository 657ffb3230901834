//! The canvas: draws a flow and turns gestures and keys into intents. It changes nothing itself.

mod camera;
mod draw;
mod gesture;
mod ghost;
mod hit;
mod icons;
pub mod intent;
mod keys;
mod live;
mod minimap;
mod paint;
mod rules;
mod scene;
mod speak;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use egui::{CursorIcon, Key, Pos2, Rect, Response, Role, Sense, Ui, Vec2, WidgetInfo, vec2};
use graph_model::catalog::{Catalog, Family};
use graph_model::document::Document;
use graph_model::id::{EdgeId, NodeId, PortRef};
use graph_model::pointer::Pointer;
use graph_model::validate::Known;
use runtime_protocol::{Counters, RunState};

use crate::theme::{Severity, Tokens};

pub use camera::Camera;
pub use intent::{End, Intent, Item, PortSide, QuickAddFrom, SelectMode, Target};

use gesture::{Contact, ContactKind, Frame, Gesture};
use hit::Hit;
use keys::KeyWire;
use live::Live;
use paint::{Brush, Detail};
use scene::Scene;
use text::Texts;

/// Width of the rim of the canvas that does not take the pointer.
const RIM: f32 = 5.0;
/// How near to a wire a kind is dropped on it, in points of the screen.
const DROP_REACH: f32 = 14.0;
/// Magnification at which a large flow is opened.
const READABLE: f32 = 0.4;
/// Nodes in sight that are drawn finely, and whose ports assistive technology is told of, at any
/// magnification.
const PORTS_SPOKEN_MAX: usize = 200;

/// Everything the canvas looks at. Borrowed: nothing is copied from frame to frame.
#[derive(Clone, Copy)]
pub struct CanvasInput<'a> {
    pub document: &'a Document,
    /// Another number whenever the document is another: shapes are kept per revision.
    pub revision: u64,
    pub catalog: &'a Catalog,
    pub selection: &'a BTreeSet<Item>,
    /// Hazards of nodes and edges.
    pub hazards: &'a BTreeMap<Item, HazardMark>,
    /// The last snapshot of a run.
    pub counters: Option<&'a Counters>,
    /// Events per second along edges.
    pub rates: Option<&'a BTreeMap<EdgeId, f64>>,
    pub run: RunState,
    /// A path to stand out; the rest steps back. Empty: nothing does.
    pub highlight: &'a BTreeSet<Item>,
    /// Edges whose events are being looked at.
    pub tapped: &'a BTreeSet<EdgeId>,
    /// Outputs at which a followed field leaves, and what holds it there; the rest steps back.
    pub flow: Option<&'a BTreeMap<PortRef, Vec<Pointer>>>,
    /// What is known of the events at the port that is pointed at, for assistive technology.
    pub known: Option<(&'a PortRef, &'a [Known])>,
    /// Nodes that are not as they were deployed.
    pub changed: &'a BTreeSet<NodeId>,
    /// What the document would be after a fix, drawn over it.
    pub ghost: Option<Ghost<'a>>,
    /// A kind is being dragged in: the wire under the pointer would take it.
    pub incoming: bool,
    /// Whether keys may be taken: false while a dialog, a palette or a menu is open.
    pub keyboard: bool,
    /// Whether anything may move by itself; people can ask for stillness.
    pub animate: bool,
    /// Events that an edge holds when it does not say, for load bars.
    pub default_capacity: u32,
    pub tokens: &'a Tokens,
}

/// The hazards of one node or edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HazardMark {
    /// The gravest of them.
    pub severity: Severity,
    pub count: u32,
    /// Their messages, one a line, for the hover.
    pub text: String,
}

/// A document that might be.
#[derive(Clone, Copy)]
pub struct Ghost<'a> {
    pub document: &'a Document,
    pub revision: u64,
    /// In what it differs from the one that is.
    pub marks: &'a BTreeMap<Item, Mark>,
}

/// What would become of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    Added,
    Removed,
    Changed,
}

/// What the canvas remembers between frames.
#[derive(Default)]
pub struct CanvasView {
    pub camera: Camera,
    scene: Scene,
    revision: Option<u64>,
    ghost: Option<(u64, Scene)>,
    texts: Texts,
    live: Live,
    gesture: Option<Gesture>,
    key_wire: Option<KeyWire>,
    wire_wanted: bool,
    /// What is being selected by a frame.
    marquee: Option<(Rect, BTreeSet<Item>)>,
    /// The wire that something would be put on.
    opened: Option<usize>,
    /// Where the loose end of a wire is, in the document.
    loose_end: Option<Pos2>,
    /// The flow was shown before.
    fitted: bool,
}

impl CanvasView {
    /// Makes the shapes of the document when they are those of another one.
    pub fn read(&mut self, document: &Document, revision: u64, catalog: &Catalog) {
        if self.revision != Some(revision) {
            self.scene = Scene::new(document, catalog);
            self.revision = Some(revision);
            self.gesture = None;
            self.key_wire = None;
            self.opened = None;
            self.marquee = None;
        }
    }

    /// Shows everything.
    pub fn fit(&mut self, canvas: Rect) {
        match self.scene.bounds {
            Some(bounds) => self.camera.fit(canvas, bounds),
            None => self.camera = Camera::default(),
        }
    }

    /// Shows everything, or of a large flow where it begins, large enough to read.
    pub fn open(&mut self, canvas: Rect) {
        self.fit(canvas);
        if let Some(bounds) = self.scene.bounds
            && self.camera.zoom < READABLE * 0.75
        {
            self.camera.zoom = READABLE;
            let free = canvas.size() - bounds.size() * READABLE;
            let air = vec2(24.0, 24.0);
            self.camera.offset = (free / 2.0).max(air) - bounds.min.to_vec2() * READABLE;
        }
    }

    /// Moves just as far as needed to show the items, those that a preview would add among them. So much
    /// of the canvas, in points from above, is covered by something else.
    pub fn reveal<'i>(
        &mut self,
        canvas: Rect,
        covered: f32,
        items: impl IntoIterator<Item = &'i Item>,
    ) {
        let ghost = self.ghost.as_ref().map(|(_, scene)| scene);
        let place_in = |scene: &Scene, item: &Item| match item {
            Item::Node(id) => scene.node(id).map(|node| scene.nodes[node].rect),
            Item::Edge(id) => scene
                .edge(id)
                .map(|edge| Rect::from_points(&scene.edges[edge].curve())),
            Item::Zone(id) => scene
                .zones
                .iter()
                .find(|zone| zone.id == *id)
                .map(|zone| zone.rect),
            Item::Note(id) => scene
                .notes
                .iter()
                .find(|note| note.id == *id)
                .map(|note| note.rect),
        };
        let place = |item| {
            place_in(&self.scene, item).or_else(|| ghost.and_then(|scene| place_in(scene, item)))
        };
        let bounds = items.into_iter().filter_map(place).reduce(Rect::union);
        if let Some(mut bounds) = bounds {
            bounds.min.y -= covered / self.camera.zoom;
            self.camera.reveal(canvas, bounds);
        }
    }

    /// A drag or a wire is under way: Escape ends that and nothing else.
    pub fn busy(&self) -> bool {
        self.gesture.is_some() || self.key_wire.is_some()
    }

    /// Where a port is on the screen, and on which side of its node.
    pub fn port_at(&self, canvas: Rect, port: &PortRef) -> Option<(Pos2, PortSide)> {
        let sides = [PortSide::Output, PortSide::Input].into_iter();
        let mut found = sides.filter_map(|side| Some((self.scene.port(port, side)?, side)));
        let (place, side) = found.next()?;
        let at = self.camera.to_screen(canvas, self.scene.port_at(place));
        Some((at, side))
    }

    /// Starts a wire at the selected node, to be led to its end by keyboard.
    pub fn start_wire(&mut self) {
        self.wire_wanted = true;
    }

    /// The wire under a point of the screen.
    pub fn wire_at(&self, canvas: Rect, screen: Pos2) -> Option<EdgeId> {
        let edge = self.wire_near(canvas, screen)?;
        Some(self.scene.edges[edge].id.clone())
    }

    fn wire_near(&self, canvas: Rect, screen: Pos2) -> Option<usize> {
        let at = self.camera.to_document(canvas, screen);
        self.scene.edge_at(at, DROP_REACH / self.camera.zoom)
    }
}

/// Shows the flow in all the room that is left; answers what the person wants.
pub fn show(ui: &mut Ui, input: &CanvasInput<'_>, view: &mut CanvasView) -> Vec<Intent> {
    let canvas = ui.available_rect_before_wrap();
    view.read(input.document, input.revision, input.catalog);
    if !view.fitted && view.scene.bounds.is_some() && canvas.is_positive() {
        view.fitted = true;
        view.open(canvas);
    }
    let mut out = Vec::new();
    // The rim is left to the panels, which are resized by their edges.
    let background = ui.interact(
        canvas.shrink(RIM),
        ui.scope_id().with("canvas"),
        Sense::click_and_drag(),
    );
    background.widget_info(|| WidgetInfo::labeled(Role::Canvas, true, "Canvas"));
    navigate(ui, &background, canvas, view);
    keys::run(ui, input, view, canvas, &mut out);

    let painter = ui.painter_at(canvas);
    let detail = Detail::at(view.camera.zoom);
    let pointer = ui.input(|input| input.pointer.latest_pos());
    let over = ui
        .input(|input| input.pointer.hover_pos())
        .filter(|at| canvas.contains(*at) && ui.ctx().layer_id_at(*at) == Some(ui.layer_id()));
    let hit_at = |at: Pos2| {
        let at = view.camera.to_document(canvas, at);
        view.scene.hit(at, 1.0 / view.camera.zoom, detail, |item| {
            input.selection.contains(item)
        })
    };
    let hover = over.map_or(Hit::Canvas, hit_at);
    // A drag is of what was pressed, wherever the pointer has got to since.
    let held = ui
        .input(|input| input.pointer.press_origin())
        .filter(|_| background.drag_started())
        .map_or(hover, hit_at);
    let visible = view.camera.visible(canvas).expand(20.0);
    let shown: Vec<usize> = view
        .scene
        .nodes
        .iter()
        .enumerate()
        .filter(|(_, node)| node.rect.intersects(visible))
        .map(|(index, _)| index)
        .collect();

    let mut contacts = Vec::new();
    touch(&background, held, &mut contacts);
    let focused = speak::speak(ui, input, view, canvas, detail, &shown, &mut contacts);
    let frame = Frame {
        ui,
        input,
        canvas,
        modifiers: ui.input(|input| input.modifiers),
        pointer,
    };
    gesture::run(&frame, view, &contacts, &mut out);
    if view.gesture.is_none() {
        view.opened = pointer
            .filter(|at| input.incoming && canvas.contains(*at))
            .and_then(|at| view.wire_near(canvas, at));
    }
    point(ui, input, view, hover, over, focused, &mut out);

    let now = ui.input(|input| input.time);
    view.live.follow(input.counters, input.animate, now);
    view.texts.begin(&painter);
    let mut texts = std::mem::take(&mut view.texts);
    let mut brush = Brush {
        painter: &painter,
        tokens: input.tokens,
        camera: view.camera,
        canvas,
        crowded: shown.len() > PORTS_SPOKEN_MAX,
        texts: &mut texts,
        shapes: Vec::new(),
    };
    painter.rect_filled(canvas, 0.0, input.tokens.surface);
    draw::draw(&mut brush, input, view, &shown, hover, focused);
    brush.finish();
    view.texts = texts;

    run_marks(ui, input, view, canvas, &shown, &mut out);
    minimap::show(ui, canvas, &mut view.camera, &view.scene, input.tokens);
    zoom_bar(ui, canvas, view, input.tokens);
    out
}

/// Wheel, pinch and middle button move and magnify the view.
fn navigate(ui: &Ui, background: &Response, canvas: Rect, view: &mut CanvasView) {
    let Some(pointer) = ui.input(|input| input.pointer.hover_pos()) else {
        return;
    };
    if !canvas.contains(pointer) || ui.ctx().layer_id_at(pointer) != Some(background.layer_id) {
        return;
    }
    let (zoom, scroll) = ui.input(|input| (input.zoom_delta(), input.smooth_scroll_delta()));
    if (zoom - 1.0).abs() > f32::EPSILON {
        view.camera.zoom_at(canvas, pointer, zoom);
    }
    view.camera.offset += scroll;
}

/// Notes what the pointer did to a widget.
fn touch(response: &Response, hit: Hit, contacts: &mut Vec<Contact>) {
    let mut push = |kind| contacts.push(Contact { hit, kind });
    if response.drag_started() {
        push(ContactKind::Drag);
    }
    if response.double_clicked() {
        push(ContactKind::DoubleClick);
    } else if response.clicked() {
        push(ContactKind::Click);
    }
    if response.secondary_clicked() {
        push(ContactKind::Menu);
    }
}

/// While a flow runs, each source in sight can be asked for an event.
fn run_marks(
    ui: &Ui,
    input: &CanvasInput<'_>,
    view: &mut CanvasView,
    canvas: Rect,
    shown: &[usize],
    out: &mut Vec<Intent>,
) {
    if input.run == RunState::Stopped || Detail::at(view.camera.zoom) != Detail::Full {
        return;
    }
    let painter = ui.painter_at(canvas);
    let mut brush = Brush {
        painter: &painter,
        tokens: input.tokens,
        camera: view.camera,
        canvas,
        crowded: shown.len() > PORTS_SPOKEN_MAX,
        texts: &mut view.texts,
        shapes: Vec::new(),
    };
    for index in shown {
        let node = &view.scene.nodes[*index];
        if node.family != Some(Family::Source) || node.disabled {
            continue;
        }
        let card = brush.rect(node.rect);
        let side = 24.0 * view.camera.zoom;
        let at = card.right_top() + vec2(-18.0, 18.0) * view.camera.zoom;
        let rect = Rect::from_center_size(at, Vec2::splat(side));
        let response = ui.interact(rect, node.widget.with("run mark"), Sense::click());
        response.widget_info(|| {
            let name = format!("Send an event from {}", node.id);
            WidgetInfo::labeled(Role::Button, true, name)
        });
        brush.run_mark(rect, response.hovered() || response.has_focus());
        if response.clicked() {
            out.push(Intent::InjectFrom {
                source: node.id.clone(),
            });
        }
    }
    brush.finish();
}

/// What resting the pointer shows: cursor, hazards, what a port is for.
fn point(
    ui: &Ui,
    input: &CanvasInput<'_>,
    view: &CanvasView,
    hover: Hit,
    over: Option<Pos2>,
    focused: Option<Hit>,
    out: &mut Vec<Intent>,
) {
    if view.gesture.is_some() {
        return;
    }
    let space = input.keyboard && ui.input(|input| input.key_down(Key::Space));
    if over.is_some() {
        let cursor = match hover {
            _ if space => CursorIcon::Grab,
            Hit::Port(..) => CursorIcon::Crosshair,
            Hit::Edge(_) | Hit::Node(_) => CursorIcon::PointingHand,
            Hit::ZoneCorner(_, 0 | 2) | Hit::NoteCorner(_, 0 | 2) => CursorIcon::ResizeNwSe,
            Hit::ZoneCorner(..) | Hit::NoteCorner(..) => CursorIcon::ResizeNeSw,
            Hit::Canvas | Hit::Zone(_) | Hit::Note(_) => CursorIcon::Default,
        };
        ui.ctx().set_cursor_icon(cursor);
    }
    let port = match (hover, focused) {
        (Hit::Port(node, port), _) if over.is_some() => Some((node, port)),
        (_, Some(Hit::Port(node, port))) => Some((node, port)),
        _ => None,
    };
    let port = port.map(|port| view.scene.port_ref(port));
    out.push(Intent::HoverPort { port });
}

/// Buttons for the magnification in the corner of the canvas.
fn zoom_bar(ui: &mut Ui, canvas: Rect, view: &mut CanvasView, tokens: &Tokens) {
    const SIDE: f32 = 26.0;
    const PERCENT: f32 = 52.0;
    if canvas.width() < 300.0 || canvas.height() < 160.0 {
        return;
    }
    let size = vec2(SIDE * 3.0 + PERCENT, SIDE);
    let bar = Rect::from_min_size(canvas.left_bottom() + vec2(12.0, -12.0 - SIDE), size);
    let painter = ui.painter_at(bar.expand(1.0));
    painter.rect(
        bar,
        6,
        tokens.panel,
        egui::Stroke::new(1.0, tokens.line),
        egui::StrokeKind::Inside,
    );
    let mut left = bar.min.x;
    let mut button = |name: &str, width: f32| {
        let rect = Rect::from_min_size(egui::pos2(left, bar.min.y), vec2(width, SIDE));
        left += width;
        let response = ui.interact(rect, ui.scope_id().with(("zoom bar", name)), Sense::click());
        response.widget_info(|| WidgetInfo::labeled(Role::Button, true, name));
        if response.hovered() {
            painter.rect_filled(rect.shrink(2.0), 4, tokens.hover);
        }
        if response.has_focus() {
            painter.rect_stroke(
                rect.shrink(2.0),
                4,
                egui::Stroke::new(1.5, tokens.focus),
                egui::StrokeKind::Inside,
            );
        }
        (response.on_hover_text(name), rect.center())
    };
    let stroke = egui::Stroke::new(1.5, tokens.text);
    let (out, at) = button("Show the flow smaller", SIDE);
    painter.line_segment([at - vec2(5.0, 0.0), at + vec2(5.0, 0.0)], stroke);
    let (reset, middle) = button("Show the flow at actual size", PERCENT);
    let (larger, at) = button("Show the flow larger", SIDE);
    painter.line_segment([at - vec2(5.0, 0.0), at + vec2(5.0, 0.0)], stroke);
    painter.line_segment([at - vec2(0.0, 5.0), at + vec2(0.0, 5.0)], stroke);
    let (fit, at) = button("Show the whole flow", SIDE);
    let frame = Rect::from_center_size(at, vec2(12.0, 10.0));
    painter.rect_stroke(frame, 2, stroke, egui::StrokeKind::Inside);
    painter.text(
        middle,
        egui::Align2::CENTER_CENTER,
        format!("{:.0} %", view.camera.zoom * 100.0),
        egui::FontId::proportional(crate::theme::size::SMALL),
        tokens.text,
    );
    if out.clicked() {
        view.camera.zoom_at(canvas, canvas.center(), 0.8);
    }
    if reset.clicked() {
        let factor = 1.0 / view.camera.zoom;
        view.camera.zoom_at(canvas, canvas.center(), factor);
    }
    if larger.clicked() {
        view.camera.zoom_at(canvas, canvas.center(), 1.25);
    }
    if fit.clicked() {
        view.fit(canvas);
    }
}
