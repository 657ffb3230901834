//! The samples inside the program, and the user's copies of them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use runtime_protocol::host::{Location, Sample};

use crate::folders;

/// A sample as it was when the program was built.
pub struct Bundled {
    /// Name of its folder and of its flow.
    pub name: &'static str,
    pub title: &'static str,
    pub summary: &'static str,
    /// Paths in its folder, with `/` between the parts, and contents.
    pub files: &'static [(&'static str, &'static [u8])],
}

/// Every sample, in the order in which a newcomer should look at them.
pub static ALL: &[Bundled] = include!(concat!(env!("OUT_DIR"), "/samples.rs"));

/// The sample that is shown when nothing else is asked for.
pub fn first() -> &'static Bundled {
    &ALL[0]
}

pub fn find(name: &str) -> Option<&'static Bundled> {
    ALL.iter().find(|sample| sample.name == name)
}

/// Names of all samples, for messages.
pub fn names() -> String {
    let names: Vec<&str> = ALL.iter().map(|sample| sample.name).collect();
    names.join(", ")
}

/// The samples as the designer lists them: their places are the user's copies, which are made when
/// they are opened for the first time.
pub fn listed() -> Vec<Sample> {
    let places = ALL.iter().filter_map(|sample| {
        Some(Sample {
            location: Location::new(sample.place()?.to_string_lossy()),
            title: sample.title.into(),
            summary: sample.summary.into(),
        })
    });
    places.collect()
}

/// Makes the user's copy if the path lies in the place of one; other paths are none of its business.
pub fn unpack_if_one(path: &Path) -> io::Result<()> {
    let Some(place) = copies() else {
        return Ok(());
    };
    let name = path
        .strip_prefix(&place)
        .ok()
        .and_then(|inside| inside.iter().next()?.to_str());
    match name.and_then(find) {
        Some(sample) => sample.unpack(&place.join(sample.name)),
        None => Ok(()),
    }
}

fn copies() -> Option<PathBuf> {
    Some(folders::data()?.join("samples"))
}

impl Bundled {
    /// Where the user's copy of its flow is, or will be.
    pub fn place(&self) -> Option<PathBuf> {
        let flow = format!("{}.flow.json", self.name);
        Some(copies()?.join(self.name).join(flow))
    }

    /// Writes its files into the folder; what is there stays as it is.
    pub fn unpack(&self, folder: &Path) -> io::Result<()> {
        for (file, bytes) in self.files {
            let path = folder.join(file);
            if path.exists() {
                continue;
            }
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            folders::replace(&path, bytes)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_complete_and_keeps_what_the_user_changed() {
        let folder = tempfile::tempdir().expect("a folder");
        let sample = first();
        assert_eq!(sample.name, "hello");
        sample.unpack(folder.path()).expect("unpacked");
        let readme = folder.path().join("README.md");
        fs::write(&readme, "mine").expect("written");
        fs::remove_file(folder.path().join("hello.flow.json")).expect("removed");
        sample.unpack(folder.path()).expect("unpacked again");
        assert_eq!(fs::read_to_string(readme).expect("read"), "mine");
        for (file, _) in sample.files {
            assert!(folder.path().join(file).exists(), "{file}");
        }
    }
}
