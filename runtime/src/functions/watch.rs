//! Watches the files of functions that run, and swaps in what was built again.

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};

use super::host::{LogLevel, LogLine};
use super::loaded::Held;
use super::logs::Logs;
use crate::shared::lock;

/// How long files are left alone after a change: whoever writes one does it in several steps.
const REST: Duration = Duration::from_millis(150);

/// Looks after the folders of functions, until it is dropped.
pub(super) struct Watch(Mutex<RecommendedWatcher>);

impl Watch {
    /// Nothing where the system cannot watch files: functions go on as they were loaded.
    pub(super) fn start(held: &Arc<Mutex<Held>>, logs: &Arc<Logs>) -> Option<Watch> {
        let (changed, changes) = channel();
        let tell = move |_: notify::Result<notify::Event>| {
            // Nobody listens when the functions are gone.
            let _gone = changed.send(());
        };
        let watcher = notify::recommended_watcher(tell).ok()?;
        let (held, logs) = (Arc::downgrade(held), Arc::downgrade(logs));
        let follow = move || follow(&changes, &held, &logs);
        let thread = thread::Builder::new().name("function-watch".into());
        thread.spawn(follow).ok()?;
        Some(Watch(Mutex::new(watcher)))
    }

    /// Watches a file through its folder, as builds put new files in the place of old ones.
    pub(super) fn look_at(&self, file: &Path) {
        if let Some(folder) = file.parent() {
            // What cannot be watched stays as it was loaded, and is loaded anew with the flow.
            let _unwatched = lock(&self.0).watch(folder, RecursiveMode::NonRecursive);
        }
    }
}

/// Ends with the functions, or with the one who tells of changes.
fn follow(changes: &Receiver<()>, held: &Weak<Mutex<Held>>, logs: &Weak<Logs>) {
    while changes.recv().is_ok() {
        loop {
            match changes.recv_timeout(REST) {
                Ok(()) => {}
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
        let (Some(held), Some(logs)) = (held.upgrade(), logs.upgrade()) else {
            return;
        };
        swap(&held, &logs);
    }
}

/// Loads what has changed; what is no function leaves the last good one in its place.
fn swap(held: &Mutex<Held>, logs: &Logs) {
    let (changed, host) = {
        let mut held = lock(held);
        (held.changed(), held.host())
    };
    let Ok(host) = host else { return };
    for (path, slot) in changed {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let (level, message) = match host.load_file(&path) {
            Ok(function) => {
                let info = function.info().clone();
                slot.swap(function);
                let took = info.load_time.as_millis();
                let sha256 = &info.sha256[..12];
                (
                    LogLevel::Info,
                    format!("runs the new {name} ({sha256}, loaded in {took} ms)"),
                )
            }
            Err(error) => (
                LogLevel::Error,
                format!("the new {name} is not taken, the last good one goes on: {error}"),
            ),
        };
        for node in slot.nodes() {
            let line = LogLine {
                level,
                message: message.clone(),
                fields: Vec::new(),
            };
            logs.add(&node, vec![line], 0);
        }
    }
}
