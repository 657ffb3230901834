//! The designer: everything in the window, drawn once a frame.

mod intents;
mod running;

use std::collections::{BTreeMap, BTreeSet};

use egui::{Context, ThemePreference, Ui};
use graph_model::catalog::Catalog;
use graph_model::edit::Transaction;
use graph_model::format;
use graph_model::id::NodeId;
use runtime_protocol::{Problem, RunState, Transport};

use crate::actions;
use crate::canvas::intent::{Item, PortSide, QuickAddFrom};
use crate::canvas_pane::CanvasPane;
use crate::dialogs::Dialog;
use crate::files::{Files, SETTINGS};
use crate::follow::Follow;
use crate::graph_edits;
use crate::host::{Ask, Host, Location};
use crate::keymap::Keymap;
use crate::overlays::Overlays;
use crate::palette::Palette;
use crate::panels::Panels;
use crate::quick_add::QuickAdd;
use crate::requests::{Request, Requests};
use crate::session::{Session, TroubleKind};
use crate::showing::{Showing, Watch};
use crate::state::State;
use crate::theme;
use crate::trust::Trust;
use crate::view::{Overlay, Region, Settings, SideTab, View};
use crate::widgets::picker;

/// Seconds for which the status bar shows what was done last.
const SAYING_SECONDS: f64 = 6.0;
/// Seconds after which the host is asked again which day it is.
const DAY_ASKED_SECONDS: f64 = 1.0;

/// The designer. A host makes one and draws it every frame.
pub struct Designer {
    pub(crate) host: Box<dyn Host>,
    pub(crate) state: State,
    pub(crate) session: Session,
    pub(crate) files: Files,
    pub(crate) trust: Trust,
    pub(crate) view: View,
    pub(crate) canvas: CanvasPane,
    pub(crate) keymap: Keymap,
    pub(crate) dialog: Option<Dialog>,
    /// The open dialog was drawn before.
    pub(crate) dialog_shown: bool,
    pub(crate) quick_add: Option<QuickAdd>,
    pub(crate) overlays: Overlays,
    pub(crate) palette: Palette,
    pub(crate) panels: Panels,
    /// Time of this frame in seconds.
    pub(crate) now: f64,
    /// When the host was asked last which day it is.
    day_asked: Option<f64>,
    said: Option<(String, f64)>,
    /// Nodes and edges that stand out on the canvas.
    pub(crate) highlight: BTreeSet<Item>,
    /// The field whose way stands out.
    pub(crate) follow: Option<Follow>,
    /// A hazard that is shown happening.
    pub(crate) showing: Option<Showing>,
    /// The finding that F4 went to last.
    pub(crate) hazard_at: Option<usize>,
    /// The revision that was seen last, to notice changes of the document.
    seen_revision: u64,
    /// Nodes as they were when last deployed, to mark what changed since.
    deployed_nodes: BTreeMap<NodeId, std::sync::Arc<graph_model::document::Node>>,
    /// The text of a flow that somebody else made the one that runs, while another one is shown.
    pub(crate) others_flow: Option<String>,
    /// The line to the engine has told that it ended.
    line_ended: bool,
    /// The recent files that the menus of the desktop show.
    menus_of: Option<Vec<Location>>,
    title: String,
    started: bool,
    /// The host has said what it had stored.
    recalled: bool,
}

impl Designer {
    /// A designer on an empty flow. Without a transport it edits and checks, but runs nothing.
    pub fn new(
        host: Box<dyn Host>,
        catalog: &'static Catalog,
        transport: Option<Box<dyn Transport>>,
    ) -> Designer {
        let state = State::new(catalog);
        Designer {
            host,
            seen_revision: state.revision(),
            state,
            session: Session::new(transport),
            files: Files::default(),
            trust: Trust::new(&[]),
            view: View::new(&Settings::default()),
            canvas: CanvasPane::default(),
            keymap: Keymap::default(),
            dialog: None,
            dialog_shown: false,
            quick_add: None,
            overlays: Overlays::default(),
            palette: Palette::default(),
            panels: Panels::default(),
            now: 0.0,
            day_asked: None,
            said: None,
            highlight: BTreeSet::new(),
            follow: None,
            showing: None,
            hazard_at: None,
            deployed_nodes: BTreeMap::new(),
            others_flow: None,
            line_ended: false,
            menus_of: None,
            title: String::new(),
            started: false,
            recalled: false,
        }
    }

    /// Opens a file as soon as the host has read it. For the file that the program was started on.
    pub fn start_with(&mut self, location: Location) {
        self.host.ask(Ask::Read(location));
    }

