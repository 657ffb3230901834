//! What a test needs of the machine, and where its pictures go.

use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Where pictures of this window go.
pub(crate) fn pictures(window: &str) -> PathBuf {
    let folder = std::env::var_os("WEIR_PICTURES").map_or_else(
        || PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("pictures"),
        PathBuf::from,
    );
    let folder = folder.join(window);
    std::fs::create_dir_all(&folder).expect("a folder for pictures");
    folder
}

/// Whether there is everything that a test needs; says loudly what is missing.
pub(crate) fn has_all(test: &str, needs: &[(&str, bool)]) -> bool {
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

pub(crate) fn has_tool(tool: &str) -> bool {
    let found = Command::new("sh")
        .args(["-c", &format!("command -v {tool}")])
        .output();
    found.is_ok_and(|output| output.status.success())
}

pub(crate) fn has_display() -> bool {
    has_tool("xdotool")
        && std::env::var_os("DISPLAY").is_some()
        && Command::new("xdotool")
            .arg("getdisplaygeometry")
            .output()
            .is_ok_and(|output| output.status.success())
}

/// Windows are driven one at a time: on a busy machine a key comes before what it is meant for.
pub(crate) fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A port that nobody listens on at the moment.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.local_addr().expect("bound").port()
}
