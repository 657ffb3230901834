//! The native window around the designer.

use std::path::PathBuf;

use app::Designer;
use app::host::Location;
use graph_model::catalog::Catalog;

use crate::host::HostNative;
use crate::own_engine::{OwnEngine, Shown};

/// Opens the window on a flow and stays until it is closed.
pub(crate) fn open(file: PathBuf) -> Result<(), eframe::Error> {
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
            let shown = Shown::default();
            let host = HostNative::new(creation.egui_ctx.clone(), shown.clone());
            let ctx = creation.egui_ctx.clone();
            let engine = OwnEngine::new(shown, move || ctx.request_repaint());
            let mut designer =
                Designer::new(Box::new(host), Catalog::bundled(), Some(Box::new(engine)));
            let file = std::path::absolute(&file).unwrap_or(file);
            designer.start_with(Location::new(file.to_string_lossy()));
            Ok(Box::new(Window { designer }))
        }),
    )
}

struct Window {
    designer: Designer,
}

impl eframe::App for Window {
    fn ui(&mut self, ui: &mut egui::Ui, _: &mut eframe::Frame) {
        self.designer.ui(ui);
    }
}
