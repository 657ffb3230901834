//! The machine below the designer: files, dialogs, folders of the user, the window's title.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::time::{Instant, UNIX_EPOCH};

use app::host::{Ask, Host, Location, Sample, Stamp, Told};
use runtime_protocol::recording;

use crate::own_engine::Shown;
use crate::{folders, samples};

/// How often the watched file is looked at.
const WATCH_EVERY: f64 = 1.0;
/// Entries of a folder that the path prompt lists.
const ENTRIES_MAX: usize = 500;

/// Host of the native window.
pub(crate) struct HostNative {
    ctx: egui::Context,
    started: Instant,
    told: Vec<Told>,
    dialog: Option<Receiver<Option<PathBuf>>>,
    watched: Option<(Location, Option<Stamp>)>,
    shown: Shown,
    looked_at: f64,
    config: Option<PathBuf>,
    may_close: bool,
}

impl HostNative {
    pub(crate) fn new(ctx: egui::Context, shown: Shown) -> HostNative {
        HostNative {
            ctx,
            started: Instant::now(),
            told: Vec::new(),
            dialog: None,
            watched: None,
            shown,
            looked_at: 0.0,
            config: folders::config(),
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
        let now = self.clock();
        if now - self.looked_at < WATCH_EVERY {
            return;
        }
        self.looked_at = now;
        if let Some((location, known)) = &mut self.watched {
            let stamp = stamp(Path::new(location.as_str())).ok();
            if stamp != *known {
                *known = stamp;
                self.told.push(Told::Changed {
                    location: location.clone(),
                    stamp,
                });
            }
            self.ctx.request_repaint_after_secs(WATCH_EVERY as f32);
        }
    }

    fn stored_path(&self, name: &str) -> Option<PathBuf> {
        Some(self.config.as_ref()?.join(format!("{name}.json")))
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
            Ask::Read(location) => {
                let path = Path::new(location.as_str());
                let result = samples::unpack_if_one(path)
                    .and_then(|()| Ok((fs::read(path)?, stamp(path)?)))
                    .map_err(|error| error.to_string());
                self.told.push(Told::Read { location, result });
            }
            Ask::Write { location, bytes } => {
                let path = Path::new(location.as_str());
                let result = folders::replace(path, &bytes)
                    .and_then(|()| stamp(path))
                    .map_err(|error| error.to_string());
                if let (Some((watched, known)), Ok(stamp)) = (&mut self.watched, &result)
                    && *watched == location
                {
                    *known = Some(*stamp);
                }
                self.told.push(Told::Written { location, result });
            }
            Ask::Watch(location) => {
                // The watched file is the one of the flow that is shown.
                let path = location.as_ref().map(|location| location.as_str().into());
                self.shown.set(path);
                self.watched = location.map(|location| {
                    let stamp = stamp(Path::new(location.as_str())).ok();
                    (location, stamp)
                });
            }
            Ask::Close => {
                self.may_close = true;
                self.ctx.send_viewport_cmd(egui::ViewportCommand::Close);
            }
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
        if self.ctx.input(|input| input.viewport().close_requested()) && !self.may_close {
            self.ctx
                .send_viewport_cmd(egui::ViewportCommand::CancelClose);
            self.told.push(Told::CloseRequested);
        }
        std::mem::take(&mut self.told)
    }

    fn stored(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.stored_path(name)?).ok()
    }

    fn store(&mut self, name: &str, text: Option<&str>) -> Result<(), String> {
        let Some(path) = self.stored_path(name) else {
            return Err("no folder for settings is known; set HOME".to_owned());
        };
        let done = match text {
            Some(text) => path
                .parent()
                .map_or(Ok(()), fs::create_dir_all)
                .and_then(|()| folders::replace(&path, text.as_bytes())),
            None => match fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            },
        };
        done.map_err(|error| format!("{error}: {}", path.display()))
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

    fn set_title(&mut self, title: &str) {
        self.ctx
            .send_viewport_cmd(egui::ViewportCommand::Title(title.to_owned()));
    }

    fn complete(&self, path: &str) -> Vec<String> {
        let (folder, start) = path.rsplit_once('/').unwrap_or((".", path));
        let folder = if folder.is_empty() { "/" } else { folder };
        let Ok(entries) = fs::read_dir(folder) else {
            return Vec::new();
        };
        let mut found: Vec<String> = entries
            .flatten()
            .filter_map(|entry| {
                let name = entry.file_name().to_string_lossy().into_owned();
                let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
                let shown = name.starts_with(start)
                    && !(name.starts_with('.') && start.is_empty())
                    && (is_folder
                        || name.ends_with(recording::ENDING)
                        || entry.path().extension().is_some_and(|end| end == "json"));
                let end = if is_folder { "/" } else { "" };
                shown.then(|| format!("{}/{name}{end}", folder.trim_end_matches('/')))
            })
            .take(ENTRIES_MAX)
            .collect();
        found.sort();
        found
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

fn stamp(path: &Path) -> std::io::Result<Stamp> {
    let modified = fs::metadata(path)?.modified()?;
    let since = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(Stamp(since.as_nanos() as u64))
}
