//! Functions that are loaded: the host is started once, and each file is compiled once.

use std::collections::BTreeMap;
use std::env::var_os;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Weak};
use std::time::SystemTime;

use super::host::{FunctionError, FunctionHost, HostConfig, LoadedFunction, Metering};
use crate::shared::lock;

/// The function host of an engine and what it has loaded.
#[derive(Default)]
pub(crate) struct Functions {
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    metering: Option<Metering>,
    host: Option<Arc<FunctionHost>>,
    /// By file, as long as a node runs it.
    loaded: BTreeMap<PathBuf, (Stamp, Weak<LoadedFunction>)>,
}

/// Size and time of a file: others when it was built again.
type Stamp = Option<(u64, SystemTime)>;

impl Functions {
    /// Functions whose calls are bounded by instructions, the same on every machine.
    pub(crate) fn by_instructions() -> Functions {
        Functions {
            held: Mutex::new(Held {
                metering: Some(Metering::Instructions),
                ..Held::default()
            }),
        }
    }

    /// The function in a file; loaded anew when the file has changed. Compiling takes a while.
    pub(crate) fn load(&self, path: &Path) -> Result<Arc<LoadedFunction>, FunctionError> {
        let stamp = stamp(path);
        let mut held = lock(&self.held);
        held.loaded
            .retain(|_, (_, function)| function.strong_count() > 0);
        if let Some((known, function)) = held.loaded.get(path)
            && *known == stamp
            && let Some(function) = function.upgrade()
        {
            return Ok(function);
        }
        let host = if let Some(host) = &held.host {
            Arc::clone(host)
        } else {
            let host = FunctionHost::new(HostConfig {
                cache_folder: cache_folder(),
                metering: held.metering.unwrap_or(Metering::Time),
                ..HostConfig::default()
            })?;
            Arc::clone(held.host.insert(host))
        };
        let function = host.load_file(path)?;
        let entry = (stamp, Arc::downgrade(&function));
        held.loaded.insert(path.to_path_buf(), entry);
        Ok(function)
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

    #[test]
    fn a_file_is_loaded_once_until_it_changes() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("f.wasm");
        let component = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../samples/functions/order-tax/order-tax.wasm"
        );
        fs::copy(component, &path).expect("the sample is there");
        let functions = Functions::default();
        let first = functions.load(&path).expect("loads");
        assert!(Arc::ptr_eq(
            &first,
            &functions.load(&path).expect("is there")
        ));
        fs::write(&path, "no component").expect("can be written");
        assert!(matches!(functions.load(&path), Err(FunctionError::NotWasm)));
    }
}
