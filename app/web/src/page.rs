//! The page around the designer: its start, its frames, and what is dropped on it.

use app::Designer;
use app::host::Location;
use app::remote::RemoteHost;
use eframe::{App, CreationContext, WebOptions, WebRunner};
use egui::Ui;
use graph_model::catalog::Catalog;
use js_sys::futures::future_to_promise;
use js_sys::{Object, Promise, Reflect};
use runtime_protocol::remote::{Pipe, Remote};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{HtmlCanvasElement, KeyboardEvent};

use crate::alone::HostAlone;
use crate::socket::Socket;
use crate::{bridge, dom, mirror, token};

/// What is opened when the address of the page asks for nothing else.
const FIRST: &str = "samples/hello/hello.flow.json";

/// Starts the designer on the canvas. The promise is kept when it runs.
#[wasm_bindgen]
pub fn start(canvas: HtmlCanvasElement) -> Promise {
    keep_keys();
    prepare(&canvas);
    let shown = canvas.clone();
    let page = move |creation: &CreationContext<'_>| {
        let at_once = dom::query("access").is_some_and(|access| access == "1");
        mirror::offer(&creation.egui_ctx, &shown, at_once);
        Ok(Box::new(Page::new(creation)) as Box<dyn App>)
    };
    future_to_promise(async move {
        WebRunner::new()
            .start(canvas, options(), Box::new(page))
            .await
            .map(|()| JsValue::UNDEFINED)
    })
}

/// Asks for a plain picture before anybody asks for a better one: edges are smoothed in what is drawn
/// already, nothing is seen through the canvas, and without a graphics card each of these costs half
/// of the frames.
fn prepare(canvas: &HtmlCanvasElement) {
    let plain = Object::new();
    for name in ["alpha", "antialias", "depth", "stencil"] {
        // What a browser does not understand it leaves out.
        drop(Reflect::set(&plain, &name.into(), &JsValue::FALSE));
    }
    drop(canvas.get_context_with_context_options("webgl2", &plain));
}

fn options() -> WebOptions {
    WebOptions {
        dithering: false,
        ..WebOptions::default()
    }
}

/// The designer in its page.
struct Page {
    designer: Designer,
    /// Where dropped files go when nobody else is behind the page.
    alone: Option<HostAlone>,
    drawn: bool,
}

impl Page {
    fn new(creation: &CreationContext<'_>) -> Page {
        let ctx = &creation.egui_ctx;
        let here = HostAlone::new(ctx.clone());
        let pipe: Option<Box<dyn Pipe>> = if bridge::is_there() {
            Some(Box::new(bridge::Bridge::open(ctx.clone())))
        } else {
            token::shown().map(|token| Box::new(Socket::open(ctx.clone(), token)) as Box<dyn Pipe>)
        };
        let catalog = Catalog::bundled();
        let (designer, alone) = match pipe {
            Some(pipe) => {
                let remote = Remote::new(pipe);
                let host = RemoteHost::new(remote.clone(), Box::new(here));
                let designer = Designer::new(Box::new(host), catalog, Some(Box::new(remote)));
                (designer, None)
            }
            None => {
                let mut designer = Designer::new(Box::new(here.clone()), catalog, None);
                designer.start_with(asked_for());
                (designer, Some(here))
            }
        };
        Page {
            designer,
            alone,
            drawn: false,
        }
    }
}

impl App for Page {
    fn ui(&mut self, ui: &mut Ui, _: &mut eframe::Frame) {
        self.designer.ui(ui);
        if let Some(alone) = &self.alone {
            let dropped = ui.input(|input| input.raw.dropped_files.clone());
            if !dropped.is_empty() {
                alone.take_dropped(&dropped);
            }
        }
        if !self.drawn {
            self.drawn = true;
            uncover();
        }
    }
}

/// The flow that the address of the page names, or the first sample.
fn asked_for() -> Location {
    match dom::query("flow") {
        // A name alone would be one of a file in the memory of the page.
        Some(flow) if !flow.contains('/') => Location::new(format!("./{flow}")),
        Some(flow) => Location::new(flow),
        None => Location::new(FIRST),
    }
}

/// Takes the cover away as soon as the first frame is on the screen.
fn uncover() {
    let done = Closure::once_into_js(move || {
        if let Some(root) = dom::document().document_element() {
            drop(root.set_attribute("data-weir", "ready"));
        }
        if let Some(performance) = dom::window().performance() {
            drop(performance.mark("weir:first-frame"));
        }
    });
    drop(dom::window().request_animation_frame(done.unchecked_ref()));
}

/// Keeps keys of the designer from doing something else in the browser as well, such as searching
/// in the page.
fn keep_keys() {
    dom::listen(&dom::window(), "keydown", |event: KeyboardEvent| {
        let command = event.ctrl_key() || event.meta_key();
        let key = event.key();
        let ours = match key.as_str() {
            "F1" | "F2" | "F3" | "F4" | "F6" => true,
            _ if command => [
                "a", "d", "e", "f", "g", "k", "m", "u", "y", "z", "0", "1", "2",
            ]
            .contains(&key.to_lowercase().as_str()),
            _ => false,
        };
        if ours {
            event.prevent_default();
        }
    });
}
