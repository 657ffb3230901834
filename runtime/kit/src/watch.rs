//! Builds a function again whenever its source changes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, SystemTime};

use notify::{EventKind, RecursiveMode, Watcher};

use crate::build::{Build, Built};
use crate::error::Error;
use crate::folder::FunctionFolder;
use crate::job::Progress;

/// No change for so long means that whoever changes the source is done with it for now: editors and
/// version control write several files at a time.
const QUIET: Duration = Duration::from_millis(200);

/// What is heard of a function that is watched.
#[derive(Debug)]
pub enum Heard {
    /// A build has begun: the first one, or another as the source changed.
    Begun,
    /// How it goes.
    Progress(Progress),
    /// How it ended.
    Ended(Result<Built, Error>),
}

/// Watches a function until it is dropped. A build that runs then is finished, but nothing more of it is
/// heard.
pub struct Watch {
    stop: SyncSender<Wake>,
    // Ends with this value, and so tells of nothing any more.
    _watcher: notify::RecommendedWatcher,
}

/// Why the thread that builds looks up.
enum Wake {
    Changed,
    Stop,
}

impl Watch {
    /// Builds the function, and then again after each change. What comes of it is told on another thread.
    pub fn start(build: Build, hear: impl FnMut(Heard) + Send + 'static) -> Result<Watch, Error> {
        let folder = build.folder().clone();
        Watch::call(
            &folder.clone(),
            move |tell| build.run(tell),
            move || stamps(&folder),
            hear,
        )
    }

    fn call(
        folder: &FunctionFolder,
        build: impl FnMut(&mut dyn FnMut(Progress)) -> Result<Built, Error> + Send + 'static,
        look: impl FnMut() -> Stamps + Send + 'static,
        hear: impl FnMut(Heard) + Send + 'static,
    ) -> Result<Watch, Error> {
        let unwatched = |error: notify::Error| Error::Unwatched {
            folder: folder.root.clone(),
            why: error.to_string(),
        };
        let (wake, woken) = sync_channel(1);
        let mut watcher = notify::recommended_watcher({
            let (wake, folder) = (wake.clone(), folder.clone());
            move |event: notify::Result<notify::Event>| {
                if event.map_or(true, |event| concerns(&folder, &event)) {
                    // Full means that the thread is going to look anyway; closed, that it is gone.
                    drop(wake.try_send(Wake::Changed));
                }
            }
        })
        .map_err(unwatched)?;
        watcher
            .watch(&folder.root, RecursiveMode::Recursive)
            .map_err(unwatched)?;
        thread::spawn(move || build_on(&woken, build, look, hear));
        Ok(Watch {
            stop: wake,
            _watcher: watcher,
        })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // A change that is waiting has to give way, since nobody hears of it any more.
        if let Err(TrySendError::Full(stop)) = self.stop.try_send(Wake::Stop) {
            let sender = self.stop.clone();
            thread::spawn(move || drop(sender.send(stop)));
        }
    }
}

/// What the sources looked like: their sizes and times.
type Stamps = BTreeMap<PathBuf, (u64, Option<SystemTime>)>;

fn stamps(folder: &FunctionFolder) -> Stamps {
    // What cannot be read now is told by the build.
    let sources = folder.sources().unwrap_or_default();
    let stamped = sources.into_iter().filter_map(|path| {
        let about = fs::metadata(folder.root.join(&path)).ok()?;
        Some((path, (about.len(), about.modified().ok())))
    });
    stamped.collect()
}

fn build_on(
    woken: &Receiver<Wake>,
    mut build: impl FnMut(&mut dyn FnMut(Progress)) -> Result<Built, Error>,
    mut look: impl FnMut() -> Stamps,
    mut hear: impl FnMut(Heard),
) {
    loop {
        // Looked at before the build: a change while it runs brings another one.
        let built = look();
        hear(Heard::Begun);
        let ended = build(&mut |progress| hear(Heard::Progress(progress)));
        hear(Heard::Ended(ended));
        loop {
            match woken.recv() {
                Ok(Wake::Changed) => {}
                Ok(Wake::Stop) | Err(_) => return,
            }
            if !settle(woken) {
                return;
            }
            if look() != built {
                break;
            }
        }
    }
}

