//! The canvas: draws a flow and turns gestures and keys into intents. It changes nothing itself.

mod camera;
pub mod intent;
#[expect(dead_code, reason = "gestures, which use the rest, follow")]
mod scene;

use std::collections::{BTreeMap, BTreeSet};

use egui::{Rect, Role, Sense, Stroke, Ui, WidgetInfo};
use graph_model::catalog::Catalog;
use graph_model::document::Document;
use graph_model::id::{EdgeId, NodeId};
use runtime_protocol::{Counters, RunState};

use crate::theme::{Severity, Tokens};

pub use camera::Camera;
pub use intent::{End, Intent, Item, PortSide, QuickAddFrom, SelectMode, Target};

use scene::Scene;

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
    pub run: RunState,
    /// A path to stand out; the rest steps back. Empty: nothing does.
    pub highlight: &'a BTreeSet<Item>,
    /// Edges whose events are being looked at.
    pub tapped: &'a BTreeSet<EdgeId>,
    /// Nodes that are not as they were deployed.
    pub changed: &'a BTreeSet<NodeId>,
    /// What the document would be after a fix, drawn over it.
    pub ghost: Option<Ghost<'a>>,
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
}

/// What the canvas remembers between frames.
#[derive(Default)]
pub struct CanvasView {
    pub camera: Camera,
    scene: Scene,
    revision: Option<u64>,
}

/// Shows the flow in all the room that is left; answers what the person wants.
pub fn show(ui: &mut Ui, input: &CanvasInput<'_>, view: &mut CanvasView) -> Vec<Intent> {
    if view.revision != Some(input.revision) {
        view.scene = Scene::new(input.document, input.catalog);
        view.revision = Some(input.revision);
    }
    let canvas = ui.available_rect_before_wrap();
    let mut intents = Vec::new();
    let background = ui.interact(
        canvas,
        ui.scope_id().with("canvas"),
        Sense::click_and_drag(),
    );
    let painter = ui.painter_at(canvas);
    painter.rect_filled(canvas, 0.0, input.tokens.surface);
    for edge in &view.scene.edges {
        let points = edge.curve().map(|at| view.camera.to_screen(canvas, at));
        painter.line(points.to_vec(), Stroke::new(1.5, input.tokens.wire));
    }
    for node in &view.scene.nodes {
        let rect: Rect = view.camera.rect_to_screen(canvas, node.rect);
        let item = Item::Node(node.id.clone());
        let selected = input.selection.contains(&item);
        let line = if selected {
            input.tokens.accent
        } else {
            input.tokens.line
        };
        painter.rect(
            rect,
            6.0,
            input.tokens.raised,
            Stroke::new(1.0, line),
            egui::StrokeKind::Inside,
        );
        painter.text(
            rect.left_top() + egui::vec2(10.0, 8.0),
            egui::Align2::LEFT_TOP,
            &node.title,
            egui::FontId::proportional(13.0),
            input.tokens.text,
        );
        let response = ui.interact(rect, ui.scope_id().with(&node.id), Sense::click());
        response
            .widget_info(|| WidgetInfo::selected(Role::ListItem, true, selected, node.spoken()));
        if response.double_clicked() {
            intents.push(Intent::OpenEditor {
                node: node.id.clone(),
            });
        } else if response.clicked() {
            intents.push(Intent::Select {
                items: BTreeSet::from([item]),
                mode: SelectMode::Replace,
            });
        }
    }
    if background.clicked() {
        intents.push(Intent::Select {
            items: BTreeSet::new(),
            mode: SelectMode::Replace,
        });
    }
    intents
}
