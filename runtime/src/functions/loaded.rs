//! Functions that are loaded: the host is started once, each file is compiled once, and a file that
//! was built again takes the place of what runs.

use std::collections::{BTreeMap, BTreeSet};
use std::env::var_os;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::SystemTime;

use graph_model::id::NodeId;

use super::host::{FunctionError, FunctionHost, HostConfig, LoadedFunction, Metering};
use super::logs::Logs;
use super::watch::Watch;
use crate::shared::lock;

/// The function host of an engine and what it has loaded.
#[derive(Default)]
pub(crate) struct Functions {
    held: Arc<Mutex<Held>>,
    watch: Option<Watch>,
}

#[derive(Default)]
pub(super) struct Held {
    metering: Option<Metering>,
    host: Option<Arc<FunctionHost>>,
    /// By file, as long as a node runs it.
    loaded: BTreeMap<PathBuf, (Stamp, Weak<Slot>)>,
    /// What comes with the program: by its address, for as long as the engine is there.
    built_in: BTreeMap<usize, Arc<Slot>>,
}

/// Size and time of a file: others when it was built again.
type Stamp = Option<(u64, SystemTime)>;

/// A place for a function that may be swapped under the nodes that run it.
#[derive(Debug)]
pub(crate) struct Slot {
    current: Mutex<Arc<LoadedFunction>>,
    /// Counts the swaps.
    version: AtomicU64,
    nodes: Mutex<BTreeSet<NodeId>>,
}

impl Slot {
    fn new(function: Arc<LoadedFunction>) -> Arc<Slot> {
        Arc::new(Slot {
            current: Mutex::new(function),
            version: AtomicU64::new(0),
            nodes: Mutex::default(),
        })
    }

    /// The function to run, and the number of it.
    pub(super) fn current(&self) -> (Arc<LoadedFunction>, u64) {
        let current = lock(&self.current);
        (Arc::clone(&current), self.version.load(Ordering::Acquire))
    }

    /// Another number than before when the function was swapped.
    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// A node runs what is here.
    pub(super) fn used_by(&self, node: &NodeId) {
        lock(&self.nodes).insert(node.clone());
    }

    pub(super) fn nodes(&self) -> BTreeSet<NodeId> {
        lock(&self.nodes).clone()
    }

    pub(super) fn swap(&self, function: Arc<LoadedFunction>) {
        let mut current = lock(&self.current);
        *current = function;
        self.version.fetch_add(1, Ordering::AcqRel);
    }
}

impl Functions {
    /// Functions whose calls are bounded by instructions, the same on every machine.
    pub(crate) fn by_instructions() -> Functions {
        Functions {
            held: Arc::new(Mutex::new(Held {
                metering: Some(Metering::Instructions),
                ..Held::default()
            })),
            watch: None,
        }
    }

    /// Functions whose files are watched: one that was built again takes the place of the one that
    /// runs. What came of it is told to the log.
    pub(crate) fn watched(logs: &Arc<Logs>) -> Functions {
        let held = Arc::default();
        Functions {
            watch: Watch::start(&held, logs),
            held,
        }
    }

    /// The function in a file; loaded anew when the file has changed. Compiling takes a while.
    pub(crate) fn load(&self, path: &Path) -> Result<Arc<Slot>, FunctionError> {
        let mut held = lock(&self.held);
        let stamp = stamp(path);
        held.loaded.retain(|_, (_, slot)| slot.strong_count() > 0);
        if let Some((known, slot)) = held.loaded.get_mut(path)
            && let Some(slot) = slot.upgrade()
        {
            if *known != stamp {
                *known = stamp;
                let function = held.host()?.load_file(path)?;
                slot.swap(function);
            }
            return Ok(slot);
        }
        let slot = Slot::new(held.host()?.load_file(path)?);
        let entry = (stamp, Arc::downgrade(&slot));
        held.loaded.insert(path.to_path_buf(), entry);
        drop(held);
        if let Some(watch) = &self.watch {
            watch.look_at(path);
        }
        Ok(slot)
    }

    /// A function that is part of the program.
    pub(crate) fn built_in(&self, component: &'static [u8]) -> Result<Arc<Slot>, FunctionError> {
        let mut held = lock(&self.held);
        let address = component.as_ptr() as usize;
        if let Some(slot) = held.built_in.get(&address) {
            return Ok(Arc::clone(slot));
        }
        let slot = Slot::new(held.host()?.load(component)?);
        held.built_in.insert(address, Arc::clone(&slot));
        Ok(slot)
    }
}

impl Held {
    /// The host; started when it is first needed.
    pub(super) fn host(&mut self) -> Result<Arc<FunctionHost>, FunctionError> {
        if let Some(host) = &self.host {
            return Ok(Arc::clone(host));
        }
        let host = FunctionHost::new(HostConfig {
            cache_folder: cache_folder(),
            metering: self.metering.unwrap_or(Metering::Time),
            ..HostConfig::default()
        })?;
        Ok(Arc::clone(self.host.insert(host)))
    }

    /// Files that are others than those that were loaded, with who runs them; each is told once.
    pub(super) fn changed(&mut self) -> Vec<(PathBuf, Arc<Slot>)> {
        let mut changed = Vec::new();
        for (path, (known, slot)) in &mut self.loaded {
            let now = stamp(path);
            // One that is gone for a moment is being written.
            if now.is_some()
                && now != *known
                && let Some(slot) = slot.upgrade()
            {
                *known = now;
                changed.push((path.clone(), slot));
            }
        }
        changed
    }
}

fn stamp(path: &Path) -> Stamp {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.len(), metadata.modified().ok()?))
}

/// Where the user keeps what can be made again. Not in the project: compiled code has the rights of
/// the program, and a project may come from somebody else.
fn cache_folder() -> Option<PathBuf> {
    let set = |name| {
        var_os(name)
            .filter(|path| !path.is_empty())
            .map(PathBuf::from)
    };
    let base = set("XDG_CACHE_HOME")
        .or_else(|| set("HOME").map(|home| home.join(".cache")))
        .or_else(|| set("LOCALAPPDATA"))?;
    Some(base.join("weir").join("functions"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDER_TAX: &str = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../samples/functions/order-tax/order-tax.wasm"
    );
    const SEVERITY: &str = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../samples/functions/severity-js/severity-js.wasm"
    );

    #[test]
    fn a_file_is_loaded_once_until_it_changes() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("f.wasm");
        fs::copy(ORDER_TAX, &path).expect("the sample is there");
        let functions = Functions::default();
        let first = functions.load(&path).expect("loads");
        let (before, _) = first.current();
        let again = functions.load(&path).expect("is there");
        assert!(Arc::ptr_eq(&before, &again.current().0));
        fs::copy(SEVERITY, &path).expect("can be written");
        let other = functions.load(&path).expect("loads the other one");
        assert_ne!(before.info().sha256, other.current().0.info().sha256);
        fs::write(&path, "no component").expect("can be written");
        assert!(matches!(functions.load(&path), Err(FunctionError::NotWasm)));
    }
}