/// Waits until changes stop coming; false when the watch is over.
fn settle(woken: &Receiver<Wake>) -> bool {
    loop {
        match woken.recv_timeout(QUIET) {
            Ok(Wake::Changed) => {}
            Err(RecvTimeoutError::Timeout) => return true,
            Ok(Wake::Stop) | Err(RecvTimeoutError::Disconnected) => return false,
        }
    }
}

/// Whether an event may be a change of what people wrote.
fn concerns(folder: &FunctionFolder, event: &notify::Event) -> bool {
    let changed = !matches!(event.kind, EventKind::Access(_));
    let source = |path: &PathBuf| {
        let below: Option<&Path> = path.strip_prefix(&folder.root).ok();
        // Where the system does not say what changed, anything may have.
        below.is_none_or(FunctionFolder::is_source)
    };
    changed && (event.paths.is_empty() || event.paths.iter().any(source))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;
    use crate::create::new;

    /// Long enough for a machine that is busy with other things.
    const PATIENCE: Duration = Duration::from_secs(20);

    fn ok() -> Built {
        Built {
            component: "a.wasm".into(),
            bytes: 0,
            changed: true,
            names: Vec::new(),
        }
    }

    #[test]
    fn a_change_of_a_source_builds_again_and_nothing_else_does() {
        let parent = tempfile::tempdir().expect("a folder");
        let folder = new(parent.path(), "a", "c").expect("made");
        let (heard, hear) = channel();
        let root = folder.root.clone();
        let looked_at = folder.clone();
        let watch = Watch::call(
            &folder,
            move |tell| {
                tell(Progress::Step("building".into()));
                // What a build leaves is no change.
                fs::create_dir_all(root.join(".build")).expect("made");
                fs::write(root.join(".build/x.o"), "").expect("written");
                fs::write(root.join("a.wasm"), "").expect("written");
                Ok(ok())
            },
            move || stamps(&looked_at),
            move |heard_now| drop(heard.send(heard_now)),
        )
        .expect("it watches");
        let round = || {
            let next = || hear.recv_timeout(PATIENCE).expect("told in time");
            assert!(matches!(next(), Heard::Begun));
            assert!(matches!(next(), Heard::Progress(Progress::Step(_))));
            assert!(matches!(next(), Heard::Ended(Ok(built)) if built == ok()));
        };
        round();
        // Two files at once are one change.
        fs::write(folder.root.join("src/more.c"), "int more;").expect("written");
        fs::write(folder.root.join("src/again.c"), "int again;").expect("written");
        round();
        fs::remove_file(folder.root.join("src/more.c")).expect("removed");
        round();
        fs::write(folder.root.join("a.wasm"), "other").expect("written");
        fs::write(folder.root.join(".build/y.o"), "other").expect("written");
        // Read, and written as it was.
        fs::read(folder.root.join("src/again.c")).expect("read");
        hear.recv_timeout(QUIET * 5).expect_err("nothing changed");
        drop(watch);
        fs::write(folder.root.join("src/more.c"), "int more;").expect("written");
        hear.recv_timeout(QUIET * 5).expect_err("nobody watches");
    }

    #[test]
    fn a_change_during_a_build_is_not_missed() {
        let parent = tempfile::tempdir().expect("a folder");
        let folder = new(parent.path(), "a", "c").expect("made");
        let (heard, hear) = channel();
        let source = folder.root.join("src/more.c");
        let looked_at = folder.clone();
        let mut builds = 0;
        let _watch = Watch::call(
            &folder,
            move |_| {
                builds += 1;
                if builds == 1 {
                    fs::write(&source, "int more;").expect("written");
                }
                Ok(ok())
            },
            move || stamps(&looked_at),
            move |heard_now| {
                if let Heard::Ended(ended) = heard_now {
                    drop(heard.send(ended));
                }
            },
        )
        .expect("it watches");
        for _ in 0..2 {
            let ended = hear.recv_timeout(PATIENCE).expect("it is built");
            ended.expect("it is well");
        }
        hear.recv_timeout(QUIET * 5).expect_err("no third one");
    }
}
