//! Host of a page without an engine: files come from the user and from beside the page, and stay in
//! its memory; saving offers a download.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use app::Host;
use app::host::{Ask, Contents, Location, Sample, Stamp, Told};
use egui::DroppedFile;
use js_sys::futures::spawn_local;
use serde::Deserialize;
use smol_str::SmolStr;
use web_sys::{BeforeUnloadEvent, CustomEvent, Event, File, HtmlInputElement};

use crate::address::beside_the_page;
use crate::dom::{self, FILE_MAX};

/// Files that are kept in memory; beyond that, the one opened longest ago is forgotten.
const FILES_MAX: usize = 64;
/// The list of samples beside the page.
const SAMPLES: &str = "samples/index.json";

/// Host of a page on its own. Clones share everything.
#[derive(Clone)]
pub(crate) struct HostAlone {
    inner: Rc<Inner>,
}

struct Inner {
    ctx: egui::Context,
    told: RefCell<Vec<Told>>,
    files: RefCell<Files>,
    samples: RefCell<Vec<Sample>>,
    picker: HtmlInputElement,
    unsaved: Cell<bool>,
}

/// Files in memory, the latest last.
#[derive(Default)]
struct Files {
    kept: VecDeque<(Location, Arc<[u8]>, Stamp)>,
    stamps: u64,
}

/// The list of samples as the bundle holds it.
#[derive(Deserialize)]
struct Listed {
    samples: Vec<ListedSample>,
}

#[derive(Deserialize)]
struct ListedSample {
    location: SmolStr,
    title: SmolStr,
    summary: SmolStr,
}

impl HostAlone {
    pub(crate) fn new(ctx: egui::Context) -> HostAlone {
        let picker: HtmlInputElement = dom::element("input");
        picker.set_type("file");
        picker.set_accept(".json,application/json");
        let host = HostAlone {
            inner: Rc::new(Inner {
                ctx,
                told: RefCell::default(),
                files: RefCell::default(),
                samples: RefCell::default(),
                picker,
                unsaved: Cell::new(false),
            }),
        };
        host.listen();
        host.list_samples();
        host
    }

    fn listen(&self) {
        let host = self.clone();
        dom::listen(&self.inner.picker, "change", move |_: Event| {
            let file = host.inner.picker.files().and_then(|files| files.get(0));
            // The same file can be picked again.
            host.inner.picker.set_value("");
            match file {
                Some(file) => host.take_in(file, Told::Picked),
                None => host.tell(Told::Dismissed),
            }
        });
        let host = self.clone();
        dom::listen(&self.inner.picker, "cancel", move |_: Event| {
            host.tell(Told::Dismissed);
        });
        let host = self.clone();
        dom::listen(
            &dom::window(),
            "beforeunload",
            move |event: BeforeUnloadEvent| {
                if host.inner.unsaved.get() {
                    event.prevent_default();
                    event.set_return_value("unsaved changes");
                }
            },
        );
    }

    /// Learns what samples lie beside the page. Without any, there are none in the lists.
    fn list_samples(&self) {
        let host = self.clone();
        spawn_local(async move {
            let Ok(bytes) = dom::fetch(SAMPLES).await else {
                return;
            };
            let Ok(listed) = serde_json::from_slice::<Listed>(&bytes) else {
                return;
            };
            let samples = listed.samples.into_iter().map(|sample| Sample {
                location: Location(sample.location),
                title: sample.title,
                summary: sample.summary,
            });
            *host.inner.samples.borrow_mut() = samples.collect();
            host.inner.ctx.request_repaint();
        });
    }

    fn tell(&self, told: Told) {
        self.inner.told.borrow_mut().push(told);
        self.inner.ctx.request_repaint();
    }

    /// Keeps a file of the user in memory under its name, and then tells so.
    fn take_in(&self, file: File, then: impl FnOnce(Location) -> Told + 'static) {
        let host = self.clone();
        spawn_local(async move {
            let location = Location::new(file.name());
            match bytes_of(&file).await {
                Ok(bytes) => {
                    host.inner.files.borrow_mut().keep(&location, bytes);
                    host.tell(then(location));
                }
                Err(message) => host.refuse(location, message),
            }
        });
    }

    fn refuse(&self, location: Location, message: String) {
        self.tell(Told::Dismissed);
        let result = Err(message);
        self.tell(Told::Read { location, result });
    }

    /// Opens the first of the files that were dropped on the page.
    pub(crate) fn take_dropped(&self, files: &[Arc<dyn DroppedFile + Send + Sync>]) {
        let Some(file) = files.first().and_then(|file| file.web_file()) else {
            return;
        };
        self.take_in(file.clone(), Told::Open);
    }

