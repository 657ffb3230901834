//! Small texts that are kept from one start to the next, such as settings and autosaves.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;

use crate::folders;

const ENDING: &str = ".json";

/// The texts in the user's folder for settings.
pub struct Kept {
    folder: Option<PathBuf>,
}

impl Default for Kept {
    fn default() -> Kept {
        Kept {
            folder: folders::config(),
        }
    }
}

impl Kept {
    pub fn get(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.path(name)?).ok()
    }

    /// Every text, by name.
    pub fn all(&self) -> BTreeMap<String, String> {
        let entries = self.folder.iter().flat_map(fs::read_dir).flatten();
        entries
            .filter_map(|entry| {
                let name = entry.ok()?.file_name();
                let name = name.to_str()?.strip_suffix(ENDING)?.to_owned();
                let text = self.get(&name)?;
                Some((name, text))
            })
            .collect()
    }

    /// Keeps a text, or with `None` forgets it.
    pub fn set(&self, name: &str, text: Option<&str>) -> Result<(), String> {
        let Some(path) = self.path(name) else {
            return Err("no folder for settings is known; set HOME".to_owned());
        };
        let done = match text {
            Some(text) => path
                .parent()
                .map_or(Ok(()), fs::create_dir_all)
                .and_then(|()| folders::replace(&path, text.as_bytes())),
            None => match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            },
        };
        done.map_err(|error| format!("{error}: {}", path.display()))
    }

    /// Names are words, not paths.
    fn path(&self, name: &str) -> Option<PathBuf> {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if name.is_empty() || !name.chars().all(word) {
            return None;
        }
        Some(self.folder.as_ref()?.join(format!("{name}{ENDING}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_kept_by_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let kept = Kept {
            folder: Some(folder.path().join("weir")),
        };
        assert_eq!(kept.all(), BTreeMap::new());
        kept.set("settings", Some("{}")).expect("kept");
        kept.set("autosave", Some("1")).expect("kept");
        kept.set("autosave", None).expect("forgotten");
        kept.set("autosave", None).expect("forgotten already");
        assert_eq!(kept.get("settings").as_deref(), Some("{}"));
        assert_eq!(kept.all().len(), 1);
        for name in ["../a", "a/b", "", "."] {
            assert!(kept.set(name, Some("x")).is_err(), "{name}");
        }
    }
}
