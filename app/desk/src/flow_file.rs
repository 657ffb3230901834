//! Finding and reading the flow that a command is about.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use graph_model::document::Document;
use graph_model::format::{self, Note, OpenError};

/// How the names of flows end.
pub const ENDING: &str = ".flow.json";
/// How the names of flows with hazards end, which samples keep beside their flow.
const FLAWED: &str = "-flawed.flow.json";

/// A flow that was read from a file.
pub struct FlowFile {
    pub path: PathBuf,
    /// The folder that every path of the flow stays inside.
    pub project: PathBuf,
    /// As it stands in the file.
    pub text: String,
    pub document: Document,
    /// What is odd in the file.
    pub notes: Vec<Note>,
}

/// Why there is no flow to work with: what, where, what next.
#[derive(Debug, thiserror::Error)]
pub enum NoFlow {
    #[error("{}: there is no such file or folder; `weir new` makes a flow", .0.display())]
    Missing(PathBuf),
    #[error("{}: the folder has no {ENDING} file; name a flow, or make one with `weir new`", .0.display())]
    EmptyFolder(PathBuf),
    #[error("{}: the folder has several flows ({names}); name one of them", folder.display())]
    Several { folder: PathBuf, names: String },
    #[error("{}: {error}; see that it can be read", path.display())]
    Unreadable { path: PathBuf, error: io::Error },
    #[error("{}: {error}", path.display())]
    NotAFlow { path: PathBuf, error: OpenError },
}

/// Reads the flow of a file or a folder.
pub fn read(place: &Path) -> Result<FlowFile, NoFlow> {
    let path = find(place)?;
    let bytes = fs::read(&path).map_err(|error| unreadable(&path, error))?;
    let opened = format::open(&bytes).map_err(|error| NoFlow::NotAFlow {
        path: path.clone(),
        error,
    })?;
    let whole = std::path::absolute(&path).map_err(|error| unreadable(&path, error))?;
    Ok(FlowFile {
        project: whole.parent().unwrap_or(Path::new("/")).to_path_buf(),
        path,
        text: String::from_utf8(bytes).expect("a document was read from it"),
        document: opened.document,
        notes: opened.notes,
    })
}

/// The file of a flow. Of a folder it is the flow that has the folder's name, or the only one that is
/// not a flawed twin.
pub fn find(place: &Path) -> Result<PathBuf, NoFlow> {
    if !place.is_dir() {
        return if place.exists() {
            Ok(place.to_path_buf())
        } else {
            Err(NoFlow::Missing(place.to_path_buf()))
        };
    }
    let whole = place
        .canonicalize()
        .map_err(|error| unreadable(place, error))?;
    if let Some(name) = whole.file_name() {
        let own = place.join(format!("{}{ENDING}", name.to_string_lossy()));
        if own.exists() {
            return Ok(own);
        }
    }
    let mut flows = meant(place)?;
    match flows.len() {
        1 => Ok(flows.remove(0)),
        _ => Err(NoFlow::Several {
            folder: place.to_path_buf(),
            names: flows
                .iter()
                .filter_map(|flow| Some(flow.file_name()?.to_string_lossy().into_owned()))
                .collect::<Vec<_>>()
                .join(", "),
        }),
    }
}

/// Every flow of a folder that is not a flawed twin, sorted by name; a file stands for itself.
pub fn meant(place: &Path) -> Result<Vec<PathBuf>, NoFlow> {
    let mut flows = all(place)?;
    if place.is_dir() {
        flows.retain(|flow| !flow.to_string_lossy().ends_with(FLAWED));
    }
    if flows.is_empty() {
        return Err(NoFlow::EmptyFolder(place.to_path_buf()));
    }
    Ok(flows)
}

/// As [`meant`], of the folder and all below it that are not hidden.
pub fn below(place: &Path) -> Result<Vec<PathBuf>, NoFlow> {
    if !place.is_dir() {
        return meant(place);
    }
    let mut flows = Vec::new();
    let mut open = vec![place.to_path_buf()];
    while let Some(folder) = open.pop() {
        match meant(&folder) {
            Ok(found) => flows.extend(found),
            Err(NoFlow::EmptyFolder(_)) => {}
            Err(error) => return Err(error),
        }
        for entry in fs::read_dir(&folder).map_err(|error| unreadable(&folder, error))? {
            let entry = entry.map_err(|error| unreadable(&folder, error))?;
            let hidden = entry.file_name().to_string_lossy().starts_with('.');
            // A link is not followed, so that the way ends.
            if !hidden && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                open.push(entry.path());
            }
        }
    }
    if flows.is_empty() {
        return Err(NoFlow::EmptyFolder(place.to_path_buf()));
    }
    flows.sort();
    Ok(flows)
}

/// Every flow of a folder, flawed twins too, sorted by name; a file stands for itself.
pub fn all(place: &Path) -> Result<Vec<PathBuf>, NoFlow> {
    if !place.is_dir() {
        return find(place).map(|path| vec![path]);
    }
    let entries = fs::read_dir(place).map_err(|error| unreadable(place, error))?;
    let mut flows = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| unreadable(place, error))?;
        if entry.file_name().to_string_lossy().ends_with(ENDING) && entry.path().is_file() {
            flows.push(entry.path());
        }
    }
    if flows.is_empty() {
        return Err(NoFlow::EmptyFolder(place.to_path_buf()));
    }
    flows.sort();
    Ok(flows)
}

fn unreadable(path: &Path, error: io::Error) -> NoFlow {
    NoFlow::Unreadable {
        path: path.to_path_buf(),
        error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_stands_for_its_flow() {
        for (files, wanted) in [
            (&["shop.flow.json", "other.flow.json"][..], "shop.flow.json"),
            (
                &["a.flow.json", "a-flawed.flow.json", "b.json"],
                "a.flow.json",
            ),
            (&["a-flawed.flow.json"], "the folder has no .flow.json"),
            (
                &["a.flow.json", "b.flow.json"],
                "several flows (a.flow.json, b.flow.json)",
            ),
            (&[], "make one with `weir new`"),
        ] {
            let parent = tempfile::tempdir().expect("a folder");
            let folder = parent.path().join("shop");
            fs::create_dir(&folder).expect("a folder");
            for file in files {
                fs::write(folder.join(file), r#"{"version":1,"nodes":{}}"#).expect("written");
            }
            let found = match find(&folder) {
                Ok(path) => path.display().to_string(),
                Err(error) => error.to_string(),
            };
            assert!(found.contains(wanted), "{files:?}: {found}");
        }
    }

    #[test]
    fn the_project_is_the_folder_of_the_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.flow.json");
        fs::write(&path, r#"{"version":1,"nodes":{}}"#).expect("written");
        assert_eq!(read(&path).expect("a flow").project, folder.path());
        fs::write(&path, r#"{"version":9}"#).expect("written");
        let refused = read(&path).map(drop).expect_err("newer").to_string();
        assert!(
            refused.contains("a.flow.json: written by a newer Weir"),
            "{refused}"
        );
    }
}
