//! The line between the page of the window and the engine in this process.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use desk::control::new_token;
use desk::engines::{OwnEngine, Shown};
use desk::files::{Files, Reach};
use desk::kept::Kept;
use desk::samples;
use desk::seat::{Hospitality, Seat};
use runtime_protocol::host::{Ask, Location, Told};
use runtime_protocol::wire::{self, Desktop, Up};
use runtime_protocol::{Notice, Problem, Request, Role, Transport};
use tauri::ipc::{Channel, InvokeBody, InvokeResponseBody};
use tauri::{AppHandle, Manager, State};
use tauri_plugin_dialog::DialogExt;
use tauri_plugin_opener::OpenerExt;

use crate::{WINDOW, menus};

/// How often the watched file is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What the page speaks to.
pub(crate) struct Bridge {
    app: AppHandle,
    engine: SharedEngine,
    shown: Shown,
    kept: Kept,
    /// The page that is loaded now.
    page: Mutex<Option<Page>>,
    /// What somebody wanted opened before there was a page.
    first: Mutex<Option<Location>>,
    wake: SyncSender<()>,
}

/// A loaded page: its seat, and the way to it.
struct Page {
    seat: Seat,
    channel: Channel<InvokeResponseBody>,
    greeted: bool,
}

/// The engine outlives the pages.
#[derive(Clone)]
struct SharedEngine(Arc<Mutex<OwnEngine>>);

impl Transport for SharedEngine {
    fn send(&mut self, request: Request) -> Result<(), Problem> {
        lock(&self.0).send(request)
    }

    fn poll(&mut self) -> Vec<Notice> {
        lock(&self.0).poll()
    }
}

impl Bridge {
    /// `first` is shown first; without it, the first sample.
    pub(crate) fn new(app: &AppHandle, first: Option<PathBuf>) -> std::io::Result<Bridge> {
        let (wake, woken) = sync_channel(1);
        let shown = Shown::default();
        let waker = wake.clone();
        let engine = OwnEngine::new(shown.clone(), move || {
            // When a wake waits already, it will do.
            let _waits = waker.try_send(());
        });
        let first = first.or_else(|| samples::first().place());
        let pump = app.clone();
        std::thread::Builder::new()
            .name("line".into())
            .spawn(move || pump_for_ever(&pump, &woken))?;
        Ok(Bridge {
            app: app.clone(),
            engine: SharedEngine(Arc::new(Mutex::new(engine))),
            shown,
            kept: Kept::default(),
            page: Mutex::default(),
            first: Mutex::new(first.map(|path| Location::new(path.to_string_lossy()))),
            wake,
        })
    }

    /// Tells the designer, if it is there.
    pub(crate) fn tell(&self, told: Told) -> bool {
        let mut page = lock(&self.page);
        let Some(page) = page.as_mut().filter(|page| page.greeted) else {
            return false;
        };
        page.seat.tell(told);
        self.wake();
        true
    }

    /// Opens a flow: in the designer, or in the one that is about to be there.
    pub(crate) fn open(&self, location: Location) {
        if !self.tell(Told::Open(location.clone())) {
            *lock(&self.first) = Some(location);
        }
    }

    /// Whether the designer decides about closing.
    pub(crate) fn close_requested(&self) -> bool {
        self.tell(Told::CloseRequested)
    }

    fn wake(&self) {
        let _waits = self.wake.try_send(());
    }

    /// A page was loaded, for the first time or again.
    fn loaded(&self, channel: Channel<InvokeResponseBody>) -> Result<(), String> {
        let files = Files::new(Reach::Everything, false, self.shown.clone());
        let hospitality = Hospitality {
            role: Role::Operator,
            folder: std::env::current_dir()
                .map(|path| path.to_string_lossy().into_owned())
                .unwrap_or_default(),
            samples: samples::listed(),
            desktop: Some(Desktop {
                menus: true,
                stored: self.kept.all(),
            }),
            open: lock(&self.first).take(),
        };
        lock(&self.engine.0).connect_anew();
        let line = Box::new(self.engine.clone());
        let seat = Seat::new(new_token()?, hospitality, line, files);
        *lock(&self.page) = Some(Page {
            seat,
            channel,
            greeted: false,
        });
        Ok(())
    }

    /// Takes a frame of the page.
    fn take(&self, frame: &[u8]) -> Result<(), String> {
        let asked = {
            let mut page = lock(&self.page);
            let Some(page) = page.as_mut() else {
                return Err("the line was not opened".to_owned());
            };
            if page.greeted {
                page.seat.take(frame).map_err(|error| error.to_string())?;
            } else {
                match wire::decode(frame).map_err(|error| error.to_string())? {
                    Up::Hello { version, .. } if version == wire::VERSION => {}
                    Up::Hello { version, .. } => {
                        return Err(wire::BadFrame::OtherVersion(version).to_string());
                    }
                    Up::Say { .. } => return Err("the first frame is a hello".to_owned()),
                }
                page.greeted = true;
                for frame in page.seat.welcome(None) {
                    page.send(frame)?;
                }
            }
            page.seat.asked()
        };
        for ask in asked {
            self.fulfil(ask);
        }
        self.wake();
        Ok(())
    }

