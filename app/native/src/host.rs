//! The machine below the designer: files, dialogs, folders of the user, the window's title.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::time::Instant;

use app::host::{Ask, Host, Location, Sample, Told};
use desk::engines::Shown;
use desk::files::{Files, Reach};
use desk::kept::Kept;
use desk::samples;
use graph_model::event::rfc3339;
use runtime::world::{SystemWorld, World};

/// How often the watched file is looked at.
const WATCH_EVERY: f64 = 1.0;

/// Host of the native window.
pub(crate) struct HostNative {
    ctx: egui::Context,
    started: Instant,
    world: SystemWorld,
    told: Vec<Told>,
    dialog: Option<Receiver<Option<PathBuf>>>,
    files: Files,
    looked_at: f64,
    kept: Kept,
    may_close: bool,
}

impl HostNative {
    pub(crate) fn new(ctx: egui::Context, shown: Shown) -> HostNative {
        HostNative {
            ctx,
            started: Instant::now(),
            world: SystemWorld::new(),
            told: Vec::new(),
            dialog: None,
            files: Files::new(Reach::Everything, false, shown),
            looked_at: 0.0,
            kept: Kept::default(),
            may_close: false,
        }
    }

    /// Opens the system's dialog on a thread of its own, where there is one.
    fn pick(&mut self, pick: impl FnOnce(rfd::FileDialog) -> Option<PathBuf> + Send + 'static) {
        if self.dialog.is_some() {
            return;
        }
        if !has_dialogs() {
            self.told.push(Told::NoDialog);
            return;
        }
        let (sender, receiver) = sync_channel(1);
        let ctx = self.ctx.clone();
        let filter = rfd::FileDialog::new()
            .set_directory(self.folder())
            .add_filter("Flows and recorded runs", &["json", "jsonl"]);
        std::thread::spawn(move || {
            let picked = pick(filter);
            // Nobody listens any more when the window is gone.
            drop(sender.send(picked));
            ctx.request_repaint();
        });
        self.dialog = Some(receiver);
    }

    fn look_at_watched(&mut self) {
        if !self.files.watches() {
            return;
        }
        let now = self.clock();
        if now - self.looked_at >= WATCH_EVERY {
            self.looked_at = now;
            self.files.look();
            self.ctx.request_repaint_after_secs(WATCH_EVERY as f32);
        }
    }
}

impl Host for HostNative {
    fn ask(&mut self, ask: Ask) {
        match ask {
            Ask::PickOpen => self.pick(rfd::FileDialog::pick_file),
            Ask::PickSave { suggested } => {
                let name = Location::new(suggested).name().to_owned();
                self.pick(move |dialog| dialog.set_file_name(name).save_file());
            }
            Ask::Store { name, text } => {
                if let Err(why) = self.kept.set(&name, text.as_deref()) {
                    self.told.push(Told::NotStored { name, why });
                }
            }
            Ask::Title { title, .. } => self
                .ctx
                .send_viewport_cmd(egui::ViewportCommand::Title(title)),
            Ask::Menus(_) => {}
            Ask::OpenLink(url) => self.ctx.open_url(egui::OpenUrl::new_tab(url)),
            Ask::Close => {
                self.may_close = true;
                self.ctx.send_viewport_cmd(egui::ViewportCommand::Close);
            }
            about_files => drop(self.files.ask(about_files)),
        }
    }

    fn poll(&mut self) -> Vec<Told> {
        if let Some(dialog) = &self.dialog {
            match dialog.try_recv() {
                Ok(picked) => {
                    self.dialog = None;
                    self.told.push(match picked {
                        Some(path) => Told::Picked(Location::new(path.to_string_lossy())),
                        None => Told::Dismissed,
                    });
                }
                Err(TryRecvError::Disconnected) => {
                    self.dialog = None;
                    self.told.push(Told::NoDialog);
                }
                Err(TryRecvError::Empty) => {}
            }
        }
        self.look_at_watched();
        self.told.extend(self.files.take());
        if self.ctx.input(|input| input.viewport().close_requested()) && !self.may_close {
            self.ctx
                .send_viewport_cmd(egui::ViewportCommand::CancelClose);
            self.told.push(Told::CloseRequested);
        }
        std::mem::take(&mut self.told)
    }

    fn stored(&self, name: &str) -> Option<String> {
        self.kept.get(name)
    }

    fn samples(&self) -> Vec<Sample> {
        samples::listed()
    }

    fn folder(&self) -> String {
        std::env::current_dir()
            .map(|path| path.to_string_lossy().into_owned())
            .unwrap_or_default()
    }

    fn clock(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    fn today(&self) -> String {
        let now = rfc3339(self.world.now_ms());
        now.split('T').next().unwrap_or_default().to_owned()
    }
}

/// Whether the system has dialogs for files: on Linux they come over the desktop's message bus.
fn has_dialogs() -> bool {
    if cfg!(target_os = "linux") {
        std::env::var_os("DBUS_SESSION_BUS_ADDRESS").is_some()
    } else {
        true
    }
}
