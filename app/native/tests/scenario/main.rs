//! The same scenario in every window of the designer: native, browser, desktop application.
//!
//! Each needs what it runs in: a display, Chromium and its driver, the web page that `.ci/web` builds
//! (named by `WEIR_WEB`), the application that `.ci/desktop` builds (`WEIR_DESKTOP`) and its driver.
//! Where one is missing its test says so and skips. Pictures go to the folder `WEIR_PICTURES`, or else
//! beside the build results.

mod browser;
mod harness;
mod script;
mod server;
mod shell;
mod webdriver;
mod window;

use std::path::PathBuf;
use std::process::Command;

/// Where pictures of this window go.
fn pictures(window: &str) -> PathBuf {
    let folder = std::env::var_os("WEIR_PICTURES").map_or_else(
        || PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("pictures"),
        PathBuf::from,
    );
    let folder = folder.join(window);
    std::fs::create_dir_all(&folder).expect("a folder for pictures");
    folder
}

/// Whether there is everything that a test needs; says loudly what is missing.
fn has_all(test: &str, needs: &[(&str, bool)]) -> bool {
    let missing: Vec<&str> = needs
        .iter()
        .filter(|(_, there)| !there)
        .map(|(what, _)| *what)
        .collect();
    if !missing.is_empty() {
        eprintln!(
            "SKIPPED {test}: it needs {}, as `.ci/test` sets them up",
            missing.join(", ")
        );
    }
    missing.is_empty()
}

fn has_tool(tool: &str) -> bool {
    let found = Command::new("sh")
        .args(["-c", &format!("command -v {tool}")])
        .output();
    found.is_ok_and(|output| output.status.success())
}

fn has_display() -> bool {
    has_tool("xdotool")
        && std::env::var_os("DISPLAY").is_some()
        && Command::new("xdotool")
            .arg("getdisplaygeometry")
            .output()
            .is_ok_and(|output| output.status.success())
}

/// The folder of the web page.
fn page() -> Option<PathBuf> {
    std::env::var_os("WEIR_WEB")
        .map(PathBuf::from)
        .filter(|folder| folder.join("index.html").is_file())
}

/// A port that nobody listens on at the moment.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.local_addr().expect("bound").port()
}
