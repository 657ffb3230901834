//! Weir as a desktop application: a webview draws the designer, and this process does the rest.
#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

mod bridge;
mod menus;
mod opening;

use tauri::{Manager, RunEvent, WebviewUrl, WebviewWindowBuilder, WindowEvent};

use self::bridge::Bridge;

/// Events are many small pieces that one thread makes and another one drops.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Name of the only window.
const WINDOW: &str = "main";

fn main() {
    let started = tauri::Builder::default()
        // First, so that a second start hands over what it was started with and ends.
        .plugin(tauri_plugin_single_instance::init(
            |app, arguments, folder| {
                opening::second_start(app, &arguments, &folder);
            },
        ))
        .plugin(tauri_plugin_deep_link::init())
        .plugin(tauri_plugin_dialog::init())
        .plugin(tauri_plugin_opener::init())
        .plugin(tauri_plugin_window_state::Builder::default().build())
        .invoke_handler(tauri::generate_handler![bridge::open, bridge::say])
        .on_menu_event(|app, event| menus::chosen(app, event.id().as_ref()))
        .setup(|app| {
            let first = opening::at_start();
            app.manage(Bridge::new(app.handle(), first)?);
            opening::follow_links(app.handle());
            WebviewWindowBuilder::new(app, WINDOW, WebviewUrl::default())
                .title("Weir")
                .inner_size(1280.0, 800.0)
                .min_inner_size(720.0, 480.0)
                .build()?;
            Ok(())
        })
        .build(tauri::generate_context!());
    match started {
        Ok(app) => app.run(|app, event| {
            if let RunEvent::WindowEvent { event, .. } = event {
                on_window(app, &event);
            }
        }),
        Err(error) => {
            // There is no window that could tell it, and perhaps nobody reads this either.
            use std::io::Write;
            drop(writeln!(
                std::io::stderr(),
                "weir: the application could not be started: {error}"
            ));
            std::process::exit(2);
        }
    }
}

fn on_window(app: &tauri::AppHandle, event: &WindowEvent) {
    match event {
        // The designer asks about unsaved changes first.
        WindowEvent::CloseRequested { api, .. } if app.state::<Bridge>().close_requested() => {
            api.prevent_close();
        }
        WindowEvent::DragDrop(tauri::DragDropEvent::Drop { paths, .. }) => {
            if let Some(path) = paths.first() {
                opening::open_path(app, path);
            }
        }
        _ => {}
    }
}
