//! The designer without a window, by its accessible names: in this process, over a line whose other
//! end is the real machine with the real engine.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use app::Designer;
use app::host::{Ask, Host, Location, Sample, Told};
use app::remote::RemoteHost;
use desk::engines::{OwnEngine, Shown};
use desk::files::{Files, Reach};
use desk::seat::{Hospitality, Seat};
use egui::{Key, Modifiers, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use graph_model::catalog::Catalog;
use runtime_protocol::remote::{Happened, Pipe, Remote};
use runtime_protocol::wire::{self, Up};

use crate::script::{self, Hand, PATIENCE};

/// The line, without anything between its ends.
struct Straight {
    seat: Rc<RefCell<Seat>>,
    happened: VecDeque<Happened>,
}

impl Pipe for Straight {
    fn send(&mut self, frame: Vec<u8>) {
        let mut seat = self.seat.borrow_mut();
        match wire::decode(&frame).expect("a frame") {
            Up::Hello { resume, .. } => {
                let frames = seat.welcome(resume.as_ref());
                self.happened
                    .extend(frames.into_iter().map(Happened::Frame));
            }
            Up::Say { .. } => seat.take(&frame).expect("in turn"),
        }
        for ask in seat.asked() {
            if matches!(ask, Ask::PickOpen | Ask::PickSave { .. }) {
                seat.tell(Told::NoDialog);
            }
        }
    }

    fn poll(&mut self) -> Option<Happened> {
        let next = || self.seat.borrow_mut().next_frame().map(Happened::Frame);
        self.happened.pop_front().or_else(next)
    }
}

/// What a window would be: nothing of it is needed here.
struct Nowhere(Instant);

impl Host for Nowhere {
    fn ask(&mut self, _: Ask) {}

    fn poll(&mut self) -> Vec<Told> {
        Vec::new()
    }

    fn stored(&self, _: &str) -> Option<String> {
        None
    }

    fn samples(&self) -> Vec<Sample> {
        Vec::new()
    }

    fn folder(&self) -> String {
        String::new()
    }

    fn clock(&self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }

    fn today(&self) -> String {
        "2027-01-31".to_owned()
    }
}

struct Fingers {
    harness: Harness<'static, Designer>,
}

impl Fingers {
    fn new(project: &Path) -> Fingers {
        let shown = Shown::default();
        let engine = OwnEngine::new(shown.clone(), || {});
        let files = Files::new(Reach::Folder(project.to_path_buf()), false, shown);
        let hospitality = Hospitality {
            open: Some(Location::new("orders.flow.json")),
            ..Hospitality::default()
        };
        let seat = Seat::new("secret".into(), hospitality, Box::new(engine), files);
        let remote = Remote::new(Box::new(Straight {
            seat: Rc::new(RefCell::new(seat)),
            happened: VecDeque::from([Happened::Opened]),
        }));
        let host = RemoteHost::new(remote.clone(), Box::new(Nowhere(Instant::now())));
        let catalog = Catalog::bundled();
        let designer = Designer::new(Box::new(host), catalog, Some(Box::new(remote)));
        let harness = Harness::builder()
            .with_size(vec2(1280.0, 800.0))
            .build_ui_state(|ui, designer: &mut Designer| designer.ui(ui), designer);
        Fingers { harness }
    }
}

impl Hand for Fingers {
    fn open(&mut self, flow: &str) {
        self.press("ctrl+O");
        self.sees("Path");
        self.press("ctrl+A");
        self.type_text(flow);
        self.press("Return");
    }

    fn press(&mut self, keys: &str) {
        let mut parts: Vec<&str> = keys.split('+').collect();
        let key = parts.pop().expect("a key");
        let modifiers = parts
            .iter()
            .fold(Modifiers::NONE, |held, part| match *part {
                "ctrl" => held | Modifiers::COMMAND,
                "shift" => held | Modifiers::SHIFT,
                other => panic!("{other} is no modifier"),
            });
        let key = match key {
            "Return" => Key::Enter,
            "period" => Key::Period,
            "space" => Key::Space,
            name => Key::from_name(name).expect("a key has a name"),
        };
        self.harness.key_press_modifiers(modifiers, key);
        self.harness.run_steps(6);
    }

    fn type_text(&mut self, text: &str) {
        self.harness.event(egui::Event::Text(text.to_owned()));
        self.harness.run_steps(6);
    }

    fn shows(&mut self, part: &str) -> bool {
        let mut shown = self.harness.query_all_by_label_contains(part);
        shown.next().is_some()
    }

    fn sees(&mut self, part: &str) {
        let since = Instant::now();
        while !self.shows(part) {
            assert!(since.elapsed() < PATIENCE, "{part} is shown");
            std::thread::sleep(Duration::from_millis(10));
            self.harness.run_steps(2);
        }
    }

    fn goes_on(&mut self) {
        self.harness.run_steps(2);
    }

    fn picture(&mut self, _: &str) {}
}

#[test]
fn in_a_harness_by_accessible_names() {
    let home = tempfile::tempdir().expect("a folder");
    let project = script::project(home.path());
    let mut fingers = Fingers::new(&project);
    fingers.sees("orders.flow.json");
    script::play(&mut fingers, &project);
}
