//! What to open: named at the start, at a second start, by a link, or dropped on the window.

use std::path::{Path, PathBuf};

use desk::flow_file;
use runtime_protocol::host::Location;
use tauri::{AppHandle, Manager, Url};
use tauri_plugin_deep_link::DeepLinkExt;

use crate::WINDOW;
use crate::bridge::Bridge;

/// Scheme of links to flows, as in `weir://open?file=/there/orders.flow.json`.
const SCHEME: &str = "weir";

/// What the program was started on.
pub(crate) fn at_start() -> Option<PathBuf> {
    let folder = std::env::current_dir().unwrap_or_default();
    named(std::env::args().nth(1)?.as_str(), &folder)
}

/// Another start of the program hands over what it was started on.
pub(crate) fn second_start(app: &AppHandle, arguments: &[String], folder: &str) {
    if let Some(window) = app.get_webview_window(WINDOW) {
        // A window manager may refuse, and then the user looks for the window.
        drop(window.unminimize());
        drop(window.set_focus());
    }
    if let Some(path) = arguments
        .get(1)
        .and_then(|argument| named(argument, Path::new(folder)))
    {
        open_path(app, &path);
    }
}

/// Opens what links name while the program runs.
pub(crate) fn follow_links(app: &AppHandle) {
    let handle = app.clone();
    app.deep_link().on_open_url(move |event| {
        if let Some(path) = event.urls().iter().find_map(linked) {
            open_path(&handle, &path);
        }
    });
}

/// Opens a flow in the designer, which asks about unsaved changes first.
pub(crate) fn open_path(app: &AppHandle, path: &Path) {
    let path = flow_file::find(path).unwrap_or_else(|_| path.to_path_buf());
    app.state::<Bridge>()
        .open(Location::new(path.to_string_lossy()));
}

/// The file that an argument names: a path from that folder, or a link.
fn named(argument: &str, folder: &Path) -> Option<PathBuf> {
    if argument.starts_with(&format!("{SCHEME}:")) {
        return Url::parse(argument).ok().as_ref().and_then(linked);
    }
    if argument.is_empty() || argument.starts_with('-') {
        return None;
    }
    let path = match Url::parse(argument) {
        Ok(url) if url.scheme() == "file" => url.to_file_path().ok()?,
        _ => folder.join(argument),
    };
    Some(flow_file::find(&path).unwrap_or(path))
}

/// The file that a link names. Links come from anywhere, so they lead to flows and recorded runs on
/// this machine alone, and opening one runs nothing.
fn linked(url: &Url) -> Option<PathBuf> {
    if url.scheme() != SCHEME || url.host_str() != Some("open") {
        return None;
    }
    let (_, file) = url.query_pairs().find(|(name, _)| name == "file")?;
    let path = PathBuf::from(file.as_ref());
    let is_flow = file.ends_with(".flow.json") || file.ends_with(".run.jsonl");
    (path.is_absolute() && is_flow && !file.starts_with("//") && !file.starts_with("\\\\"))
        .then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_and_links_name_files() {
        let here = Path::new("/here");
        for (argument, wanted) in [
            ("a.flow.json", Some("/here/a.flow.json")),
            ("/there/a.flow.json", Some("/there/a.flow.json")),
            (
                "file:///there/a%20b.flow.json",
                Some("/there/a b.flow.json"),
            ),
            (
                "weir://open?file=/there/a%20b.flow.json",
                Some("/there/a b.flow.json"),
            ),
            (
                "weir://open?file=/there/a.run.jsonl",
                Some("/there/a.run.jsonl"),
            ),
            ("weir://open?file=a.flow.json", None),
            ("weir://open?file=/etc/passwd", None),
            ("weir://open?file=//host/share/a.flow.json", None),
            ("weir://run?file=/there/a.flow.json", None),
            ("weir://open", None),
            ("weir:", None),
            ("--flag", None),
            ("", None),
        ] {
            let wanted = wanted.map(PathBuf::from);
            assert_eq!(named(argument, here), wanted, "{argument}");
        }
    }
}