    /// Draws the whole designer and does what the user asks.
    pub fn ui(&mut self, ui: &mut Ui) {
        let ctx = ui.ctx().clone();
        self.now = ctx.time();
        if !self.started {
            self.started = true;
            theme::install(&ctx);
        }
        self.session.tick(self.now);
        if self.session.poll() {
            ctx.request_repaint();
        }
        self.follow_showing(&ctx);
        self.follow_line();
        self.follow_others();
        self.follow_calendar();
        self.recall_if_ready(&ctx);
        self.hear_host(&ctx);
        self.read_keys(&ctx);
        let mut requests = Requests::new();
        self.draw(ui, &mut requests);
        self.end_typing_without_focus(&ctx);
        for request in requests {
            self.fulfil(&ctx, request);
        }
        self.follow_document(&ctx);
        self.session.acknowledge();
        self.show_menus(&ctx);
        self.name_window();
    }

    /// Takes up the settings and the unsaved work of an earlier run, once the host knows them.
    fn recall_if_ready(&mut self, ctx: &Context) {
        if self.recalled || !self.host.ready() {
            return;
        }
        self.recalled = true;
        let settings: Settings = self
            .host
            .stored(SETTINGS)
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default();
        self.trust.recall(&settings.trusted);
        self.view = View::new(&settings);
        let recent = settings.recent_files.into_iter().map(Location);
        self.files.recall(recent.collect());
        ctx.set_theme(self.view.theme);
        self.offer_recovery();
    }

    /// Notices, now and then, that another day has come.
    fn follow_calendar(&mut self) {
        if self
            .day_asked
            .is_none_or(|at| self.now - at >= DAY_ASKED_SECONDS)
        {
            self.day_asked = Some(self.now);
            self.state.set_today(self.host.today());
        }
    }

    /// Performs the action of this name when it can be done now.
    pub(crate) fn perform(&mut self, ctx: &Context, id: &str) {
        if let Some(action) = actions::by_id(id)
            && (action.when)(self)
        {
            (action.perform)(self, ctx);
        }
    }

    /// Makes a change that is undone on its own.
    pub(crate) fn edit(&mut self, transaction: Transaction) {
        if self.refuses_edits() {
            return;
        }
        let now = self.now;
        self.state.apply(transaction, now);
    }

    /// Whether the document is not to be changed here; says so.
    fn refuses_edits(&mut self) -> bool {
        let refuses = self.session.looks_on();
        if refuses {
            self.say("you look on here; ask for the operator's link to change the flow".to_owned());
        }
        refuses
    }

    /// Shows a line in the status bar for a while.
    pub(crate) fn say(&mut self, line: String) {
        self.said = Some((line, self.now));
    }

    /// Adds a line to the log.
    pub(crate) fn log(&mut self, line: String) {
        self.session.report(TroubleKind::Note, Problem::new(line));
    }

    /// The line that the status bar shows.
    pub(crate) fn said(&self) -> Option<&str> {
        self.said
            .as_ref()
            .filter(|(_, at)| self.now - at < SAYING_SECONDS)
            .map(|(line, _)| line.as_str())
    }

    /// Stores a text with the host; a failure is told in the log.
    pub(crate) fn store(&mut self, name: &str, text: Option<&str>) {
        self.host.ask(Ask::Store {
            name: name.to_owned(),
            text: text.map(str::to_owned),
        });
    }

    pub(crate) fn keep_settings(&mut self) {
        if !self.recalled {
            return; // those of an earlier run are not known yet
        }
        let settings = Settings {
            theme: self.view.theme.into(),
            sizes: self.view.sizes,
            still: self.view.still,
            palette_open: self.view.palette_open,
            side_open: self.view.side_open,
            bottom_open: self.view.bottom_open,
            recent_kinds: self.view.recent_kinds.clone(),
            recent_files: self
                .files
                .recent
                .iter()
                .map(|location| location.0.clone())
                .collect(),
            trusted: self.trust.places().cloned().collect(),
            author: self.view.author.clone(),
        };
        if let Ok(text) = serde_json::to_string_pretty(&settings) {
            self.store(SETTINGS, Some(&text));
        }
    }

    pub(crate) fn set_theme(&mut self, ctx: &Context, theme: ThemePreference) {
        self.view.theme = theme;
        ctx.set_theme(theme);
        self.keep_settings();
    }

    pub(crate) fn open_overlay(&mut self, overlay: Overlay) {
        self.quick_add = None;
        self.overlays.reset();
        self.view.overlay = Some(overlay);
    }

    pub(crate) fn show_start_page(&mut self) {
        self.dialog = Some(Dialog::Start);
    }

    pub(crate) fn open_quick_add(&mut self, at: (i32, i32), from: QuickAddFrom) {
        self.view.overlay = None;
        self.quick_add = Some(QuickAdd::new(at, from));
    }

    /// Where new things go: under the pointer, or in the middle of what is shown.
    pub(crate) fn paste_place(&self) -> (i32, i32) {
        graph_edits::free_place(self.state.document(), self.canvas.place())
    }

