//! The native window around the designer.

use std::path::PathBuf;

use app::Designer;
use app::host::Location;
use app::remote::RemoteHost;
use desk::engines::{OwnEngine, Shown};
use graph_model::catalog::Catalog;
use runtime_protocol::remote::Remote;

use crate::host::HostNative;
use crate::pipe::{Address, SocketPipe};

/// What the window shows.
pub(crate) enum What {
    /// A flow of this machine, with an engine in this process.
    Flow(PathBuf),
    /// What a server serves.
    Engine(Address),
}

/// Opens the window and stays until it is closed.
pub(crate) fn open(what: What) -> Result<(), eframe::Error> {
    let native = eframe::NativeOptions {
        viewport: egui::ViewportBuilder::default()
            .with_title("Weir")
            .with_app_id("weir")
            .with_inner_size([1280.0, 800.0])
            .with_min_inner_size([720.0, 480.0]),
        ..eframe::NativeOptions::default()
    };
    eframe::run_native(
        "Weir",
        native,
        Box::new(move |creation| {
            let ctx = creation.egui_ctx.clone();
            let designer = match what {
                What::Flow(file) => on_flow(&ctx, file),
                What::Engine(address) => on_engine(&ctx, address)?,
            };
            Ok(Box::new(Window { designer }))
        }),
    )
}

fn on_flow(ctx: &egui::Context, file: PathBuf) -> Designer {
    let shown = Shown::default();
    let host = HostNative::new(ctx.clone(), shown.clone());
    let ctx = ctx.clone();
    let engine = OwnEngine::new(shown, move || ctx.request_repaint());
    let mut designer = Designer::new(Box::new(host), Catalog::bundled(), Some(Box::new(engine)));
    let file = std::path::absolute(&file).unwrap_or(file);
    designer.start_with(Location::new(file.to_string_lossy()));
    designer
}

fn on_engine(ctx: &egui::Context, address: Address) -> std::io::Result<Designer> {
    let here = HostNative::new(ctx.clone(), Shown::default());
    let wake = ctx.clone();
    let pipe = SocketPipe::open(address, move || wake.request_repaint())?;
    let remote = Remote::new(Box::new(pipe));
    let host = RemoteHost::new(remote.clone(), Box::new(here));
    Ok(Designer::new(
        Box::new(host),
        Catalog::bundled(),
        Some(Box::new(remote)),
    ))
}

struct Window {
    designer: Designer,
}

impl eframe::App for Window {
    fn ui(&mut self, ui: &mut egui::Ui, _: &mut eframe::Frame) {
        self.designer.ui(ui);
    }
}
