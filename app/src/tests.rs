//! Tests of the designer through its accessible names, with a host and an engine made for them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use egui::{Key, Modifiers, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use graph_model::catalog::Catalog;
use graph_model::document::Document;
use graph_model::event::{Event, EventContext};
use graph_model::format;
use graph_model::value::Value;
use runtime_protocol::flow_test::{TestDifference, TestTold, TestVerdict};
use runtime_protocol::function::{FunctionCost, Spread, Tried};
use runtime_protocol::witness::Sighting;
use runtime_protocol::{
    Answer, Command, Counters, Notice, Observed, Problem, Request, RunState, Target, Transport,
};

use crate::actions;
use crate::day;
use crate::designer::Designer;
use crate::host::{Ask, Contents, Host, Location, Sample, Stamp, Told};
use crate::showing::tests::twice;
use crate::view::{BottomTab, Overlay, SideTab};

/// What a fake machine holds; shared with the test.
#[derive(Default)]
struct Machine {
    files: BTreeMap<String, Vec<u8>>,
    stored: BTreeMap<String, String>,
    told: Vec<Told>,
    title: String,
    closed: bool,
    /// Since the last day of January.
    days: u32,
}

#[derive(Clone, Default)]
pub(crate) struct FakeHost(Arc<Mutex<Machine>>);

impl FakeHost {
    fn machine(&self) -> std::sync::MutexGuard<'_, Machine> {
        self.0.lock().expect("no test panics while it holds this")
    }

    /// So many days go by.
    pub(crate) fn days_pass(&self, days: u32) {
        self.machine().days += days;
    }

    /// Puts a file there.
    pub(crate) fn put(&self, place: &str, text: &str) {
        self.machine().files.insert(place.to_owned(), text.into());
    }
}

impl Host for FakeHost {
    fn ask(&mut self, ask: Ask) {
        let mut machine = self.machine();
        let told = match ask {
            Ask::PickOpen | Ask::PickSave { .. } => Told::NoDialog,
            Ask::Read(location) => {
                let result = match machine.files.get(location.as_str()) {
                    Some(bytes) => Ok(Contents {
                        bytes: bytes.clone(),
                        stamp: Stamp(1),
                    }),
                    None => Err("no such file".to_owned()),
                };
                Told::Read { location, result }
            }
            Ask::Write { location, bytes } => {
                machine.files.insert(location.as_str().to_owned(), bytes);
                Told::Written {
                    location,
                    result: Ok(Stamp(2)),
                }
            }
            Ask::Complete(path) => Told::Completed {
                path,
                entries: Vec::new(),
            },
            Ask::Store { name, text } => {
                match text {
                    Some(text) => machine.stored.insert(name, text),
                    None => machine.stored.remove(&name),
                };
                return;
            }
            Ask::Title { title, .. } => {
                machine.title = title;
                return;
            }
            Ask::Watch(_) | Ask::OpenLink(_) | Ask::Menus(_) => return,
            Ask::Close => {
                machine.closed = true;
                return;
            }
        };
        machine.told.push(told);
    }

    fn poll(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.machine().told)
    }

    fn stored(&self, name: &str) -> Option<String> {
        self.machine().stored.get(name).cloned()
    }

    fn samples(&self) -> Vec<Sample> {
        vec![Sample {
            location: Location::new("/samples/hello.flow.json"),
            title: "Hello".into(),
            summary: "a minute to understand".into(),
        }]
    }

    fn folder(&self) -> String {
        "/home/me".to_owned()
    }

    fn clock(&self) -> f64 {
        0.0
    }

    fn today(&self) -> String {
        let days = self.machine().days;
        day::after("2027-01-31", days).expect("a day")
    }
}

/// An engine by script: it runs whatever it is given, and shows one event on every wire.
#[derive(Default)]
pub(crate) struct FakeEngine {
    notices: Vec<Notice>,
    flow: Document,
}