    /// Where pasted things go: under the pointer when that is on the canvas.
    pub(crate) fn pointed_place(&self, ctx: &Context) -> (i32, i32) {
        ctx.pointer_latest_pos()
            .and_then(|pointer| self.canvas.place_at(pointer))
            .unwrap_or_else(|| self.paste_place())
    }

    /// Where a node that continues the selected one would go, and what it would be joined with.
    pub(crate) fn place_to_go_on(&self) -> ((i32, i32), QuickAddFrom) {
        if let Some(Item::Node(id)) = self.state.sole()
            && let Some(port) = self.free_output(id)
        {
            let at = graph_edits::place_after(self.state.document(), id);
            return (at, QuickAddFrom::Port(port, PortSide::Output));
        }
        (self.paste_place(), QuickAddFrom::Nothing)
    }

    /// Whether a dialog or list above the window takes the keyboard.
    pub(crate) fn covered(&self) -> bool {
        self.dialog.is_some() || self.quick_add.is_some() || self.view.overlay.is_some()
    }

    pub(crate) fn focus_title(&mut self) {
        self.view.show_side(SideTab::Properties);
        self.view.region = Region::Side;
        self.panels.properties.focus_title();
    }

    pub(crate) fn reveal_selection(&mut self) {
        let items = self.state.selection().clone();
        self.canvas.reveal(items);
    }

    pub(crate) fn next_hazard(&mut self, step: isize) {
        let count = self.state.findings().len() as isize;
        if count == 0 {
            return;
        }
        let at = match self.hazard_at {
            Some(at) => (at as isize + step).rem_euclid(count),
            None if step < 0 => count - 1,
            None => 0,
        } as usize;
        self.hazard_at = Some(at);
        self.state.set_preview(None);
        self.view.show_bottom(crate::view::BottomTab::Hazards);
        self.panels.hazards.choose(at);
        let finding = &self.state.findings()[at];
        self.highlight = finding.path.iter().cloned().collect();
        if let Some(item) = finding.subject.clone() {
            self.reveal(item);
        }
    }

    pub(crate) fn reveal(&mut self, item: Item) {
        self.state.select(BTreeSet::from([item.clone()]));
        self.canvas.reveal(BTreeSet::from([item]));
    }

    pub(crate) fn move_region(&mut self, ctx: &Context, step: isize) {
        let open = |region: &Region| match region {
            Region::Palette => self.view.palette_open,
            Region::Canvas => true,
            Region::Side => self.view.side_open,
            Region::Bottom => self.view.bottom_open,
        };
        let regions: Vec<Region> = Region::ALL.into_iter().filter(open).collect();
        let at = regions
            .iter()
            .position(|region| *region == self.view.region)
            .unwrap_or(0) as isize;
        let next = (at + step).rem_euclid(regions.len() as isize) as usize;
        if let Some(focused) = ctx.memory(egui::Memory::focused) {
            ctx.memory_mut(|memory| memory.surrender_focus(focused));
        }
        self.view.focus(regions[next]);
    }

    /// Another document took the place of the one that was open.
    pub(crate) fn documents_differ(&mut self) {
        self.highlight.clear();
        self.follow = None;
        self.showing = None;
        self.session.forget_sought();
        self.session.forget_tested();
        self.hazard_at = None;
        self.quick_add = None;
        self.view.overlay = None;
        self.seen_revision = self.state.revision();
        // Its engine was stopped when a recorded run took its place.
        let played = self.session.close_recorded();
        if self.session.active() && self.session.deployed_here() && !played {
            self.session.stop();
            self.log("stopped: another flow was opened".to_owned());
        }
        self.session.clear_events();
        if self.others_flow.as_ref() == Some(&format::write(self.state.document())) {
            self.others_flow = None;
            self.runs_as_shown();
        }
    }

    /// The document became another one that is the same work still.
    fn follow_replaced(&mut self) {
        self.highlight.clear();
        self.hazard_at = None;
        self.quick_add = None;
        self.seen_revision = self.state.revision();
    }

    fn read_keys(&mut self, ctx: &Context) {
        let dialog_open = self.dialog.is_some();
        if dialog_open {
            return;
        }
        if self.covered() || picker::is_open(ctx) {
            // The list above the window has its own keys.
            return;
        }
        if self.canvas.busy() {
            // So has a drag, and a wire that is being drawn.
            return;
        }
        let focus = ctx.memory(egui::Memory::focused);
        let tab_adds = focus.is_none() || self.canvas.has_focus(ctx);
        if tab_adds && self.read_preview_keys(ctx) {
            return;
        }
        let pressed = self.keymap.read(ctx, tab_adds);
        if let Some(text) = pressed.pasted {
            let at = self.pointed_place(ctx);
            actions::paste(self, &text, at);
        }
        for id in pressed.actions {
            self.perform(ctx, id);
        }
        let on_canvas = focus.is_none() || self.canvas.has_focus(ctx);
        if ctx.input(|input| input.key_pressed(egui::Key::Escape)) && on_canvas {
            if self.follow.take().is_some() {
                return;
            }
            if self.showing.is_some() {
                return self.watch(Watch::Close);
            }
            self.highlight.clear();
            if !self.state.selection().is_empty() {
                self.state.select(BTreeSet::new());
            }
        }
    }