    fn read(&self, location: Location) {
        if let Some((bytes, stamp)) = self.inner.files.borrow().get(&location) {
            let result = Ok(Contents {
                bytes: bytes.to_vec(),
                stamp,
            });
            self.tell(Told::Read { location, result });
            return;
        }
        if !location.as_str().contains('/') {
            let result = Err(
                "this page does not have the file any more; open it again from where it is"
                    .to_owned(),
            );
            self.tell(Told::Read { location, result });
            return;
        }
        let host = self.clone();
        spawn_local(async move {
            let result = match beside_the_page(location.as_str()) {
                Ok(()) => dom::fetch(location.as_str()).await,
                Err(message) => Err(message),
            };
            let result = result.map(|bytes| Contents {
                bytes,
                stamp: Stamp::default(),
            });
            host.tell(Told::Read { location, result });
        });
    }

    fn write(&self, location: Location, bytes: Vec<u8>) {
        let offered = dom::offer_download(location.name(), &bytes);
        let result = match offered {
            Ok(()) => Ok(self.inner.files.borrow_mut().keep(&location, bytes)),
            Err(error) => Err(format!(
                "the browser took no download: {}",
                dom::text_of(&error)
            )),
        };
        self.tell(Told::Written { location, result });
    }
}

impl Files {
    fn keep(&mut self, location: &Location, bytes: Vec<u8>) -> Stamp {
        self.kept.retain(|(other, ..)| other != location);
        if self.kept.len() == FILES_MAX {
            self.kept.pop_front();
        }
        self.stamps += 1;
        let stamp = Stamp(self.stamps);
        self.kept.push_back((location.clone(), bytes.into(), stamp));
        stamp
    }

    fn get(&self, location: &Location) -> Option<(Arc<[u8]>, Stamp)> {
        self.kept
            .iter()
            .find(|(other, ..)| other == location)
            .map(|(_, bytes, stamp)| (bytes.clone(), *stamp))
    }
}

impl Host for HostAlone {
    fn ask(&mut self, ask: Ask) {
        match ask {
            Ask::PickOpen => self.inner.picker.click(),
            // Where it goes is asked by the browser, when it takes the download.
            Ask::PickSave { suggested } => {
                let name = Location::new(suggested).name().to_owned();
                self.tell(Told::Picked(Location::new(name)));
            }
            Ask::Read(location) => self.read(location),
            Ask::Write { location, bytes } => self.write(location, bytes),
            // Nobody else writes to the memory of this page.
            Ask::Watch(_) => {}
            Ask::Complete(path) => {
                let entries = Vec::new();
                self.tell(Told::Completed { path, entries });
            }
            Ask::Store { name, text } => {
                if let Err(why) = store(&name, text.as_deref()) {
                    self.tell(Told::NotStored { name, why });
                }
            }
            Ask::Title { title, unsaved } => {
                dom::document().set_title(&title);
                self.inner.unsaved.set(unsaved);
            }
            Ask::Menus(_) => {}
            Ask::OpenLink(url) => self.inner.ctx.open_url(egui::OpenUrl::new_tab(url)),
            Ask::Close => {
                self.inner.unsaved.set(false);
                let window = dom::window();
                // Works in windows that a script opened; the page says the rest.
                drop(window.close());
                if let Ok(event) = CustomEvent::new("weir:close") {
                    drop(window.dispatch_event(&event));
                }
            }
        }
    }

    fn poll(&mut self) -> Vec<Told> {
        self.inner.told.take()
    }

    fn stored(&self, name: &str) -> Option<String> {
        dom::storage().ok()?.get_item(&key(name)).ok()?
    }

    fn samples(&self) -> Vec<Sample> {
        self.inner.samples.borrow().clone()
    }

    fn folder(&self) -> String {
        String::new()
    }

    fn clock(&self) -> f64 {
        eframe::web::now_sec()
    }

    fn today(&self) -> String {
        let now = String::from(js_sys::Date::new_0().to_iso_string());
        now.split('T').next().unwrap_or_default().to_owned()
    }
}

/// Keeps a text in the storage of the browser, or forgets it.
fn store(name: &str, text: Option<&str>) -> Result<(), String> {
    let storage = dom::storage()?;
    let done = match text {
        Some(text) => storage.set_item(&key(name), text),
        None => storage.remove_item(&key(name)),
    };
    done.map_err(|_| {
        "the browser has no room left for this page; save the flow as a file".to_owned()
    })
}

/// Name in the storage of the browser, which other pages of the same place share.
fn key(name: &str) -> String {
    format!("weir.{name}")
}

async fn bytes_of(file: &File) -> Result<Vec<u8>, String> {
    if file.size() > FILE_MAX as f64 {
        return Err(dom::too_large());
    }
    let buffer = file.array_buffer().await.map_err(|error| {
        format!(
            "the browser could not read it: {}; choose it again",
            dom::text_of(&error)
        )
    })?;
    Ok(js_sys::Uint8Array::new(&buffer).to_vec())
}