impl FakeEngine {
    /// All scripts cost the same.
    fn costs(&self) -> Notice {
        let spread = |typical_us: u64, counts: &[u64]| Spread {
            count: counts.iter().sum(),
            p50_ns: typical_us * 1_000,
            p99_ns: typical_us * 2_200,
            max_ns: typical_us * 9_000,
            doubling: counts.to_vec(),
        };
        let cost = FunctionCost {
            imports: ["output".into(), "state".into()].into(),
            compile_us: 2_400,
            cached: true,
            load_us: 310,
            start: spread(96, &[0, 0, 0, 0, 0, 0, 0, 1, 1]),
            first: spread(240, &[0, 0, 0, 0, 0, 0, 0, 0, 2]),
            warm: spread(54, &[0, 0, 0, 0, 0, 12, 830, 121, 14, 2]),
            peak_bytes: 1_720_320,
            failed: 3,
        };
        let scripts = self
            .flow
            .nodes
            .iter()
            .filter(|(_, node)| node.kind == "script");
        let functions = scripts.map(|(id, _)| (id.clone(), cost.clone()));
        Notice::Counters {
            counters: Counters {
                functions: functions.collect(),
                ..Counters::default()
            },
        }
    }
}

impl Transport for FakeEngine {
    fn send(&mut self, request: Request) -> Result<(), Problem> {
        let mut answer = Answer::Done;
        let state = |state| Notice::State { state };
        match request.command {
            Command::Deploy { flow } => {
                let opened = format::open(flow.as_bytes());
                self.flow = opened
                    .map_err(|error| Problem::new(error.to_string()))?
                    .document;
                answer = Answer::Deployed {
                    kept: 0,
                    started: self.flow.nodes.len() as u32,
                    stopped: 0,
                    addresses: BTreeMap::new(),
                };
            }
            Command::Pause => self.notices.push(state(RunState::Paused)),
            Command::Start | Command::Resume => self.notices.push(state(RunState::Running)),
            Command::Stop => self.notices.push(state(RunState::Stopped)),
            Command::Inject {
                target: Target::Source(_),
                data,
                ..
            } => {
                answer = Answer::Injected { id: "e-1".into() };
                self.notices.push(self.costs());
                let context = EventContext {
                    id: "e-1".into(),
                    source: "test".into(),
                    ..EventContext::default()
                };
                let context = Arc::new(context);
                let seen = self.flow.edges.keys().zip(0..).map(|(edge, seq)| Observed {
                    seq,
                    edge: edge.clone(),
                    at_ms: 12,
                    event: Event {
                        context: Arc::clone(&context),
                        data: data.clone(),
                    },
                });
                self.notices.push(Notice::Observed {
                    batch: 1,
                    events: seen.collect(),
                    skipped: 0,
                });
            }
            Command::Witness { .. } => {
                let play = Box::new(twice());
                answer = Answer::Witness {
                    sighting: Sighting::Seen { play },
                };
            }
            Command::Test { .. } => {
                let tests = vec![TestTold {
                    id: "once".into(),
                    title: "Charged once".into(),
                    verdict: TestVerdict::Failed,
                    runs: 3,
                    of: 32,
                    seed: Some(2),
                    faults: vec!["duplicate at `charge`".to_owned()],
                    differences: vec![TestDifference {
                        node: "charge".into(),
                        what: r#"holds {"order":7}, which is not expected"#.to_owned(),
                    }],
                    problems: Vec::new(),
                }];
                answer = Answer::Tests { tests };
            }
            Command::Try { config, event, .. } => {
                let script = config.get("script").map(Value::to_json).unwrap_or_default();
                let failed = script
                    .contains("throw")
                    .then(|| "line 1:1: thrown".to_owned());
                answer = Answer::Tried {
                    tried: Tried {
                        sent: vec![("out".into(), event)],
                        failed,
                        logged: Vec::new(),
                        start_us: 300,
                        handle_us: 60,
                        peak_bytes: 2 << 20,
                    },
                };
            }
            Command::CheckFix { .. } => {
                answer = Answer::Witness {
                    sighting: Sighting::NotSeen { tried: 42 },
                };
            }
            _ => {}
        }
        self.notices.push(Notice::Reply {
            id: request.id,
            result: Ok(answer),
        });
        Ok(())
    }

    fn poll(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }
}

pub(crate) fn start(host: &FakeHost) -> Harness<'static, Designer> {
    let engine: Box<dyn Transport> = Box::<FakeEngine>::default();
    let designer = Designer::new(Box::new(host.clone()), Catalog::bundled(), Some(engine));
    let mut harness = Harness::builder()
        .with_size(vec2(1280.0, 800.0))
        .with_max_steps(40)
        .build_ui_state(|ui, designer: &mut Designer| designer.ui(ui), designer);
    harness.run_steps(4);
    harness
}