    /// Typing ends when the keyboard leaves the field.
    fn end_typing_without_focus(&mut self, ctx: &Context) {
        if let Some(field) = self.state.typing()
            && ctx.memory(egui::Memory::focused) != Some(field)
        {
            self.state.end_typing();
        }
    }

    fn fulfil(&mut self, ctx: &Context, request: Request) {
        match request {
            Request::Do(id) => self.perform(ctx, id),
            Request::Edit(transaction) => self.edit(transaction),
            Request::Type(field, transaction) => {
                if !self.refuses_edits() {
                    let now = self.now;
                    self.state.apply_typed(field, transaction, now);
                }
            }
            Request::Select(items) => self.state.select(items),
            Request::Reveal(item) => self.reveal(item),
            Request::ShowType(id) => {
                self.view.show_side(SideTab::Types);
                self.panels.types.choose(id);
            }
            Request::Highlight(items) => self.highlight = items,
            Request::Add { kind, at, from } => self.add_node(&kind, at, &from),
            Request::Preview(preview) => self.state.set_preview(preview),
            Request::Fix(preview) => self.apply_fix(preview),
            Request::Follow(Some((ty, field))) => self.follow_field(ty, field),
            Request::Follow(None) => self.follow = None,
            Request::Copy(text) => {
                ctx.copy_text(text);
                self.say("copied".to_owned());
            }
            Request::EditEvent { target, data, ty } => {
                self.dialog = Some(Dialog::inject(target, &data, ty));
            }
            Request::ReadView(node) => self.session.read_view(&node),
            Request::ReadDeadLetters => self.session.read_dead_letters(),
            Request::CallMe(author) => {
                self.view.author = author;
                self.keep_settings();
            }
            Request::Say(line) => self.say(line),
            Request::ClearLog => self.session.clear_troubles(),
            Request::Seek(to_ms) => self.session.seek(to_ms),
            Request::Speed(speed) => self.session.set_speed(speed),
            Request::ShowMe(finding) => self.show_me(finding),
            Request::RunTests => self.run_tests(),
            Request::Try(question) => self.session.try_out(*question),
            Request::Watch(watch) => self.watch(watch),
        }
        ctx.request_repaint();
    }

    /// Checks, deploys and keeps copies as the document changes.
    fn follow_document(&mut self, ctx: &Context) {
        if self.seen_revision != self.state.revision() {
            self.seen_revision = self.state.revision();
            self.hazard_at = None;
            self.session.document_changed(self.now);
        }
        let now = self.now;
        let clock = || self.host.clock();
        let check_in = self.state.check_if_due(now, clock);
        let deploy_in = self.session.deploy_due_in(now);
        if deploy_in == Some(0.0) {
            if self.blocker().is_some() || self.state.typing().is_some() {
                // Half of something: the next change asks again.
                self.session.hold_deploy();
                if self.state.typing().is_some() && self.blocker().is_none() {
                    self.session.document_changed(now);
                }
            } else if self.dialog.is_some() {
                // An open question comes first.
                self.session.document_changed(now);
            } else if self.may_deploy(false) {
                self.deploy();
            } else {
                self.session.hold_deploy();
            }
        }
        let autosave_in = self.autosave_if_due();
        for due_in in [check_in, deploy_in, autosave_in].into_iter().flatten() {
            ctx.request_repaint_after_secs(due_in.max(0.02) as f32);
        }
        if self.session.active() {
            let plays = self.session.plays() && self.session.state() == RunState::Running;
            ctx.request_repaint_after_secs(if plays { 0.03 } else { 0.1 });
        }
    }

    /// Tells a desktop with menus of its own what is in them.
    fn show_menus(&mut self, ctx: &Context) {
        if self.host.shows_menus() && self.menus_of.as_ref() != Some(&self.files.recent) {
            let menus = actions::desktop_menus(ctx, &self.files.recent);
            self.menus_of = Some(self.files.recent.clone());
            self.host.ask(Ask::Menus(menus));
        }
    }

    fn name_window(&mut self) {
        let mark = if self.state.dirty() { "• " } else { "" };
        let title = format!("{mark}{} – Weir", self.files.name());
        if title != self.title {
            self.host.ask(Ask::Title {
                title: title.clone(),
                unsaved: self.state.dirty(),
            });
            self.title = title;
        }
    }
}
