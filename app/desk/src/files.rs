//! The files that a designer works with: reading, replacing, watching, completing paths.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::time::UNIX_EPOCH;

use runtime_protocol::host::{Ask, Contents, Location, Stamp, Told};
use runtime_protocol::recording;

use crate::engines::Shown;
use crate::{folders, samples};

/// Entries of a folder that are listed for a path that somebody types.
const ENTRIES_MAX: usize = 500;
/// Largest file that is read as a flow, in bytes.
const FILE_MAX: u64 = 24 << 20;

/// Which files a designer may reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Whatever the user may: locations are paths.
    Everything,
    /// What lies in this folder and is meant for designers: locations are paths inside it.
    Folder(PathBuf),
}

/// Files on behalf of one designer.
pub struct Files {
    reach: Reach,
    /// Nothing may be written.
    read_only: bool,
    shown: Shown,
    watched: Option<(Location, Option<Stamp>)>,
    told: Vec<Told>,
}

impl Files {
    /// `shown` learns which flow the designer shows.
    pub fn new(reach: Reach, read_only: bool, shown: Shown) -> Files {
        Files {
            reach,
            read_only,
            shown,
            watched: None,
            told: Vec::new(),
        }
    }

    /// Does what is asked of files, and gives back what is not about files.
    pub fn ask(&mut self, ask: Ask) -> Option<Ask> {
        match ask {
            Ask::Read(location) => {
                let result = self.read(&location);
                self.told.push(Told::Read { location, result });
            }
            Ask::Write { location, bytes } => {
                let result = self.write(&location, &bytes);
                if let (Some((watched, known)), Ok(stamp)) = (&mut self.watched, &result)
                    && *watched == location
                {
                    *known = Some(*stamp);
                }
                self.told.push(Told::Written { location, result });
            }
            Ask::Watch(location) => {
                // The watched file is the one of the flow that is shown.
                let path = |location: &Location| self.path(location).ok();
                self.shown.set(location.as_ref().and_then(path));
                self.watched = location.map(|location| {
                    let known = self.path(&location).and_then(|path| stamp(&path)).ok();
                    (location, known)
                });
            }
            Ask::Complete(path) => {
                let entries = self.complete(&path);
                self.told.push(Told::Completed { path, entries });
            }
            other => return Some(other),
        }
        None
    }

    /// What came of it since the last call.
    pub fn take(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.told)
    }

    /// Whether the watched file is another one by now; looks at the disk.
    pub fn look(&mut self) {
        let Some((location, known)) = &self.watched else {
            return;
        };
        let now = self.path(location).and_then(|path| stamp(&path)).ok();
        if now != *known {
            let location = location.clone();
            self.told.push(Told::Changed {
                location: location.clone(),
                stamp: now,
            });
            self.watched = Some((location, now));
        }
    }

    /// Whether a file is watched.
    pub fn watches(&self) -> bool {
        self.watched.is_some()
    }

    fn read(&self, location: &Location) -> Result<Contents, String> {
        let path = self.path(location).map_err(|error| error.to_string())?;
        let read = || {
            if self.reach == Reach::Everything {
                samples::unpack_if_one(&path)?;
            }
            // Links may lead anywhere; what they lead to must be inside, too.
            let path = self.inside(&path)?;
            let size = fs::metadata(&path)?.len();
            if size > FILE_MAX {
                return Err(io::Error::other(format!(
                    "the file has {size} bytes and a flow at most {FILE_MAX}; open another one"
                )));
            }
            Ok(Contents {
                bytes: fs::read(&path)?,
                stamp: stamp(&path)?,
            })
        };
        read().map_err(|error: io::Error| error.to_string())
    }

    fn write(&self, location: &Location, bytes: &[u8]) -> Result<Stamp, String> {
        if self.read_only {
            return Err("you look on here; ask for the operator's link to save".to_owned());
        }
        let write = || {
            let path = self.path(location)?;
            if let Some(parent) = path.parent() {
                self.inside(parent)?;
            }
            if path.exists() {
                self.inside(&path)?;
            }
            folders::replace(&path, bytes)?;
            stamp(&path)
        };
        write().map_err(|error: io::Error| error.to_string())
    }

    /// The path of a location, if a designer may reach it.
    fn path(&self, location: &Location) -> io::Result<PathBuf> {
        let path = Path::new(location.as_str());
        let Reach::Folder(folder) = &self.reach else {
            return Ok(path.to_path_buf());
        };
        if !is_plain(path)
            || location.as_str().contains(['\\', ':', '\0'])
            || location.as_str().is_empty()
        {
            return Err(outside(location.as_str()));
        }
        if !is_served(location.as_str()) {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "only flows and recorded runs are served; name one that ends in `.flow.json`",
            ));
        }
        Ok(folder.join(path))
    }

    /// The place that the path leads to in the end, if that is inside, too.
    fn inside(&self, path: &Path) -> io::Result<PathBuf> {
        let Reach::Folder(folder) = &self.reach else {
            return Ok(path.to_path_buf());
        };
        let real = path.canonicalize()?;
        if real.starts_with(folder.canonicalize()?) {
            Ok(real)
        } else {
            Err(outside(&path.to_string_lossy()))
        }
    }

    fn complete(&self, typed: &str) -> Vec<String> {
        let (folder, start) = match typed.rsplit_once('/') {
            Some((folder, start)) => (format!("{folder}/"), start),
            None => (String::new(), typed),
        };
        let place = match &self.reach {
            Reach::Everything if folder.is_empty() => PathBuf::from("."),
            Reach::Everything => PathBuf::from(&folder),
            Reach::Folder(root) => {
                if !is_plain(Path::new(&folder)) {
                    return Vec::new();
                }
                match self.inside(&root.join(&folder)) {
                    Ok(place) => place,
                    Err(_) => return Vec::new(),
                }
            }
        };
        let Ok(entries) = fs::read_dir(place) else {
            return Vec::new();
        };
        let mut found: Vec<String> = entries
            .flatten()
            .filter_map(|entry| {
                let name = entry.file_name().to_string_lossy().into_owned();
                let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
                let hidden =
                    starts_with_dot(&name) && (start.is_empty() || self.reach != Reach::Everything);
                let shown = name.starts_with(start) && !hidden && (is_folder || is_served(&name));
                let end = if is_folder { "/" } else { "" };
                shown.then(|| format!("{folder}{name}{end}"))
            })
            .take(ENTRIES_MAX)
            .collect();
        found.sort();
        found
    }
}