    /// Does what the designer asks of the desktop.
    fn fulfil(&self, ask: Ask) {
        let window = self.app.get_webview_window(WINDOW);
        match ask {
            Ask::PickOpen => {
                let app = self.app.clone();
                self.dialog()
                    .pick_file(move |picked| tell_picked(&app, picked));
            }
            Ask::PickSave { suggested } => {
                let app = self.app.clone();
                let suggested = Location::new(suggested);
                let mut dialog = self.dialog().set_file_name(suggested.name());
                if !suggested.folder().is_empty() {
                    dialog = dialog.set_directory(suggested.folder());
                }
                dialog.save_file(move |picked| tell_picked(&app, picked));
            }
            Ask::Store { name, text } => {
                if let Err(why) = self.kept.set(&name, text.as_deref()) {
                    self.tell(Told::NotStored { name, why });
                }
            }
            Ask::Title { title, .. } => {
                if let Some(window) = window {
                    // A window that is closing needs no title.
                    drop(window.set_title(&title));
                }
            }
            Ask::Menus(menus) => menus::show(&self.app, menus),
            Ask::OpenLink(url) if url.starts_with("https://") || url.starts_with("http://") => {
                // The user sees whether a browser came up.
                drop(self.app.opener().open_url(url, None::<&str>));
            }
            Ask::Close => {
                if let Some(window) = window {
                    drop(window.destroy());
                }
            }
            // Links elsewhere lead nowhere; files are taken care of by the seat.
            _ => {}
        }
    }

    fn dialog(&self) -> tauri_plugin_dialog::FileDialogBuilder<tauri::Wry> {
        let dialog = self
            .app
            .dialog()
            .file()
            .add_filter("Flows and recorded runs", &["json", "jsonl"]);
        match self.app.get_webview_window(WINDOW) {
            Some(window) => dialog.set_parent(&window),
            None => dialog,
        }
    }

    /// Sends the page what there is.
    fn pump(&self) {
        let mut page = lock(&self.page);
        let Some(page) = page.as_mut().filter(|page| page.greeted) else {
            return;
        };
        while let Some(frame) = page.seat.next_frame() {
            if page.send(frame).is_err() {
                return; // the page is gone
            }
        }
    }
}

impl Page {
    fn send(&self, frame: Vec<u8>) -> Result<(), String> {
        let sent = self.channel.send(InvokeResponseBody::Raw(frame));
        sent.map_err(|error| error.to_string())
    }
}

fn pump_for_ever(app: &AppHandle, woken: &Receiver<()>) {
    loop {
        let idle = woken.recv_timeout(LOOK_EVERY);
        if idle == Err(RecvTimeoutError::Disconnected) {
            return;
        }
        let Some(bridge) = app.try_state::<Bridge>() else {
            continue;
        };
        if idle == Err(RecvTimeoutError::Timeout)
            && let Some(page) = lock(&bridge.page).as_mut()
        {
            page.seat.look_at_files();
        }
        bridge.pump();
    }
}

fn tell_picked(app: &AppHandle, picked: Option<tauri_plugin_dialog::FilePath>) {
    let path = picked.and_then(|picked| picked.into_path().ok());
    app.state::<Bridge>().tell(match path {
        Some(path) => Told::Picked(Location::new(path.to_string_lossy())),
        None => Told::Dismissed,
    });
}

/// Opens the line of the page that calls; its frames come through the channel.
#[tauri::command]
#[expect(
    clippy::needless_pass_by_value,
    reason = "commands are given their arguments"
)]
pub(crate) fn open(
    bridge: State<'_, Bridge>,
    channel: Channel<InvokeResponseBody>,
) -> Result<(), String> {
    bridge.loaded(channel)
}

/// Takes a frame of the page.
#[tauri::command]
#[expect(
    clippy::needless_pass_by_value,
    reason = "commands are given their arguments"
)]
pub(crate) fn say(
    bridge: State<'_, Bridge>,
    request: tauri::ipc::Request<'_>,
) -> Result<(), String> {
    match request.body() {
        InvokeBody::Raw(frame) => bridge.take(frame),
        InvokeBody::Json(_) => Err("a frame is bytes".to_owned()),
    }
}

fn lock<T>(held: &Mutex<T>) -> MutexGuard<'_, T> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}