pub(crate) fn settle(harness: &mut Harness<'_, Designer>) {
    harness.run_steps(6);
}

pub(crate) fn press(harness: &mut Harness<'_, Designer>, modifiers: Modifiers, key: Key) {
    harness.key_press_modifiers(modifiers, key);
    settle(harness);
}

pub(crate) fn type_text(harness: &mut Harness<'_, Designer>, text: &str) {
    harness.event(egui::Event::Text(text.to_owned()));
    settle(harness);
}

pub(crate) fn bytes(harness: &Harness<'_, Designer>) -> String {
    format::write(harness.state().state.document())
}

pub(crate) fn wires(harness: &Harness<'_, Designer>) -> Vec<String> {
    let edges = harness.state().state.document().edges.values();
    edges
        .map(|edge| format!("{} -> {}", edge.from, edge.to))
        .collect()
}

/// A designer that shows this flow.
pub(crate) fn showing(flow: &str) -> Harness<'static, Designer> {
    let host = FakeHost::default();
    host.put("/shown.flow.json", flow);
    let mut harness = start(&host);
    harness.state_mut().open(Location::new("/shown.flow.json"));
    settle(&mut harness);
    harness
}

/// Clicks what is called so, wherever it is.
pub(crate) fn click(harness: &mut Harness<'_, Designer>, label: &str) {
    harness.get_by_label(label).click_accesskit();
    settle(harness);
}

fn run_and_undo(harness: &mut Harness<'_, Designer>, empty: &str) {
    press(harness, Modifiers::COMMAND, Key::Enter);
    assert_eq!(harness.state().session.state(), RunState::Running);
    harness.state_mut().session.inject(
        Target::Source("http".into()),
        graph_model::value!({"total": 7}),
        None,
    );
    press(harness, Modifiers::COMMAND | Modifiers::SHIFT, Key::E);
    assert_eq!(harness.state().session.events().len(), 2);
    harness.get_by_label("Event 0 on filter_out_to_table: {\"total\":7}");
    let designer = harness.state();
    assert!(
        designer
            .session
            .troubles()
            .iter()
            .all(|trouble| trouble.kind == crate::session::TroubleKind::Note)
    );
    for _ in 0..40 {
        press(harness, Modifiers::COMMAND, Key::Z);
    }
    assert_eq!(bytes(harness), empty);
    assert!(!harness.state().state.dirty());
}

#[test]
fn a_flow_is_built_and_run_by_keyboard_alone() {
    let mut harness = start(&FakeHost::default());
    let empty = bytes(&harness);
    for kind in ["http endpoint", "filter", "table"] {
        press(&mut harness, Modifiers::COMMAND, Key::K);
        type_text(&mut harness, &format!("add {kind}"));
        press(&mut harness, Modifiers::NONE, Key::Enter);
    }
    assert_eq!(
        wires(&harness),
        ["filter.out -> table.in", "http.out -> filter.in"]
    );
    // The new table is selected: its form is on the right.
    harness.get_by_label("Table *").focus();
    settle(&mut harness);
    type_text(&mut harness, "orders");
    let table = &harness.state().state.document().nodes["table"];
    assert_eq!(table.config_str("table"), Some("orders"));
    press(&mut harness, Modifiers::NONE, Key::F6);
    run_and_undo(&mut harness, &empty);
}

#[test]
fn a_flow_is_built_and_run_by_mouse() {
    let mut harness = start(&FakeHost::default());
    let empty = bytes(&harness);
    for kind in ["Add HTTP endpoint", "Add Filter", "Add Table"] {
        harness.state_mut().palette.search_for(&kind[4..]);
        settle(&mut harness);
        harness.get_by_label(kind).click();
        settle(&mut harness);
    }
    assert_eq!(wires(&harness).len(), 2);
    harness.get_by_label("Table *").click();
    settle(&mut harness);
    type_text(&mut harness, "orders");
    harness.get_by_label("Properties").click();
    settle(&mut harness);
    run_and_undo(&mut harness, &empty);
}