/// Whether a file is meant for designers, by its name.
fn is_served(name: &str) -> bool {
    name.ends_with(recording::ENDING)
        || Path::new(name).extension().is_some_and(|end| end == "json")
}

/// Whether a path goes down only, and into nothing hidden.
fn is_plain(path: &Path) -> bool {
    path.components().all(
        |part| matches!(part, Component::Normal(name) if !starts_with_dot(&name.to_string_lossy())),
    )
}

fn starts_with_dot(name: &str) -> bool {
    name.starts_with('.')
}

fn outside(path: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::PermissionDenied,
        format!("only files of the project are served; {path} is not inside it"),
    )
}

fn stamp(path: &Path) -> io::Result<Stamp> {
    let modified = fs::metadata(path)?.modified()?;
    let since = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(Stamp(since.as_nanos() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(folder: &Path, read_only: bool) -> Files {
        Files::new(
            Reach::Folder(folder.to_path_buf()),
            read_only,
            Shown::default(),
        )
    }

    fn read(files: &mut Files, location: &str) -> Result<Vec<u8>, String> {
        assert_eq!(files.ask(Ask::Read(Location::new(location))), None);
        match files.take().pop() {
            Some(Told::Read { result, .. }) => result.map(|contents| contents.bytes),
            other => panic!("{other:?}"),
        }
    }

    fn write(files: &mut Files, location: &str) -> Result<Stamp, String> {
        let location = Location::new(location);
        let bytes = b"new".to_vec();
        files.ask(Ask::Write { location, bytes });
        match files.take().pop() {
            Some(Told::Written { result, .. }) => result,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn nothing_outside_the_folder_is_reached() {
        let home = tempfile::tempdir().expect("a folder");
        let project = home.path().join("project");
        fs::create_dir_all(project.join("sub")).expect("folders");
        fs::create_dir_all(project.join(".weir")).expect("folders");
        fs::write(home.path().join("secret.json"), "secret").expect("written");
        fs::write(project.join("a.flow.json"), "a").expect("written");
        fs::write(project.join("sub/b.flow.json"), "b").expect("written");
        fs::write(project.join(".weir/session.json"), "token").expect("written");
        fs::write(project.join("key.pem"), "key").expect("written");
        #[cfg(unix)]
        for (to, name) in [("..", "up"), ("../secret.json", "link.json")] {
            std::os::unix::fs::symlink(to, project.join(name)).expect("linked");
        }
        let mut files = files(&project, false);
        assert_eq!(read(&mut files, "a.flow.json"), Ok(b"a".to_vec()));
        assert_eq!(read(&mut files, "sub/b.flow.json"), Ok(b"b".to_vec()));
        for location in [
            "../secret.json",
            "sub/../../secret.json",
            "./../secret.json",
            "/etc/passwd.json",
            "..\\secret.json",
            "C:\\secret.json",
            "up/secret.json",
            "link.json",
            ".weir/session.json",
            "key.pem",
            "a.flow.json\0",
            "",
        ] {
            assert!(read(&mut files, location).is_err(), "read {location}");
            assert!(write(&mut files, location).is_err(), "write {location}");
        }
        assert!(write(&mut files, "sub/c.flow.json").is_ok());
        let secret = fs::read_to_string(home.path().join("secret.json"));
        assert_eq!(secret.expect("read"), "secret");
        for typed in ["../", "up/", "/etc/", ".weir/", "."] {
            assert_eq!(files.complete(typed), [""; 0], "{typed}");
        }
        assert_eq!(
            files.complete(""),
            ["a.flow.json", "link.json", "sub/"],
            "flows and folders"
        );
        assert_eq!(files.complete("sub/b"), ["sub/b.flow.json"]);
    }

    #[test]
    fn viewers_write_nothing() {
        let project = tempfile::tempdir().expect("a folder");
        let mut files = files(project.path(), true);
        let refused = write(&mut files, "a.flow.json").expect_err("refused");
        assert!(refused.contains("operator's link"), "{refused}");
        assert!(!project.path().join("a.flow.json").exists());
    }

    #[test]
    fn changes_by_others_are_told_and_own_ones_are_not() {
        let project = tempfile::tempdir().expect("a folder");
        let path = project.path().join("a.flow.json");
        fs::write(&path, "a").expect("written");
        let mut files = files(project.path(), false);
        let location = Location::new("a.flow.json");
        files.ask(Ask::Watch(Some(location.clone())));
        write(&mut files, "a.flow.json").expect("written");
        files.look();
        assert_eq!(files.take(), []);
        fs::remove_file(&path).expect("removed");
        files.look();
        let gone = Told::Changed {
            location,
            stamp: None,
        };
        assert_eq!(files.take(), [gone]);
        files.look();
        assert_eq!(files.take(), []);
    }
}