#[test]
fn a_flow_is_saved_and_opened_again() {
    let host = FakeHost::default();
    let mut harness = start(&host);
    let filter = harness.state().state.catalog().get("filter").expect("kind");
    let kind = filter.id.clone();
    let nothing = crate::canvas::intent::QuickAddFrom::Nothing;
    harness
        .state_mut()
        .add_node(&kind, Some((40, 40)), &nothing);
    settle(&mut harness);
    press(&mut harness, Modifiers::COMMAND, Key::S);
    harness.get_by_label("Path");
    press(&mut harness, Modifiers::NONE, Key::Enter);
    assert!(!harness.state().state.dirty());
    let saved = bytes(&harness);
    assert_eq!(
        host.machine().files["/home/me/untitled.flow.json"],
        saved.as_bytes()
    );
    assert_eq!(host.machine().title, "untitled.flow.json – Weir");
    press(&mut harness, Modifiers::NONE, Key::Delete);
    assert!(harness.state().state.document().nodes.is_empty());
    // Unsaved changes are asked about; giving them up opens the file as it was.
    harness
        .state_mut()
        .open(Location::new("/home/me/untitled.flow.json"));
    settle(&mut harness);
    harness.get_by_label("Don't save").click();
    settle(&mut harness);
    assert_eq!(bytes(&harness), saved);
    assert!(!harness.state().state.dirty());
}

#[test]
fn what_was_not_saved_is_recovered() {
    let host = FakeHost::default();
    let mut harness = start(&host);
    let nothing = crate::canvas::intent::QuickAddFrom::Nothing;
    harness
        .state_mut()
        .add_node(&"map".into(), Some((40, 40)), &nothing);
    harness.state_mut().autosave();
    let lost = bytes(&harness);
    drop(harness);
    let mut harness = start(&host);
    // What is opened at the start leaves it alone while the question is open.
    host.machine().files.insert(
        "/a.flow.json".into(),
        br#"{"version": 1, "nodes": {}}"#.to_vec(),
    );
    harness
        .state_mut()
        .start_with(Location::new("/a.flow.json"));
    settle(&mut harness);
    assert!(host.machine().stored.contains_key("autosave"));
    harness.get_by_label("Recover").click();
    settle(&mut harness);
    assert_eq!(bytes(&harness), lost);
    assert!(harness.state().state.dirty());
}

#[test]
fn a_broken_file_is_refused_with_its_place() {
    let host = FakeHost::default();
    host.machine().files.insert(
        "/bad.flow.json".into(),
        b"{\n  \"version\": 1,,\n}".to_vec(),
    );
    let mut harness = start(&host);
    harness.state_mut().open(Location::new("/bad.flow.json"));
    settle(&mut harness);
    harness.get_by_label("bad.flow.json could not be opened");
    harness.get_by_label_contains("line 2, column 16");
    harness.get_by_label("Close").click();
    settle(&mut harness);
    assert!(harness.query_by_label("Close").is_none());
}

#[test]
fn nodes_go_over_the_clipboard_as_text() {
    let mut harness = start(&FakeHost::default());
    let nothing = crate::canvas::intent::QuickAddFrom::Nothing;
    harness
        .state_mut()
        .add_node(&"map".into(), Some((40, 40)), &nothing);
    let text = bytes(&harness);
    harness.event(egui::Event::Paste(text));
    settle(&mut harness);
    assert_eq!(harness.state().state.document().nodes.len(), 2);
    press(&mut harness, Modifiers::COMMAND, Key::D);
    assert_eq!(harness.state().state.document().nodes.len(), 3);
    press(&mut harness, Modifiers::NONE, Key::D);
    assert!(harness.state().state.document().nodes["map_3"].disabled);
}

#[test]
fn a_hazard_is_shown_previewed_fixed_and_undone() {
    let host = FakeHost::default();
    let flow = r#"{"version":1,"nodes":{"m":{"kind":"map"}},
        "edges":{"w":{"from":"m.out","to":"gone.in"}}}"#;
    host.machine()
        .files
        .insert("/loose.flow.json".into(), flow.into());
    let mut harness = start(&host);
    harness.state_mut().open(Location::new("/loose.flow.json"));
    settle(&mut harness);
    let before = bytes(&harness);
    press(&mut harness, Modifiers::NONE, Key::F4);
    let edge = crate::canvas::intent::Item::Edge("w".into());
    assert_eq!(harness.state().state.sole(), Some(&edge));
    harness
        .get_by_label("Fix 1: Remove the wire w")
        .click_accesskit();
    settle(&mut harness);
    assert!(harness.state().state.preview().is_some());
    assert_eq!(bytes(&harness), before);
    harness
        .get_by_label("Apply: Remove the wire w")
        .click_accesskit();
    settle(&mut harness);
    assert!(wires(&harness).is_empty());
    assert!(
        harness
            .state()
            .state
            .findings()
            .iter()
            .all(|finding| finding.code != "STRUCT-005")
    );
    press(&mut harness, Modifiers::COMMAND, Key::Z);
    assert_eq!(bytes(&harness), before);
}

#[test]
fn every_kind_has_a_form_that_draws() {
    let mut harness = start(&FakeHost::default());
    let nothing = crate::canvas::intent::QuickAddFrom::Nothing;
    for kind in Catalog::bundled().iter() {
        harness
            .state_mut()
            .state
            .select(std::collections::BTreeSet::new());
        harness
            .state_mut()
            .add_node(&kind.id, Some((40, 40)), &nothing);
        harness.run_steps(3);
        for field in kind.config.iter().filter(|field| !field.advanced) {
            let title = format!("{}{}", field.title, if field.required { " *" } else { "" });
            assert!(
                harness.query_all_by_label_contains(&title).next().is_some(),
                "{}: {title}",
                kind.id
            );
        }
    }
}

#[test]
fn every_panel_draws_in_both_themes() {
    for theme in [egui::ThemePreference::Dark, egui::ThemePreference::Light] {
        let mut harness = start(&FakeHost::default());
        let ctx = harness.ctx.clone();
        harness.state_mut().set_theme(&ctx, theme);
        for size in [vec2(900.0, 600.0), vec2(2560.0, 1440.0)] {
            harness.set_size(size);
            for side in [SideTab::Properties, SideTab::Types, SideTab::People] {
                harness.state_mut().view.show_side(side);
                harness.run_steps(2);
                harness.check_accessibility();
            }
            for bottom in [BottomTab::Hazards, BottomTab::Events, BottomTab::Log] {
                harness.state_mut().view.show_bottom(bottom);
                harness.run_steps(2);
                harness.check_accessibility();
            }
            for overlay in [
                Overlay::Commands,
                Overlay::Find,
                Overlay::Follow,
                Overlay::Keys,
                Overlay::About,
            ] {
                harness.state_mut().open_overlay(overlay);
                harness.run_steps(2);
                harness.check_accessibility();
                harness.state_mut().view.overlay = None;
            }
        }
    }
}

#[test]
fn a_menu_that_is_longer_than_the_window_rolls() {
    let mut harness = start(&FakeHost::default());
    harness.set_size(vec2(900.0, 600.0));
    settle(&mut harness);
    let bar = harness.get_by_label("View").rect();
    harness.get_by_label("View").click();
    settle(&mut harness);
    let row =
        |harness: &Harness<'_, Designer>, title: &str| harness.get_by_label_contains(title).rect();
    let first = row(&harness, "Zoom to fit");
    assert!(
        first.top() > bar.bottom(),
        "{first:?} covers the bar {bar:?}"
    );
    harness.event(egui::Event::PointerMoved(first.center()));
    harness.event(egui::Event::MouseWheel {
        unit: egui::MouseWheelUnit::Point,
        delta: vec2(0.0, -2_000.0),
        phase: egui::TouchPhase::Move,
        source: egui::MouseWheelSource::Unknown,
        modifiers: Modifiers::NONE,
    });
    harness.run_steps(12);
    let last = row(&harness, "Follow the system's theme");
    assert!(last.bottom() < 600.0, "{last:?} is out of sight");
}

#[test]
fn every_action_that_can_be_done_on_an_empty_flow_does_no_harm() {
    for action in actions::all() {
        let mut harness = start(&FakeHost::default());
        let ctx = harness.ctx.clone();
        harness.state_mut().perform(&ctx, action.id);
        harness.run_steps(2);
    }
}
